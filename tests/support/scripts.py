"""Jobs that bring a training script of the user's own, on the backends that can run them here."""

from __future__ import annotations

import io
import json
import tarfile
import textwrap
from typing import Any

import pytest

from local import environments
from local.installer import SetUpError
from tests.support import engine as engines
from tests.support.jobs import Jobs

IMAGE = Jobs().script_image


def require_here(request: pytest.FixtureRequest) -> None:
    """Skip with the reason unless scripts run where the case is to run: the `jobs` or the `runs` that it takes."""
    parameters = request.node.callspec.params
    backend = parameters.get("jobs", parameters.get("runs"))
    if backend != "aws":
        require(backend, request)


def require(backend: str, request: pytest.FixtureRequest, image: str = IMAGE) -> None:
    """Skip with the reason unless this machine runs scripts on that backend."""
    if backend == "docker":
        engines.image(request.getfixturevalue("engine"), image)
        return
    try:
        environments.ensure("pytorch-script")
    except SetUpError as error:
        pytest.skip(f"no processes run scripts here: {error.message}. {error.hint}")


def archive(**files: str) -> bytes:
    """A sourcedir.tar.gz; `train_py` is train.py."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            content = textwrap.dedent(text).encode()
            member = tarfile.TarInfo(name.replace("_", "."))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def bring(jobs: Jobs, name: str, script: str, image: str = "", **members: Any) -> None:
    """A job that runs a script; values of HyperParameters are JSON-encoded, as the SDK does."""
    sent = jobs.store(f"code/{name}/sourcedir.tar.gz", archive(train_py=script))
    source = {"sagemaker_program": "train.py", "sagemaker_submit_directory": sent}
    hyperparameters = source | members.pop("HyperParameters", {})
    encoded = {key: json.dumps(value) for key, value in hyperparameters.items()}
    jobs.create_on(name, image or jobs.script_image, HyperParameters=encoded, **members)
