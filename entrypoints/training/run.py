"""One training run: what it was asked for, what it computes on, where its checkpoints and numbers go."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from optml.checkpoints import Store
from optml.environment import Environment
from optml.errors import Refusal
from optml.metrics import Registry
from training.hosts import Hosts

if TYPE_CHECKING:
    from typing import Protocol

    from _typeshed import DataclassInstance

    class Looped(DataclassInstance, Protocol):
        """What every loop of ours reads of a program's hyperparameters."""

        @property
        def epochs(self) -> int: ...
        @property
        def batch_size(self) -> int: ...
        @property
        def learning_rate(self) -> float: ...
        @property
        def weight_decay(self) -> float: ...
        @property
        def seed(self) -> int: ...
        @property
        def patience(self) -> int: ...


H_co = TypeVar("H_co", bound="DataclassInstance", covariant=True)


@dataclass(frozen=True)
class Compute:
    device: str
    """`cpu` or `cuda`"""
    half: bool
    """Forward passes in bfloat16."""

    def __str__(self) -> str:
        return f"{'CPU' if self.device == 'cpu' else 'GPU'} in {'bfloat16' if self.half else 'float32'}"


@dataclass(frozen=True)
class Run(Generic[H_co]):
    env: Environment
    hp: H_co
    compute: Compute
    classes: tuple[str, ...]
    store: Store
    metrics: Registry

    @property
    def hosts(self) -> Hosts:
        """Those that share the work."""
        return Hosts.of(self.env)

    @property
    def folder(self) -> Path:
        """Scratch folder of the training itself; its `results.csv` becomes the job's."""
        return self.env.scratch_dir / "run"

    def check_loss(self, loss: float, epoch: int) -> None:
        """Refusal where a loss of an epoch (from 0) is no number any more: nothing that follows would be."""
        if not math.isfinite(loss):
            precision = ", or precision=fp32" if self.compute.half else ""
            raise Refusal(f"the loss is not finite in epoch {epoch + 1}", f"use a smaller learning-rate{precision}")

    @property
    def settings(self) -> dict[str, Any]:
        """The hyperparameters by name."""
        return asdict(self.hp)
