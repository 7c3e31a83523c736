"""How the threads of a program wait for each other. Imports no framework."""

from __future__ import annotations

import os


def asleep() -> None:
    """Let OpenMP threads sleep where they would spin until the others are done.

    On two busy cores spinning made a step of training twenty times slower. It is read when OpenMP is loaded: call
    this before torch is imported. A value that is set already stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
