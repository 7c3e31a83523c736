"""Starts the emulator as a process that outlives the command, and ends it."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from local.cli import endpoint as endpoints
from local.cli.endpoint import Endpoint
from local.cli.refusal import FAILED, Refusal
from local.cli.terminal import say
from local.environments import CHECKOUT
from local.home import Home
from local.jobs.backend import BackendName

USUAL_PORTS = range(4567, 4600)
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60  # a job has 10 s to end after SIGTERM, then its log and archives are stored


def start(
    home: Home,
    port: int | None = None,
    programs: list[Path] | None = None,
    backend: BackendName | None = None,
) -> Endpoint:
    """Starts an emulator that outlives this command; returns when it answers, or when one does that was faster.

    A port that somebody else takes in the meantime is left for the next one, unless it was asked for. Raises Refusal
    with the end of its log if the emulator does not start, SetUpError if its backend cannot run here.
    """
    endpoints.refuse_silent(home)
    for candidate in _ports(port):
        process, log_begin = _spawn(server_command(home, candidate, programs or [], backend), home)
        running = _wait_until_up(process, home)
        if running:
            return running
        process.kill()
        code = process.wait()
        if candidate == port or _is_free(candidate):
            break
    tail = home.server_log.read_bytes()[log_begin:].decode(errors="replace").strip().splitlines()[-15:]
    raise Refusal(
        "\n".join([f"the emulator did not start (exit code {code}); its log ends:", *(f"  {line}" for line in tail)]),
        f"the whole log is {home.server_log}; another port: drydock up --port 0",
        exit_code=FAILED,
    )


def stop(pid: int) -> None:
    """SIGTERM, then waits until the process is gone. Raises Refusal if it stays."""
    if not _end(pid):
        raise Refusal(f"the emulator (process {pid}) does not end", f"kill -9 {pid}", FAILED)


def stop_silent(pid: int) -> None:
    """Ends an emulator that does not answer: SIGTERM, and SIGKILL if that is not obeyed."""
    say(f"the emulator (process {pid}) does not answer; ending it (up to {STOP_TIMEOUT_S} s)")
    if not _end(pid):
        os.kill(pid, signal.SIGKILL)
        say("it was killed: what it had stored is kept, jobs that ran have failed and can be resumed")
        while _is_alive(pid):
            time.sleep(0.03)


def _end(pid: int) -> bool:
    """SIGTERM; whether the process is gone before the time is up."""
    os.kill(pid, signal.SIGTERM)
    begin, told = time.monotonic(), False
    while _is_alive(pid):
        waited_s = time.monotonic() - begin
        if waited_s > STOP_TIMEOUT_S:
            return False
        if waited_s > 2 and not told:
            say("waiting for running jobs to end (up to 10 s each)")
            told = True
        time.sleep(0.03)
    return True


def server_command(home: Home, port: int | None, programs: list[Path], backend: BackendName | None) -> list[str]:
    """The command of a server. Raises Refusal for a folder that holds no programs, SetUpError without an engine."""
    for folder in programs:
        if not (folder / "programs.json").is_file():
            raise Refusal(f"{folder} is no program folder: it has no programs.json", "docs/contract.md shows one")
    if backend is BackendName.docker:
        from local.jobs import engine

        engine.connect().close()
    options = ["--home", str(home.root), "--port", str(next(_ports(port)))]
    options += ["--programs", *(str(folder.absolute()) for folder in programs)] if programs else []
    options += ["--backend", backend] if backend else []
    return [sys.executable, "-m", "local.server", *options]


def _spawn(command: list[str], home: Home) -> tuple[subprocess.Popen[bytes], int]:
    """The server as a process, and where in the log its own part begins."""
    try:
        home.root.mkdir(parents=True, exist_ok=True)
        log = home.server_log.open("ab")
    except OSError as error:
        raise Refusal(f"cannot write to {home.root}: {error.strerror}", "name another folder with --home") from error
    with log:
        begin = log.tell()
        process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        return process, begin


def _wait_until_up(process: subprocess.Popen[bytes], home: Home) -> Endpoint | None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and (process.poll() is None or _is_starting(home)):
        running = endpoints.find(home)
        if running:
            return running
        time.sleep(0.03)
    return None


def _ports(asked: int | None) -> Iterator[int]:
    """The ports to try, each usual one if it is free when its turn comes."""
    if asked is not None:
        yield asked
        return
    yield from filter(_is_free, USUAL_PORTS)
    yield 0


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _is_starting(home: Home) -> bool:
    """Whether a server, ours or another, holds the home."""
    try:
        with home.lock_file.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
