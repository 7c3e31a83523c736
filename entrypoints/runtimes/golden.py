"""Golden answers: inputs and a model's outputs for them, recorded on one machine and compared on another."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Sequence

import numpy as np
from numpy.typing import NDArray

from optml.errors import Refusal
from runtimes import Outputs, Session, Tensor

LOWEST_SCORE = 1e-3
"""Detections below it are noise, and in no order that two machines share."""
MOST = 1e9
"""The largest difference that is told, so that the report stays JSON."""
_RECORD = "record the answers of this model: verify MODEL_DIR GOLDEN --record IMAGE…"


def record(path: Path, session: Session, inputs: Sequence[Tensor]) -> None:
    """Write inputs and the session's outputs for them to an .npz file."""
    arrays: dict[str, Tensor] = {}
    for index, array in enumerate(inputs):
        arrays[f"{index}/input"] = array
        for name, value in session.predict(array).items():
            arrays[f"{index}/{name}"] = value
    try:
        with path.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # of numpy's stubs: allow_pickle is no array
    except OSError as error:
        raise Refusal(f"{path} cannot be written: {error.strerror}", "give a path that can be written to") from error


def compare(path: Path, session: Session) -> dict[str, Any]:
    """How far the session's outputs are from the recorded ones, in parts of the recorded value (of 1, below 1).

    `detections` counts those of both sides that were compared: without any, a detector of boxes has shown no more than
    that it finds nothing here either.
    """
    arrays = _read(path)
    differences: dict[str, float] = {}
    detections = 0
    count = sum(name.endswith("/input") for name in arrays)
    if not count:
        raise Refusal(f"{path} holds no recorded answers", _RECORD)
    for index in range(count):
        given = arrays.pop(f"{index}/input")
        prefix = f"{index}/"
        recorded = {name[len(prefix) :]: value for name, value in arrays.items() if name.startswith(prefix)}
        values, compared = _differences(recorded, session.predict(given))
        for name, value in values.items():
            differences[name] = max(value, differences.get(name, 0.0))
        detections += compared
    return {
        "runtime": session.runtime,
        "inputs": count,
        "detections": detections,
        "differences": differences,
        "largest_difference": max(differences.values()),
    }


def _differences(recorded: Outputs, found: Outputs) -> tuple[dict[str, float], int]:
    """By output, and how many detections were compared."""
    if set(recorded) != set(found):
        raise Refusal(
            f"the model's outputs are {', '.join(found)}, the recorded ones {', '.join(recorded)}",
            _RECORD,
        )
    for name, value in found.items():
        if value.shape != recorded[name].shape:
            raise Refusal(f"the model's {name} are {value.shape}, the recorded ones {recorded[name].shape}", _RECORD)
    values: dict[str, float] = {}
    compared = 0
    rows = [name for name in ("detections", "coefficients") if name in recorded]
    if rows:
        both = (np.concatenate([side[name][0] for name in rows], 1) for side in (recorded, found))
        values["detections"], compared = _of_rows(*both)
    for name in sorted(set(recorded) - set(rows)):
        values[name] = float(_relative(recorded[name], found[name]).max(initial=0.0))
    return values, compared


def _of_rows(recorded: Tensor, found: Tensor) -> tuple[float, int]:
    """The largest distance of a detection to the nearest on the other side, since near-equal scores may change places;
    and of how many, both sides together.
    """
    sides = (recorded, found)
    lowest = max(LOWEST_SCORE, *(float(side[:, 4].min(initial=1.0)) * (1 + 1e-3) for side in sides))
    largest, compared = 0.0, 0
    for one, other in (sides, sides[::-1]):
        for row in one[one[:, 4] > lowest]:
            near = _relative(row[None], other).max(axis=1)
            largest = max(largest, float(near.min(initial=MOST)))
            compared += 1
    return largest, compared


def _relative(recorded: Tensor, found: Tensor) -> NDArray[np.float64]:
    """What is no number differs by MOST, from another such too: a model that answers NaN is not right."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(found.astype(np.float64) - recorded) / np.maximum(1.0, np.abs(recorded))
    return np.asarray(np.minimum(np.nan_to_num(difference, nan=MOST), MOST))


def _read(path: Path) -> dict[str, Tensor]:
    try:
        with np.load(path, allow_pickle=False) as file:
            names: list[str] = list(file.files)
            return {name: file[name] for name in names}
    except FileNotFoundError as error:
        raise Refusal(f"there is no {path.name} ({path})", _RECORD) from error
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise Refusal(f"{path} holds no recorded answers, it is no whole .npz file", "copy the file again") from error
