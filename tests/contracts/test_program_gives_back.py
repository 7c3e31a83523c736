"""What a program gives back, on every platform: lines, an exit code, a model, output."""

from __future__ import annotations

import hashlib

import pytest

from tests.support.platforms import Platform


def test_a_program_that_ends_with_0_has_completed(platform: Platform) -> None:
    ended = platform.run("hello")
    assert (ended.status, ended.reason, ended.lines) == ("Completed", "", ["hello"])


@pytest.mark.parametrize("code", [1, 2, 3, 137, 143, 255])
def test_any_other_exit_code_is_a_failure_that_names_it(platform: Platform, code: int) -> None:
    ended = platform.run("fail", HyperParameters={"exit-code": str(code)})
    assert (ended.status, ended.exit_code, ended.lines) == ("Failed", code, ["about to fail"])


def test_exit_code_130_is_a_failure_too(platform: Platform) -> None:
    assert platform.run("fail", HyperParameters={"exit-code": "130"}).status == "Failed"


def test_an_exception_is_a_failure_with_its_traceback_in_the_log(platform: Platform) -> None:
    ended = platform.inline("raise ValueError('no images')")
    assert (ended.status, ended.exit_code) == ("Failed", 1)
    assert ended.lines[0] == "Traceback (most recent call last):"
    assert ended.lines[-1] == "ValueError: no images"


def test_the_failure_file_is_the_reason(platform: Platform) -> None:
    ended = platform.run("bad-input")
    assert ended.status == "Failed"
    assert ended.reason.splitlines()[0] == "hyperparameter epochs is 0"
    assert len(ended.reason) == 1024


def test_a_program_that_said_nothing_has_no_lines(platform: Platform) -> None:
    assert platform.completed("pass") == []


def test_every_line_is_there_in_order(platform: Platform) -> None:
    assert platform.completed("for n in range(5_000): print('line', n)") == [f"line {n}" for n in range(5_000)]


def test_both_streams_are_there_and_neither_cuts_a_line_of_the_other(platform: Platform) -> None:
    code = "for n in range(500): import os; os.write(1, b'out %d\\n' % n); os.write(2, b'err %d\\n' % n)"
    lines = platform.completed(code)
    for stream in ("out", "err"):
        assert [line for line in lines if line.startswith(stream)] == [f"{stream} {n}" for n in range(500)]
    assert len(lines) == 1_000


def test_the_last_words_are_kept(platform: Platform) -> None:
    lines = platform.completed("import os; os.write(1, b'first\\nno newline, no flush'); os._exit(0)")
    assert lines == ["first", "no newline, no flush"]


def test_a_long_line_is_one_line(platform: Platform) -> None:
    assert platform.completed("print('x' * 40_000)") == ["x" * 40_000]


def test_a_line_keeps_letters_of_any_script(platform: Platform) -> None:
    assert platform.completed("print('größe 寸法 🍪')") == ["größe 寸法 🍪"]


def test_a_line_keeps_its_indent_and_its_bars(platform: Platform) -> None:
    assert platform.completed("print('  a | b  | c'); print('\\tx')") == ["  a | b  | c", "\tx"]


def test_bytes_that_are_no_text_cost_no_other_line(platform: Platform) -> None:
    lines = platform.completed("import os; os.write(1, b'before\\n\\xff\\xfe\\nafter\\n')")
    assert (lines[0], lines[-1], len(lines)) == ("before", "after", 3)


def test_what_a_child_says_is_there(platform: Platform) -> None:
    code = "import subprocess; subprocess.run(['sh', '-c', 'echo out; echo err >&2'], check=True)"
    assert sorted(platform.completed(code)) == ["err", "out"]


def test_the_streams_are_no_terminal(platform: Platform) -> None:
    assert platform.completed("import sys; print(sys.stdout.isatty(), sys.stderr.isatty())") == ["False False"]


def test_children_that_a_program_leaves_do_not_hold_the_job(platform: Platform) -> None:
    ended = platform.run("family")
    assert ended.status == "Completed"
    assert [line.split()[0] for line in ended.lines] == ["grandchild", "child"]


def test_the_model_is_what_lies_in_the_model_folder(platform: Platform) -> None:
    ended = platform.run("artefacts")
    assert ended.status == "Completed"
    assert ended.model == {"weights.bin": bytes(range(256)) * 1000, "code/inference.py": b"pass\n"}


def test_the_output_is_what_lies_in_the_data_folder_of_the_output(platform: Platform) -> None:
    assert platform.run("artefacts").output == {"metrics.json": b'{"loss": 0.5}'}


def test_the_output_of_a_failed_job_is_kept(platform: Platform) -> None:
    ended = platform.run("artefacts", HyperParameters={"exit-code": "3"})
    assert ended.status == "Failed"
    assert b'{"loss": 0.5}' in ended.output.values()


def test_a_model_of_some_megabytes_is_whole(platform: Platform) -> None:
    code = "import hashlib; x = bytes(range(251)) * 40_000; (BASE / 'model/x').write_bytes(x)"
    ended = platform.inline(f"{code}; print(hashlib.sha256(x).hexdigest())")
    assert [hashlib.sha256(ended.model["x"]).hexdigest()] == ended.lines


def test_a_model_keeps_hidden_files_and_names_of_any_script(platform: Platform) -> None:
    code = "names = ['.hidden', 'größe 寸法.txt', 'two  spaces']; [(BASE / 'model' / n).write_text(n) for n in names]"
    assert platform.inline(code).model.keys() == {".hidden", "größe 寸法.txt", "two  spaces"}


def test_a_file_of_the_model_may_be_empty(platform: Platform) -> None:
    assert platform.inline("(BASE / 'model/nothing').touch()").model == {"nothing": b""}


def test_one_job_finds_nothing_of_another(platform: Platform) -> None:
    code = "print(sorted(p.name for p in (BASE / 'model').iterdir())); (BASE / 'model/mine').touch()"
    assert [platform.completed(code), platform.completed(code)] == [["[]"], ["[]"]]


def test_checkpoints_go_on_in_the_next_job(platform: Platform) -> None:
    uri = platform.store("counted/hint", b"x").removesuffix("/hint")
    firsts = []
    for steps in ("2", "4"):
        config = {"S3Uri": f"{uri}/{platform.name}"}
        ended = platform.run("checkpointing", CheckpointConfig=config, HyperParameters={"steps": steps})
        firsts.append(ended.lines[0])
    assert firsts == ["starting after step 0", "starting after step 2"]


def test_a_job_that_runs_too_long_is_stopped(platform: Platform) -> None:
    obey = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))"
    ended = platform.inline(
        f"{obey}; time.sleep(6); print('not stopped')", StoppingCondition={"MaxRuntimeInSeconds": 2}
    )
    assert (ended.status, ended.lines) == ("Stopped", [])
