"""Whether memory ran out: by the kernel's count, and in the words of the job's end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from local.jobs import memory, reasons
from local.jobs.backend import Exit
from optml import outcomes


@pytest.mark.parametrize(
    ("before", "after", "ran_out"),
    [
        ("oom_kill 9", "oom_kill 9", False),
        ("oom_kill 9", "oom_kill 10", None),  # whose it was is not told
        ("pgfault 1", "pgfault 2", None),  # a kernel that does not count
    ],
)
def test_memory_has_not_run_out_where_the_kernel_killed_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str, ran_out: bool | None
) -> None:
    counters = tmp_path / "vmstat"
    monkeypatch.setattr(memory, "COUNTERS", counters)
    counters.write_text(f"nr_free_pages 5\n{before}\nnr_unstable 0\n")
    ask = memory.watch()
    counters.write_text(f"nr_free_pages 7\n{after}\nnr_unstable 0\n")
    assert ask() is ran_out


def test_a_machine_that_shows_no_counters_leaves_it_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "COUNTERS", tmp_path / "none")
    assert memory.watch()() is None


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (Exit(137, True), "the program was killed by the kernel because memory ran out"),
        (Exit(1, True), "the kernel killed a process of the program because memory ran out"),
        (Exit(137, False), "the program was killed by SIGKILL, not by the kernel for want of memory"),
        (
            Exit(137),
            "the program was killed by SIGKILL, because memory ran out or by someone "
            "(sudo dmesg | grep -i 'killed process' tells which)",
        ),
        (Exit(1), ""),
    ],
)
def test_a_program_that_said_nothing_is_told_what_is_known(tmp_path: Path, ending: Exit, reason: str) -> None:
    assert reasons.of_program(tmp_path, ending) == f"AlgorithmError: {reason}, exit code: {ending.code}"


@pytest.mark.parametrize(
    ("ran_out", "more"), [(True, " (the kernel killed a process of the program because memory ran out)"), (None, "")]
)
def test_what_a_program_said_of_a_child_that_was_killed_is_completed(
    tmp_path: Path, ran_out: bool | None, more: str
) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output/failure").write_text("killed by SIGKILL\n\nhint: …\n")
    said = reasons.of_program(tmp_path, Exit(137, ran_out), "algo-2")
    assert said == f"killed by SIGKILL{more} (host algo-2)\n\nhint: …"


def test_a_hint_that_memory_may_have_run_out_is_left_out_where_it_did_not(tmp_path: Path) -> None:
    killed = outcomes.of_code(137)
    outcomes.tell(
        replace(killed, message=f"{killed.message}\n\nExecuteUserScriptError: train.py exited with code 137"), tmp_path
    )
    first, *rest = reasons.of_program(tmp_path, Exit(137, False), "algo-2").splitlines()
    assert first == "killed by SIGKILL (not by the kernel for want of memory) (host algo-2)"
    assert rest == ["", "ExecuteUserScriptError: train.py exited with code 137"]
    for unsure in (None, True):
        assert "hint: if memory ran out: " in reasons.of_program(tmp_path, Exit(137, unsure))
