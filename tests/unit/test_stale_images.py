"""Images are tested only if they were built of what the checkout holds."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from containers import build
from tests.support.engine import SOURCES, changed_since


def commit(checkout: Path, **files: str) -> str:
    """Commit files of the names given, each below a folder of its name; the commit's id."""
    for folder, text in files.items():
        (checkout / folder).mkdir(exist_ok=True)
        (checkout / folder / "file").write_text(text)
    git = ["git", "-C", checkout, "-c", "user.name=Test", "-c", "user.email=test@example.com"]
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "change"], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return tmp_path


def test_an_image_of_this_commit_or_of_one_that_differs_elsewhere_is_current(checkout: Path) -> None:
    first = commit(checkout, containers="1", local="1")
    assert changed_since(first, SOURCES, checkout) is None
    commit(checkout, local="2")
    assert changed_since(first, SOURCES, checkout) is None
    assert changed_since(first, (*SOURCES, "local"), checkout) == (
        f"was built from commit {first[:7]}, and local has changed since"
    )


def test_an_image_of_other_sources_is_stale(checkout: Path) -> None:
    first = commit(checkout, containers="1", entrypoints="1")
    commit(checkout, containers="2", entrypoints="2")
    words = f"was built from commit {first[:7]}, and containers, entrypoints have changed since"
    assert changed_since(first, SOURCES, checkout) == words


def test_an_image_of_uncommitted_changes_is_current_while_they_are_there(checkout: Path) -> None:
    first = commit(checkout, containers="1")
    (checkout / "containers/file").write_text("2")
    built_of = build.revision(checkout)
    assert built_of == f"{first}-dirty"
    assert changed_since(built_of, SOURCES, checkout) is None
    (checkout / "containers/file").write_text("1")
    assert changed_since(built_of, SOURCES, checkout) == (
        f"was built from uncommitted changes to commit {first[:7]}, which are not there any more"
    )
    commit(checkout, containers="3")
    assert changed_since(built_of, SOURCES, checkout) == (
        f"was built from commit {first[:7]}, and containers has changed since"
    )


@pytest.mark.parametrize(("revision", "words"), [("f" * 40, "commit fffffff"), ("", "no commit")])
def test_an_image_of_a_commit_that_nobody_knows_is_stale(checkout: Path, revision: str, words: str) -> None:
    commit(checkout, containers="1")
    assert changed_since(revision, SOURCES, checkout) == (
        f"was built from {words}, which this repository does not have"
    )


def test_without_a_repository_nothing_is_said(tmp_path: Path) -> None:
    assert changed_since("f" * 40, SOURCES, tmp_path) is None
