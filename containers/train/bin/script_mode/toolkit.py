"""AWS's sagemaker-training toolkit, imported so that it works for any user, on a root that cannot be written, by hand.

It makes /opt/ml/code while it is imported, and reads config files that only the platform is sure to write.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from optml.environment import Environment

_BASE_DIR = "SAGEMAKER_BASE_DIR"


def load(job: Environment, scratch: Path) -> ModuleType:
    """`sagemaker_training.environment` for the job; its `code_dir` can be filled or holds the script already."""
    with _base_dir(scratch):
        from sagemaker_training import environment
    for name, value in list(vars(environment).items()):
        if isinstance(value, str) and value.startswith(str(scratch)):
            setattr(environment, name, str(job.base) + value[len(str(scratch)) :])
    environment.code_dir = str(_code_dir(job.base, scratch))
    config = scratch / "input/config"
    config.mkdir(parents=True)
    host = {"current_host": job.current_host, "hosts": list(job.hosts)}
    channels = {name: {"TrainingInputMode": "File"} for name in job.channels}
    for variable, content in (("resource_config_file_dir", host), ("input_data_config_file_dir", channels)):
        given = Path(getattr(environment, variable))
        if not given.exists():
            (config / given.name).write_text(json.dumps(content), encoding="utf-8")
            setattr(environment, variable, str(config / given.name))
    loaded: ModuleType = environment
    return loaded


def write_variables(variables: Mapping[str, str], code: Path) -> None:
    """Set the SM_ variables, as the toolkit does; PYTHONPATH leads to the code alone, not to what is on our path."""
    given = os.environ.get("PYTHONPATH")
    os.environ.update(variables)
    os.environ["PYTHONPATH"] = f"{code}:{given}" if given else str(code)


@contextlib.contextmanager
def intermediate_output(environment: Any) -> Iterator[None]:
    """Upload what appears in output/intermediate meanwhile, where `sagemaker_s3_output` says so; a toolkit feature.

    The uploader ends by itself once the file `success` or `failure` is there.
    """
    from sagemaker_training import intermediate_output

    uploader = intermediate_output.start_sync(
        environment.sagemaker_s3_output(), os.environ.get("AWS_REGION"), endpoint_url=os.environ.get("S3_ENDPOINT_URL")
    )
    try:
        yield
    finally:
        told = any((Path(environment.output_dir) / name).exists() for name in ("success", "failure"))
        if uploader is not None:
            uploader.join() if told else uploader.kill()


@contextlib.contextmanager
def _base_dir(folder: Path) -> Iterator[None]:
    before = os.environ.get(_BASE_DIR)
    os.environ[_BASE_DIR] = str(folder)
    try:
        yield
    finally:
        del os.environ[_BASE_DIR]
        if before is not None:
            os.environ[_BASE_DIR] = before


def _code_dir(base: Path, scratch: Path) -> Path:
    """The platform's folder where it can be used, as in AWS; else one of our own."""
    code = base / "code"
    with contextlib.suppress(OSError):
        code.mkdir(exist_ok=True)
    usable = code.is_dir() and (any(code.iterdir()) or os.access(code, os.W_OK))
    return code if usable else scratch / "code"
