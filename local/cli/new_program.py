"""Starts a program of one's own: ``new-program`` writes the file, its test, and its entry in ``programs.json``."""

import importlib.util
import keyword
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from local.cli import templates
from local.cli.refusal import Refusal
from local.cli.registration import TABLE, registered
from local.cli.terminal import say
from local.environments import BARE, CHECKOUT

IMAGES = {BARE: ("train-cpu",), "pytorch": ("train-cpu", "train-gpu")}
"""Environments that a program may run in, and the images that hold it then."""
LONGEST_NAME = 32
_RESERVED = {"script", "describe", "latest"}
"""Tag of the images without a program, and what else means something where a program's name stands."""


def new_program(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the program, its file and its image tag.")],
    environment: Annotated[
        str, typer.Option(help=f"What it runs in: {', '.join(IMAGES)}. Default: the bare interpreter.")
    ] = BARE,
) -> None:
    """Start a program of your own: a small one that works, its test and its registration."""
    if environment not in IMAGES:
        raise Refusal(
            f"no program runs in an environment {environment!r}", f"--environment {' or '.join(sorted(IMAGES))}"
        )
    check_name(name)
    program, test = places(name)
    templates.refuse_existing(program, test)
    table = CHECKOUT / "entrypoints" / TABLE
    words = {"name": name, "file": program.name, "environment": environment}
    templates.write(program, "program.py.in", **words, images=", ".join(f'"{image}"' for image in IMAGES[environment]))
    templates.write(test, "test_program.py.in", **words)
    _register(table)
    say(f"wrote {_shown(program)} and {_shown(test)}, and registered {name} in {_shown(table)}")
    say(f"to run it:            ./drydock train {name}")
    say(f"to test it:           make test TESTS={_shown(test)}")
    say(f"to build its images:  make images IMAGES=train-cpu-{name}")
    say("to record what follows from it, after every change of what it declares: make golden")


def places(name: str) -> tuple[Path, Path]:
    """Where a program of that name and its test lie."""
    return CHECKOUT / f"entrypoints/{name}.py", CHECKOUT / f"tests/unit/{name}/test_{name}.py"


def check_name(name: str) -> None:
    """Raises Refusal for a name that is no module's, or that would hide a module from the other programs."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name) or len(name) > LONGEST_NAME:
        raise Refusal(
            f"{name!r} cannot be the name of a program",
            f"lower-case letters, digits and underscores, at most {LONGEST_NAME}, no word of Python's: bin_counting",
        )
    if name in _RESERVED:
        raise Refusal(f"{name} means something else to images and commands", "choose another name")
    taken = {path.stem for folder in (CHECKOUT, CHECKOUT / "entrypoints") for path in folder.iterdir()}
    if name in taken:
        raise Refusal(f"{name} is taken: the checkout has a folder or a file of that name", "choose another name")
    if name in sys.stdlib_module_names or name in _locked() or importlib.util.find_spec(name):
        raise Refusal(
            f"{name} is the name of a Python module, which programs could not import any more", "choose another name"
        )


def _locked() -> set[str]:
    """Packages of the environments that programs run in."""
    locks = (CHECKOUT / "containers").glob("*/*.lock")
    names = {name for lock in locks for name in re.findall(r"^([\w.-]+)==", lock.read_text(), re.MULTILINE)}
    return {name.lower().replace("-", "_").replace(".", "_") for name in names}


def _register(table: Path) -> None:
    draft = table.with_suffix(".new")
    draft.write_text(registered(table.parent), encoding="utf-8")
    draft.replace(table)


def _shown(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))
