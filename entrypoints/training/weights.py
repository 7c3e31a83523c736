"""Starting weights: from a channel that the user gave, matched by name and shape to the model that is trained."""

from __future__ import annotations

import pickle
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from optml.environment import Environment
from optml.errors import Refusal

State = dict[str, torch.Tensor]
Start = tuple[str, State]
"""Where the first weights come from, in words, and the weights by name (empty: random)."""


def start(
    pretrained: str, env: Environment, *, starter: Callable[[], Start] | None, published: Callable[[], Start]
) -> Start:
    """The first weights of a job whose hyperparameter `pretrained` is auto, starter, channel, none or a publisher.

    `auto` takes the channel `pretrained` where the job has one, else the starter, else none.
    """
    source = pretrained
    if source == "auto":
        source = "channel" if "pretrained" in env.channels else "starter" if starter else "none"
    if source == "none":
        return f"random weights (pretrained={pretrained})", {}
    if source == "channel":
        name, state = from_channel(env.channel("pretrained"), env.scratch_dir)
        return f"channel `pretrained` ({name})", state
    return starter() if starter and source == "starter" else published()


def from_channel(folder: Path, scratch: Path) -> tuple[str, State]:
    """The name and the tensors of the one weights file in `folder`: .safetensors, .pt, or a job's model.tar.gz."""
    archive = folder / "model.tar.gz"
    if archive.is_file():
        folder = _unpacked(archive, scratch / "pretrained")
    found = sorted(folder.glob("*.safetensors")) or sorted([*folder.glob("*.pt"), *folder.glob("*.pth")])
    if not found:
        raise Refusal(
            "channel `pretrained` has no .safetensors, .pt, .pth or model.tar.gz",
            "put one weights file there, or leave the channel out",
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise Refusal(f"channel `pretrained` holds several weights files: {names}", "keep one of them")
    return found[0].name, read(found[0])


def downloaded(publisher: str, name: str, fetch: Callable[[str], str | Path]) -> Start:
    """Weights that the makers of an architecture publish, by `fetch`, because the user asked for them."""
    try:
        path = Path(fetch(name))
    except Exception as error:
        raise Refusal(
            f"could not download {publisher}' {name}: {error}",
            "check the network, or give the file in a channel `pretrained`",
        ) from error
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
    if weights and not fitted:
        raise Refusal(
            f"none of the {len(weights)} tensors of {source} fits the model", "give weights of the same architecture"
        )
    print(f"starting from {source}" + (f": {fitted} of {total} tensors" if weights else ""), flush=True)


def _unpacked(archive: Path, target: Path) -> Path:
    try:
        with tarfile.open(archive) as packed:
            packed.extractall(target, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise Refusal(f"{archive.name} cannot be unpacked: {error}", "give the archive that a job wrote") from error
    return target
