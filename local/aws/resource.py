"""What Drydock keeps in an account: the interface of each kind, and how far it stands."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from local.aws.account import MARK
from local.cli.refusal import FAILED, Refusal


class Standing(StrEnum):
    absent = "new"
    ours = "there already"


class Resource(Protocol):
    """A bucket, a role or a repository, which carries the mark."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> str:
        """What other commands and programs call it: URI or ARN."""

    def settings(self) -> list[str]:
        """What it is made with, for a person to read before it is."""

    def look(self) -> Standing:
        """Whether it is there. Raises Refusal for one of that name which is not ours."""

    def make(self) -> None:
        """Makes it if it is absent, and sets its settings (again)."""

    def content(self) -> str:
        """What would be lost with it, in words; empty for nothing. Raises Refusal if it cannot be removed."""

    def remove(self) -> None:
        """Removes it with all that it holds."""


def check_mark(resource: Resource, tags: Sequence[Mapping[str, str]]) -> None:
    """Raises Refusal unless the tags have the mark."""
    if MARK not in [{key: tag[key] for key in MARK} for tag in tags]:
        raise Refusal(
            f"the {resource.kind} {resource.name} is there, without the tag {MARK['Key']}={MARK['Value']}, "
            "so somebody else made it",
            "if it may be Drydock's, give it that tag; else rename it, or use another region",
            FAILED,
        )


def code_of(error: Exception) -> str:
    """AWS's code of a ClientError."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
