"""What `make images` makes of the checkout, without an engine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from containers import build
from local.aws import tags
from local.cli.refusal import Refusal
from tests.support.emulator import ROOT


@pytest.fixture
def buildx() -> None:
    try:
        build.check_buildx()
    except build.CannotBuildError as error:
        pytest.skip(f"{error.message}: {error.hint}")


@pytest.mark.usefixtures("buildx")
def test_only_the_program_called_script_means_an_image_without_one() -> None:
    plan = build.read_plan(["train"], {**os.environ, "PROGRAMS": "train-cpu:my_script train-cpu:yolo"})
    programs = {name: target["args"]["PROGRAM"] for name, target in plan.items() if name.startswith("train-cpu-")}
    assert programs == {"train-cpu-my_script": "my_script", "train-cpu-yolo": "yolo", "train-cpu-script": ""}


def git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", checkout, "-c", "user.name=Test", "-c", "user.email=test@example.com", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_revision_says_whether_what_is_built_is_committed(tmp_path: Path) -> None:
    assert build.revision(tmp_path) == ""
    (tmp_path / "entrypoints").mkdir()
    (tmp_path / "entrypoints/a.py").write_text("1")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    head = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "README.md").write_text("not built")
    assert build.revision(tmp_path) == head
    (tmp_path / "entrypoints/new.py").write_text("2")
    assert build.revision(tmp_path) == f"{head}-dirty"


def test_an_image_of_uncommitted_changes_gets_no_tag_of_its_commit() -> None:
    labels = {tags.TITLE: "drydock/train-cpu:yolo", tags.VERSION: "0.1.0", tags.REVISION: "fd0d3c1" + "0" * 33}
    found = {"Id": "sha256:" + "a" * 64, "Config": {"Labels": labels}}
    assert tags.build_tag("drydock/train-cpu:yolo", found) == "yolo-0.1.0-fd0d3c1"
    labels[tags.REVISION] += build.DIRTY
    with pytest.raises(Refusal, match="built from uncommitted changes to commit fd0d3c1"):
        tags.build_tag("drydock/train-cpu:yolo", found)
    assert tags.build_tag("mine:1", found) == f"1-{'a' * 12}", "made from ours"


def test_the_sources_are_what_builds_may_read() -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_through | {"docker-bake.hcl"} == set(build.SOURCES)
