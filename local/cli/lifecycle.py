"""The emulator as a person sees it: ``up``, ``down`` and ``reset``."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from local.cli import endpoint as endpoints
from local.cli.emulator import server_command, start, stop, stop_silent
from local.cli.endpoint import Endpoint
from local.cli.refusal import Refusal
from local.cli.terminal import confirm, put_json, say
from local.environments import CHECKOUT
from local.home import Home
from local.jobs.backend import BackendName

HomeOption = Annotated[
    Path | None, typer.Option(help="Folder of all state. Default: $DRYDOCK_HOME, else .drydock here.")
]
BackendOption = Annotated[
    BackendName | None, typer.Option(help="What runs the jobs: process, or docker for containers. Default: process.")
]
ProgramsOption = Annotated[list[Path] | None, typer.Option(help="Another folder with a programs.json; repeatable.")]


def up(
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay in this terminal; Ctrl-C ends it.")] = False,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="0 picks a free one. Default: 4567 if free.")
    ] = None,
    home: HomeOption = None,
    programs: ProgramsOption = None,
    backend: BackendOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print url, pid, home and backend as JSON.")] = False,
) -> None:
    """Start the emulator in the background; back when it answers."""
    chosen = open_home(home)
    running = endpoints.find(chosen)
    if running:
        _check_same(running, port, programs or [])
        check_backend(running, backend)
        say(f"already up at {running.url} (home {chosen.root})")
    elif foreground:
        endpoints.refuse_silent(chosen)
        command = server_command(chosen, port, programs or [], backend)
        os.chdir(CHECKOUT)
        os.execv(command[0], command)
    else:
        running = start(chosen, port, programs or [], backend)
        say(f"up at {running.url} (home {chosen.root}, log {chosen.server_log})")
        say('to point a shell at it: eval "$(./drydock env)"')
    if as_json:
        put_json({"url": running.url, "pid": running.pid, "home": str(chosen.root), "backend": running.backend})


def down(home: HomeOption = None) -> None:
    """Stop the emulator; jobs that run are stopped first."""
    chosen = open_home(home)
    running = endpoints.find(chosen)
    if running is None:
        pid = endpoints.silent(chosen)
        if pid:
            stop_silent(pid)
        say(f"down (process {pid})" if pid else f"no emulator is up for {chosen.root}")
        return
    stop(running.pid)
    say(f"down ({running.url})")


def reset(
    home: HomeOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete all state: jobs, objects, logs. Environments and runs/ stay."""
    chosen = open_home(home)
    state = [path for path in _state_of(chosen) if path.exists()]
    if not state:
        say(f"nothing to delete in {chosen.root}")
        return
    confirm(f"Delete every job, object and log in {chosen.root}?", yes, f"nothing was deleted in {chosen.root}")
    running = endpoints.find(chosen)
    if running:
        stop(running.pid)
    with _held(chosen):
        for path in state:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    say(f"deleted the state in {chosen.root}" + ("; the emulator is down" if running else ""))


@contextmanager
def _held(home: Home) -> Iterator[None]:
    """Keep any emulator from using the home. Raises Refusal if one does that does not answer, or not yet."""
    with home.lock_file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refusal(
                f"an emulator that does not answer uses {home.root}", "drydock down, then reset again"
            ) from None
        yield


def open_home(home: Path | None) -> Home:
    """The home that a command names, or the default one. Raises Refusal if it cannot be a folder of ours."""
    chosen = Home(home.expanduser().absolute()) if home else Home.default()
    if chosen.root.exists() and not chosen.root.is_dir():
        raise Refusal(f"{chosen.root} is a file and cannot be the home", "name a folder with --home or DRYDOCK_HOME")
    return chosen


def check_backend(running: Endpoint, asked: BackendName | None) -> None:
    """Raises Refusal if the emulator that is up runs jobs in another way than the one asked for."""
    if asked and asked is not running.backend:
        raise Refusal(
            f"the emulator of this home is already up at {running.url} with the {running.backend} backend",
            f"drydock down && drydock up --backend {asked}",
        )


def _check_same(running: Endpoint, port: int | None, programs: list[Path]) -> None:
    if port and not running.url.endswith(f":{port}"):
        raise Refusal(f"the emulator of this home is already up at {running.url}", "drydock down, then up again")
    missing = [folder for folder in programs if folder.absolute() not in running.programs]
    if missing:
        raise Refusal(
            f"the emulator is already up, without the programs of {missing[0]}", "drydock down, then up again"
        )


def _state_of(home: Home) -> list[Path]:
    files = [home.state_db, Path(f"{home.state_db}-wal"), Path(f"{home.state_db}-shm")]
    folders = [home.s3, home.training_jobs, home.root / "samples", home.root / "models"]
    return [*files, *folders, home.server_log, home.server_file]
