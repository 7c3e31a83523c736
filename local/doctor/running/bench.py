"""What the running checks may use: the engine, the user's data and model, and how long they may take."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.jobs.engine import Engine
from local.jobs.grace import GRACE_S

DEFAULT_TIMEOUT_S = 60.0
DEFAULT_GRACE_S = 30.0
"""SageMaker leaves a training job GRACE_S; whoever needs that long is told to say so."""


@dataclass(frozen=True)
class Bench:
    engine: Engine
    data: Mapping[str, Path] = field(default_factory=dict)
    """Folder of each channel."""
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    model: Path | None = None
    """Folder of a model to serve."""
    timeout_s: float = DEFAULT_TIMEOUT_S
    """For each run to end, or to answer."""
    grace_s: float = DEFAULT_GRACE_S
    """From SIGTERM to the end."""

    @property
    def grace(self) -> str:
        """The grace period in words."""
        asked = "" if self.grace_s >= GRACE_S else f" (SageMaker leaves {GRACE_S:.0f} s: --grace {GRACE_S:.0f})"
        return f"{self.grace_s:.0f} s{asked}"
