"""A script's output is passed on, and its end kept for what is told of it; no engine needed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from containers.train.bin.script_mode import ending, running


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def run(folder: Path, *command: str) -> running.End:
    return running.run(command, folder, whole_group=False)


def test_a_shell_script_that_explains_itself_on_stdout_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("echo reading; echo; echo 'no \"train\" channel'; exit 3\n")
    end = run(tmp_path, "/bin/sh", "run.sh")
    assert end.code == 3
    assert ending.why("run.sh", end.stdout, end.stderr) == (
        'run.sh wrote nothing to stderr, and last to stdout: "reading", "no \\"train\\" channel"'
    )


def test_what_stderr_says_goes_before_what_stdout_says(tmp_path: Path) -> None:
    end = run(tmp_path, sys.executable, "-c", "print('reading'); raise ValueError('no images')")
    assert ending.why("train.py", end.stdout, end.stderr) == "ValueError: no images"


def test_a_script_that_writes_nothing_is_said_to_write_nothing(tmp_path: Path) -> None:
    end = run(tmp_path, "/bin/sh", "-c", "exit 3")
    assert ending.why("run.sh", end.stdout, end.stderr) == "run.sh wrote nothing of why"


def test_every_line_comes_through_whole_and_in_order(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write = "import os; [os.write(fd, f'{n:05d} {\"x\" * 60}\\n'.encode() * 40) for n in range(1000) for fd in (1, 2)]"
    end = run(tmp_path, sys.executable, "-c", write)
    out, err = capfd.readouterr()
    expected = "".join(f"{n:05d} {'x' * 60}\n" * 40 for n in range(1000))
    assert out == expected
    assert err == expected
    assert expected.endswith(end.stdout)
    assert len(end.stdout) == 64 * 1024


def test_a_child_that_outlives_the_script_holds_nobody_up(tmp_path: Path) -> None:
    end = run(tmp_path, "/bin/sh", "-c", "sleep 60 & echo $!")
    assert end.code == 0
    os.kill(int(end.stdout), signal.SIGKILL)
