"""The README is true: its commands run in a copy of the checkout, and print what it says they print."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from local import environments
from local.installer import SetUpError
from tests.support import checkout as checkouts
from tests.support.checkout import Checkout
from tests.support.emulator import ROOT

README = (ROOT / "README.md").read_text()
SMALL = {"EPOCHS": "1", "IMG_SIZE": "64"}
"""The Makefile takes these from the environment; where a command sets them itself, it is given these instead."""
SHOW_NOTHING = {"own-photographs"}
"""Blocks without output, which only have to succeed."""
NOT_RUN = {
    "make test",
    "make aws-setup",
    'make push IMAGES="train-cpu-yolo train-gpu-yolo"',
    "make train-aws DATA=photos/template.manifest INSTANCE=ml.g4dn.xlarge",
    "make aws-clean",
}
"""Commands of blocks without a name: these tests would start themselves, or an AWS account would be needed."""
SET_UP = re.compile(r"making the (\S+) environment \(.+\) from (\S+)")
"""What only the first run on a machine prints; the copy of the checkout shares the environments of this one."""


def blocks() -> dict[str, str]:
    """The console blocks by the name in the comment above them."""
    found = re.findall(r"<!-- run: (\S+) -->\n```console\n(.*?)```", README, flags=re.DOTALL)
    assert len(found) == README.count("<!-- run:")
    return dict(found)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """What git tracks or would track, copied, beside the environments that are there already."""
    try:
        environments.ensure("pytorch")
        environments.ensure("emulator")
    except SetUpError as error:
        pytest.skip(f"the environments cannot be made here: {error.message}")
    copied = checkouts.copy(tmp_path_factory.mktemp("clone") / "drydock")
    copied.shell("PYTHONPATH=entrypoints .venvs/pytorch/bin/python -m vision.samples photos --images 16")
    (copied.folder / "photos/manifests/template.manifest").rename(copied.folder / "photos/template.manifest")
    yield copied
    copied.shell("./drydock down")


def shape(line: str) -> str:
    """A line without its numbers, the path of its checkout and the width of its columns."""
    line = re.sub(r"\S*/(?=(runs|\.drydock)/)", "", line)
    line = re.sub(r"[0-9a-f]{12,}|\d[\d.,e+-]*", "#", line)
    return re.sub(r"\s+", " ", line).strip()


@pytest.mark.pytorch
@pytest.mark.parametrize("name", blocks())
def test_a_command_prints_what_the_readme_says(checkout: Checkout, name: str) -> None:
    lines = blocks()[name].splitlines()
    commands = [line[2:] for line in lines if line.startswith("$ ")]
    shown = [line for line in lines if not line.startswith("$ ") and line.strip() not in ("", "…")]
    expected = [line for line in shown if not SET_UP.match(line)]
    script = re.sub(
        rf"\b({'|'.join(SMALL)})=\S+", lambda setting: f"{setting[1]}={SMALL[setting[1]]}", "\n".join(commands)
    )
    printed = {shape(line) for line in checkout.shell(script, **SMALL).splitlines()}
    missing = [line for line in expected if shape(line) not in printed]
    assert bool(expected) != (name in SHOW_NOTHING), "no output is shown, or none is said to be"
    assert not missing, "\n".join(["not printed:", *missing, "printed:", *sorted(printed)])


def test_every_environment_that_the_set_up_makes_has_its_lock() -> None:
    shown = SET_UP.findall(README)
    assert {name for name, _ in shown} == {"uv", "emulator", "pytorch"}
    for _, lock in shown:
        assert (ROOT / lock).is_file(), lock


def test_every_block_of_commands_is_run() -> None:
    unnamed = re.sub(r"<!-- run: \S+ -->\n```console\n.*?```", "", README, flags=re.DOTALL)
    commands = {
        line.removeprefix("$ ")
        for block in re.findall(r"```console\n(.*?)```", unnamed, flags=re.DOTALL)
        for line in block.splitlines()
    }
    assert commands == NOT_RUN


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    text = README + (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"(?:`|^\$ |^)make ([a-z][a-z-]*)", text, flags=re.MULTILINE))
    assert named
    assert named <= targets


def test_every_page_and_picture_that_is_linked_exists() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links {target}"


def test_the_help_of_make_lists_every_target() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert phony
    for target in phony[1].split():
        assert f"make {target} " in listed
