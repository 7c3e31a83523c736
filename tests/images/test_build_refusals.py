"""`make images` refuses before anything long starts. A fake docker stands for the engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAN = (
    '{"target": {"train-cpu-yolo": {"contexts": {"packages": "target:pytorch"}, "tags": ["drydock/train-cpu:yolo"]}}}'
)


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """A folder for PATH whose docker answers as its files say; a healthy engine with an empty disk at first."""
    answers = {"version": "26.1.5", "buildx": "github.com/docker/buildx v0.13.1 abc", "info": "/", "bake": PLAN}
    for name, answer in answers.items():
        (tmp_path / name).write_text(answer + "\n")
    docker = tmp_path / "docker"
    docker.write_text(f"""#!/bin/sh
[ "$4" = train-cpu-yola ] && exit 1
[ "$2" = bake ] && set -- bake
[ "$2" = du ] && set -- du
[ -f "{tmp_path}/$1" ] && cat "{tmp_path}/$1"
""")
    docker.chmod(0o755)
    return tmp_path


def build(path: Path, *targets: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "containers.build", *targets]
    environ = {**os.environ, "PATH": f"{path}:/usr/bin:/bin" if path.exists() else str(path)}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def refusal(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    assert done.returncode == 1, done.stderr
    error, _, hint = done.stderr.removeprefix("error: ").partition("\n\nhint: ")
    assert hint
    return error, hint


def test_no_engine(tmp_path: Path) -> None:
    error, hint = refusal(build(tmp_path / "nothing"))
    assert "there is no container engine" in error
    assert ".ci/engine" in hint


def test_an_engine_that_does_not_answer(engine: Path) -> None:
    (engine / "version").unlink()
    assert "does not answer" in refusal(build(engine))[0]


def test_an_engine_too_old_for_the_bake_file(engine: Path) -> None:
    (engine / "version").write_text("20.10.24+dfsg1\n")
    assert "20.10.24" in refusal(build(engine))[0]


def test_a_buildx_too_old_for_the_bake_file(engine: Path) -> None:
    (engine / "buildx").write_text("github.com/docker/buildx v0.12.1 abc\n")
    assert refusal(build(engine))[0] == "buildx is v0.12.1; the bake file needs 0.13 or newer"
    assert "buildx 0.13 or newer" in (ROOT / ".ci/engine").read_text()


def test_an_unknown_target(engine: Path) -> None:
    assert "train-cpu-yolo" in refusal(build(engine, "train-cpu-yola"))[1]


def test_a_jetpack_that_is_too_old(engine: Path) -> None:
    error, hint = refusal(build(engine, "runtime-jetpack-4"))
    assert error.startswith("there is no image for jetpack-4: its Ubuntu 18.04 has Python 3.6 and glibc 2.27")
    assert "JetPack 5 or 6" in hint


def test_a_disk_too_small(engine: Path) -> None:
    (engine / "info").write_text("/proc\n")
    error, hint = refusal(build(engine, "train-cpu-yolo"))
    assert error.endswith("0 GB free, 14 GB needed (/proc)")
    assert "docker system df" in hint


@pytest.mark.parametrize(
    ("cache", "needed_gb"),
    [("Total:\t\t0B\n", 14), ("Reclaimable:\t9GB\nTotal:\t\t32.08GB\n", 10), ("Total:\t\t2500MB\n", 12)],
    ids=["pruned", "full", "pruned in part"],
)
def test_an_image_that_is_there_needs_room_for_what_its_cache_lacks(engine: Path, cache: str, needed_gb: int) -> None:
    (engine / "info").write_text("/proc\n")
    (engine / "image").write_text("sha256:0\n")
    (engine / "du").write_text(cache)
    assert refusal(build(engine, "train-cpu-yolo"))[0].endswith(f"0 GB free, {needed_gb} GB needed (/proc)")
