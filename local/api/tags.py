"""AddTags, ListTags and DeleteTags on the ARNs of training jobs."""

from typing import TypeAlias

from local.api import paging, rules
from local.api.actions import Request, Response, State, action
from local.api.training_jobs import job_of_arn
from local.errors import ResourceLimitExceeded

LIMIT = 50
"""Tags that one resource may have, and tags on one page."""

_KIND = "tags"
_Tags: TypeAlias = dict[str, str]


@action("AddTags")
def add(state: State, request: Request) -> Response:
    """A key that exists gets the new value."""
    arn = request["ResourceArn"]
    rules.tags(request["Tags"])
    with state.lock:
        tags = _tags(state, arn) | {tag["Key"]: tag["Value"] for tag in request["Tags"]}
        if len(tags) > LIMIT:
            raise ResourceLimitExceeded(f"{arn} would have {len(tags)} tags; a resource can have {LIMIT}")
        state.store.put(_KIND, arn, tags)
    return {"Tags": _shown(tags)}


@action("ListTags")
def listed(state: State, request: Request) -> Response:
    tags = _tags(state, request["ResourceArn"])
    page, token = paging.page(
        _shown(tags), lambda tag: tag["Key"], request.get("MaxResults", LIMIT), request.get("NextToken")
    )
    return {"Tags": page} | token


@action("DeleteTags")
def delete(state: State, request: Request) -> Response:
    """Keys that the resource does not have are no error."""
    arn = request["ResourceArn"]
    with state.lock:
        tags = _tags(state, arn)
        state.store.put(_KIND, arn, {key: value for key, value in tags.items() if key not in request["TagKeys"]})
    return {}


def _tags(state: State, arn: str) -> _Tags:
    """The tags of a resource: those it was created with until AddTags or DeleteTags first changed them."""
    job = job_of_arn(state, arn)
    changed = state.store.get(_KIND, arn)
    return changed if changed is not None else {tag["Key"]: tag["Value"] for tag in job.request.get("Tags", [])}


def _shown(tags: _Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]
