"""A job folder laid out as SageMaker lays out /opt/ml, and containers that run on it as the platform runs them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WRITABLE = ("model", "output", "checkpoints")


class Job:
    """`base` stands for /opt/ml, whose sub-folders are mounted one by one."""

    def __init__(self, engine: Any, base: Path) -> None:
        self.base = base
        self._engine = engine
        self._channels: dict[str, Path] = {}
        self._started: list[Any] = []
        for folder in ("input/config", *WRITABLE):
            (base / folder).mkdir(parents=True, exist_ok=True)

    def channel(self, name: str, content: Path) -> None:
        self._channels[name] = content

    def config(self, name: str, content: Any) -> None:
        (self.base / "input/config" / name).write_text(json.dumps(content))

    def run(self, image: Any, user: int = 0, /, limits: dict[str, Any] | None = None, **hp: str) -> tuple[int, str]:
        """Train to the end; exit code and log."""
        container = self.start(image, "train", user, limits, **hp)
        code = container.wait()["StatusCode"]
        return code, container.logs().decode()

    def start(
        self, image: Any, verb: str = "train", user: int = 0, limits: dict[str, Any] | None = None, **hp: str
    ) -> Any:
        """A container that runs `IMAGE VERB`, as SageMaker starts it; a served model is read-only, as there."""
        self.config("hyperparameters.json", hp)
        for folder in WRITABLE:
            os.chown(self.base / folder, user, user)
        mode = "ro" if verb == "serve" else "rw"
        volumes = [f"{self.base / 'input/config'}:/opt/ml/input/config:ro", f"{self.base}/model:/opt/ml/model:{mode}"]
        if verb == "train":
            volumes += [f"{self.base / folder}:/opt/ml/{folder}" for folder in ("output", "checkpoints")]
            volumes += [f"{path}:/opt/ml/input/data/{name}:ro" for name, path in self._channels.items()]
        container = self._engine.containers.run(
            image, [verb], user=user, volumes=volumes, detach=True, **({"network_mode": "none"} | (limits or {}))
        )
        self._started.append(container)
        return container

    def clear(self) -> None:
        for container in self._started:
            container.remove(force=True, v=True)

    @property
    def failure(self) -> str:
        path = self.base / "output/failure"
        return path.read_text() if path.exists() else ""

    def checkpoints(self) -> list[Path]:
        """Complete ones: a manifest is written last."""
        return sorted(path.parent for path in self.base.glob("checkpoints/*/manifest.json"))


def wait_until(condition: Callable[[], Any], container: Any) -> None:
    """Wait for something that a container brings about; fails with its log when it has ended before."""
    while not condition():
        container.reload()
        assert container.status == "running", container.logs().decode()[-2000:]
        time.sleep(0.1)
