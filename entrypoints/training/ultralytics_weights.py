"""Weights from a checkpoint that Ultralytics saved: a pickle of whole models, which runs what it holds. YOLO's only."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch

from optml.errors import Refusal
from training import weights
from training.weights import State


def read(path: Path) -> State:
    """The tensors of a file that `weights.read` reads, or of a checkpoint of Ultralytics, which is told to be code."""
    if path.suffix == ".safetensors":
        return weights.read(path)
    try:
        if state := weights.tensors(path):
            return state
    except pickle.UnpicklingError:
        pass
    except (OSError, RuntimeError, ValueError, EOFError):
        return weights.read(path)  # it says what is wrong
    said = "is a pickle of a whole model, opened by running what it holds: give only what you trust"
    print(f"{path.name} {said}", flush=True)
    try:
        saved = torch.load(path, map_location="cpu", weights_only=False)
        return dict((saved.get("ema") or saved["model"]).float().state_dict())
    except Exception as error:  # whatever the code in it raises
        raise Refusal(
            f"{path.name} is no checkpoint of Ultralytics: {error}",
            "give a .pt file that YOLO saved, a state dict that torch.save wrote, or a .safetensors file",
        ) from error
