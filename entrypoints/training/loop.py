"""A small training loop: AdamW, one cosine, averaged weights, a checkpoint an epoch, the best epoch kept.

Order, augmentation and dropout are functions of (seed, epoch, sample), so a run that goes on from a checkpoint ends
with the weights of one that was never interrupted (same machine, same hyperparameters).
"""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from optml.errors import Refusal
from training import results, resume
from training.averaging import SHARE, averaging
from training.pace import Pace
from training.run import Run
from training.schedule import learning_rate

if TYPE_CHECKING:
    from training.run import Looped


FILES = ("last.pt", results.BEST, "results.csv")
"""What a checkpoint holds, below the run's folder."""


@dataclass(frozen=True)
class Judged:
    """A network's evaluation on the validation set."""

    scores: dict[str, float]
    """By metric name, told in the epoch's line too."""
    others: dict[str, float]
    rank: tuple[float, ...]
    """The epoch with the highest one is the best."""


class Work(Protocol):
    """What the loop trains on and how it judges; the rest is the same for every network."""

    samples: int

    def lines(self, values: dict[str, float], /) -> list[str]:
        """Lines that an epoch prints beside ours."""

    def learn(
        self, network: nn.Module, rows: NDArray[np.int64], epoch: int
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The loss of some samples as an epoch sees them, and the means that are told of it, `loss` among them."""

    def judge(self, network: nn.Module) -> Judged:
        """What an evaluated network makes of the validation set; raises Stopped after a SIGTERM."""


class _State:
    """All that a run carries from epoch to epoch."""

    def __init__(self, network: nn.Module, hp: Looped, batches: int) -> None:
        self.network, self.averaged = network, copy.deepcopy(network)
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=hp.learning_rate, weight_decay=hp.weight_decay, fused=True
        )
        self.epoch, self.updates, self.stale = 0, 0, 0
        self.best: tuple[float, ...] = (-math.inf,)
        self._decay, self._steps = averaging(batches, SHARE * hp.epochs), hp.epochs * batches
        self._batches = batches
        self._peak = hp.learning_rate

    def step(self, loss: torch.Tensor) -> None:
        """One update, and its share in the averaged weights."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self._peak, self.updates, self._steps)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.updates += 1
        with torch.no_grad():
            live = self.network.state_dict()
            for name, value in self.averaged.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(live[name], 1 - self._decay(self.updates))
                else:
                    value.copy_(live[name])

    def judge(self, rank: tuple[float, ...]) -> bool:
        """Whether this epoch is the best so far."""
        better = rank > self.best
        self.best, self.stale = (rank, 0) if better else (self.best, self.stale + 1)
        return better

    def save(self) -> dict[str, Any]:
        parts = {name: getattr(self, name).state_dict() for name in ("network", "averaged", "optimizer")}
        return parts | {name: getattr(self, name) for name in ("epoch", "best", "stale")}

    def load(self, saved: Mapping[str, Any]) -> None:
        for name in ("network", "averaged", "optimizer"):
            getattr(self, name).load_state_dict(saved[name])
        self.epoch, self.stale = saved["epoch"], saved["stale"]
        self.updates = self.epoch * self._batches  # of an epoch as it is now: there may be more hosts than before
        self.best = tuple(saved["best"])


class _Learning(nn.Module):
    """A work's `learn` as the pass of a module: what torch can share among hosts."""

    def __init__(self, network: nn.Module, work: Work) -> None:
        super().__init__()
        self.network, self._work = network, work

    def forward(self, rows: NDArray[np.int64], epoch: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return self._work.learn(self.network, rows, epoch)


def fit(run: Run[Looped], network: nn.Module, work: Work) -> None:
    """Train `network` until `epochs` are over or patience runs out, from the newest checkpoint if there is one.

    Afterwards it holds the averaged weights of the best epoch, on the first host of several. Raises Stopped at a batch
    boundary after a SIGTERM.
    """
    hp, hosts, pace = run.hp, run.hosts, Pace()
    run.folder.mkdir(parents=True, exist_ok=True)
    state = _State(network, hp, hosts.steps(work.samples, hp.batch_size))
    _start(run, state, work)
    try:
        with hosts.sharing(_Learning(network, work)) as learning:
            while state.epoch < hp.epochs and not (hp.patience and state.stale >= hp.patience):
                hosts.leave_if_stopped()
                pace.start_epoch()
                _epoch(run, state, work, learning, pace)
        if state.epoch < hp.epochs and hosts.first:
            print(f"no better epoch in the last {state.stale}: stopping", flush=True)
    finally:
        if (run.folder / results.BEST).is_file():
            network.load_state_dict(load_file(run.folder / results.BEST))


def _start(run: Run[Looped], state: _State, work: Work) -> None:
    """The state of the newest checkpoint, if there is one; on other hosts than the first, that of the first."""

    def saved() -> tuple[tuple[Any, ...], dict[str, Any]]:
        _resume(run, state)
        return (run.classes, work.samples), state.save()

    if not run.hosts.several:
        _resume(run, state)
        return
    data, start = run.hosts.agree(saved)
    if data != (run.classes, work.samples):
        raise Refusal(
            f"{run.hosts.current} has {work.samples} training images of {', '.join(run.classes)}, and "
            f"{run.hosts.names[0]} has {data[1]} of {', '.join(data[0])}",
            "give every host the same data: S3DataDistributionType FullyReplicated",
        )
    if not run.hosts.first:
        state.load(start)


def _resume(run: Run[Looped], state: _State) -> None:
    if checkpoint := run.store.newest():
        resume.restore(checkpoint, run, [run.folder / name for name in FILES])
        state.load(torch.load(run.folder / "last.pt", map_location=run.compute.device, weights_only=True))
        print(f"resuming after epoch {checkpoint.step} from {checkpoint.path.name}", flush=True)
    if state.epoch >= run.hp.epochs:
        print(f"all {run.hp.epochs} epochs are done already", flush=True)


def _epoch(run: Run[Looped], state: _State, work: Work, learning: nn.Module, pace: Pace) -> None:
    means = _train(run, state, work, learning, pace)
    judged = run.hosts.agree(lambda: work.judge(state.averaged))
    state.epoch += 1
    better = state.judge(judged.rank)
    if not run.hosts.first:
        return
    if better:
        weights = {name: value.contiguous() for name, value in state.averaged.state_dict().items()}
        save_file(weights, run.folder / results.BEST)
    values = {f"train:{name}": value for name, value in means.items()} | judged.scores | judged.others
    values["train:epoch_seconds"] = pace.seconds()
    results.write_row(run, state.epoch, values)
    torch.save(state.save(), run.folder / "last.pt")
    resume.save(run, state.epoch, [run.folder / name for name in FILES])
    run.metrics.report(values, epoch=state.epoch)
    for line in work.lines(values):
        print(line, flush=True)
    said = ", ".join(f"{n.partition(':')[2].replace('_', ' ')} {value:.3f}" for n, value in judged.scores.items())
    print(f"epoch {state.epoch}/{run.hp.epochs}: loss {means['loss']:.3f}, {said} ({pace.seconds():.1f} s)", flush=True)


def _train(run: Run[Looped], state: _State, work: Work, learning: nn.Module, pace: Pace) -> dict[str, float]:
    """One pass over the training set; what is told of its batches, on average over the samples."""
    order = np.random.default_rng([run.hp.seed, state.epoch]).permutation(work.samples)
    shares = run.hosts.shares(order, run.hp.batch_size)
    torch.manual_seed(run.hp.seed * 1_000_003 + state.epoch + run.hosts.rank * 1_000_000_007)  # dropout
    state.network.train()
    totals: dict[str, float] = defaultdict(float)
    for rows, weight in shares:
        run.hosts.leave_if_stopped()
        loss, told = learning(rows, state.epoch)
        state.step(loss * weight)
        for name, value in told.items():
            totals[name] += (mean := float(value)) * len(rows)
            if name == "loss":
                run.check_loss(mean, state.epoch)
        if pace.due() and run.hosts.first:
            print(f"epoch {state.epoch + 1}/{run.hp.epochs}: batch {pace.batches}/{len(shares)}", flush=True)
    return run.hosts.mean(totals, work.samples)
