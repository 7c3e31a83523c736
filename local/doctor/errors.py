"""What the doctor raises when there is no image to look at."""


class UnreadableError(Exception):
    """``hint`` says what to type next."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
