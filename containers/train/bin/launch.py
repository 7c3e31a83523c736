#!/opt/venv/bin/python
"""`train` and `serve` of an image: becomes the program that the image was made for, or hands over to the user's script.

It is started as process 1 and stays it: programs do their own duties as such (`optml.supervisor`).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

PROGRAMS = Path(os.environ.get("DRYDOCK_PROGRAMS", "/opt/program"))
sys.path.insert(0, str(PROGRAMS))

from optml import outcomes  # noqa: E402  (the platform library lies beside the programs)
from optml.environment import base_dir  # noqa: E402
from optml.errors import Refusal  # noqa: E402

TOOLKIT = ["-m", "sagemaker_training.cli.train"]


def main() -> int:
    """Become what the job asks for; returns only to refuse."""
    verb = Path(sys.argv[0]).name
    try:
        command = command_for(verb, sys.argv[1:], os.environ)
        os.execv(sys.executable, [sys.executable, *command])
    except (Refusal, OSError) as error:
        outcome = outcomes.of_error(error)
        outcomes.tell(outcome, base_dir() if verb == "train" else None)
        return outcome.code


def command_for(verb: str, arguments: list[str], environ: Mapping[str, str]) -> list[str]:
    """Arguments of the interpreter for `train` or `serve`; raises Refusal where nothing says what to run."""
    if verb == "train" and brings_script(base_dir(environ) / "input/config/hyperparameters.json"):
        return TOOLKIT
    name = environ.get("DRYDOCK_PROGRAM", "")
    programs = json.loads((PROGRAMS / "programs.json").read_text(encoding="utf-8"))["programs"]
    if name in programs:
        return [str(PROGRAMS / programs[name]["file"]), verb, *arguments]
    tags = ", ".join(f":{known}" for known in programs)
    if name:
        raise Refusal(f"this image has no program {name!r} (DRYDOCK_PROGRAM)", f"use one of the image's tags {tags}")
    raise Refusal(
        f"nothing says what to {verb}: this image has no program of its own, and the job brings no script",
        f"use one of the image's tags {tags}, or set the hyperparameters sagemaker_program and "
        "sagemaker_submit_directory",
    )


def brings_script(hyperparameters: Path) -> bool:
    """Whether the job carries a script of the user's; a malformed file is the program's to refuse."""
    try:
        return "sagemaker_program" in json.loads(hyperparameters.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


if __name__ == "__main__":
    sys.exit(main())
