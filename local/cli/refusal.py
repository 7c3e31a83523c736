"""What the command line raises for an error that a person can act on: one sentence, one hint, an exit code."""

BAD_INPUT = 2
FAILED = 1


class Refusal(Exception):  # noqa: N818  (what the user asked for is refused, the program is not at fault)
    """Shown as ``error: MESSAGE``, a blank line, ``hint: HINT``; never as a traceback."""

    def __init__(self, message: str, hint: str = "", exit_code: int = BAD_INPUT) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
