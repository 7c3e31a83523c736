"""Starts an image of one's own: ``new-image`` writes a Dockerfile on the contract, a small program and a README."""

import re
from pathlib import Path
from typing import Annotated

import typer

from local.cli import templates
from local.cli.refusal import Refusal
from local.cli.terminal import say
from local.environments import BARE

OURS = "drydock/train-cpu:script"
_TRAIN_IMAGE = re.compile(r"(?:[^/\s]+/)*drydock/train-[^/:@\s]+(?::[^/:@\s]+)?")
_IMAGE = re.compile(r"[a-z0-9][\w.:/@-]*")


def new_image(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write it; its name is the image's.")],
    base: Annotated[
        str,
        typer.Option(
            metavar="IMAGE",
            help=f"What it is made from. Default: {OURS}. To an image that is none of ours the launcher is added; it "
            "needs Python 3.11 or newer.",
        ),
    ] = OURS,
) -> None:
    """Start an image of your own: a Dockerfile that builds, and a small program that works."""
    target = folder.expanduser().absolute()
    name = target.name
    if not re.fullmatch(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*", name):
        raise Refusal(f"{name!r} cannot be the name of an image", "lower-case letters, digits and single dashes")
    if not _IMAGE.fullmatch(base):
        raise Refusal(f"--base {base!r} is not the name of an image", f"--base {OURS}, or --base python:3.12-slim")
    dockerfile, program, readme = (target / file for file in ("Dockerfile", "program.py", "README.md"))
    templates.refuse_existing(dockerfile, program, readme)
    on_ours = _TRAIN_IMAGE.fullmatch(base)
    words = {"name": name, "base": base, "ours": OURS}
    templates.write(dockerfile, "Dockerfile.in" if on_ours else "Dockerfile-any-base.in", **words)
    templates.write(program, "program.py.in", name=name, file=program.name, environment=BARE, images="")
    templates.write(readme, "image-readme.md.in", **words)
    say(f"wrote {dockerfile.name}, {program.name} and {readme.name} in {target}")
    say(f"to build it:  docker build -t {name} {folder}")
    say(f"to train on it: drydock up --backend docker, then TrainingImage {name} in CreateTrainingJob")
