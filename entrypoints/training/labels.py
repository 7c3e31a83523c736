"""What an epoch is for a network that gives an image one class: cross-entropy or the like, probabilities, scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from optml.program import leave_if_stopped
from training.loop import Judged
from training.run import Run


class Inputs(Protocol):
    def __len__(self) -> int: ...
    def batch(self, rows: NDArray[np.int64], epoch: int | None = None) -> torch.Tensor:
        """What the network takes of some samples: as training sees them in an epoch, as evaluation sees them."""


@dataclass(frozen=True)
class Labelled:
    inputs: Inputs
    labels: NDArray[np.int64]  # (N,) class ids


@dataclass(frozen=True)
class Objective:
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    """(outputs (B, K), labels (B,)) to a mean."""
    probabilities: Callable[[torch.Tensor], torch.Tensor]
    """Outputs (B, K) to (B, C)."""
    scores: Callable[[NDArray[np.float64], NDArray[np.int64]], dict[str, float]]
    """(probabilities (N, C), labels (N,)) of the validation set to metrics."""
    main: str
    """The metric whose highest value, of equals with the lowest loss, makes the best epoch."""
    lines: Callable[[dict[str, float]], list[str]] = lambda _: []
    """Lines that an epoch prints beside ours."""


class Labelling:
    """The work of `loop.fit` for such a network."""

    def __init__(self, run: Run[Any], train: Labelled, validation: Labelled, objective: Objective) -> None:
        self._run, self._train, self._validation, self._objective = run, train, validation, objective
        self.samples, self._epoch = len(train.labels), 0

    def lines(self, values: dict[str, float], /) -> list[str]:
        return self._objective.lines(values)

    def learn(
        self, network: nn.Module, rows: NDArray[np.int64], epoch: int
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        self._epoch = epoch
        compute = self._run.compute
        labels = torch.from_numpy(self._train.labels[rows]).to(compute.device)
        x = self._train.inputs.batch(rows, epoch)
        with torch.autocast(compute.device, torch.bfloat16, enabled=compute.half):
            y = network(x)
        loss = self._objective.loss(y.float(), labels)
        right = self._objective.probabilities(y.detach().float()).argmax(1) == labels
        return loss, {"loss": loss.detach(), "accuracy": right.double().mean()}

    def judge(self, network: nn.Module) -> Judged:
        found, loss = outputs(network, self._validation, self._objective, self._run)
        self._run.check_loss(loss, self._epoch)
        scores = self._objective.scores(found, self._validation.labels)
        return Judged(scores, {"validation:loss": loss}, (scores[self._objective.main], -loss))


def outputs(
    network: nn.Module, data: Labelled, objective: Objective, run: Run[Any], *, stoppable: bool = True
) -> tuple[NDArray[np.float64], float]:
    """Probabilities (N, C) of a data set by an evaluated network, and its loss.

    `stoppable` raises Stopped after a SIGTERM; without, also a run that was stopped gets them.
    """
    network.eval()
    found, total = [], 0.0
    with torch.inference_mode():
        for rows in np.array_split(np.arange(len(data.labels)), math.ceil(len(data.labels) / run.hp.batch_size)):
            if stoppable:
                leave_if_stopped()
            y = network(data.inputs.batch(rows)).float()
            labels = torch.from_numpy(data.labels[rows]).to(run.compute.device)
            total += float(objective.loss(y, labels)) * len(rows)
            found.append(objective.probabilities(y).double().cpu().numpy())
    return np.concatenate(found), total / len(data.labels)
