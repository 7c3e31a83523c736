"""How a program's end is told: exit code, what stands on stderr, what stands in the failure file."""

from __future__ import annotations

import contextlib
import errno
import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from optml.errors import Refusal
from optml.stopping import Stopped

REFUSED, CRASHED, INTERRUPTED, STOPPED = 2, 1, 130, 143
_LESS_MEMORY = "use a smaller batch or image size, or an instance with more memory"
FAILURE_CHARS = 1024
"""SageMaker cuts FailureReason here, so a crash's traceback is cut to end within it."""


@dataclass(frozen=True)
class Outcome:
    code: int
    message: str = ""
    """The text of the failure file; behind `error: ` also that of stderr. Empty: nothing is told."""
    detail: str = ""
    """A traceback for stderr."""


def of_error(error: BaseException) -> Outcome:
    """What becomes of an exception that ended a verb."""
    if isinstance(error, Stopped):
        return Outcome(STOPPED)
    if isinstance(error, SystemExit):
        return _of_exit(error)
    if isinstance(error, Refusal):
        return Outcome(REFUSED, _with_hint(error.message, error.hint))
    if isinstance(error, KeyboardInterrupt):
        return Outcome(INTERRUPTED, "interrupted by SIGINT")
    return _of_exhaustion(error) or _of_crash(error)


def of_code(code: int) -> Outcome:
    """What becomes of a worker that ended without a word: killed by a signal, as its exit code shows."""
    if code <= 128 or code in (INTERRUPTED, STOPPED):
        return Outcome(code)
    try:
        name = signal.Signals(code - 128).name
    except ValueError:
        return Outcome(code)
    return Outcome(
        code, _with_hint(f"killed by {name}", f"if memory ran out: {_LESS_MEMORY}" if name == "SIGKILL" else "")
    )


def tell(outcome: Outcome, base: Path | None) -> None:
    """Write the outcome to stderr and, where `base` is given, to its failure file. Never raises: the code stands."""
    if not outcome.message:
        return
    with contextlib.suppress(OSError, ValueError):
        print(f"error: {outcome.message}", file=sys.stderr)
        if outcome.detail:
            print(f"\n{outcome.detail}", file=sys.stderr)
        sys.stderr.flush()
    if base is None or not base.is_dir():
        return
    with contextlib.suppress(OSError):
        (base / "output").mkdir(exist_ok=True)
        text = outcome.message + (_tail(outcome) if outcome.detail else "")
        (base / "output/failure").write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def forget(base: Path) -> None:
    """Remove the failure file of an earlier run."""
    with contextlib.suppress(OSError):
        (base / "output/failure").unlink()


def _of_exit(error: SystemExit) -> Outcome:
    if error.code is None or error.code == 0:
        return Outcome(0)
    if isinstance(error.code, int):
        code = error.code & 0xFF or CRASHED  # the kernel keeps eight bits: 256 would pass for success
        return Outcome(code, "" if code == STOPPED else f"exited with code {code}")
    return Outcome(CRASHED, str(error.code))


def _of_exhaustion(error: BaseException) -> Outcome | None:
    """A full disk or memory that ran out, also where a framework has wrapped it."""
    for link in _chain(error):
        if isinstance(link, OSError) and link.errno in (errno.ENOSPC, errno.EDQUOT):
            where = f" ({link.filename})" if link.filename else ""
            hint = "free some space, or raise ResourceConfig.VolumeSizeInGB"
            return Outcome(CRASHED, _with_hint(f"no space left on the disk{where}", hint))
        if isinstance(link, MemoryError) or type(link).__name__ == "OutOfMemoryError":
            cause = _first_line(str(link))
            return Outcome(CRASHED, _with_hint("out of memory" + (f" ({cause})" if cause else ""), _LESS_MEMORY))
    return None


def _of_crash(error: BaseException) -> Outcome:
    cause = _first_line(str(error))
    message = f"{type(error).__name__}: {cause}" if cause else type(error).__name__
    detail = "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip()
    return Outcome(CRASHED, message[: FAILURE_CHARS // 2], detail)


def _tail(outcome: Outcome) -> str:
    room = FAILURE_CHARS - len(outcome.message) - 4
    detail = outcome.detail
    return "\n\n" + (detail if len(detail) <= room else "…" + detail[len(detail) - room :])


def _with_hint(message: str, hint: str) -> str:
    return f"{message}\n\nhint: {hint}" if hint else message


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0] if lines else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and what led to it."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
