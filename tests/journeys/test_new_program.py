"""``drydock new-program``: what it writes runs, is linted, tested, registered and built as it stands."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local import environments
from local.installer import SetUpError
from tests.support import checkout as checkouts
from tests.support import engine as engines
from tests.support.checkout import Checkout

SHORT, LONG = "x", "the_longest_name_that_is_allowed"
REGISTRY = f"test-{os.getpid()}.invalid"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A copy of the checkout with two programs of its own, made while its emulator is up."""
    try:
        environments.ensure("emulator")
    except SetUpError as error:
        pytest.skip(f"the emulator's environment cannot be made here: {error.message}")
    copied = checkouts.copy(tmp_path_factory.mktemp("clone") / "drydock")
    copied.shell("./drydock up --port 0")
    copied.shell(f"./drydock new-program {SHORT}; ./drydock new-program {LONG} --environment pytorch")
    yield copied
    copied.shell("./drydock down")


def test_it_trains_through_the_endpoint_at_once(checkout: Checkout) -> None:
    printed = checkout.shell(f"./drydock train {SHORT} --name first --hp epochs=3 2>/dev/null")
    assert "validation:rmse" in printed
    assert (checkout.folder / "runs/first/model.tar.gz").is_file()


def test_its_own_test_passes(checkout: Checkout) -> None:
    path = f"tests/unit/{SHORT}/test_{SHORT}.py"
    printed = checkout.shell(f"PYTHONPATH=.:entrypoints .venvs/dev/bin/python -m pytest -q {path}")
    assert "4 passed" in printed


def test_it_is_linted(checkout: Checkout) -> None:
    files = [f"{folder}{name}.py" for name in (SHORT, LONG) for folder in ("entrypoints/", f"tests/unit/{name}/test_")]
    for ruff in ("ruff check", "ruff format --check"):
        checkout.shell(f".venvs/dev/bin/{ruff} {' '.join(files)}")
    checkout.shell(f".venvs/dev/bin/mypy entrypoints/{SHORT}.py entrypoints/{LONG}.py")


def test_it_is_registered_as_make_golden_registers_it(checkout: Checkout) -> None:
    before = (checkout.folder / "entrypoints/programs.json").read_text()
    checkout.shell("PYTHONPATH=.:entrypoints .venvs/dev/bin/python -m tests.golden")
    assert (checkout.folder / "entrypoints/programs.json").read_text() == before
    assert {SHORT, LONG, "yolo"} <= set(json.loads(before)["programs"])
    bake_file = (checkout.folder / "docker-bake.hcl").read_text()
    assert {f"train-cpu:{SHORT}", f"train-gpu:{LONG}"} <= set(bake_file.replace('"', " ").split())


def test_its_image_is_built_and_trains(checkout: Checkout, engine: Any, tmp_path: Path) -> None:
    engines.image(engine, "drydock/train-cpu:yolo")  # its layers are there, and this builds in seconds
    tag = f"{REGISTRY}/train-cpu:{SHORT}"
    checkout.shell(f"make images IMAGES=train-cpu-{SHORT}", REGISTRY=REGISTRY)
    try:
        for folder in ("model", "output"):
            (tmp_path / folder).mkdir()
        volumes = [f"{tmp_path / folder}:/opt/ml/{folder}" for folder in ("model", "output")]
        log = engine.containers.run(tag, volumes=volumes, network_mode="none", user=os.getuid(), remove=True)
        assert b"name=validation:rmse" in log
        assert (tmp_path / "model/metadata.json").is_file()
    finally:
        engine.images.remove(tag)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Crumbs", "cannot be the name"),
        ("../crumbs", "cannot be the name"),
        ("class", "cannot be the name"),
        (LONG + "s", "cannot be the name"),
        ("script", "means something else"),
        ("yolo", "is taken"),
        ("vision", "is taken"),
        ("local", "is taken"),
        ("random", "Python module"),
        ("torch", "Python module"),
    ],
)
def test_a_name_that_would_be_in_the_way_is_refused(checkout: Checkout, name: str, reason: str) -> None:
    refused = checkout.run(f"./drydock new-program {name}")
    assert refused.returncode == 2
    assert reason in refused.stdout.partition("\n\nhint: ")[0]


def test_an_unknown_environment_is_refused_with_those_there_are(checkout: Checkout) -> None:
    refused = checkout.run("./drydock new-program other --environment tensorflow")
    assert refused.returncode == 2
    assert "hint: --environment python or pytorch" in refused.stdout


def test_nothing_is_overwritten(checkout: Checkout) -> None:
    mine = checkout.folder / "tests/unit/mine/test_mine.py"
    mine.parent.mkdir()
    mine.write_text("# mine\n")
    refused = checkout.run("./drydock new-program mine")
    assert refused.returncode == 2
    assert "tests/unit/mine/test_mine.py is there already" in refused.stdout
    assert mine.read_text() == "# mine\n"
    assert not (checkout.folder / "entrypoints/mine.py").exists()
