"""A container that is looked at: started as SageMaker starts it, waited for within limits, and always removed."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.jobs.container import hears_sigterm
from local.jobs.engine import Engine, RefusedError, asked_to, if_it_can

LABEL = "drydock.doctor"
"""Of the containers and networks that a doctor makes; its value is the doctor's process."""
LOOK_S = 0.1
_LAST_LINES = 2
_LONGEST_LINE = 300


@dataclass(frozen=True)
class Way:
    """How a container is run."""

    name: str
    """In the reports, as in "as another user"."""
    user: str = ""
    read_only: bool = False


AS_IS = Way("as the image says")
AS_USER = Way("as user 54321", user="54321:54321")
READ_ONLY = Way("on a read-only root file system", read_only=True)


@dataclass(frozen=True)
class Patient:
    """A started container."""

    engine: Engine
    identity: str

    def wait(self, seconds: float, until: Callable[[], bool] = lambda: False) -> int | None:
        """Its exit code, or None if it still runs after so long, or when ``until`` holds."""
        end = time.monotonic() + seconds
        while True:
            state = self._state()
            if not state["Running"]:
                return int(state["ExitCode"])
            if until() or time.monotonic() > end:
                return None
            time.sleep(LOOK_S)

    def stop(self, seconds: float) -> float | None:
        """Send SIGTERM; the seconds until it ended, or None if it did not."""
        began = time.monotonic()
        with asked_to("stop the container"):
            self.engine.api.kill(self.identity, "SIGTERM")
        return None if self.wait(seconds) is None else time.monotonic() - began

    @property
    def hears_sigterm(self) -> bool | None:
        """Whether SIGTERM reaches its first process, or the kernel drops it for want of a handler. None: no telling."""
        return hears_sigterm(self._state()["Pid"])

    def address(self, network: str) -> str:
        with asked_to("look at the container"):
            found = self.engine.api.inspect_container(self.identity)["NetworkSettings"]["Networks"][network]
        return str(found["IPAddress"])

    def last_words(self) -> str:
        """The end of its log."""
        with asked_to("show the container's output"):
            log = self.engine.api.logs(self.identity, tail=50).decode(errors="replace")
        lines = [line.strip()[:_LONGEST_LINE] for line in log.splitlines() if line.strip(" ^~\r")]
        return " / ".join(lines[-_LAST_LINES:]) or "it said nothing"

    def _state(self) -> dict[str, Any]:
        with asked_to("look at the container"):
            state: dict[str, Any] = self.engine.api.inspect_container(self.identity)["State"]
            return state


class NotStartedError(Exception):
    """The engine could not start the image; the text is the engine's."""


@contextmanager
def started(
    engine: Engine, image: str, command: Sequence[str], way: Way, mounts: Mapping[str, tuple[Path, bool]], network: str
) -> Iterator[Patient]:
    """A container until the block ends; ``mounts`` maps a path in it to a folder and whether it is read-only.

    NotStartedError if the image's program cannot be started.
    """
    with asked_to("create the container"):
        made = engine.api.create_container(
            image,
            list(command),
            user=way.user or None,
            labels={LABEL: str(os.getpid())},
            healthcheck={"test": ["NONE"]},
            use_config_proxy=False,
            host_config={
                "Mounts": [
                    {"Type": "bind", "Source": str(folder), "Target": path, "ReadOnly": read_only}
                    for path, (folder, read_only) in mounts.items()
                ],
                "NetworkMode": network,
                "ReadonlyRootfs": way.read_only,
                "Tmpfs": {"/tmp": "mode=1777"} if way.read_only else {},
                "Memory": engine.memory_bytes // 4 * 3,
                "Init": False,
            },
        )["Id"]
    try:
        try:
            with asked_to("start the container"):
                engine.api.start(made)
        except RefusedError as error:
            raise NotStartedError(error.said) from error
        yield Patient(engine, made)
    finally:
        with if_it_can("remove the container"):
            engine.api.remove_container(made, force=True, v=True)


@contextmanager
def closed_network(engine: Engine) -> Iterator[str]:
    """A network that this machine reaches and that leads nowhere, until the block ends."""
    name = f"drydock-doctor-{time.time_ns()}"
    with asked_to("make a network"):
        engine.api.create_network(name, driver="bridge", internal=True, labels={LABEL: str(os.getpid())})
    try:
        yield name
    finally:
        with if_it_can("remove the network"):
            engine.api.remove_network(name)
