"""The hosts of a job that train one network together, by torch.distributed; with one host nothing of this happens.

Every host reads all data and learns from its share of each step's images. The first host evaluates, reports and writes,
and what it decides holds for all. Imports no framework until there are several hosts.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from optml.environment import Environment
from optml.errors import Refusal
from optml.program import Stopped, leave_if_stopped, stop_requested

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

Given = TypeVar("Given")
STEPPING = timedelta(minutes=10)
"""For each host to come to an exchange of gradients between GPUs."""


@dataclass(frozen=True)
class Hosts:
    names: tuple[str, ...]
    """In the order of their ranks."""
    current: str

    @classmethod
    def of(cls, env: Environment) -> Hosts:
        return cls(env.hosts, env.current_host)

    @property
    def several(self) -> bool:
        return len(self.names) > 1

    @property
    def rank(self) -> int:
        return self.names.index(self.current)

    @property
    def first(self) -> bool:
        """Whether this host evaluates, reports and writes."""
        return self.rank == 0

    def output(self, env: Environment) -> Path:
        """Where to write what every host makes and one job keeps: on other hosts than the first a scratch folder."""
        return env.output_data_dir if self.first else env.scratch_dir

    def steps(self, samples: int, batch_size: int) -> int:
        """How many steps an epoch has, each of `batch_size` images a host at most; Refusal for too few images.

        Where single images were left over for some of the hosts, a host takes one more.
        """
        if samples < len(self.names):
            raise Refusal(
                f"{samples} training images are too few for {len(self.names)} hosts",
                f"set ResourceConfig.InstanceCount to {samples} or less, or add images",
            )
        return min(math.ceil(samples / (batch_size * len(self.names))), samples // len(self.names))

    def check_batches(self, samples: int, batch_size: int, instead: str = "") -> None:
        """Refuse a step that leaves a host a single image: for a network that normalises one number an image by then.

        `instead` is what could be changed beside the batches.
        """
        if samples // self.steps(samples, batch_size) // len(self.names) < 2:
            shared = f" on {len(self.names)} hosts" if self.several else ""
            raise Refusal(
                f"batch-size={batch_size} makes a batch of one image out of {samples}{shared}, too few to learn from",
                f"use batch-size={max(4, batch_size * 2)}, say, {instead}or add images",
            )

    def shares(self, order: NDArray[np.int64], batch_size: int) -> list[tuple[NDArray[np.int64], float]]:
        """This host's rows of each step of an epoch, and what its mean over them counts in the mean of all hosts.

        No row is another host's too, every host has as many steps, and together they take the rows of one host with a
        batch as large as all theirs.
        """
        import numpy as np

        shares = []
        for rows in np.array_split(order, self.steps(len(order), batch_size)):  # of equal size
            own = np.array_split(rows, len(self.names))[self.rank]
            shares.append((own, len(own) * len(self.names) / len(rows)))
        return shares

    def leave_if_stopped(self) -> None:
        """Raise Stopped on all hosts once a SIGTERM has come to one; all call it at the same places of a run."""
        if not self.several:
            leave_if_stopped()
            return
        import torch
        from torch import distributed

        told = torch.tensor(int(stop_requested()))
        distributed.all_reduce(told, distributed.ReduceOp.MAX)
        if told:
            raise Stopped

    def agree(self, decide: Callable[[], Given]) -> Given:
        """What the first host's `decide` gives, which no other host calls. Stopped or a Refusal is raised on all."""
        if not self.several:
            return decide()
        from torch import distributed

        made: list[Any] = [None, None]
        if self.first:
            try:
                made[0] = decide()
            except (Stopped, Refusal) as error:
                made[1] = error
        distributed.broadcast_object_list(made, src=0)
        if made[1] is not None:
            raise made[1]
        given: Given = made[0]
        return given

    def mean(self, totals: dict[str, float], samples: int) -> dict[str, float]:
        """Sums over this host's samples to means over all `samples` of all hosts."""
        if self.several:
            import torch
            from torch import distributed

            summed = torch.tensor([*totals.values()], dtype=torch.float64)
            distributed.all_reduce(summed)
            totals = dict(zip(totals, summed.tolist(), strict=True))
        return {name: total / samples for name, total in totals.items()}

    @contextlib.contextmanager
    def sharing(self, learning: nn.Module) -> Iterator[nn.Module]:
        """The module within, each of whose backward passes leaves the mean of all hosts' gradients on all hosts."""
        if not self.several:
            yield learning
            return
        from torch import distributed
        from torch.nn.parallel import DistributedDataParallel

        on_gpu = next(learning.parameters()).is_cuda
        group = distributed.new_group(backend="nccl", timeout=STEPPING) if on_gpu else None
        # the statistics of batch normalisation are each host's own: the first host's are evaluated
        yield DistributedDataParallel(learning, process_group=group, forward_sync_buffers=False, init_sync=False)
        if group is not None:  # not after an error, since a host that is gone would be waited for
            distributed.destroy_process_group(group)
