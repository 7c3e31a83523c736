"""How long a program that was asked to end may take before it is killed."""

import os

GRACE_S = 120.0
"""SageMaker's: SIGTERM, then SIGKILL after it."""
GRACE_VARIABLE = "DRYDOCK_STOP_GRACE_SECONDS"


def stop_grace_s() -> float:
    """The grace period of this emulator."""
    return float(os.environ.get(GRACE_VARIABLE, GRACE_S))
