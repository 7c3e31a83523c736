"""A trained model folder, read back: its metadata checked, its weights put into the model that it describes."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optml import artefact
from optml.errors import Refusal

if TYPE_CHECKING:
    import torch

Check = Callable[[Any], bool]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_DETECTOR: Mapping[str, Check] = {"confidence": _number, "nms_iou": _number}
_CLASSIFIER: Mapping[str, Check] = {"fit": lambda value: value in ("pad", "squash")}
TASKS: Mapping[str, Mapping[str, Check]] = {
    "detect": _DETECTOR,
    "segment": _DETECTOR,
    "classify": {
        **_CLASSIFIER,
        "threshold": lambda value: value is None or _number(value),
        "positive": lambda value: value in (None, 0, 1),
    },
    "semantic": {
        "fit": lambda value: value == "pad",
        "threshold": _number,
        "image_threshold": _number,
        "image_score": lambda value: value in ("head", "pixels"),
    },
    "count": {
        **_CLASSIFIER,
        "head": lambda value: value in ("ordinal", "softmax"),
        "hidden": lambda value: isinstance(value, int),
    },
}
"""What metadata.json must say beside the task, by task."""
WEIGHTS = "model.safetensors"
_HINT = "unpack model.tar.gz again"


def metadata(folder: Path, architectures: Collection[str], tasks: Collection[str]) -> dict[str, Any]:
    """The metadata.json of a model of one of `architectures` for one of `tasks`; Refusal that names a wrong value.

    Refuses a folder without weights too, all before torch is imported, which takes seconds.
    """
    found = artefact.read(folder)
    sides, classes = found.get("input_size"), found.get("classes")
    valid = {
        "task": found.get("task") in tasks,
        "architecture": found.get("architecture") in tuple(architectures),
        "classes": isinstance(classes, list) and bool(classes) and all(isinstance(name, str) for name in classes),
        "input_size": isinstance(sides, list)
        and len(sides) == 2
        and all(isinstance(side_px, int) and side_px > 0 for side_px in sides),
    }
    valid |= {name: check(found.get(name)) for name, check in TASKS.get(str(found.get("task")), {}).items()}
    for name, right in valid.items():
        if not right:
            fault = "is not one that a model can have" if name in found else "is missing"
            raise Refusal(f'"{name}" {fault} ({folder / artefact.METADATA})', _HINT)
    if not (folder / WEIGHTS).is_file():
        raise Refusal(f"there is no {WEIGHTS} ({folder / WEIGHTS})", _HINT)
    return found


def writer(
    save_file: Callable[..., None], state: Mapping[str, Any], header: Mapping[str, str]
) -> Callable[[Path], None]:
    """A writer of weights by safetensors' `save_file`; the same tensors and header are the same bytes."""

    def write(path: Path) -> None:
        save_file(state, path, header)
        order_header(path)

    return write


def order_header(path: Path) -> None:
    """Sort what a .safetensors file says of itself, which safetensors writes in an order of chance."""
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        found = json.loads(file.read(size))
        found["__metadata__"] = dict(sorted(found["__metadata__"].items()))
        text = json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode().ljust(size)
        if len(text) == size:
            file.seek(8)
            file.write(text)


def load_weights(model: torch.nn.Module, folder: Path) -> None:
    """Put the folder's weights into the model that its metadata describes; Refusal where they do not fit it."""
    from training import weights

    path = folder / WEIGHTS
    try:
        model.load_state_dict(weights.read(path))
    except RuntimeError as error:
        raise Refusal(
            f"the weights are not those of the model that {artefact.METADATA} describes ({path})", _HINT
        ) from error
