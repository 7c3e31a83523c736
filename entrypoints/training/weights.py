"""Starting weights: from a channel that the user gave, matched by name and shape to the model that is trained."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from optml.environment import Environment
from optml.errors import Refusal
from training import first

State = dict[str, torch.Tensor]
Start = tuple[str, State]
"""Where the first weights come from, in words, and the weights by name (empty: random)."""


def start(
    pretrained: str, env: Environment, *, starter: Callable[[], Start] | None, published: Callable[[], Start]
) -> Start:
    """The first weights of a job whose hyperparameter `pretrained` is auto, starter, channel, none or a publisher.

    `auto` takes the channel `pretrained` where the job has one, else the starter, else none.
    """

    def channel() -> Start:
        path = first.file_of(env.channel("pretrained"), env.scratch_dir, (".safetensors",), (".pt", ".pth"))
        return f"channel `pretrained` ({path.name})", read(path)

    return first.choose(
        pretrained, env, none=lambda words: (words, {}), channel=channel, starter=starter, published=published
    )


def downloaded(publisher: str, name: str, fetch: Callable[[str], str | Path]) -> Start:
    """Weights that the makers of an architecture publish, by `fetch`, because the user asked for them."""
    path = first.fetched(publisher, name, lambda: Path(fetch(name)))
    return f"{publisher}' published {name}", read(path)


def read(path: Path) -> State:
    """The tensors of a .safetensors file, of a PyTorch state dict, or of a checkpoint that YOLO saved.

    The last is a pickle, which runs what it holds: only give files you trust.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if state := _state_dict(path):
            return state
        saved = torch.load(path, map_location="cpu", weights_only=False)
        model = saved.get("ema") or saved["model"]
        return dict(model.float().state_dict())
    except (
        SafetensorError,
        OSError,
        RuntimeError,
        ValueError,
        EOFError,
        KeyError,
        AttributeError,
        ImportError,
    ) as error:
        raise Refusal(
            f"{path.name} holds no weights that can be read: {error}",
            "give a .safetensors file, a state dict that torch.save wrote, or a .pt file that YOLO saved",
        ) from error
    except Exception as error:
        if "Unpickling" not in type(error).__name__:
            raise
        raise Refusal(f"{path.name} is not a checkpoint: {error}", "give a .pt file that YOLO saved") from error


def _state_dict(path: Path) -> State:
    """The tensors of a file that holds nothing else, at the top or as its `model` or `state_dict`; else empty."""
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        return {}
    candidates = [saved, *(saved.get(key) for key in ("state_dict", "model"))] if isinstance(saved, dict) else []
    for state in candidates:
        if isinstance(state, dict) and state and all(isinstance(value, torch.Tensor) for value in state.values()):
            return dict(state)
    return {}


def load_matching(model: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> tuple[int, int]:
    """Copy the tensors whose name and shape fit; returns how many fitted and how many the model has."""
    own = model.state_dict()
    fitting = {name: t.to(own[name].dtype) for name, t in weights.items() if name in own and t.shape == own[name].shape}
    model.load_state_dict(fitting, strict=False)
    return len(fitting), len(own)


def load_some(model: torch.nn.Module, source: str, weights: State) -> None:
    """Put starting weights into a model and say how many fitted; Refusal where there are some and none does."""
    fitted, total = load_matching(model, weights)
    first.told(source, len(weights), fitted, total)
