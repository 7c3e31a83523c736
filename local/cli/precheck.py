"""Refuses a request that the endpoint would refuse before its data is sent, with the endpoint's own code and words."""

from collections.abc import Mapping
from typing import Any

from local.api import rules
from local.cli.collect import folder_of
from local.cli.endpoint import Endpoint
from local.cli.place import Place
from local.errors import ResourceInUse
from local.jobs.backend import BackendName, wanted
from local.jobs.programs import Program, ProgramTable


def check(running: Place, request: Mapping[str, Any]) -> Program | None:
    """Raises ServiceError for what CreateTrainingJob would refuse, whatever the data is; Refusal for a name without
    a folder in runs/. What will run as a process of this machine, if it does.

    ``request`` may lack the channels that are still to be sent. The endpoint checks it again: another job may have
    taken the name in the meantime.
    """
    from local import validation  # botocore's, which the other commands need not wait for

    sagemaker, body = running.client("sagemaker"), dict(request)
    validation.check_request(sagemaker.meta.service_model.operation_model("CreateTrainingJob").input_shape, body)
    rules.check(body)
    program = _check_backend(running, body) if isinstance(running, Endpoint) else None
    _check_name(sagemaker, body["TrainingJobName"])
    folder_of(body["TrainingJobName"])
    return program


def _check_backend(running: Endpoint, body: Mapping[str, Any]) -> Program | None:
    asked = wanted(body)
    programs = ProgramTable(running.programs)
    if running.backend is BackendName.process:
        return programs.resolve(asked)
    from local.jobs import engine, images

    found = engine.connect()
    try:
        images.check_train(found, images.resolve(found, programs, asked))
    finally:
        found.close()
    return None


def _check_name(sagemaker: Any, name: str) -> None:
    for page in sagemaker.get_paginator("list_training_jobs").paginate(NameContains=name):
        for job in page["TrainingJobSummaries"]:
            if job["TrainingJobName"].lower() == name.lower():
                raise ResourceInUse(
                    "Training job names must be unique within an AWS account and region, "
                    f"and a training job with this name already exists ({job['TrainingJobArn']})"
                )
