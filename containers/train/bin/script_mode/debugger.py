"""Shows smdebug the job's configuration where /opt/ml is elsewhere: it knows no other base than that one."""

from __future__ import annotations

import json
import os
from pathlib import Path

from optml.environment import AWS_BASE, resolve_path

_VARIABLES = {
    "debughookconfig.json": "SMDEBUG_CONFIG_FILE_PATH",
    "tensorboardoutputconfig.json": "TENSORBOARD_CONFIG_FILE_PATH",
    "checkpointconfig.json": "CHECKPOINT_CONFIG_FILE_PATH",
}


def point_at(base: Path, scratch: Path) -> None:
    """Set the variables that name its config files, to copies whose LocalPath lies below the base."""
    if str(base) == AWS_BASE:
        return
    for name, variable in _VARIABLES.items():
        given = base / "input/config" / name
        if variable in os.environ or not given.is_file():
            continue
        content = json.loads(given.read_text(encoding="utf-8"))
        if "LocalPath" in content:
            content["LocalPath"] = str(resolve_path(content["LocalPath"], base))
        copy = scratch / name
        copy.write_text(json.dumps(content), encoding="utf-8")
        os.environ[variable] = str(copy)
