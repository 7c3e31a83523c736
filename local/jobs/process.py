"""The process backend: a program in its own virtual environment, the job folder laid out as /opt/ml.

It needs no container engine. ``SAGEMAKER_BASE_DIR`` points the program at its folder, its environment is
clean, and between it and the emulator stands a supervisor that leaves no process behind.
"""

import contextlib
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from local import environments
from local.installer import SetUpError
from local.jobs import supervisor
from local.jobs.backend import BackendName, Exit, Launch, Runnable
from local.jobs.grace import stop_grace_s
from local.jobs.job import JobError
from local.jobs.programs import ProgramTable

_FROM_HOST = ("PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "TZ")
_RECORD = "process.json"
_CHUNK_BYTES = 65536
_SUPERVISOR_S = 5.0  # it ends at once when the emulator does
_SOCKET_ROOM = 60  # a Unix socket's path has at most 107 bytes, and Python puts its own names below TMPDIR


class ProcessBackend:
    """Runs programs as processes of this machine."""

    name = BackendName.process
    runs_scripts = False

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

    def resolve(self, image: str) -> Runnable:
        program = self._programs.resolve(image)
        return Runnable(program.name, f"program {program.name} ({program.file})")

    def prepare(self, runnable: Runnable, say: Callable[[str], None]) -> None:
        environment = self._programs.named(runnable.reference).environment
        try:
            self._pythons[environment] = self._ensure(environment, say)
        except SetUpError as error:
            raise JobError(
                f"ClientError: The environment {environment} is not ready: {error.message}. {error.hint}"
            ) from error

    def start(self, launch: Launch) -> "Process":
        program = self._programs.named(launch.runnable.reference)
        python = self._pythons[program.environment]
        record = launch.folder / _RECORD
        command: list[str | Path] = [
            sys.executable,
            "-I",
            "-S",
            supervisor.__file__,
            record,
            python,
            program.file,
            "train",
        ]
        child = subprocess.Popen(
            command,
            cwd=launch.folder,
            env=self._environment(launch, python),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        )
        return Process(child, launch.folder, self._grace_s)

    def clear(self, folder: Path) -> None:
        _clear(folder)
        _link(folder).unlink(missing_ok=True)

    def _environment(self, launch: Launch, python: Path) -> dict[str, str]:
        home = launch.folder / "home"
        home.mkdir(exist_ok=True)
        variables = {name: os.environ[name] for name in _FROM_HOST if name in os.environ}
        variables["PATH"] = os.pathsep.join([str(python.parent), variables.get("PATH", os.defpath)])
        variables |= {
            "HOME": str(home),
            "TMPDIR": str(_scratch(launch.folder)),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
        }
        if not launch.network_isolation:
            variables |= {
                "AWS_ENDPOINT_URL": self._endpoint_url,
                "AWS_ACCESS_KEY_ID": "drydock",
                "AWS_SECRET_ACCESS_KEY": "drydock",
            }
        return {**variables, **launch.environment, "SAGEMAKER_BASE_DIR": str(launch.base)}


class Process:
    """A program behind its supervisor."""

    def __init__(self, child: "subprocess.Popen[bytes]", folder: Path, grace_s: float) -> None:
        self._child = child
        self._folder = folder
        self._grace_s = grace_s
        self._pipe = threading.Lock()  # a stop must not write to a descriptor that wait() is closing

    def logs(self) -> Iterator[bytes]:
        assert self._child.stdout is not None
        ready = select.poll()
        with self._child.stdout as output, os.fdopen(os.pidfd_open(self._child.pid), "rb", buffering=0) as supervised:
            ready.register(output, select.POLLIN)
            ready.register(supervised, select.POLLIN)
            while events := [fd for fd, _ in ready.poll()]:
                if supervised.fileno() in events:
                    ready.unregister(supervised)
                    _clear(self._folder)  # in case the supervisor was killed: whoever is left could write for ever
                if output.fileno() in events:
                    chunk = os.read(output.fileno(), _CHUNK_BYTES)
                    if not chunk:
                        return
                    yield chunk

    def wait(self) -> Exit:
        code = self._child.wait()
        assert self._child.stdin is not None
        with self._pipe:
            self._child.stdin.close()
        _link(self._folder).unlink(missing_ok=True)
        return Exit(code if code >= 0 else 128 - code)

    def stop(self, grace_s: float | None = None) -> None:
        assert self._child.stdin is not None
        seconds = self._grace_s if grace_s is None else grace_s
        with self._pipe:
            if self._child.stdin.closed:
                return
            with contextlib.suppress(BrokenPipeError):  # it ended
                self._child.stdin.write(f"stop {seconds}\n".encode())


def _scratch(folder: Path) -> Path:
    """A TMPDIR inside the job's folder, reached through a short link when Unix sockets below it would not fit."""
    inside = folder / "tmp"
    inside.mkdir(exist_ok=True)
    if len(os.fsencode(inside)) <= _SOCKET_ROOM:
        return inside
    link = _link(folder)
    link.unlink(missing_ok=True)
    link.symlink_to(inside)
    return link


def _link(folder: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"drydock-{os.getuid()}-{digest}"


def _clear(folder: Path) -> None:
    """Kill what is recorded as running for the job of this folder, and wait until it is gone."""
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return
    guard, program = record["supervisor"], record["program"]
    _until(lambda: _is_gone(guard), _SUPERVISOR_S)
    if supervisor.process_start(program["pid"]) in (program["start"], None):  # else the id is another's by now
        for pid in supervisor.all_processes():
            if supervisor.process_fields(pid)[3:4] == [str(program["pid"])]:
                _kill(pid)
    if not _is_gone(guard):
        _kill(guard["pid"])
    _until(lambda: _is_gone(guard) and _is_gone(program), _SUPERVISOR_S)


def _is_gone(recorded: dict[str, int]) -> bool:
    return supervisor.process_start(recorded["pid"]) != recorded["start"]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
