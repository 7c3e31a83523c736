"""The one exception with which code says that its input is wrong, and the line for what is merely odd."""

from __future__ import annotations

import sys


class Refusal(Exception):  # noqa: N818  (not a fault of the program: the user's input was refused)
    """Input that cannot be used. `message` says what and where; `hint` what to type next.

    `program.main` turns it into `error: MESSAGE`, a blank line, `hint: HINT`, exit code 2.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


def warn(message: str) -> None:
    """Write one `warning: …` line to stderr."""
    print(f"warning: {message}", file=sys.stderr, flush=True)
