"""Builds the programs of tests/programs as images for AWS: one tag each in one repository, to be pushed by docker.

The image that runs scripts of the user's own, which `make images` has built, is tagged `script` beside them.

python -m tests.contracts.images REPOSITORY
"""

from __future__ import annotations

import json
import sys

import docker
from docker.errors import ImageNotFound

from tests.support.emulator import PROGRAMS
from tests.support.jobs import Jobs
from tests.support.runners import DockerRuns


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m tests.contracts.images REPOSITORY", file=sys.stderr)
        return 2
    (repository,) = arguments
    engine = docker.from_env()
    try:
        engine.images.get(Jobs().script_image).tag(repository, "script")
    except ImageNotFound:
        print(f"error: {Jobs().script_image} is not built\n\nhint: make images", file=sys.stderr)
        return 1
    print(f"{repository}:script")
    runs = DockerRuns(engine.api)
    for program in json.loads((PROGRAMS / "programs.json").read_text())["programs"]:
        print(runs.build_program(f"{repository}:{program}", program))
    print(f"\nhint: docker push --all-tags {repository}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
