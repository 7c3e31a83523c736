"""The process backend: a program in its own virtual environment, the job folder laid out as /opt/ml.

It needs no container engine. ``SAGEMAKER_BASE_DIR`` points the program at its folder, its environment is
clean, and between it and the emulator stands a supervisor that leaves no process behind.
"""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from local import environments
from local.errors import ValidationException
from local.installer import SetUpError
from local.jobs import frameworks, names, supervised
from local.jobs.backend import BackendName, Host, Launch, Runnable, Wanted
from local.jobs.grace import stop_grace_s
from local.jobs.job import JobError
from local.jobs.programs import CONTAINERS, SCRIPT, Program, ProgramTable
from local.jobs.supervised import Process
from local.jobs.workdir import OWN

_FROM_HOST = ("PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "TZ")


class ProcessBackend:
    """Runs programs as processes of this machine."""

    name = BackendName.process
    interface = "lo"

    def __init__(
        self,
        programs: ProgramTable,
        endpoint_url: str,
        grace_s: float | None = None,
        ensure: Callable[[str, Callable[[str], None]], Path] = environments.ensure,
    ) -> None:
        """``ensure`` makes a virtual environment ready and returns its python."""
        self._programs = programs
        self._endpoint_url = endpoint_url
        self._grace_s = stop_grace_s() if grace_s is None else grace_s
        self._ensure = ensure
        self._pythons: dict[str, Path] = {}
        self._names_resolve = False

    def resolve(self, asked: Wanted) -> Runnable:
        program = self._programs.resolve(asked)
        if asked.hosts > 1:
            self._check_names()
        image = frameworks.stand_in(asked.image) or asked.image
        if program is SCRIPT:
            return Runnable(program.name, f"drydock/train-cpu:script (as a process, in {program.environment})", image)
        return Runnable(program.name, f"program {program.name} ({program.file})", image)

    def _check_names(self) -> None:
        """ValidationException if programs of this machine cannot be given host names of their own."""
        if self._names_resolve:
            return
        wanted = addresses(["algo-1"])
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", errors="surrogateescape") as table:
            table.write(names.content(wanted))
            table.flush()
            look = [sys.executable, "-I", "-S", "-c", "import socket; print(socket.gethostbyname('algo-1'))"]
            command = [*look[:3], names.__file__, table.name, *look]
            found = subprocess.run(command, capture_output=True, text=True, check=False)
        if found.stdout.split() != [*wanted.values()]:
            why = found.stderr.strip() or "the name service asks others first"
            raise ValidationException(
                "ResourceConfig.InstanceCount above 1 is not supported by Drydock's process backend on this machine, "
                f"where programs cannot have host names of their own: {why}. Allow them user namespaces "
                f"(sysctl -w kernel.apparmor_restrict_unprivileged_userns=0), or {CONTAINERS}"
            )
        self._names_resolve = True

    def prepare(self, runnable: Runnable, _: Mapping[str, str], say: Callable[[str], None]) -> None:
        environment = self._programs.named(runnable.reference).environment
        try:
            self._pythons[environment] = self._ensure(environment, say)
        except SetUpError as error:
            raise JobError(
                f"ClientError: The environment {environment} is not ready: {error.message}. {error.hint}"
            ) from error

    def start(self, launch: Launch) -> list[Process]:
        program = self._programs.named(launch.runnable.reference)
        several = len(launch.hosts) > 1
        shared = {"MASTER_PORT": _free_port()} if program is SCRIPT or several else {}
        running: list[Process] = []
        try:
            for host in launch.hosts:
                folder = launch.folder / OWN / host.name if several else launch.folder
                folder.mkdir(parents=True, exist_ok=True)
                python = self._pythons[program.environment]
                command = [*self._named(launch, folder), python, program.file, "train"]
                variables = shared | self._environment(launch, host, folder, program)
                running.append(supervised.run(command, folder, variables, self._grace_s))
        except BaseException:
            for process in running:
                process.stop(0)
                process.wait()
            raise
        return running

    def clear(self, folder: Path) -> None:
        for own in (folder, *folder.glob(f"{OWN}/*/")):
            supervised.clear(own)

    def _named(self, launch: Launch, folder: Path) -> list[str | Path]:
        """What a command begins with to find the hosts of its job by name."""
        if len(launch.hosts) == 1:
            return []
        table = folder / "hosts"
        table.write_text(names.content(addresses([host.name for host in launch.hosts])), "utf-8", "surrogateescape")
        return [sys.executable, "-I", "-S", names.__file__, table]

    def _environment(self, launch: Launch, host: Host, folder: Path, program: Program) -> dict[str, str]:
        home = folder / "home"
        home.mkdir(exist_ok=True)
        python = self._pythons[program.environment]
        variables = {name: os.environ[name] for name in _FROM_HOST if name in os.environ}
        variables["PATH"] = os.pathsep.join([str(python.parent), variables.get("PATH", os.defpath)])
        variables |= {
            "HOME": str(home),
            "TMPDIR": str(supervised.scratch(folder)),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
        }
        if not launch.network_isolation:
            variables |= {
                "AWS_ENDPOINT_URL": self._endpoint_url,
                "AWS_ACCESS_KEY_ID": "drydock",
                "AWS_SECRET_ACCESS_KEY": "drydock",
            }
        if program is SCRIPT:
            variables["DRYDOCK_PROGRAMS"] = str(environments.CHECKOUT / "entrypoints")
        if len(launch.hosts) > 1:
            variables["NCCL_HOSTID"] = f"{launch.folder.name}-{host.name}"  # else it takes all for one host
        return {**variables, **launch.environment, "SAGEMAKER_BASE_DIR": str(host.base)}


def addresses(hosts: Sequence[str]) -> dict[str, str]:
    """The address of each host of a job, all on the loopback device of this machine."""
    return {name: f"127.0.0.{number}" for number, name in enumerate(hosts, start=2)}


def _free_port() -> str:
    """A port that no other job of this machine waits at, as each host of SageMaker has its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
