"""Brings what a person wants to see of a finished job into ``runs/<job>/``, and points ``runs/latest`` at the newest
that made a model.
"""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local.cli.archives import unpack
from local.cli.follow import LogReader, logs_client
from local.cli.place import Place
from local.cli.refusal import Refusal
from local.cli.terminal import say
from local.cli.upload import split_uri
from local.environments import CHECKOUT

LOG = "log.txt"
LATEST = "latest"
MODEL = "model.tar.gz"
OUTPUT = "output.tar.gz"


def runs_folder() -> Path:
    """``$DRYDOCK_RUNS``, by default ``runs/`` beside the Makefile."""
    chosen = os.environ.get("DRYDOCK_RUNS")
    return Path(chosen).expanduser().absolute() if chosen else CHECKOUT / "runs"


def folder_of(job: str) -> Path:
    """Where the results of a job lie. Raises Refusal for a job whose name is that of the link to the newest."""
    if job == LATEST:
        raise Refusal(
            f"no job is called {LATEST} here: runs/{LATEST} points at the newest run", "choose another --name"
        )
    return runs_folder() / job


def collect(running: Place, description: dict[str, Any]) -> Path:
    """Downloads model.tar.gz, the unpacked output.tar.gz and the log of a job that has ended; returns the folder.

    The folder appears at once and complete; an earlier one of the same job is replaced.
    """
    job: str = description["TrainingJobName"]
    target = folder_of(job)
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{job}.", dir=target.parent) as scratch:
        part = Path(scratch, job)
        s3, model = running.client("s3"), model_uri(description)
        _unpack_output(s3, model.rpartition("/")[0], part)
        has_model = download(s3, model, Path(scratch, MODEL))
        if has_model:
            _place(Path(scratch, MODEL), part)
        lines = LogReader(logs_client(running, description), description).read()
        Path(scratch, LOG).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        _place(Path(scratch, LOG), part)
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)
    if has_model and description["TrainingJobStatus"] in {"Completed", "Stopped"}:
        _point_latest(target)
    return target


def model_uri(description: dict[str, Any]) -> str:
    """Where the job's model.tar.gz is, or would be."""
    artifacts = description.get("ModelArtifacts", {}).get("S3ModelArtifacts", "")
    base = description["OutputDataConfig"]["S3OutputPath"].rstrip("/")
    return str(artifacts or f"{base}/{description['TrainingJobName']}/output/{MODEL}")


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


def _unpack_output(s3: Any, uri: str, part: Path) -> None:
    """Fills the new folder ``part``; an output that cannot be unpacked lies there as the archive that it is."""
    part.mkdir()
    archive = part.with_name(OUTPUT)
    if not download(s3, f"{uri}/{OUTPUT}", archive):
        return
    try:
        unpack(archive, part)
    except Refusal as refusal:
        say(f"{refusal.message}; it is kept whole")
        shutil.rmtree(part)
        part.mkdir()
        _place(archive, part)


def _place(file: Path, folder: Path) -> None:
    """Moves a file of the platform's into the folder; one of the program's that has its name keeps another."""
    target = folder / file.name
    if os.path.lexists(target):
        kept = target
        while os.path.lexists(kept):
            kept = kept.with_name(f"output-{kept.name}")
        target.rename(kept)
        say(f"the program's own {target.name} is kept as {kept.name}")
    file.rename(target)


def _point_latest(target: Path) -> None:
    link = target.with_name(f".{LATEST}.{os.getpid()}")
    link.unlink(missing_ok=True)
    link.symlink_to(target.name)
    link.replace(target.with_name(LATEST))
