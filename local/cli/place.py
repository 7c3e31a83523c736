"""Where jobs run, as the commands see it: the emulator of this machine, or an account of AWS."""

from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from local.cli import endpoint
from local.home import Home

AwsOption = Annotated[bool, typer.Option("--aws", help="In AWS, with your credentials; not in the emulator.")]


class Place(Protocol):
    """An ``Endpoint`` or an ``Account``."""

    @property
    def flag(self) -> str:
        """What a command says to mean this place: nothing, or `` --aws``."""

    @property
    def poll_s(self) -> float:
        """Seconds between two questions about a job."""

    @property
    def drain_s(self) -> float:
        """Seconds between two readings of the log of a job that has ended."""

    @property
    def home(self) -> Home: ...

    @property
    def programs(self) -> tuple[Path, ...]:
        """Program folders."""

    @property
    def bucket(self) -> str:
        """For this tool's own data, results and checkpoints."""

    @property
    def role(self) -> str:
        """ARN that jobs are given."""

    def client(self, service: str, in_region: str = "") -> Any:
        """A boto3 client of one service."""

    def ensure_bucket(self) -> None:
        """Makes the bucket where that is nobody's decision; else raises Refusal if it is not there."""


def open_place(aws: bool) -> Place:
    """The account of the caller's credentials, or the emulator of this home. Raises Refusal if there is none."""
    if not aws:
        return endpoint.require()
    from local.aws.account import connect

    return connect()
