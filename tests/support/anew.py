"""A runtime image built once more, with nothing from the cache but the root that its machine's base is."""

from __future__ import annotations

import os
import subprocess
import time
from typing import Any

from containers import build
from tests.support.emulator import ROOT

LIMIT_S = 280


def runtime(row: str, tag: str) -> float:
    """Build `runtime-<row>` as `tag`, of another date than the first; returns seconds, the root's own not counted."""
    target = f"runtime-{row}"
    environ = {**os.environ, **build.choices(), "SOURCE_DATE_EPOCH": "5"}
    plan = build.read_plan([target], environ)
    environ |= build.choose_base(plan) | build.runtime_roots(plan)
    stages = [f"--set={name}.no-cache=true" for name in (f"runtime-packages-{row}", target)]
    command = ["docker", "buildx", "bake", *stages, f"--set={target}.tags={tag}", target]
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environ, check=True, timeout=LIMIT_S)
    return time.perf_counter() - started


def layers(engine: Any, tag: str) -> list[str]:
    """Digests of the layers of an image, the lowest first."""
    digests: list[str] = engine.images.get(tag).attrs["RootFS"]["Layers"]
    return digests
