"""Brings what a person wants to see of a finished job into ``runs/<job>/``, and points ``runs/latest`` at it."""

import os
import shutil
from pathlib import Path
from typing import Any

from local.cli.archives import unpack
from local.cli.endpoint import Endpoint
from local.cli.follow import LogReader, logs_client
from local.cli.upload import split_uri
from local.environments import CHECKOUT

LOG = "log.txt"


def runs_folder() -> Path:
    """``$DRYDOCK_RUNS``, by default ``runs/`` beside the Makefile."""
    chosen = os.environ.get("DRYDOCK_RUNS")
    return Path(chosen).expanduser().absolute() if chosen else CHECKOUT / "runs"


def collect(running: Endpoint, description: dict[str, Any]) -> Path:
    """Downloads model.tar.gz, the unpacked output.tar.gz and the log of a job that has ended; returns the folder.

    The folder appears at once and complete; an earlier one of the same job is replaced.
    """
    job: str = description["TrainingJobName"]
    target = runs_folder() / job
    part = target.with_name(f".{job}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    s3 = running.client("s3")
    model = model_uri(description)
    download(s3, model, part / "model.tar.gz")
    output = part / ".output.tar.gz"
    if download(s3, model.rpartition("/")[0] + "/output.tar.gz", output):
        unpack(output, part)
        output.unlink()
    lines = LogReader(logs_client(running, description), job).read()
    (part / LOG).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    _point_latest(target)
    return target


def model_uri(description: dict[str, Any]) -> str:
    """Where the job's model.tar.gz is, or would be."""
    artifacts = description.get("ModelArtifacts", {}).get("S3ModelArtifacts", "")
    base = description["OutputDataConfig"]["S3OutputPath"].rstrip("/")
    return str(artifacts or f"{base}/{description['TrainingJobName']}/output/model.tar.gz")


def download(s3: Any, uri: str, target: Path) -> bool:
    """Downloads one object; False, and no file, if there is none."""
    from botocore.exceptions import ClientError

    bucket, key = split_uri(uri)
    try:
        s3.download_file(bucket, key, str(target))
    except ClientError as error:
        if error.response["Error"].get("Code") in {"404", "NoSuchKey", "NoSuchBucket"}:
            return False
        raise
    return True


def _point_latest(target: Path) -> None:
    link = target.with_name(".latest.part")
    link.unlink(missing_ok=True)
    link.symlink_to(target.name)
    link.replace(target.with_name("latest"))
