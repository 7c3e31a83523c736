"""Looks at jobs and stops them: ``jobs``, ``describe``, ``logs``, ``stop`` and ``fetch``."""

from datetime import datetime
from typing import Annotated, Any

import typer

from local.cli import collect, summary
from local.cli.follow import TERMINAL, LogReader, follow, logs_client
from local.cli.place import AwsOption, Place, open_place
from local.cli.refusal import FAILED, Refusal
from local.cli.terminal import put, put_json, say, table

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Name of a training job.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, as the API answers.")]


def jobs(
    aws: AwsOption = False,
    as_json: JsonOption = False,
    limit: Annotated[int, typer.Option(min=1, help="How many of the newest.")] = 20,
) -> None:
    """List training jobs, the newest first."""
    client = open_place(aws).client("sagemaker")
    pages = client.get_paginator("list_training_jobs").paginate(
        SortBy="CreationTime", SortOrder="Descending", PaginationConfig={"MaxItems": limit}
    )
    found = [job for page in pages for job in page["TrainingJobSummaries"]]
    if as_json:
        put_json(found)
    elif not found:
        say("no jobs yet; the first one: drydock train yolo")
    else:
        rows = [[job["TrainingJobName"], job["TrainingJobStatus"], _when(job), _duration(job)] for job in found]
        put(table(["JOB", "STATUS", "CREATED", "TOOK"], rows))


def describe(job: JobArgument, aws: AwsOption = False, as_json: JsonOption = False) -> None:
    """Show one job: status, metrics, where its results are."""
    description = find_job(open_place(aws), job)
    if as_json:
        put_json(description)
        return
    for line in summary.describe(description):
        put(line)


def logs(
    job: JobArgument,
    aws: AwsOption = False,
    keep_on: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job ends.")] = False,
) -> None:
    """Print the log of a job."""
    running = open_place(aws)
    description = find_job(running, job)
    if not keep_on:
        for line in LogReader(logs_client(running, description), description).read():
            put(str(line))
        return
    for _, lines in follow(running, description):
        for line in lines:
            put(str(line))


def stop(job: JobArgument, aws: AwsOption = False) -> None:
    """Stop a job, as StopTrainingJob does: it may save a checkpoint first."""
    from botocore.exceptions import ClientError

    running = open_place(aws)
    find_job(running, job)
    try:
        running.client("sagemaker").stop_training_job(TrainingJobName=job)
    except ClientError as error:
        told = error.response["Error"]
        raise Refusal(
            f"{told.get('Code')}: {told.get('Message')}",
            f"drydock describe {job}{running.flag} shows how it ended",
            FAILED,
        ) from error
    say(f"stopping {job}; it has 120 s to save a checkpoint")


def fetch(job: JobArgument, aws: AwsOption = False) -> None:
    """Bring the results of a job that has ended into runs/JOB."""
    running = open_place(aws)
    description = find_job(running, job)
    if description["TrainingJobStatus"] not in TERMINAL:
        raise Refusal(f"{job} has not ended yet", f"drydock logs -f {job}{running.flag}")
    put(str(collect.collect(running, description)))


def find_job(running: Place, job: str) -> dict[str, Any]:
    """The job's description; raises Refusal if there is no such job."""
    from botocore.exceptions import ClientError

    if not job:
        raise Refusal("the name of the job is empty", f"drydock jobs{running.flag} lists them")
    try:
        description: dict[str, Any] = running.client("sagemaker").describe_training_job(TrainingJobName=job)
    except ClientError as error:
        told = error.response["Error"]
        if told.get("Code") not in {"ValidationException", "ResourceNotFound"}:
            raise
        raise Refusal(f"{job}: {told.get('Message')}", f"drydock jobs{running.flag} lists them") from error
    description.pop("ResponseMetadata", None)
    return description


def _when(job: dict[str, Any]) -> str:
    created: datetime = job["CreationTime"]
    return created.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _duration(job: dict[str, Any]) -> str:
    if "TrainingEndTime" not in job:
        return ""
    return f"{(job['TrainingEndTime'] - job['CreationTime']).total_seconds():.0f} s"
