"""What a framework shall not print. Imports none."""

from __future__ import annotations

import os


def tensorflow() -> None:
    """Keep TensorFlow's greetings out of the log; it reads this when it is loaded, so call it before that."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
