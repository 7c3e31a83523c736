"""The emulator: one HTTP server on the loopback address that is SageMaker, S3 and their neighbours.

    python -m local.server --home DIR --port N [--programs DIR ...]

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

from cheroot import wsgi

from local.api import service
from local.api.actions import State
from local.home import Home
from local.jobs.process import ProcessBackend
from local.jobs.programs import ProgramTable
from local.jobs.runner import Runner
from local.jobs.telemetry import Telemetry
from local.neighbours import Forwarder, Neighbours
from local.routing import Router
from local.s3.app import S3Application
from local.s3.store import ObjectStore
from local.store import Store

PROGRAMS = Path(__file__).resolve().parent.parent / "entrypoints"
"""The program folder of this checkout, served beside those that ``--programs`` names."""

_THREADS = 32
_SHUTDOWN_S = 2


class CannotStartError(Exception):
    """The home is in use, the port is taken, or a program folder cannot be read."""


@contextmanager
def running(home: Home, port: int = 0, programs: Sequence[Path] = ()) -> Iterator[str]:
    """An emulator that answers at the URL given, until the block ends; CannotStartError if it cannot."""
    home.root.mkdir(parents=True, exist_ok=True)
    with ExitStack() as cleanup:
        cleanup.enter_context(_lock(home))
        server = _listen(port)
        cleanup.callback(server.stop)  # whatever fails below
        url = f"http://127.0.0.1:{server.bind_addr[1]}"
        server.wsgi_app = _application(home, url, programs, cleanup)
        threading.Thread(target=server.serve, name="http", daemon=True).start()
        cleanup.callback(server.stop)  # before what it serves is closed
        threading.Thread(target=service.warm_up, name="warm-up", daemon=True).start()
        _announce(home, url, programs)
        cleanup.callback(home.server_file.unlink, missing_ok=True)
        yield url


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parse(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        with running(Home(arguments.home), arguments.port, arguments.programs) as url:
            print(f"answering at {url}", file=sys.stderr, flush=True)
            ended.wait()
    except CannotStartError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.server", description="Run the emulator in the foreground.")
    parser.add_argument("--home", type=lambda text: Path(text).absolute(), default=Home.default().root)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--programs", type=Path, nargs="+", action="extend", default=[], help="more program folders")
    return parser.parse_args(argv)


def _application(home: Home, url: str, programs: Sequence[Path], cleanup: ExitStack) -> Router:
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
    runner = Runner(home, store, objects, telemetry, ProcessBackend(table, url))
    cleanup.callback(runner.close)
    runner.recover()
    return Router(State(store, runner), S3Application(objects), Forwarder(neighbours_url), str(home.root))


def _listen(port: int) -> wsgi.Server:
    server = wsgi.Server(
        ("127.0.0.1", port),
        None,
        numthreads=_THREADS,
        request_queue_size=128,
        timeout=60,
        shutdown_timeout=_SHUTDOWN_S,
        server_name="drydock",
    )
    try:
        server.prepare()
    except OSError as error:
        raise CannotStartError(f"port {port} cannot be used ({error}); choose another with --port") from None
    return server


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
    try:
        other = json.loads(home.server_file.read_text())
        return f" (process {other['pid']}, {other['url']})"
    except (OSError, ValueError, KeyError):
        return ""


def _announce(home: Home, url: str, programs: Sequence[Path]) -> None:
    facts = {
        "pid": os.getpid(),
        "port": int(url.rpartition(":")[2]),
        "url": url,
        "home": str(home.root),
        "started": time.time(),
        "programs": [str(folder.absolute()) for folder in programs],
    }
    draft = home.server_file.with_suffix(".new")
    draft.write_text(json.dumps(facts) + "\n")
    draft.replace(home.server_file)


if __name__ == "__main__":
    sys.exit(main())
