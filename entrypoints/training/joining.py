"""How the hosts of a job come together before they train, and how each ends where another has ended.

With one host nothing of this happens. Imports no framework until there are several.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from optml import outcomes
from optml.environment import Environment
from optml.errors import Refusal
from optml.program import Stopped, leave_if_stopped, stop_requested
from training import waiting
from training.hosts import Hosts

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]

PORT = "7777"
"""Where the first host is met, unless the variable MASTER_PORT says otherwise: processes of one machine share ports."""
JOINING_S = 15 * 60
"""For hosts to come, as long as script mode waits: those of a job do not start at one moment."""
EVALUATING = timedelta(days=1)
"""For the first host to come to the next exchange. One that is gone is noticed by its closed connection, at once."""
GRACE_S = 3.0
"""For a SIGTERM to come, when another host has ended: the platform sends it to all, but not at one moment."""
_ENDED = "ended"
_STOPPED = "stopped on request"


def together(train: Callable[[Environment, Any], None]) -> Callable[[Environment, Any], None]:
    """`train` for any number of hosts; several join before they read data, so that the end of one ends all."""

    @functools.wraps(train)
    def on_each(env: Environment, hp: Any) -> None:
        hosts = Hosts.of(env)
        if not hosts.several:
            train(env, hp)
            return
        for name in env.sharded:
            raise Refusal(
                f'channel "{name}" is dealt out among the hosts (S3DataDistributionType ShardedByS3Key), and each of '
                "them reads all data",
                f'give channel "{name}" the S3DataDistributionType FullyReplicated',
            )
        with _joined(hosts, env.network_interface):
            print(
                f"{hosts.current} is one of {len(hosts.names)} hosts, each of which learns from {hp.batch_size} images "
                f"a step; {hosts.names[0]} evaluates, reports and writes",
                flush=True,
            )
            train(env, hp)

    return on_each


@contextlib.contextmanager
def _joined(hosts: Hosts, interface: str) -> Iterator[None]:
    """A process group of all hosts within. Where another host has ended, this one's end says so."""
    waiting.asleep()
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    for library in ("GLOO", "NCCL") if interface else ():
        os.environ.setdefault(f"{library}_SOCKET_IFNAME", interface)
    from torch import distributed

    store = None
    try:
        store = _met(hosts)
        distributed.init_process_group(
            "gloo", store=store, rank=hosts.rank, world_size=len(hosts.names), timeout=EVALUATING
        )
        yield
        distributed.destroy_process_group()
    except BaseException as error:
        if isinstance(error, RuntimeError) and _of_connection(error):
            raise _left_behind(hosts, store) from error
        if store is not None:
            _tell(store, f"{hosts.current}: {outcomes.of_error(error).message.partition(chr(10))[0] or _STOPPED}")
        raise


def _met(hosts: Hosts) -> Store:
    """The store that the first host keeps, once all are there; Refusal where some do not come, Stopped by a SIGTERM."""
    from torch import distributed

    address = "127.0.0.1" if hosts.first else hosts.names[0]  # its own name may not resolve yet
    port, deadline = int(os.environ.get("MASTER_PORT", PORT)), time.monotonic() + JOINING_S
    while not (hosts.first or _listens(address, port)):
        _wait(deadline, hosts.names[:1])
    store = distributed.TCPStore(  # type: ignore[attr-defined]
        address, port, len(hosts.names), hosts.first, timedelta(seconds=60), wait_for_workers=False
    )
    store.set(hosts.current, "here")
    while absent := [name for name in hosts.names if not store.check([name])]:
        _wait(deadline, absent)
    return store


def _wait(deadline: float, absent: Sequence[str]) -> None:
    leave_if_stopped()
    if time.monotonic() > deadline:
        raise Refusal(
            f"host {', '.join(absent)} did not come within {JOINING_S // 60} minutes (resourceconfig.json)",
            "see its log; the hosts of a job meet at the first one's name and port",
        )
    time.sleep(0.1)


def _listens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=5).close()
    except OSError:
        return False
    return True


def _of_connection(error: RuntimeError) -> bool:
    """Whether it is how torch tells that another host is gone."""
    from torch import distributed

    return isinstance(error, distributed.DistError) or any(word in str(error).lower() for word in ("gloo", "nccl"))


def _tell(store: Store, why: str) -> None:
    """Leave word of this host's end, unless that of another one came first or the first host is gone."""
    with contextlib.suppress(RuntimeError):
        store.compare_set(_ENDED, "", why)


def _left_behind(hosts: Hosts, store: Store | None) -> BaseException:
    """How a host ends that misses another: Stopped where the job is told to stop, else an error that says which."""
    others = " or ".join(name for name in hosts.names if name != hosts.current)
    said = f"host {others} ended before the training was over"
    try:
        if store is not None and store.check([_ENDED]):
            said = f"host {store.get(_ENDED).decode()}"
    except RuntimeError:
        said = f"host {hosts.names[0]} ended before the training was over"
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline and not stop_requested():
        time.sleep(0.05)
    if stop_requested() or said.endswith(_STOPPED):
        print(f"stopping: {said}", file=sys.stderr, flush=True)
        return Stopped()
    hint = "see that host's log; a job with the same CheckpointConfig goes on from the last epoch"
    return SystemExit(f"{said}\n\nhint: {hint}")
