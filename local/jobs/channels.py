"""Fills a job's input channels from S3 in File mode: S3Prefix and ManifestFile.

A key below ``s3://bucket/prefix/`` keeps the rest of its name. When the prefix is not a whole folder name
(``s3://bucket/data/part-`` or one object's full key) the last part of the prefix stays in the name.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from local.errors import ValidationException
from local.jobs import files
from local.jobs.job import JobError
from local.jobs.s3uri import parse
from local.s3.store import ObjectStore, StoredObject


def check(channel: Mapping[str, Any], role: str, objects: ObjectStore) -> None:
    """ValidationException, as CreateTrainingJob has it, if the channel's address matches no object."""
    uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
    bucket, key = parse(uri)
    if not objects.has_bucket(bucket) or next(iter(objects.list(bucket, key)), None) is None:
        raise ValidationException(_nothing(uri, bucket, role))


def download(
    channel: Mapping[str, Any],
    role: str,
    folders: Sequence[Path],
    objects: ObjectStore,
    check_stop: Callable[[], None],
) -> list[int]:
    """Copy the channel's objects to ``<channel>`` in the folder of each host; how many each got.

    Beside it goes ``<channel>-manifest``, which lists all of them, also where ShardedByS3Key leaves a host a share.
    JobError if there are none, or if they cannot be laid out as files.
    """
    source = channel["DataSource"]["S3DataSource"]
    bucket, key = parse(source["S3Uri"])
    if not objects.has_bucket(bucket):
        raise JobError("ClientError: " + _nothing(source["S3Uri"], bucket, role))
    if source["S3DataType"] == "ManifestFile":
        prefix, found = _manifest(source["S3Uri"], objects)
    else:
        prefix, found = key, [(stored, relative(stored.key, key)) for stored in objects.list(bucket, key)]
    if not found:
        raise JobError("ClientError: " + _nothing(source["S3Uri"], bucket, role))
    placements = files.plan(found)
    name = channel["ChannelName"]
    shares = [placements] * len(folders)
    if source.get("S3DataDistributionType") == "ShardedByS3Key":
        shares = [share(placements, number, len(folders)) for number in range(len(folders))]
    for folder, mine in zip(folders, shares, strict=True):
        files.fetch(mine, folder / name, objects, check_stop)
        write_manifest(folder / f"{name}-manifest", prefix, placements)
    return [len(mine) for mine in shares]


def share(placements: Sequence[files.Placement], number: int, of: int) -> list[files.Placement]:
    """What the host of that number gets of a sharded channel: each ``of``-th object; every host gets the folders."""
    contents = [placement for placement in placements if not placement.is_folder]
    mine = {id(placement) for placement in contents[number::of]}
    return [placement for placement in placements if placement.is_folder or id(placement) in mine]


def relative(key: str, prefix: str) -> str:
    """The name that a key keeps below a channel's folder."""
    if prefix.endswith("/") or not prefix or key.startswith(prefix + "/"):
        return key[len(prefix) :]
    return key[prefix.rfind("/") + 1 :]


def write_manifest(path: Path, prefix: str, placements: list[files.Placement]) -> None:
    """The list that SageMaker leaves beside a channel: the prefix, then each object's address."""
    path.write_text("\n".join([prefix, *(placement.stored.uri for placement in placements)]) + "\n", encoding="utf-8")


def _manifest(uri: str, objects: ObjectStore) -> tuple[str, list[tuple[StoredObject, str]]]:
    stored = objects.head(*parse(uri))
    if stored is None:
        raise JobError(f"ClientError: Data download failed: the manifest {uri} does not exist")
    try:
        bucket, prefix, names = _entries(stored.path.read_bytes())
    except (ValueError, RecursionError, ValidationException) as error:
        raise JobError(
            f'ClientError: Data download failed: the manifest {uri} must read [{{"prefix": "s3://bucket/folder/"}}, '
            f'"file", ...]: {error}'
        ) from error
    return prefix, list(_named(uri, bucket, prefix, names, objects))


def _entries(content: bytes) -> tuple[str, str, list[str]]:
    """Bucket, prefix and names of a manifest. ValueError, RecursionError or ValidationException if it is none."""
    document = json.loads(content)
    if not isinstance(document, list) or not document:
        raise ValueError("it is no list")
    head, *names = document
    if not isinstance(head, dict) or not isinstance(head.get("prefix"), str):
        raise ValueError("the first entry must be an object with a prefix")
    if not all(isinstance(name, str) for name in names):
        raise ValueError("the entries after the first must be strings")
    "".join([head["prefix"], *names]).encode()  # JSON can spell what is no character, and no key has
    return *parse(head["prefix"]), names


def _named(
    uri: str, bucket: str, prefix: str, names: list[str], objects: ObjectStore
) -> Iterator[tuple[StoredObject, str]]:
    for name in dict.fromkeys(names):
        stored = objects.head(bucket, prefix + name) if objects.has_bucket(bucket) else None
        if stored is None:
            raise JobError(
                f"ClientError: Data download failed: s3://{bucket}/{prefix}{name}, which {uri} names, does not exist"
            )
        yield stored, name


def _nothing(uri: str, bucket: str, role: str) -> str:
    return (
        f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists in '
        f'the selected region, that objects exist under that S3 prefix, and that the role "{role}" has '
        f'"s3:ListBucket" permissions on bucket "{bucket}".'
    )
