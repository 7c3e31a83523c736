"""Puts a folder, an annotation file with what it names, or nothing (an ``s3://`` address) where a job can read it.

Data is addressed by its content: ``s3://<bucket>/data/<digest>/…``, with ``data/<digest>.json`` written
last as the sign that it is complete. The same data is not sent twice.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.cli import annotations, references
from local.cli.folders import walk
from local.cli.refusal import Refusal
from local.cli.terminal import console, say

THREADS = 8


@dataclass(frozen=True)
class Member:
    """One file of a data set."""

    key: str
    """Its path inside the channel."""
    path: Path
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """Data of one channel."""

    uri: str
    """S3 prefix, with a final slash if we make it."""
    manifest: str = ""
    """Place of the annotation file inside the channel, if one was named."""
    folder: str = ""
    """What is to be sent, if it is not in S3 already."""
    members: tuple[Member, ...] = ()


def find(s3: Any, place: str, bucket: str) -> Source:
    """Reads what one ``--data`` value names, for that bucket, and sends nothing yet.

    Raises Refusal if there is no data.
    """
    if place.startswith("s3://"):
        _check_prefix(s3, place)
        return Source(place)
    try:
        return _read(place, Path(place).expanduser(), bucket)
    except OSError as error:
        raise Refusal(
            f"{error.filename or place} cannot be read: {error.strerror}", "name what you can read"
        ) from error


def send(s3: Any, source: Source) -> None:
    """Makes the data readable for a job, unless it was before."""
    if not source.members:
        return
    bucket, key = split_uri(source.uri)
    prefix = key.rstrip("/")
    size_mb = sum(member.size_bytes for member in source.members) / 1e6
    told = f"{source.folder}: {len(source.members)} files ({size_mb:.1f} MB)"
    if _exists(s3, bucket, f"{prefix}.json"):
        say(f"{told} are already at {source.uri}")
        return
    _put_all(s3, bucket, prefix, source.members)
    index = {member.key: member.sha256 for member in source.members}
    s3.put_object(Bucket=bucket, Key=f"{prefix}.json", Body=json.dumps(index, indent=1).encode())
    say(f"{told} sent to {source.uri}")


def digest(members: Iterable[Member]) -> str:
    """The address of a data set: a hash over the paths and contents of its files."""
    total = hashlib.sha256()
    for member in sorted(members, key=lambda member: member.key):
        total.update(f"{member.sha256} {member.key}\n".encode())
    return total.hexdigest()[:20]


def _read(place: str, path: Path, bucket: str) -> Source:
    if path.is_dir():
        return _source(bucket, place, _members(walk(path, say), path))
    if path.is_file() and annotations.is_known(path):
        bundle = references.bundle(path)
        return _source(bucket, str(bundle.folder), _members(bundle.files, bundle.folder), bundle.manifest)
    if path.exists():
        raise Refusal(
            f"{place} is neither a folder nor an annotation file ({annotations.KNOWN})",
            "name the folder that holds the images",
        )
    raise Refusal(f"there is no data at {place}", "--data takes a folder, an annotation file or an s3:// address")


def _members(files: Iterable[Path], folder: Path) -> list[Member]:
    def read(path: Path) -> Member:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return Member(path.relative_to(folder).as_posix(), path, path.stat().st_size, sha256)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(read, files))


def _source(bucket: str, folder: str, members: list[Member], manifest: str = "") -> Source:
    if not members:
        raise Refusal(f"{folder} holds no files", "name the folder that holds the images")
    return Source(f"s3://{bucket}/data/{digest(members)}/", manifest, folder, tuple(members))


def _put_all(s3: Any, bucket: str, prefix: str, members: Sequence[Member]) -> None:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns, terminal = (TextColumn("sending"), BarColumn(), DownloadColumn()), console()
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as progress:
        task = progress.add_task("", total=sum(member.size_bytes for member in members))

        def put(member: Member) -> None:
            s3.upload_file(str(member.path), bucket, f"{prefix}/{member.key}")
            progress.advance(task, member.size_bytes)

        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(put, members):
                pass


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key (or prefix) of an ``s3://`` address."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _exists(s3: Any, bucket: str, key: str) -> bool:
    return any(
        item["Key"] == key for item in s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    )


def _check_prefix(s3: Any, uri: str) -> None:
    from botocore.exceptions import ClientError

    bucket, prefix = split_uri(uri)
    try:
        found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount", 0)
    except ClientError as error:
        raise Refusal(f"{uri}: {error.response['Error'].get('Message')}", "check the bucket's name") from error
    if not found:
        raise Refusal(f"{uri} holds no objects", f"aws s3 ls {uri}")
