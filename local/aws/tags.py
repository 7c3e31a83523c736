"""The tags that pushed images have: one for each build, since tags in ECR are not moved.

``drydock/train-cpu:yolo`` is pushed as ``…/drydock/train-cpu:yolo-0.1.0-fd0d3c1``: program, version and revision of
its labels. An image without these labels, or with those that it has from one of ours that it was made from, gets the
first 12 digits of its id instead.
"""

import re
from collections.abc import Mapping
from typing import Any

from local.aws.account import Account
from local.aws.repository import PREFIX, Repository
from local.aws.resource import Standing
from local.cli.refusal import FAILED, Refusal
from local.jobs.programs import BUILD

TITLE, VERSION, REVISION = (f"org.opencontainers.image.{name}" for name in ("title", "version", "revision"))

DIRTY = "-dirty"
"""Behind the revision of an image that was built from uncommitted changes."""


def split(image: str) -> tuple[str, str]:
    """Name and tag of an image, ``latest`` if it has none."""
    name, colon, tag = image.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (image, "latest")


def repository_name(image: str) -> str:
    """``drydock/segmenter`` for ``segmenter:1``; ours have the prefix already."""
    name = split(image)[0]
    return name if name.startswith(PREFIX) else f"{PREFIX}{name}"


def build_tag(image: str, found: Mapping[str, Any]) -> str:
    """The tag of this very build, from what the engine says of the image.

    Raises Refusal for one of uncommitted changes, whose tag would be that of the commit.
    """
    labels = found["Config"].get("Labels") or {}
    title, version, revision = (labels.get(name) for name in (TITLE, VERSION, REVISION))
    inherited = title and title != image and title.startswith(PREFIX)
    named = version and revision and not inherited
    if named and str(revision).endswith(DIRTY):
        raise Refusal(
            f"the image {image} was built from uncommitted changes to commit {str(revision)[:7]}",
            "commit what you changed, make images, then push: the revision makes its tag",
            FAILED,
        )
    build = f"{version}-{str(revision)[:7]}" if named else found["Id"].removeprefix("sha256:")[:12]
    return f"{split(image)[1]}-{build}"


def newest(account: Account, image: str) -> str:
    """URI of the newest build of an image that was pushed, or of the very tag. Raises Refusal if there is none."""
    repository, tag = Repository(account, repository_name(image)), split(image)[1]
    builds = re.compile(rf"{re.escape(tag)}({BUILD})?")
    pushed = repository.images() if repository.look() is Standing.ours else []
    fitting = [
        (each["imagePushedAt"], found)
        for each in pushed
        for found in each.get("imageTags", ())
        if builds.fullmatch(found)
    ]
    if not fitting:
        target = image.removeprefix(PREFIX).replace(":", "-")
        raise Refusal(f"no image {image} was pushed to {account}", f"make push IMAGES={target}", FAILED)
    return f"{repository.address}:{max(fitting)[1]}"
