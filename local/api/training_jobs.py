"""CreateTrainingJob, DescribeTrainingJob, ListTrainingJobs and StopTrainingJob."""

from collections.abc import Callable, Iterator
from typing import Any

from local import validation
from local.api import members, paging, rules
from local.api.actions import Request, Response, State, action
from local.errors import ResourceInUse, ValidationException
from local.jobs.job import TrainingJob

PAGE_SIZE = 10
"""Jobs on one page unless the request says otherwise."""

UNSUPPORTED_FILTERS = ("WarmPoolStatusEquals", "TrainingPlanArnEquals")

_SORT_KEYS: dict[str, Callable[[TrainingJob], Any]] = {
    "Name": lambda job: job.name,
    "CreationTime": lambda job: job.created,
    "Status": lambda job: job.status,
}


@action("CreateTrainingJob")
def create(state: State, request: Request) -> Response:
    validation.refuse(members.unsupported(request))
    rules.check(request)
    full = rules.with_defaults(request)
    name = request["TrainingJobName"]
    with state.lock:
        taken = next((job for job in state.runner.list() if job.name.lower() == name.lower()), None)
        if taken:  # whatever its case: the name is also that of a folder, and lower-cased in the ARN
            raise ResourceInUse(
                "Training job names must be unique within an AWS account and region, "
                f"and a training job with this name already exists ({taken.arn})"
            )
        state.runner.check(full)
        job = TrainingJob(full, state.arn("training-job", name), members.recorded(request))
        state.runner.submit(job)
    return {"TrainingJobArn": job.arn}


@action("DescribeTrainingJob")
def describe(state: State, request: Request) -> Response:
    return _find(state, request["TrainingJobName"]).describe()


@action("StopTrainingJob")
def stop(state: State, request: Request) -> Response:
    job = _find(state, request["TrainingJobName"])
    state.runner.stop(job.name)
    return {}


@action("ListTrainingJobs")
def listed(state: State, request: Request) -> Response:
    """NameContains ignores case; the bounds of times are inclusive below and above."""
    validation.refuse(_unsupported_filters(request))
    matching = [job for job in _jobs(state) if _matches(job, request)]
    sort_by, sort_order = request.get("SortBy", "CreationTime"), request.get("SortOrder", "Ascending")
    page, token = paging.page(
        matching,
        lambda job: (_SORT_KEYS[sort_by](job), job.name),
        request.get("MaxResults", PAGE_SIZE),
        request.get("NextToken"),
        order=f"{sort_by} {sort_order}",
        descending=sort_order == "Descending",
    )
    return {"TrainingJobSummaries": [job.summary() for job in page]} | token


def job_of_arn(state: State, arn: str) -> TrainingJob:
    """The training job with that ARN; ValidationException if there is none."""
    for job in _jobs(state):
        if job.arn == arn:
            return job
    raise ValidationException(f"Requested resource not found: {arn}")


def _jobs(state: State) -> Iterator[TrainingJob]:
    prefix = state.arn("training-job", "")
    return (job for job in state.runner.list() if job.arn.startswith(prefix))


def _find(state: State, name: str) -> TrainingJob:
    job = state.runner.get(name)
    if job is None or job.arn != state.arn("training-job", name):
        raise ValidationException("Requested resource not found.")
    return job


def _matches(job: TrainingJob, request: Request) -> bool:
    return (
        request.get("NameContains", "").lower() in job.name.lower()
        and request.get("StatusEquals", job.status) == job.status
        and _within(job.created, request, "CreationTime")
        and _within(job.modified, request, "LastModifiedTime")
    )


def _within(moment: float, request: Request, member: str) -> bool:
    after, before = request.get(f"{member}After", moment), request.get(f"{member}Before", moment)
    return bool(after <= moment <= before)


def _unsupported_filters(request: Request) -> Iterator[validation.Violation]:
    for name in UNSUPPORTED_FILTERS:
        if name in request:
            constraint = "Member is not supported by Drydock (there are no warm pools or training plans); leave it out"
            yield validation.Violation(request[name], validation.member_name(name), constraint)
