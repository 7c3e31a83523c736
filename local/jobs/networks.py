"""One bridge network for each job, at whose gateway the emulator answers while the job runs.

The hosts of a job have addresses that are known before they start, so that their names can be in each one's /etc/hosts:
the engine's own name service forgets a host as soon as that has ended, while a slower one may still ask for it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from ipaddress import IPv4Network
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

from local.jobs.engine import Engine, RefusedError, asked_to, if_it_can
from local.jobs.job import JobError

AlsoAt: TypeAlias = Callable[[str], AbstractContextManager[str]]
"""Makes the emulator answer at one more address of this machine, and gives the URL; OSError if it has no such one."""

_WITHOUT_THIS_MACHINE = {"com.docker.network.bridge.inhibit_ipv4": "true"}
"""Else an internal network has an address of this machine, at which all answers that it listens to at any."""
_TRIES = 10


class Network(NamedTuple):
    """A network that containers can be put on."""

    name: str
    endpoint_url: str
    """How its containers reach the emulator; empty where they do not, nor anything but each other."""
    addresses: Mapping[str, str]
    """Of the hosts that it was made for, by name; IPv4."""


@contextmanager
def network(
    engine: Engine, name: str, labels: Mapping[str, str], hosts: Sequence[str], also_at: AlsoAt | None
) -> Iterator[Network]:
    """A network of that name until the block ends; JobError without one.

    ``hosts`` are the names that get addresses. Without ``also_at`` it leads nowhere, not to this machine either.
    """
    options: dict[str, Any] = {"driver": "bridge", "labels": dict(labels), "check_duplicate": True}
    if also_at is None:
        options |= {"internal": True, "options": _WITHOUT_THIS_MACHINE}
    with asked_to("make a network for the job"):
        made = (_with_a_known_subnet if hosts else _create)(engine, name, options)
    try:
        with asked_to("make a network for the job"):
            pool = _pool(engine, made)
        addresses = _addresses(pool, hosts)
        if also_at is None:
            yield Network(name, "", addresses)
            return
        with _answering(pool["Gateway"], also_at) as url:
            yield Network(name, url, addresses)
    finally:
        with if_it_can("remove the job's network"):
            engine.api.remove_network(made)


def _with_a_known_subnet(engine: Engine, name: str, options: Mapping[str, Any]) -> str:
    """The id of a new network in which containers can ask for addresses: engines allow that if it asked for its own.

    Which one is free, and which ones the engine's settings allow, is learned from a first network. Another's may take
    its place before the second.
    """
    tries = 0
    while True:
        first = _create(engine, name, options)
        try:
            pool = _pool(engine, first)
        finally:
            engine.api.remove_network(first)
        try:
            with asked_to("make a network for the job"):
                return _create(engine, name, {**options, "ipam": {"Driver": "default", "Config": [pool]}})
        except RefusedError as error:
            tries += 1
            if "overlap" not in error.said or tries == _TRIES:
                raise


def _create(engine: Engine, name: str, options: Mapping[str, Any]) -> str:
    return str(engine.api.create_network(name, **options)["Id"])


def _pool(engine: Engine, made: str) -> dict[str, str]:
    """``Subnet`` and ``Gateway`` of a network, IPv4."""
    pools: list[dict[str, str]] = engine.api.inspect_network(made)["IPAM"]["Config"]
    return next(pool for pool in pools if ":" not in pool["Subnet"])


def _addresses(pool: Mapping[str, str], hosts: Sequence[str]) -> dict[str, str]:
    """One address for each host, in order; the first of the subnet stays the gateway's, which it is by default."""
    free = (str(address) for address in islice(IPv4Network(pool["Subnet"]).hosts(), 1, None))
    addresses = dict(zip(hosts, (address for address in free if address != pool.get("Gateway")), strict=False))
    if len(addresses) < len(hosts):
        raise JobError(
            f"ClientError: The engine's networks are too small for {len(hosts)} hosts: {pool['Subnet']}. "
            "Give it larger ones (default-address-pools in /etc/docker/daemon.json), or the job fewer hosts."
        )
    return addresses


@contextmanager
def _answering(gateway: str, also_at: AlsoAt) -> Iterator[str]:
    place = also_at(gateway)
    try:
        url = place.__enter__()
    except OSError as error:
        raise JobError(
            f"ClientError: The emulator cannot answer at {gateway}, the address of this machine in the job's network "
            f"({error.strerror}). The engine must run on this machine, not in a virtual machine."
        ) from error
    try:
        yield url
    finally:
        place.__exit__(None, None, None)
