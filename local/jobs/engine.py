"""The container engine of this machine: finds it, and says what stands in the way of running jobs with it.

The one module that imports the docker SDK. Everything else uses ``Engine.api``, its low-level client, whose
methods and values are those of the engine's HTTP API.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from local.installer import SetUpError
from local.jobs.job import JobError

OLDEST_VERSION = "20.10"
OLDEST_API = (1, 41)
"""That of the engine OLDEST_VERSION."""

_TIMEOUT_S = 300  # creating a container of a large image on a slow disk
_SOCKET = "unix:///var/run/docker.sock"
_OTHERWISE = "or run jobs as processes: --backend process"


@dataclass(frozen=True)
class Engine:
    """An engine that answers."""

    api: Any
    """docker.APIClient; safe to use from any thread."""
    version: str
    architecture: str
    """What its containers run on, in Docker's words: ``amd64``, ``arm64``."""
    memory_bytes: int
    has_gpus: bool
    """It can give NVIDIA GPUs to containers."""
    kernel: str
    """The release of the kernel that its containers run on; another than this machine's in a virtual machine."""

    def close(self) -> None:
        self.api.close()


def connect() -> Engine:
    """The engine of this machine; SetUpError if there is none that can run jobs, with what to do about it."""
    from docker import APIClient  # type: ignore[import-untyped]
    from docker.errors import DockerException  # type: ignore[import-untyped]

    address = os.environ.get("DOCKER_HOST") or _SOCKET
    if not address.startswith("unix://"):
        raise SetUpError(
            f"DOCKER_HOST is {address}, and jobs need an engine that sees the folders of this machine",
            f"unset DOCKER_HOST, {_OTHERWISE}",
        )
    try:
        api = APIClient(base_url=address, timeout=_TIMEOUT_S)
        version, info = api.version(), api.info()
    except (DockerException, OSError) as error:
        raise _unreachable(address, error, f", {_OTHERWISE}") from error
    _check(version, info)
    return Engine(
        api,
        version=version["Version"],
        architecture=version["Arch"],
        memory_bytes=info["MemTotal"],
        has_gpus="nvidia" in info.get("Runtimes", {}),
        kernel=info.get("KernelVersion", ""),
    )


def client() -> Any:
    """A docker.APIClient of whatever engine DOCKER_HOST names, for orders other than jobs; SetUpError if none."""
    from docker import APIClient
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env  # type: ignore[import-untyped]

    address = os.environ.get("DOCKER_HOST") or _SOCKET
    try:
        api = APIClient(**kwargs_from_env(), timeout=_TIMEOUT_S)
        api.ping()
    except (DockerException, OSError) as error:
        raise _unreachable(address, error, otherwise="") from error
    return api


class RefusedError(JobError):
    """The engine answered that it will not do something."""

    def __init__(self, message: str, status: int, said: str) -> None:
        """``status`` is that of HTTP, ``said`` the engine's own words."""
        super().__init__(message)
        self.status = status
        self.said = said

    @property
    def gone(self) -> bool:
        """It concerned something that is not there any more, or a container that has ended."""
        return self.status == 404 or "is not running" in self.said


@contextmanager
def asked_to(do: str) -> Iterator[None]:
    """Turns what goes wrong when the engine is asked to do something into a JobError that says so."""
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        said = str(error.explanation or error)
        message = f"ClientError: The container engine could not {do}: {said}"
        raise RefusedError(message, error.status_code or 0, said) from error
    except (DockerException, OSError) as error:
        raise JobError(f"InternalServerError: The container engine did not {do}: {error}") from error


@contextmanager
def unless_gone(do: str) -> Iterator[None]:
    """As ``asked_to``, but content when it need not be done any more."""
    try:
        with asked_to(do):
            yield
    except RefusedError as error:
        if not error.gone:
            raise


@contextmanager
def if_it_can(do: str) -> Iterator[None]:
    """As ``unless_gone``, but what goes wrong is only logged: for orders that a job's end does not depend on."""
    try:
        with unless_gone(do):
            yield
    except JobError as error:
        logging.warning("%s", error)


def _unreachable(address: str, error: Exception, otherwise: str) -> SetUpError:
    said = str(error)
    if "Permission denied" in said:
        return SetUpError(
            f"this user may not use the container engine ({address.removeprefix('unix://')}: permission denied)",
            f"sudo usermod -aG docker $USER, then log in again{otherwise}",
        )
    if "API versions below" in said:
        return SetUpError(
            f"the container engine is too old: {said}", f"install Docker {OLDEST_VERSION} or newer{otherwise}"
        )
    missing = not os.path.exists(address.removeprefix("unix://"))  # noqa: PTH110
    return SetUpError(
        f"no container engine answers at {address}" + ("" if missing else f" ({said})"),
        f"install Docker (on Debian 12, as root: .ci/engine) or start it{otherwise}",
    )


def _check(version: dict[str, Any], info: dict[str, Any]) -> None:
    """SetUpError for an engine that answers and yet cannot run jobs as SageMaker does."""
    api_version = tuple(int(part) for part in version["ApiVersion"].split("."))
    if api_version < OLDEST_API:
        raise SetUpError(
            f"the container engine {version['Version']} is too old: its API is {version['ApiVersion']}, "
            f"and jobs need {OLDEST_API[0]}.{OLDEST_API[1]}",
            f"install Docker {OLDEST_VERSION} or newer, {_OTHERWISE}",
        )
    if version["Os"] != "linux":
        raise SetUpError(f"the container engine runs {version['Os']} containers", f"switch it to Linux, {_OTHERWISE}")
    if any("name=rootless" in option for option in info.get("SecurityOptions") or ()):
        raise SetUpError(
            "the container engine is rootless: its networks do not reach this machine, and files get other owners",
            f"use an engine that runs as root, {_OTHERWISE}",
        )
