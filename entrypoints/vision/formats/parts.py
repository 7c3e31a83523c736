"""Folders that are parts of a data set: train, validation, test; the folders around them are passed over."""

from __future__ import annotations

from collections.abc import Sequence

PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


def of(names: Sequence[str]) -> list[str]:
    """The part that each path, "/" between its own, lies in; "" for one in none.

    It is the first folder below those that hold all of the paths.
    """
    folders = [name.split("/")[:-1] for name in names]
    depth = 0
    while folders and all(len(one) > depth and one[depth] == folders[0][depth] for one in folders):
        if folders[0][depth].lower() in PARTS:
            break
        depth += 1
    return [PARTS.get(one[depth].lower(), "") if len(one) > depth else "" for one in folders]
