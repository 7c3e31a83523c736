"""The conditional headers of reads, copies and writes."""

from datetime import datetime

from local.s3.errors import not_implemented, precondition_failed
from local.s3.parsing import Members
from local.s3.versions import Conditions, Version


def check_read(version: Version, members: Members, prefix: str = "") -> bool:
    """Whether a reader already has this version; S3Error PreconditionFailed.

    ``prefix`` is ``CopySource`` for the source of a copy.
    """
    if_match, if_none_match = members.get(f"{prefix}IfMatch"), members.get(f"{prefix}IfNoneMatch")
    since, until = members.get(f"{prefix}IfModifiedSince"), members.get(f"{prefix}IfUnmodifiedSince")
    if if_match is not None:
        if not _matches(version, if_match):
            raise precondition_failed("If-Match")
    elif until is not None and _seconds(version.modified) > until:
        raise precondition_failed("If-Unmodified-Since")
    if if_none_match is not None:
        return _matches(version, if_none_match)
    return since is not None and _seconds(version.modified) <= since


def check_copy_source(version: Version, members: Members) -> None:
    """As for a read, but a copy has no reply that says 'not modified'."""
    if check_read(version, members, "CopySource"):
        raise precondition_failed("x-amz-copy-source-If-None-Match")


def of_write(members: Members) -> Conditions:
    """IfMatch and IfNoneMatch of a write; S3 knows the latter as ``*`` only."""
    if members.get("IfNoneMatch", "*") != "*":
        raise not_implemented("If-None-Match with a value other than * is not implemented for writes")
    if_match = members.get("IfMatch")
    return Conditions(if_match and if_match.strip('"'), "IfNoneMatch" in members)


def _matches(version: Version, header: str) -> bool:
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    return "*" in tags or version.etag in tags


def _seconds(moment: datetime) -> datetime:
    """HTTP dates have no fractions."""
    return moment.replace(microsecond=0)
