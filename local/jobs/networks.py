"""One bridge network for each job, at whose gateway the emulator answers while the job runs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple, TypeAlias

from local.jobs.engine import Engine, asked_to, if_it_can
from local.jobs.job import JobError

AlsoAt: TypeAlias = Callable[[str], AbstractContextManager[str]]
"""Makes the emulator answer at one more address of this machine, and gives the URL; OSError if it has no such one."""


class Network(NamedTuple):
    """A network that containers can be put on."""

    name: str
    endpoint_url: str
    """How its containers reach the emulator; empty where they do not, nor anything but each other."""


@contextmanager
def network(engine: Engine, name: str, labels: Mapping[str, str], also_at: AlsoAt | None) -> Iterator[Network]:
    """A network of that name until the block ends, without ``also_at`` one that leads nowhere; JobError without one."""
    with asked_to("make a network for the job"):
        made = engine.api.create_network(
            name, driver="bridge", labels=dict(labels), check_duplicate=True, internal=also_at is None
        )["Id"]
    try:
        if also_at is None:
            yield Network(name, "")
            return
        with asked_to("make a network for the job"):
            gateway = engine.api.inspect_network(made)["IPAM"]["Config"][0]["Gateway"]
        with _answering(gateway, also_at) as url:
            yield Network(name, url)
    finally:
        with if_it_can("remove the job's network"):
            engine.api.remove_network(made)


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
