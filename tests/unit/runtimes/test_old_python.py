"""What runs on devices parses on Python 3.8 and imports there, where this machine has one."""

from __future__ import annotations

import ast
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import compiled
from tests.support.emulator import ROOT
from tests.support.job import ENTRYPOINTS

ON_DEVICES = sorted(
    path for name in ("optml", "runtimes", "vision", "runtime.py") for path in [*ENTRYPOINTS.glob(f"{name}/**/*.py"),
    *ENTRYPOINTS.glob(name)] if path.suffix == ".py"
)  # fmt: skip
OLDEST = (3, 8)
WITHOUT_PACKAGES = "import runtime, optml.serving, optml.artefact; runtime.RUNTIME.main(['predict'])"


@pytest.mark.parametrize("path", ON_DEVICES, ids=lambda path: str(path.relative_to(ENTRYPOINTS)))
def test_it_parses(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=OLDEST)


@pytest.mark.parametrize("minor", [8, 9, 10])
def test_the_program_starts(minor: int) -> None:
    command = [python(minor), "-B", "-c", WITHOUT_PACKAGES]
    done = subprocess.run(command, cwd=ENTRYPOINTS, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: the following arguments are required: model, images")


@pytest.mark.slow
@pytest.mark.parametrize(("minor", "lock"), [(8, "jetpack-5.lock"), (10, "jetpack-6.lock")])
def test_it_answers_with_the_packages_of_a_jetpack(
    minor: int, lock: str, running: Path, small: Path, picture: Path, tmp_path: Path
) -> None:
    subprocess.run([python(minor), "-m", "venv", tmp_path / "venv"], check=True)
    inside = tmp_path / "venv/bin/python"
    install = [inside, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    subprocess.run([*install, "--requirement", ROOT / "containers/runtime" / lock], check=True)
    golden = small / "golden.npz"
    assert compiled.run(running, "runtime.py", "verify", small, golden, "--record", picture).returncode == 0
    done = compiled.run(inside, "runtime.py", "verify", small, golden)
    assert done.returncode == 0, done.stderr


def python(minor: int) -> str:
    found = [shutil.which(f"python3.{minor}"), *Path("~/.pyenv/versions").expanduser().glob(f"3.{minor}.*/bin/python")]
    pythons = [str(path) for path in found if path and works(path, minor)]
    if not pythons:
        pytest.skip(f"there is no Python 3.{minor} on this machine")
    return pythons[0]


def works(python: str | Path, minor: int) -> bool:
    """Whether it is that Python, not a shim for one that is not chosen."""
    done = subprocess.run([python, "-c", "import sys; print(sys.version_info[1])"], capture_output=True, check=False)
    return done.stdout.decode().strip() == str(minor)
