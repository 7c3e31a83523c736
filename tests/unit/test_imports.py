"""The import rules of docs/architecture.md."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FRAMEWORKS = {"torch", "torchvision", "tensorflow", "keras", "ultralytics", "cv2"}
PLATFORM = {"training", "yolo", "ssd", "classification", "bin_counting", "unet", "local", "boto3", "botocore"}


def imported(path: Path) -> set[tuple[str, str]]:
    """(top-level package, full name) of everything a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {(name.split(".")[0], name) for name in names}


def sources(folder: str) -> list[Path]:
    found = [path for path in sorted((ROOT / folder).rglob("*.py")) if "__pycache__" not in path.parts]
    assert found, f"no sources in {folder}"
    return found


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


BARE = ("local.environments", "local.installer", "local.uv", "local.doctor.elf")
"""Modules of the emulator that run on a bare interpreter too."""
BUILDING = [*sorted((ROOT / "containers").glob("*.py")), *(ROOT / f"{name.replace('.', '/')}.py" for name in BARE)]
PACKAGES = {"local", "local.doctor"}


@pytest.mark.parametrize("path", sources("entrypoints/optml"), ids=ids)
def test_optml_imports_the_standard_library_only(path: Path) -> None:
    assert {top for top, _ in imported(path)} <= set(sys.stdlib_module_names) | {"optml", "_typeshed"}


@pytest.mark.parametrize("path", sources("entrypoints/vision"), ids=ids)
def test_vision_knows_no_framework_and_no_platform_state(path: Path) -> None:
    allowed = {"optml", "optml.errors", "optml.errors.Refusal", "optml.serving"}
    for top, name in imported(path):
        assert top not in FRAMEWORKS | PLATFORM, name
        assert top != "optml" or name in allowed or name.startswith(("optml.errors.", "optml.serving.")), name


@pytest.mark.parametrize("path", sources("entrypoints/runtimes"), ids=ids)
def test_runtimes_know_no_training_framework_and_no_platform_state(path: Path) -> None:
    for top, name in imported(path):
        assert top not in FRAMEWORKS | PLATFORM, name
        assert top != "optml" or name.startswith("optml.errors"), name


@pytest.mark.parametrize("path", sources("local"), ids=ids)
def test_local_starts_programs_and_never_imports_them(path: Path) -> None:
    programs = {
        "optml",
        "vision",
        "training",
        "runtimes",
        "yolo",
        "ssd",
        "classification",
        "bin_counting",
        "unet",
        "entrypoints",
        "compile",
    }
    assert not {name for top, name in imported(path) if top in FRAMEWORKS | programs}


@pytest.mark.parametrize("path", BUILDING, ids=ids)
def test_what_builds_images_runs_on_a_bare_interpreter(path: Path) -> None:
    for top, name in imported(path):
        assert top in {*sys.stdlib_module_names, "containers"} or name.startswith(BARE) or name in PACKAGES, name


def test_only_the_check_of_this_machine_imports_what_builds_images() -> None:
    """The emulator's image brings none of it."""
    importing = {ids(path) for path in sources("local") if any(top == "containers" for top, _ in imported(path))}
    assert importing == {"local/cli/check.py"}


def test_one_file_imports_ultralytics() -> None:
    files = [path for folder in ("entrypoints", "local", "tests", "examples") for path in sources(folder)]
    importing = {ids(path) for path in files if any(top == "ultralytics" for top, _ in imported(path))}
    assert importing == {"entrypoints/yolo.py"}
