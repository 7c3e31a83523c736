"""AWS's framework images (``…/pytorch-training:1.12-cpu-py38``), and which image of ours stands for each.

The table is containers/frameworks.json. Versions are those of our image, not those that a tag names.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).resolve().parents[2] / "containers" / "frameworks.json"
_REGISTRY = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.[^/]+/(?P<name>.+)")


def stand_in(image: str) -> str | None:
    """Our image for one of AWS's framework images; None for any other image, and for those that have none."""
    found = _REGISTRY.fullmatch(image)
    if not found or found["account"] not in _table()["accounts"]:
        return None
    return next((row["image"] for row in _table()["images"] if re.fullmatch(row["pattern"], found["name"])), None)


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(_TABLE.read_text(encoding="utf-8"))
    return table
