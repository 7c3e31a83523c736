"""What a job brings to be trained with, looked at before its data is fetched and its container started.

The image looks again (containers/train/bin/script_mode/source.py), since it also runs elsewhere, and words it alike.
Images of others are left to themselves: they may hold code that wins over the archive.
"""

import difflib
import json
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from local.errors import ServiceError
from local.jobs import programs
from local.jobs.job import JobError
from local.jobs.s3uri import parse
from local.s3.store import ObjectStore

PROGRAM, DIRECTORY = "sagemaker_program", "sagemaker_submit_directory"
_OWN_PROGRAM = "DRYDOCK_PROGRAM"
_LISTED = 10


def check(image: str, request: Mapping[str, Any], objects: ObjectStore) -> None:
    """JobError for an image of ours with nothing to train, or with a source archive that is not in S3, is no .tar.gz,
    or lacks the script; ``request`` is CreateTrainingJob's.

    A source that is not in S3 may lie in a channel or in the image: it is for the image to find.
    """
    hyperparameters = request.get("HyperParameters", {})
    if PROGRAM in hyperparameters:
        if programs.is_ours(image):
            _check_archive(hyperparameters, objects)
    elif programs.has_no_program(image) and not request.get("Environment", {}).get(_OWN_PROGRAM):
        raise JobError(
            "ClientError: nothing says what to train: this image has no program of its own, and the job brings no "
            f"script. Use an image that has one (drydock/train-cpu:yolo), or set the hyperparameters {PROGRAM} and "
            f"{DIRECTORY}."
        )


def _check_archive(hyperparameters: Mapping[str, str], objects: ObjectStore) -> None:
    program, where = (_decoded(hyperparameters.get(name, "")) for name in (PROGRAM, DIRECTORY))
    if not program or not where.startswith("s3://"):
        return
    names = _content(where, objects)
    if program in names or "setup.py" in names:
        return
    near = difflib.get_close_matches(program, names, n=1) or [
        name for name in names if PurePosixPath(name).name == PurePosixPath(program).name
    ]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    held = ", ".join(names[:_LISTED]) or "nothing"
    raise JobError(
        f"ClientError: there is no {program} in {where} (it holds: {held}{more}). "
        + (f"Set {PROGRAM} to {near[0]}." if near else f"Set {PROGRAM} to one of them, or pack the script too.")
    )


def _content(where: str, objects: ObjectStore) -> list[str]:
    """The files of a source archive, as paths below it."""
    found = None
    try:
        found = objects.head(*parse(where))
    except ServiceError as error:
        if error.code != "NoSuchBucket":
            raise
    if found is None:
        raise JobError(
            f"ClientError: there is no source archive {where} (hyperparameter {DIRECTORY}). "
            f"Put it there: aws s3 cp sourcedir.tar.gz {where}"
        )
    try:
        with tarfile.open(found.path, "r:gz") as archive:
            members = [member.name for member in archive if not member.isdir()]
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise JobError(
            f"ClientError: the source archive is truncated or no .tar.gz: {error} ({where}). "
            "Pack it again: tar -czf sourcedir.tar.gz -C FOLDER ."
        ) from error
    return sorted(str(PurePosixPath(name)) for name in members)


def _decoded(value: str) -> str:
    """A hyperparameter as it is, or as the SDK's framework estimators encode it, in JSON."""
    try:
        decoded = json.loads(value)
    except ValueError:
        decoded = value
    return (decoded if isinstance(decoded, str) else value).strip()
