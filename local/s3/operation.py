"""What an S3 operation is: its name, the members it honours, and the function that answers it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from local.s3 import buckets
from local.s3.errors import S3Error, not_implemented
from local.s3.parsing import Members
from local.s3.request import Request
from local.s3.serialising import Reply
from local.s3.store import ObjectStore

OWNER = {"ID": "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"}

# Members that every operation takes: answered by the request itself, or of no effect on one machine.
_COMMON = frozenset(
    [
        "Bucket",
        "Key",
        "Body",
        "ContentLength",
        "ContentMD5",
        "ExpectedBucketOwner",
        "ExpectedSourceBucketOwner",
        "RequestPayer",
        "ACL",
    ]
)
_SAME_AS_OWNERSHIP = (None, "private", "bucket-owner-full-control")


@dataclass(frozen=True)
class Call:
    """One request to one operation: ``members`` are those of the operation's input."""

    store: ObjectStore
    request: Request
    members: Members

    @property
    def bucket(self) -> str:
        return str(self.members["Bucket"])

    @property
    def key(self) -> str:
        return str(self.members["Key"])

    def shown(self, version_id: str | None) -> str | None:
        """A version id as replies give it: not at all in a bucket that never kept versions."""
        return version_id if buckets.versioning(self.store.database.read(), self.bucket) else None


Handler: TypeAlias = Callable[[Call], Reply]


@dataclass(frozen=True)
class Operation:
    """An operation that is answered; a member that it does not honour is refused by name."""

    name: str
    honoured: frozenset[str]
    handler: Handler

    def __call__(self, call: Call) -> Reply:
        for member in call.members:
            if member not in _COMMON | self.honoured and not member.startswith("Checksum"):
                raise not_implemented(f"{self.name} with {member} is not implemented by Drydock's S3")
        if call.members.get("ACL") not in _SAME_AS_OWNERSHIP:
            raise S3Error("AccessControlListNotSupported")
        return self.handler(call)


def operation(name: str, honoured: str = "") -> Callable[[Handler], Operation]:
    """Mark the function that answers an operation; ``honoured`` names members, separated by spaces."""

    def mark(handler: Handler) -> Operation:
        return Operation(name, frozenset(honoured.split()), handler)

    return mark
