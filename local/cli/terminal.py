"""The two ways out of a command: data to stdout, talk to stderr."""

import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from local.cli.refusal import Refusal

if TYPE_CHECKING:
    from rich.console import Console


def say(line: str) -> None:
    """One line of talk, to stderr; above a progress bar that is shown there."""
    print(line, file=sys.stderr, flush=True)


def console() -> "Console":
    """What draws a progress bar on stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def say_error(message: str, hint: str = "") -> None:
    """The form that every error takes."""
    say(f"error: {message}")
    if hint:
        say(f"\nhint: {hint}")


def put(line: str = "") -> None:
    """One line of data, to stdout."""
    print(line, file=sys.stdout, flush=True)


def put_json(value: Any) -> None:
    """A JSON document, to stdout; dates in ISO 8601."""
    put(json.dumps(value, indent=2, default=lambda other: other.isoformat()))


def confirm(question: str, yes: bool, otherwise: str) -> None:
    """Asks, unless the answer was given as ``--yes``; anything but a yes ends the command.

    Raises Refusal where nobody is there to ask, with ``otherwise``, what did not happen.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refusal(f"{otherwise}: nobody is here to ask", "add --yes")
    typer.confirm(question, abort=True, err=True)


def table(headers: list[str], rows: list[list[str]]) -> str:
    """Columns padded to their widest cell, two spaces between; the last one is not padded."""
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [headers, *rows]
    )
