"""Starting weights: from a channel that the user gave, matched by name and shape to the model that is trained."""

from __future__ import annotations

import contextlib
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
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
KEYS = ("state_dict", "model_state_dict", "model")
"""What checkpoints call a state dict."""
_HINT = (
    "give the tensors alone: torch.save(model.state_dict(), 'weights.pt'), or safetensors.torch.save_file of them "
    "as weights.safetensors"
)


def start(
    pretrained: str,
    env: Environment,
    *,
    starter: Callable[[], Start] | None,
    published: Callable[[], Start],
    read_file: Callable[[Path], State] | None = None,
) -> Start:
    """The first weights of a job whose hyperparameter `pretrained` is auto, starter, channel, none or a publisher.

    `auto` takes the channel `pretrained` where the job has one, else the starter, else none. The channel's file is read
    by `read_file`, which is `read` unless a program must open what that refuses.
    """

    def channel() -> Start:
        path = first.file_of(env.channel("pretrained"), env.scratch_dir, (".safetensors",), (".pt", ".pth"))
        return f"channel `pretrained` ({path.name})", (read_file or read)(path)

    return first.choose(
        pretrained, env, none=lambda words: (words, {}), channel=channel, starter=starter, published=published
    )


def downloaded(
    publisher: str,
    name: str,
    fetch: Callable[[str], str | Path],
    read_file: Callable[[Path], State] | None = None,
) -> Start:
    """Weights that the makers of an architecture publish, by `fetch`, because the user asked for them."""
    path = first.fetched(publisher, name, lambda: Path(fetch(name)))
    return f"{publisher}' published {name}", (read_file or read)(path)


def read(path: Path) -> State:
    """The tensors of a .safetensors file, or of a PyTorch state dict, alone or in a dict under one of `KEYS`.

    Nothing in the file is run: Refusal for a pickle that holds anything but tensors and plain values.
    """
    with refused(path):
        if path.suffix == ".safetensors":
            return _bare(load_file(path))
        if state := tensors(path):
            return state
    keys = " or ".join(f"`{key}`" for key in KEYS)
    raise Refusal(f"{path.name} holds no state dict, neither as a whole nor as its {keys}", _HINT)


def tensors(path: Path) -> State:
    """The state dict in a file of torch.save, empty where it has none; nothing in the file is run."""
    saved = torch.load(path, map_location="cpu", weights_only=True)
    candidates = [saved, *(saved.get(key) for key in KEYS)] if isinstance(saved, dict) else []
    for state in candidates:
        if isinstance(state, dict) and state and all(isinstance(value, torch.Tensor) for value in state.values()):
            return _bare(state)
    return {}


def _bare(state: Mapping[str, torch.Tensor]) -> State:
    """Without the `module.` that DataParallel and DistributedDataParallel put before every name."""
    wrapped = all(name.startswith("module.") for name in state)
    return {name.removeprefix("module.") if wrapped else name: tensor for name, tensor in state.items()}


@contextlib.contextmanager
def refused(path: Path) -> Iterator[None]:
    """A Refusal of what goes wrong within, where a weights file is read."""
    try:
        yield
    except pickle.UnpicklingError as error:
        if re.search("unsupported (global|class)", str(error), re.IGNORECASE):
            raise Refusal(f"{path.name} opens only by running code that it holds, which is not done", _HINT) from error
        raise Refusal(f"{path.name} is no file that torch.save wrote", _HINT) from error
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, LookupError, AttributeError) as error:
        raise Refusal(f"{path.name} holds no weights that can be read: {error}", _HINT) from error


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
