"""The emulator: one HTTP server on the loopback address that is SageMaker, S3 and their neighbours.

    python -m local.server --home DIR --port N [--backend process|docker] [--programs DIR ...]

Port 0 takes a free one. While the server answers, ``emulator.json`` in its home says where; SIGTERM and
SIGINT end it cleanly. One home has one server at a time.
"""

import argparse
import fcntl
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local import ecr
from local.api import service
from local.api.actions import State
from local.home import Home
from local.installer import SetUpError
from local.jobs.backend import Backend, BackendName
from local.jobs.job import JobError
from local.jobs.process import ProcessBackend
from local.jobs.programs import ProgramTable
from local.jobs.runner import Runner
from local.jobs.telemetry import Telemetry
from local.listening import LOOPBACK, Listening
from local.neighbours import Forwarder, Neighbours
from local.routing import Router
from local.s3.app import S3Application
from local.s3.store import ObjectStore
from local.store import Store

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PROGRAMS = Path(__file__).resolve().parent.parent / "entrypoints"
"""The program folder of this checkout, served beside those that ``--programs`` names."""


class CannotStartError(Exception):
    """The home is in use, the port is taken, a program folder cannot be read, or no engine runs containers."""


@contextmanager
def running(
    home: Home,
    port: int = 0,
    programs: Sequence[Path] = (),
    host: str = LOOPBACK,
    backend: BackendName = BackendName.process,
) -> Iterator[str]:
    """An emulator that answers at the URL given, until the block ends; CannotStartError if it cannot."""
    home.root.mkdir(parents=True, exist_ok=True)
    with ExitStack() as cleanup:
        cleanup.enter_context(_lock(home))
        listening = _listen(host, port)
        cleanup.callback(listening.close)  # whatever fails below
        listening.serve(_application(home, listening, programs, backend, cleanup))
        cleanup.callback(listening.close)  # before what it serves is closed
        threading.Thread(target=service.warm_up, name="warm-up", daemon=True).start()
        _announce(home, listening.url, programs, backend)
        cleanup.callback(home.server_file.unlink, missing_ok=True)
        yield listening.url


def main(argv: Sequence[str] | None = None) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        with running(**vars(_parse(argv))) as url:
            print(f"answering at {url}", file=sys.stderr, flush=True)
            ended.wait()
    except CannotStartError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.server", description="Run the emulator in the foreground.")
    parser.add_argument("--home", type=lambda text: Home(Path(text).absolute()), default=Home.default())
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--programs", type=Path, nargs="+", action="extend", default=[], help="more program folders")
    parser.add_argument("--backend", type=BackendName, choices=[*BackendName], default=BackendName.process)
    parser.add_argument(
        "--host",
        default=LOOPBACK,
        help=f"address to answer at, {LOOPBACK} unless given. DANGER: the emulator takes any key, so whoever reaches "
        "another address, such as 0.0.0.0, can run any code here, as a job, and read and delete every object.",
    )
    return parser.parse_args(argv)


def _application(
    home: Home, listening: Listening, programs: Sequence[Path], backend: BackendName, cleanup: ExitStack
) -> Router:
    """Everything behind the port, each part closed when ``cleanup`` is, in the opposite order."""
    own = [PROGRAMS] if (PROGRAMS / "programs.json").exists() else []
    try:
        table = ProgramTable([*own, *programs])
    except ValueError as error:
        raise CannotStartError(str(error)) from None
    store = Store(home.state_db)
    cleanup.callback(store.close)
    objects = ObjectStore(home.s3)
    cleanup.callback(objects.close)
    neighbours = Neighbours()
    cleanup.callback(neighbours.stop)
    neighbours_url = neighbours.start()
    telemetry = Telemetry(neighbours_url)
    cleanup.callback(telemetry.close)
    runner = Runner(home, store, objects, telemetry, _backend(home, listening, table, backend, cleanup))
    cleanup.callback(runner.close)
    runner.recover()
    return Router(State(store, runner), S3Application(objects), _neighbours(neighbours_url), str(home.root))


def _neighbours(url: str) -> "WSGIApplication":
    """The way to moto, through the registry that the environment names, if it names one."""
    registry = os.environ.get("DRYDOCK_REGISTRY")
    if not registry:
        return Forwarder(url)
    try:
        return ecr.Registry(Forwarder(url), registry)
    except ValueError as error:
        raise CannotStartError(str(error)) from None


def _backend(home: Home, listening: Listening, table: ProgramTable, name: BackendName, cleanup: ExitStack) -> Backend:
    """The backend asked for, once nothing is left of what an earlier emulator ran in containers."""
    if name is BackendName.process:
        if _earlier(home).get("backend") == BackendName.docker:
            _clear_containers(home)
        return ProcessBackend(table, listening.url)
    from local.jobs import docker, engine

    try:
        found = engine.connect()
        cleanup.callback(found.close)
        docker.clear_home(found, home.root.resolve())
    except SetUpError as error:
        raise CannotStartError(f"{error.message}\n\nhint: {error.hint}") from None
    except JobError as error:
        raise CannotStartError(str(error)) from None
    return docker.DockerBackend(found, table, home.root.resolve(), listening.also_at)


def _clear_containers(home: Home) -> None:
    """Remove what a killed emulator of the docker backend left running; where nothing can be done, say so."""
    from local.jobs import docker, engine

    try:
        found = engine.connect()
        try:
            docker.clear_home(found, home.root.resolve())
        finally:
            found.close()
    except (SetUpError, JobError) as error:
        logging.warning("containers of an earlier emulator may still run: %s", error)


def _listen(host: str, port: int) -> Listening:
    try:
        return Listening(host, port)
    except OSError as error:
        at = "" if host == LOOPBACK else f" at {host}"
        raise CannotStartError(f"port {port}{at} cannot be used ({error}); choose another with --port") from None


@contextmanager
def _lock(home: Home) -> Iterator[None]:
    with home.lock_file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStartError(
                f"another emulator uses {home.root}{_whereabouts(home)}; end it with `drydock down`, "
                "or choose another folder with --home"
            ) from None
        yield


def _whereabouts(home: Home) -> str:
    other = _earlier(home)
    return f" (process {other['pid']}, {other['url']})" if {"pid", "url"} <= other.keys() else ""


def _earlier(home: Home) -> dict[str, Any]:
    """What the emulator that uses this home, or one that was killed, says of itself; empty if there is none."""
    try:
        record = json.loads(home.server_file.read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _announce(home: Home, url: str, programs: Sequence[Path], backend: BackendName) -> None:
    facts = {
        "pid": os.getpid(),
        "port": int(url.rpartition(":")[2]),
        "url": url,
        "home": str(home.root),
        "started": time.time(),
        "programs": [str(folder.absolute()) for folder in programs],
        "backend": backend,
    }
    draft = home.server_file.with_suffix(".new")
    draft.write_text(json.dumps(facts) + "\n")
    draft.replace(home.server_file)


if __name__ == "__main__":
    sys.exit(main())
