"""Sends images to the account's registry: ``push``. Each build has a tag of its own there, which is never moved."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from local.aws.account import Account, connect
from local.aws.registry import Held, Registry, open_registry, refused
from local.aws.repository import PREFIX, Repository
from local.aws.resource import Standing
from local.aws.tags import build_tag, repository_name
from local.cli.refusal import FAILED, Refusal
from local.cli.terminal import put, put_json, say
from local.jobs import builds
from local.jobs import engine as engines
from local.jobs.engine import RefusedError, asked_to

PLATFORM = "linux/amd64"
"""What SageMaker's training instances run."""


@dataclass(frozen=True)
class Local:
    """An image of the engine that can be pushed."""

    name: str
    id: str
    repository: str
    tag: str
    """Of this build."""


@dataclass(frozen=True)
class Pushed:
    image: str
    """Its name here."""
    uri: str
    """What a job's TrainingImage is."""
    digest: str


def push(
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="[IMAGE]…", help="Image names, or targets of make images. Default: every train image."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print image, URI and digest as JSON.")] = False,
) -> None:
    """Push train images to ECR; prints the URI and the digest of each."""
    engine = engines.client()
    try:
        found = [_look_up(engine, name) for name in _chosen(engine, images or [])]
        account = connect()
        registry = open_registry(account)
        say(f"{account}: registry {registry.host}")
        pushed = []
        for image in found:
            pushed.append(_push(engine, account, registry, image))
            if not as_json:
                put(f"{pushed[-1].uri}  {pushed[-1].digest}")
    finally:
        engine.close()
    if as_json:
        put_json([asdict(each) for each in pushed])


def _chosen(engine: Any, names: list[str]) -> list[str]:
    """The names as the engine knows them; all train images if none is given."""
    with asked_to("list its images"):
        tags = sorted({tag for each in engine.images() for tag in each.get("RepoTags") or ()})
    ours = [tag for tag in tags if tag.startswith(f"{PREFIX}train-")]
    if not names and not ours:
        raise Refusal("there is no train image in the container engine", "make images", FAILED)
    short = {key: tag for tag in ours for key in (tag.removeprefix(PREFIX), tag.removeprefix(PREFIX).replace(":", "-"))}
    return list(dict.fromkeys(short.get(name, name) for name in names)) or ours


def _look_up(engine: Any, name: str) -> Local:
    """Raises Refusal for an image that is not there or that SageMaker cannot run."""
    try:
        with asked_to(f"look up {name}"):
            found: Mapping[str, Any] = engine.inspect_image(name)
    except RefusedError as error:
        if error.status not in (400, 404):
            raise
        hint = builds.command(name) or builds.nearest([name, f"{PREFIX}{name}"], builds.targets())
        message = f"there is no image {name} in the container engine"
        raise Refusal(message, hint or f"images of this checkout are {', '.join(builds.targets())}", FAILED) from error
    platform = f"{found['Os']}/{found['Architecture']}"
    if platform != PLATFORM:
        raise Refusal(
            f"the image {name} is for {platform}, and SageMaker trains on {PLATFORM}",
            builds.for_platform(name, PLATFORM),
        )
    return Local(name, found["Id"], repository_name(name), build_tag(name, found))


def _push(engine: Any, account: Account, registry: Registry, image: Local) -> Pushed:
    repository = Repository(account, image.repository)
    if repository.look() is Standing.absent:
        repository.make()
        say(f"made the repository {image.repository} ({', '.join(repository.settings())})")
    held = registry.held(image.repository, image.tag)
    if held and not held.is_image(image.id):
        raise Refusal(
            f"{image.repository}:{image.tag} is in {registry.host} already, as another image ({held.digest}), "
            "and tags are not moved there",
            "commit what you changed, make images, then push: the revision makes another tag",
            FAILED,
        )
    digest = (held or _send(engine, registry, image)).digest
    say(f"{image.name} {'is there already' if held else 'pushed'}")
    return Pushed(image.name, f"{registry.host}/{image.repository}:{image.tag}", digest)


def _send(engine: Any, registry: Registry, image: Local) -> Held:
    """Pushes; what the registry then has under the tag must be this very image."""
    from local.cli.layers import Layers  # rich takes as long to import as most commands run

    name = f"{registry.host}/{image.repository}"
    with asked_to(f"tag {image.name}"):
        engine.tag(image.id, name, image.tag)
    with Layers(image.name) as layers, asked_to(f"push {image.name}"):
        for report in _reports(engine.push(name, image.tag, stream=True, auth_config=registry.login)):
            if "error" in report:
                raise refused(registry, image.repository, report["error"])
            layers.take(report)
    held = registry.held(image.repository, image.tag)
    if held is None or not held.is_image(image.id):
        raise Refusal(f"{registry.host} does not have what was pushed to {image.repository}:{image.tag}", "", FAILED)
    return held


def _reports(stream: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The engine's reports; one line of JSON each, several in a piece now and then."""
    for piece in stream:
        yield from (json.loads(line) for line in piece.splitlines() if line.strip())
