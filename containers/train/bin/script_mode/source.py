"""What a job brings in script mode: the script's name and its source directory, found, fetched and checked."""

from __future__ import annotations

import difflib
import re
import shutil
import tarfile
import urllib.parse
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from optml.environment import AWS_BASE, resolve_path
from optml.errors import Refusal

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

PROGRAM, DIRECTORY = "sagemaker_program", "sagemaker_submit_directory"
_LISTED = 10
_ARCHIVES = (".tar.gz", ".tgz", ".gz", ".tar")
_PACK = "pack it again: tar -czf sourcedir.tar.gz -C FOLDER ."


@dataclass(frozen=True)
class Source:
    program: str
    """Path of the script in the source directory, or the name of a module of a package there."""
    where: str
    """`s3://bucket/key`, or an absolute path: a folder, an archive or the script alone. Empty: already unpacked."""


def read(hyperparameters: Mapping[str, str], base: Path) -> Source:
    """What the hyperparameters say; raises Refusal where nothing is there, before anything is fetched."""
    program = hyperparameters.get(PROGRAM, "").strip()
    if not program:
        raise Refusal(f"the script has no name (hyperparameter {PROGRAM})", f"set {PROGRAM} to train.py or the like")
    given = hyperparameters.get(DIRECTORY, "").strip()
    if holds_files(base / "code"):
        return Source(program, "")
    if not given:
        raise Refusal(
            f"the job brings {program} but no source directory (hyperparameter {DIRECTORY})",
            f"set {DIRECTORY} to s3://BUCKET/sourcedir.tar.gz or to a folder below {AWS_BASE}/input/data",
        )
    where = _locate(given, base)
    if not where.startswith("s3://") and not Path(where).exists():
        raise Refusal(
            f"there is no source directory {given} (hyperparameter {DIRECTORY})",
            f"set {DIRECTORY} to s3://BUCKET/sourcedir.tar.gz, or give the job a channel that holds it",
        )
    return Source(program, where)


def fetch(source: Source, code: Path) -> None:
    """Fill the folder `code`, which stays empty when that fails; raises Refusal where the source cannot be read."""
    if not source.where:
        _check(source.program, str(code), code)
        return
    try:
        _unpack(source, code)
        _check(source.program, source.where, code)
    except BaseException:
        for entry in code.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        raise


def holds_files(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _locate(given: str, base: Path) -> str:
    """An S3 URI as it is; a path, also as `file://`, with AWS's literal /opt/ml resolved against the base."""
    if re.fullmatch(r"s3://[^/]+/.+", given):
        return given
    path = urllib.parse.unquote(given.removeprefix("file://")) if given.startswith("file://") else given
    if "://" in path or not path.startswith("/"):
        raise Refusal(
            f"{given} is neither s3://BUCKET/KEY nor an absolute path (hyperparameter {DIRECTORY})",
            f"set {DIRECTORY} to s3://BUCKET/sourcedir.tar.gz or to a folder below {AWS_BASE}/input/data",
        )
    return str(resolve_path(path, base))


def _unpack(source: Source, code: Path) -> None:
    """By the toolkit, which downloads an archive or takes a file; a folder is copied into what may be a mount."""
    from botocore.exceptions import BotoCoreError, ClientError
    from sagemaker_training import files

    local = Path(source.where)
    if local.is_dir():
        shutil.copytree(local, code, dirs_exist_ok=True)
        return
    try:
        if local.suffix and local.name.endswith(_ARCHIVES) and local.is_file():
            with tarfile.open(local, "r:gz") as archive:
                archive.getmembers()
        files.download_and_extract(source.where, str(code))
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if not isinstance(error, (tarfile.TarError, EOFError, zlib.error)) and "gzip" not in str(error):
            raise
        raise Refusal(f"the source archive is truncated or no .tar.gz: {error} ({source.where})", _PACK) from error
    except ClientError as error:
        raise _not_fetched(source.where, error) from error
    except (BotoCoreError, ValueError) as error:
        raise Refusal(
            f"the source archive cannot be fetched: {error} ({source.where})",
            "let the job reach S3: EnableNetworkIsolation off, AWS_REGION set, and AWS_ENDPOINT_URL if it is not AWS's",
        ) from error


def _not_fetched(where: str, error: ClientError) -> Refusal:
    answer = error.response.get("Error", {})
    code = answer.get("Code", "")
    if code in ("404", "NoSuchKey", "NoSuchBucket"):
        return Refusal(
            f"there is no source archive {where} (hyperparameter {DIRECTORY})", f"aws s3 cp sourcedir.tar.gz {where}"
        )
    message = answer.get("Message", "")
    return Refusal(f"the source archive cannot be fetched: {code} {message} ({where})", f"aws s3 ls {where}")


def _check(program: str, where: str, code: Path) -> None:
    """The script is there; a package's module is Python's to find."""
    if (code / program).is_file() or (code / "setup.py").is_file():
        return
    names = sorted(str(path.relative_to(code)) for path in code.rglob("*") if path.is_file())
    near = difflib.get_close_matches(program, names, n=1) or [
        name for name in names if Path(name).name == Path(program).name
    ]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    raise Refusal(
        f"there is no {program} in {where} (it holds: {', '.join(names[:_LISTED]) or 'nothing'}{more})",
        f"set {PROGRAM} to {near[0]}" if near else f"set {PROGRAM} to one of them, or pack the script too",
    )
