"""The data that ``train`` takes when it is given none: generated once by the programs' own ``vision.samples``."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from local import environments
from local.cli.refusal import FAILED, Refusal
from local.cli.terminal import say
from local.environments import CHECKOUT
from local.home import Home

ENTRYPOINTS = CHECKOUT / "entrypoints"


def sample_data(home: Home, kind: str, environment: str) -> Path:
    """Folder with generated images of a kind (of `vision.samples`), made in the environment of the program that wants
    them; again when the generator has changed.
    """
    target = home.root / "samples" / (_generator_digest() + ("" if kind == "detection" else f"-{kind}"))
    if target.is_dir():
        return target
    python = environments.ensure(environment, say)
    say("no --data: generating sample images")
    part = target.with_name(f".{target.name}.{os.getpid()}")
    part.parent.mkdir(parents=True, exist_ok=True)
    environ = {**os.environ, "PYTHONPATH": str(ENTRYPOINTS)}
    command = [str(python), "-m", "vision.samples", str(part), "--kind", kind]
    result = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        shutil.rmtree(part, ignore_errors=True)
        raise Refusal(f"vision.samples failed: {result.stderr.strip()}", "name data of your own: --data FOLDER", FAILED)
    if target.is_dir():
        shutil.rmtree(part)  # another command was faster
    else:
        part.rename(target)
    return target


def _generator_digest() -> str:
    total = hashlib.sha256()
    for path in sorted((ENTRYPOINTS / "vision").rglob("*.py")):
        total.update(path.read_bytes())
    return total.hexdigest()[:12]
