"""Program: verbs, exit codes, failure file and signals, through real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from local.jobs.container import hears_sigterm
from tests.support.job import ENTRYPOINTS


def first_line(text: str) -> str:
    return text.splitlines()[0]


def told_the_same(job: Any, err: str) -> str:
    """The first line of the failure file, which must be that of stderr's error."""
    assert job.failure is not None
    line = first_line(job.failure)
    assert f"error: {line}" in err.splitlines()
    return line


def stop(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, str, str]:
    """Send a signal once the program says that it is ready."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


# ---- verbs


def test_train_gets_environment_and_typed_hyperparameters_and_exits_0(job: Any) -> None:
    job.config("hyperparameters.json", {"epochs": '"7"'})
    (job.base / "output/failure").write_text("of an earlier run")
    code, out, err = job.run("print(env.channel('train').name, hp)")
    assert (code, out, err) == (0, "train Hyperparameters(epochs=7)\n", "")
    assert job.failure is None


def test_lines_flow_while_the_program_runs(job: Any) -> None:
    process = job.start("print('a line'); wait_for_stop()")
    assert process.stdout.readline() == "a line\n"


def test_another_verb_gets_its_parsed_arguments(job: Any) -> None:
    assert job.run("pass", "predict", "a.jpg") == (0, "predicting a.jpg\n", "")


def test_describe_prints_the_entry_of_programs_json(job: Any) -> None:
    code, out, _ = job.run("pass", "describe")
    assert code == 0
    assert json.loads(out) == {
        "tiny": {
            "file": "tiny.py",
            "summary": "a tiny program",
            "environment": "python",
            "images": ["train-cpu"],
            "several_hosts": False,
            "hyperparameters": [
                {
                    "name": "epochs",
                    "type": "int",
                    "default": 5,
                    "unit": "epochs",
                    "help": "passes over the data",
                    "minimum": 1,
                }
            ],
            "metric_definitions": [
                {
                    "Name": "validation:mAP50",
                    "Regex": r"name=validation:mAP50 value=([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?);",
                }
            ],
            "channels": {
                "train": {"required": True, "help": "images"},
                "validation": {"required": False, "help": "more images"},
            },
            "verbs": ["train", "predict"],
        }
    }


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["export"], 'tiny has no verb "export"', "python tiny.py train|predict|describe"),
        (["predict"], "the following arguments are required: image", "tiny.py predict --help"),
        (["train", "--epochs", "5"], "unrecognized arguments: --epochs 5", "tiny.py --help"),
    ],
)
def test_a_command_line_that_is_wrong_is_refused(job: Any, arguments: list[str], error: str, hint: str) -> None:
    assert job.run("pass", *arguments) == (2, "", f"error: {error}\n\nhint: {hint}\n")


@pytest.mark.parametrize("value", ["7", "-0.1", "nan"])
@pytest.mark.parametrize("program", ["ssd.py", "runtime.py"])
def test_a_confidence_that_is_no_score_is_refused(program: str, value: str) -> None:
    command = [sys.executable, ENTRYPOINTS / program, "predict", "model", "a.jpg", f"--confidence={value}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: --confidence {value} is no score, which lies from 0 to 1")


def test_no_verb_is_refused_and_help_is_not(job: Any) -> None:
    script = job.base.parent / "tiny.py"
    job.run("pass")
    result = subprocess.run([sys.executable, script], env=bare(job), capture_output=True, text=True, check=False)
    assert (result.returncode, first_line(result.stderr)) == (2, "error: no verb is given")
    code, out, _ = job.run("pass", "--help")
    assert code == 0
    assert "predict one image" in out


def bare(job: Any) -> dict[str, str]:
    from_conftest = sys.modules[type(job).__module__]
    return {"PYTHONPATH": str(from_conftest.ENTRYPOINTS), "PATH": os.environ["PATH"], **job.environ}


# ---- failures


@pytest.mark.parametrize(
    ("hyperparameters", "train", "message"),
    [
        ({}, "raise Refusal('no images (in train)', 'add some')", "no images (in train)"),
        ({"epochs": "0"}, "pass", 'hyperparameter "epochs" is 0; allowed: a whole number at least 1'),
        ({"epoch": "5"}, "pass", 'unknown hyperparameter "epoch" (known: epochs)'),
    ],
)
def test_a_refusal_is_exit_code_2_with_error_and_hint(job: Any, hyperparameters: Any, train: str, message: str) -> None:
    job.config("hyperparameters.json", hyperparameters)
    code, out, err = job.run(train)
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert lines[:2] == [f"error: {message}", ""]
    assert lines[2].startswith("hint: ")
    assert len(lines) == 3
    assert job.failure == err.removeprefix("error: ")


def test_a_program_for_one_host_refuses_several(job: Any) -> None:
    job.config("resourceconfig.json", {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]})
    code, out, err = job.run("print('trains')")
    assert (code, out) == (2, "")
    assert told_the_same(job, err) == "tiny trains on one host, and the job has 2 (resourceconfig.json)"
    assert "hint: set ResourceConfig.InstanceCount to 1" in err


def test_channels_are_checked_before_training(job: Any) -> None:
    (job.base / "input/data/validaton").mkdir()
    code, _, err = job.run("print('never')")
    assert code == 2
    assert told_the_same(job, err) == 'unknown channel "validaton" (tiny reads: train, validation)'
    assert 'hint: did you mean "validation"?' in err

    shutil.rmtree(job.base / "input/data")
    code, out, err = job.run("print('never')")
    assert (code, out) == (2, "")
    assert told_the_same(job, err) == 'channel "train" is missing (the job has: none)'


def test_a_crash_is_exit_code_1_with_the_end_of_its_traceback(job: Any) -> None:
    code, _, err = job.run("def inner(): raise KeyError('lost\\nsecond line' + 'x' * 3000)\ninner()")
    assert code == 1
    assert told_the_same(job, err).startswith("KeyError: 'lost")
    assert "Traceback (most recent call last)" in err
    assert "in inner" in err
    assert job.failure.rstrip().endswith("x'")
    assert len(job.failure) <= 1024


def test_a_short_traceback_stands_whole_in_the_failure_file(job: Any) -> None:
    code, _, err = job.run("int('five')")
    assert code == 1
    assert told_the_same(job, err) == "ValueError: invalid literal for int() with base 10: 'five'"
    assert "int('five')" in job.failure
    assert len(job.failure) <= 1024


@pytest.mark.parametrize(
    ("train", "message", "hint"),
    [
        ("raise MemoryError", "out of memory", "smaller batch"),
        (
            "class OutOfMemoryError(RuntimeError): pass\nraise OutOfMemoryError('CUDA out of memory. Tried\\nmore')",
            "out of memory (CUDA out of memory. Tried)",
            "smaller batch",
        ),
        (
            "import errno; raise OSError(errno.ENOSPC, 'No space left', '/a/b')",
            "no space left on the disk (/a/b)",
            "free some",
        ),
        ("import errno; raise OSError(errno.EDQUOT, 'Quota')", "no space left on the disk", "VolumeSizeInGB"),
        (
            "import errno\ntry:\n    raise OSError(errno.ENOSPC, 'No space left', '/a')\n"
            "except OSError:\n    raise RuntimeError('write failed')",
            "no space left on the disk (/a)",
            "free some",
        ),
    ],
)
def test_what_ran_out_is_one_clear_line(job: Any, train: str, message: str, hint: str) -> None:
    code, _, err = job.run(train)
    assert code == 1
    assert told_the_same(job, err) == message
    assert "Traceback" not in err
    assert hint in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("train", "code", "failure"),
    [
        ("sys.exit(0)", 0, None),
        ("sys.exit()", 0, None),
        ("sys.exit(5)", 5, "exited with code 5\n"),
        ("sys.exit('that was it')", 1, "that was it\n"),
        ("raise KeyboardInterrupt", 130, "interrupted by SIGINT\n"),
        ("raise Stopped", 143, None),
    ],
)
def test_other_ways_to_end(job: Any, train: str, code: int, failure: str | None) -> None:
    assert job.run(train)[0] == code
    assert job.failure == failure


def test_nothing_masks_the_error_where_the_failure_file_cannot_be_written(job: Any) -> None:
    shutil.rmtree(job.base / "output")
    (job.base / "output").write_text("a file where the folder should be")
    code, _, err = job.run("raise Refusal('the real one')")
    assert (code, err) == (2, "error: the real one\n")

    shutil.rmtree(job.base)
    code, _, err = job.run("pass")
    assert (code, first_line(err)) == (2, 'error: channel "train" is missing (the job has: none)')
    assert not job.base.exists()


def test_the_exit_code_stands_when_nobody_reads_the_output(job: Any) -> None:
    process = job.start("""
        wait_for_stop()
        try:
            print("lost")
        except BrokenPipeError:
            raise Refusal("the real one")
    """)
    assert process.stdout.readline() == "ready\n"
    process.stdout.close()
    process.stderr.close()
    process.terminate()
    assert process.wait(timeout=60) == 2
    assert job.failure == "the real one\n"


def test_a_failure_text_that_is_not_utf_8_is_written_escaped(job: Any) -> None:
    job.run(r"raise Refusal('bad name \udcff')")
    assert job.failure == "bad name \\udcff\n"


# ---- stopping


def test_sigterm_sets_the_flag_and_the_end_is_143_without_a_failure_file(job: Any) -> None:
    process = job.start(
        "told = []\non_stop(lambda: told.append(stop_requested()))\nwait_for_stop()\nprint('saved', told)"
    )
    assert stop(process) == (143, "saved [True]\n", "")
    assert job.failure is None


def test_a_loop_leaves_once_a_stop_was_requested(job: Any) -> None:
    process = job.start("leave_if_stopped()\nwait_for_stop()\nprint('going')\nleave_if_stopped()\nprint('not left')")
    assert stop(process) == (143, "going\n", "")
    assert job.failure is None


def test_a_second_sigterm_raises(job: Any) -> None:
    process = job.start("""
        on_stop(lambda: os.write(1, b"first\\n"))
        try:
            print("ready", flush=True)
            linger()
        finally:
            print("cleaned")
    """)
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.stdout.readline() == "first\n"
    process.terminate()
    assert process.communicate(timeout=60) == ("cleaned\n", "")
    assert process.returncode == 143
    assert job.failure is None


def test_a_callback_added_after_the_stop_runs_at_once(job: Any) -> None:
    process = job.start("wait_for_stop()\non_stop(lambda: print('late'))\nprint('end')")
    assert stop(process) == (143, "late\nend\n", "")


def test_a_failure_after_the_stop_is_still_a_failure(job: Any) -> None:
    code, _, err = stop(job.start("wait_for_stop()\nraise ValueError('could not save')"))
    assert code == 1
    assert told_the_same(job, err) == "ValueError: could not save"


def test_forked_children_of_a_program_die_of_sigterm_as_usual(job: Any) -> None:
    code, out, _ = job.run("""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, b"!")
            linger()
        os.read(read, 1)
        os.kill(child, signal.SIGTERM)
        print(os.WTERMSIG(os.waitpid(child, 0)[1]), stop_requested())
    """)
    assert (code, out) == (0, "15 False\n")


# ---- process 1


@pytest.fixture
def init_job(job: Any) -> Any:
    job.environ["DRYDOCK_FORCE_INIT"] = "1"
    return job


def test_as_process_1_the_verb_runs_in_a_child_with_a_group_of_its_own(init_job: Any) -> None:
    process = init_job.start("print(os.getppid(), os.getpid() == os.getpgrp())")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, f"{process.pid} True\n", "")


def test_as_process_1_it_shows_that_it_hears_sigterm(init_job: Any) -> None:
    """The emulator sends none before: the kernel would drop it."""
    process = init_job.start("while not stop_requested(): time.sleep(0.05)")
    deadline = time.monotonic() + 60
    while not hears_sigterm(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143


@pytest.mark.parametrize(
    ("train", "code", "failure"),
    [
        ("pass", 0, None),
        ("sys.exit(7)", 7, "exited with code 7"),
        ("raise Refusal('no')", 2, "no"),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137, "killed by SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGABRT)", 134, "killed by SIGABRT"),
    ],
)
def test_as_process_1_it_exits_as_the_child_did(init_job: Any, train: str, code: int, failure: str | None) -> None:
    assert init_job.run(train)[0] == code
    assert (first_line(init_job.failure) if init_job.failure else None) == failure


def test_as_process_1_sigterm_reaches_the_worker_and_spares_its_data_loaders(init_job: Any) -> None:
    process = init_job.start("""
        loader = os.fork()
        if loader == 0: linger()
        wait_for_stop()
        print("loader alive:", os.waitpid(loader, os.WNOHANG) == (0, 0))
        os.kill(loader, signal.SIGKILL)
    """)
    assert stop(process) == (143, "loader alive: True\n", "")
    assert init_job.failure is None


def test_as_process_1_a_signal_of_the_terminal_reaches_the_group(init_job: Any) -> None:
    process = init_job.start("""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGHUP, lambda *_: (os.write(write, b"child"), os._exit(0)))
            os.write(write, b"!")
            linger()
        signal.signal(signal.SIGHUP, lambda *_: os.write(write, b"worker"))
        os.read(read, 1)
        print("ready", flush=True)
        os.waitpid(child, 0)
        heard = b""
        while len(heard) < 11: heard += os.read(read, 11)
        print(sorted([b"child" in heard, b"worker" in heard]))
    """)
    assert stop(process, signal.SIGHUP) == (0, "[True, True]\n", "")


def test_as_process_1_ctrl_c_ends_the_worker_with_130(init_job: Any) -> None:
    code, _, err = stop(init_job.start("print('ready', flush=True)\nlinger()"), signal.SIGINT)
    assert (code, err) == (130, "error: interrupted by SIGINT\n")


def test_in_a_pid_namespace_it_is_process_1_and_reaps_orphans(job: Any) -> None:
    namespace = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let a process make a PID namespace")
    job.prefix = namespace
    process = job.start("""
        parent = os.fork()
        if parent == 0:
            for _ in range(20):
                if os.fork() == 0:
                    os._exit(0)
            os._exit(0)
        os.waitpid(parent, 0)
        def processes():
            return sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
        while processes() != [1, os.getpid()]:
            time.sleep(0.01)
        print(os.getppid(), os.getpid() != 1)
    """)
    assert process.communicate(timeout=60) == ("1 True\n", "")
    assert process.returncode == 0
