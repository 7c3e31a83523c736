#!/opt/venv/bin/python
"""`train` and `serve` of an image: the program that the image was made for, or the script that the user brings.

It is started as process 1 and stays it: both do their duties as such (`optml.supervisor`).
"""

from __future__ import annotations

import importlib.util
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


def main() -> int:
    """Do what the job asks for: become the program, or run the script; the exit code."""
    verb = Path(sys.argv[0]).name
    try:
        if (code := run_script(verb)) is not None:
            return code
        os.execv(sys.executable, [sys.executable, *program(verb, sys.argv[1:], os.environ)])
    except (Refusal, OSError) as error:
        outcome = outcomes.of_error(error)
        outcomes.tell(outcome, base_dir() if verb == "train" else None)
        return outcome.code


def run_script(verb: str) -> int | None:
    """Exit code of the user's script, once it has ended; None where the job or the model brings none."""
    if verb == "train" and brings_script(base_dir() / "input/config/hyperparameters.json"):
        if importlib.util.find_spec("sagemaker_training") is None:
            raise Refusal(
                "hyperparameter sagemaker_program: this image has no sagemaker-training to run a script with",
                "train on drydock/train-cpu:script or an image made from it",
            )
        from script_mode import training

        return int(training.main())
    if verb == "serve":
        from script_mode import inference

        script = inference.find()
        return None if script is None else int(inference.main(script))
    return None


def program(verb: str, arguments: list[str], environ: Mapping[str, str]) -> list[str]:
    """Arguments of the interpreter for the image's program, a name or a path; raises Refusal where it has none."""
    name = environ.get("DRYDOCK_PROGRAM", "")
    if "/" in name:
        return [own_program(name), verb, *arguments]
    programs = json.loads((PROGRAMS / "programs.json").read_text(encoding="utf-8"))["programs"]
    if name in programs:
        return [str(PROGRAMS / programs[name]["file"]), verb, *arguments]
    tags = ", ".join(f":{known}" for known, entry in programs.items() if has_framework(entry["environment"]))
    if name:
        raise Refusal(f"this image has no program {name!r} (DRYDOCK_PROGRAM)", f"use one of the image's tags {tags}")
    if verb == "serve":
        raise Refusal(
            "nothing says what to serve: this image has no program of its own, and the model no code/inference.py",
            f"use one of the image's tags {tags}, or put code/inference.py into the model archive",
        )
    raise Refusal(
        f"nothing says what to {verb}: this image has no program of its own, and the job brings no script",
        f"use one of the image's tags {tags}, or set the hyperparameters sagemaker_program and "
        "sagemaker_submit_directory",
    )


def has_framework(environment: str) -> bool:
    """Whether programs of an environment can run in this image, which holds those of other frameworks too."""
    return importlib.util.find_spec({"pytorch": "torch"}.get(environment, environment)) is not None


def own_program(path: str) -> str:
    """The program of an image of the user's own, which finds the platform library; Refusal if it is not there."""
    if not Path(path).is_file():
        raise Refusal(f"this image has no program {path} (DRYDOCK_PROGRAM)", "COPY it there in the image's Dockerfile")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PROGRAMS), os.environ.get("PYTHONPATH")]))
    return path


def brings_script(hyperparameters: Path) -> bool:
    """Whether the job carries a script of the user's; a malformed file is the program's to refuse."""
    try:
        return "sagemaker_program" in json.loads(hyperparameters.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


if __name__ == "__main__":
    sys.exit(main())
