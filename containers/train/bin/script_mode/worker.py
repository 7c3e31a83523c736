"""The duties of process 1 around a user's script, and how the end of what we do for it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from optml import outcomes, supervisor


def run(work: Callable[[], int], base: Path | None) -> int:
    """Do the work, as process 1 in a child that signals are passed on to; the exit code.

    What `work` raises is told on standard error and, where `base` is given, in its failure file.
    """
    code = supervisor.split() if supervisor.needed() else None
    if code is not None:
        if not (base and (base / "output/failure").exists()):
            outcomes.tell(outcomes.of_code(code), base)
        return code
    try:
        return work()
    except BaseException as error:  # noqa: BLE001  (every end has an exit code)
        outcome = outcomes.of_error(error)
        outcomes.tell(outcome, base)
        return outcome.code
