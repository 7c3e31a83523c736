"""The docker backend: each job in a container of its image, started as SageMaker starts it (``IMAGE train``).

The job's folders are mounted at their places below /opt/ml, never /opt/ml whole, so that what the image has
beside them stays. The program runs as the user who runs the emulator, who therefore owns what it writes.
"""

import hashlib
import io
import logging
import os
import platform
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from local.errors import ValidationException
from local.jobs import images, memory
from local.jobs.backend import BackendName, Host, Launch, Runnable, Wanted
from local.jobs.container import Container
from local.jobs.engine import Engine, RefusedError, asked_to, unless_gone
from local.jobs.grace import stop_grace_s
from local.jobs.job import JobError
from local.jobs.networks import AlsoAt, Network, network
from local.jobs.programs import ProgramTable, is_ours
from local.jobs.workdir import INTERFACE

HOME_LABEL = "drydock.home"
FOLDER_LABEL = "drydock.job-folder"

_SHM_SHARE = 2  # half of the memory, as on an instance of SageMaker
_SPARED_SHARE = 16  # of the memory, so that the kernel kills the job and not the engine or the emulator
_NOT_EXECUTABLE = ("executable file not found", "no such file or directory", "permission denied")


class DockerBackend:
    """Runs images as containers of the engine of this machine."""

    name = BackendName.docker
    interface = INTERFACE

    def __init__(
        self, engine: Engine, programs: ProgramTable, home: Path, also_at: AlsoAt, grace_s: float | None = None
    ) -> None:
        """``programs`` are those of our images; ``home`` names the emulator in the labels of what it starts."""
        self._engine = engine
        self._programs = programs
        self._home = home
        self._also_at = also_at
        self._grace_s = stop_grace_s() if grace_s is None else grace_s

    def resolve(self, asked: Wanted) -> Runnable:
        return images.resolve(self._engine, self._programs, asked)

    def prepare(self, runnable: Runnable, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        """An image that was resolved is all that a container needs; one that is not ours may have nothing to start."""
        if is_ours(runnable.image) or "PATH" in environment:  # which may lead to what the job brings
            return
        try:
            images.check_train(self._engine, runnable, {HOME_LABEL: str(self._home)})
        except ValidationException as error:
            raise JobError(f"ClientError: {error.message}") from error

    def start(self, launch: Launch) -> list[Container]:
        labels = {HOME_LABEL: str(self._home), FOLDER_LABEL: str(launch.folder)}
        name = f"drydock-{launch.folder.name}-{_digest(launch.folder)}"
        with ExitStack() as cleanup:
            net = self._network(launch, name, labels, cleanup)
            made = [self._create(launch, host, name, labels, net, cleanup) for host in launch.hosts]
            outputs = [self._attach(identity) for identity in made]
            ran_out = memory.watch() if self._engine.kernel == platform.release() else lambda: None
            for identity in made:
                self._start(identity, launch)
            removals = _removals(made, self._remove, cleanup.pop_all())
            parts = zip(made, outputs, removals, strict=True)
            return [Container(self._engine, own, out, self._grace_s, remove, ran_out) for own, out, remove in parts]

    def clear(self, folder: Path) -> None:
        _clear(self._engine, f"{FOLDER_LABEL}={folder}")

    def _network(self, launch: Launch, name: str, labels: Mapping[str, str], cleanup: ExitStack) -> Network | None:
        """The network of the job's hosts; none for a host that is alone and isolated."""
        several = [host.name for host in launch.hosts] if len(launch.hosts) > 1 else []
        if launch.network_isolation and not several:
            return None
        also_at = None if launch.network_isolation else self._also_at
        return cleanup.enter_context(network(self._engine, name, labels, several, also_at))

    def _create(
        self, launch: Launch, host: Host, name: str, labels: Mapping[str, str], net: Network | None, cleanup: ExitStack
    ) -> str:
        full_name = f"{name}-{host.name}" if len(launch.hosts) > 1 else name
        with asked_to("create the container"):
            configuration = self._configuration(launch, host, full_name, labels, net)
            made: str = self._engine.api.create_container(**configuration)["Id"]
        cleanup.callback(self._remove, made)
        return made

    def _attach(self, identity: str) -> Iterator[tuple[bytes | None, bytes | None]]:
        with asked_to("prepare the container"):
            self._give_opt_ml(identity)
            output: Iterator[tuple[bytes | None, bytes | None]] = self._engine.api.attach(
                identity, stdout=True, stderr=True, stream=True, demux=True
            )
        return output

    def _remove(self, identity: str) -> None:
        try:
            _remove_container(self._engine, identity)
        except JobError as error:
            logging.warning("%s", error)

    def _start(self, identity: str, launch: Launch) -> None:
        try:
            with asked_to("start the container"):
                self._engine.api.start(identity)
        except RefusedError as error:
            if '"train": ' in error.said and any(reason in error.said for reason in _NOT_EXECUTABLE):
                raise JobError(f"ClientError: {images.without_train(launch.runnable.description)}") from error
            raise

    def _configuration(
        self, launch: Launch, host: Host, name: str, labels: Mapping[str, str], net: Network | None
    ) -> dict[str, Any]:
        """Arguments of ``create_container``; ``host_config`` as in the engine's API."""
        memory_bytes = self._engine.memory_bytes // len(launch.hosts)
        addresses = net.addresses if net else {host.name: "127.0.0.1"}
        gpus = [{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}] if launch.gpus and self._engine.has_gpus else []
        return {
            "image": launch.runnable.reference,
            "command": ["train"],
            "name": name,
            "labels": dict(labels),
            "user": f"{os.getuid()}:{os.getgid()}",
            "environment": self._environment(launch, net),
            "healthcheck": {"test": ["NONE"]},
            "use_config_proxy": False,
            "networking_config": {"EndpointsConfig": {net.name: _endpoint(host, net)}} if net else None,
            "host_config": {
                "Mounts": [_mount(host.base / folder, f"/opt/ml/{folder}") for folder in launch.folders],
                "NetworkMode": net.name if net else "none",
                "ExtraHosts": [f"{known}:{address}" for known, address in addresses.items()],
                "ShmSize": memory_bytes // _SHM_SHARE,
                "Memory": memory_bytes - memory_bytes // _SPARED_SHARE,
                "DeviceRequests": gpus,
                "LogConfig": {"Type": "none"},
                "Init": False,
                "UsernsMode": "host",
            },
        }

    def _environment(self, launch: Launch, net: Network | None) -> dict[str, str]:
        """The image's own variables are below these."""
        variables = {"PYTHONUNBUFFERED": "1"}
        if os.getuid():
            variables |= {"HOME": "/tmp", "TMPDIR": "/tmp"}
        if net and net.endpoint_url:
            variables |= {
                "AWS_ENDPOINT_URL": net.endpoint_url,
                "AWS_ACCESS_KEY_ID": "drydock",
                "AWS_SECRET_ACCESS_KEY": "drydock",
            }
        return {**variables, **launch.environment}

    def _give_opt_ml(self, identity: str) -> None:
        """Let the program make folders of its own in /opt/ml, as root can in SageMaker; what is in it stays."""
        if os.getuid():
            archive = io.BytesIO()
            with tarfile.open(fileobj=archive, mode="w") as tar:
                opt_ml = tarfile.TarInfo("opt/ml")
                opt_ml.type, opt_ml.mode, opt_ml.uid, opt_ml.gid = tarfile.DIRTYPE, 0o755, os.getuid(), os.getgid()
                tar.addfile(opt_ml)
            self._engine.api.put_archive(identity, "/", archive.getvalue())


def clear_home(engine: Engine, home: Path) -> None:
    """Remove every container and network that an emulator of this home has left behind; JobError if it cannot."""
    _clear(engine, f"{HOME_LABEL}={home}")


def _clear(engine: Engine, label: str) -> None:
    with asked_to("remove what an earlier emulator left behind"):
        for container in engine.api.containers(all=True, filters={"label": label}):
            logging.info("removing container %s, left behind by an earlier emulator", container["Id"][:12])
            _remove_container(engine, container["Id"])
        for net in engine.api.networks(filters={"label": label}):
            with unless_gone("remove a network"):
                engine.api.remove_network(net["Id"])


def _removals(
    containers: Sequence[str], remove: Callable[[str], None], cleanup: ExitStack
) -> Iterator[Callable[[], None]]:
    """For each container of a job what removes it; the last to be called removes all, and what they share."""
    lock, left = threading.Lock(), set(containers)

    def leave(identity: str) -> None:
        with lock:
            left.discard(identity)
            last = not left
        if last:
            cleanup.close()
        else:
            remove(identity)

    return (partial(leave, identity) for identity in containers)


def _remove_container(engine: Engine, identity: str) -> None:
    try:
        with unless_gone("remove a container"):
            engine.api.remove_container(identity, force=True, v=True)
    except RefusedError as error:
        if error.status != 409:
            raise
        with unless_gone("remove a container"):  # it is being removed
            engine.api.wait(identity, condition="removed")


def _mount(source: Path, target: str) -> dict[str, Any]:
    return {"Type": "bind", "Source": str(source), "Target": target, "ReadOnly": False}


def _endpoint(host: Host, net: Network) -> dict[str, Any]:
    """What a container is on the network: found by the host's name, at the address that all hosts know it by."""
    address = net.addresses.get(host.name)
    return {"Aliases": [host.name], "IPAMConfig": {"IPv4Address": address} if address else None}


def _digest(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]
