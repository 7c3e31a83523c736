"""The process backend: what a program is given, how it ends, and that nothing of it is left."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from local.errors import ValidationException
from local.jobs import supervisor, workdir
from local.jobs.backend import Host, Launch, Wanted
from local.jobs.job import JobError
from local.jobs.logs import split_lines
from local.jobs.process import ProcessBackend
from local.jobs.programs import ProgramTable
from tests.support.emulator import PROGRAMS, ROOT

REQUEST = {
    "AlgorithmSpecification": {"TrainingInputMode": "File"},
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
}


@pytest.fixture
def backend():
    return ProcessBackend(ProgramTable([PROGRAMS]), "http://127.0.0.1:9", grace_s=30)


def launch(backend, folder, program, hyperparameters=None, *, environment=None, isolated=False):
    folder.mkdir(parents=True, exist_ok=True)
    base = folder / "algo-1"
    workdir.build(base, {**REQUEST, "HyperParameters": hyperparameters or {}})
    resolved = backend.resolve(Wanted(f"drydock/train-cpu:{program}"))
    backend.prepare(resolved, {}, lambda line: None)
    (running,) = backend.start(Launch(resolved, folder, [Host("algo-1", base)], environment or {}, isolated))
    return running


def run(backend, folder, program, *arguments, **settings):
    running = launch(backend, folder, program, *arguments, **settings)
    lines = [line for batch in split_lines(running.logs()) for line in batch]
    return running.wait().code, lines


def stop_when_ready(running, *grace_s):
    """Stop a program that has said ``ready``, once for each grace period; its exit code."""
    batches = split_lines(running.logs())
    assert next(batches) == ["ready"]
    for seconds in grace_s:
        running.stop(seconds)
    assert len([*batches]) <= 1
    return running.wait().code


def gone(pid, seconds=20):
    deadline = time.monotonic() + seconds
    while supervisor.process_start(pid) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_a_program_runs_and_its_exit_code_comes_back(backend, tmp_path):
    assert run(backend, tmp_path / "a", "hello") == (0, ["hello"])
    assert run(backend, tmp_path / "b", "fail") == (3, ["about to fail"])


def test_the_environment_is_clean_and_the_contracts(backend, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    code, _ = run(backend, tmp_path / "job", "dump", environment={"TRAINING_JOB_NAME": "job", "MINE": "1"})
    assert code == 0
    base = tmp_path / "job" / "algo-1"
    environment = json.loads((base / "output/data/environment.json").read_text())
    assert environment.pop("PATH").endswith(os.environ["PATH"])
    for optional in ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "TZ", "LC_CTYPE"):
        environment.pop(optional, None)
    environment.pop("TMPDIR")
    assert environment == {
        "SAGEMAKER_BASE_DIR": str(base),
        "HOME": str(tmp_path / "job" / "home"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "drydock",
        "AWS_SECRET_ACCESS_KEY": "drydock",
        "TRAINING_JOB_NAME": "job",
        "MINE": "1",
    }


def test_network_isolation_takes_the_address_and_the_keys_away(backend, tmp_path):
    run(backend, tmp_path / "job", "dump", isolated=True)
    environment = json.loads((tmp_path / "job/algo-1/output/data/environment.json").read_text())
    assert not [name for name in environment if name.startswith("AWS_")]


def test_a_unix_socket_fits_below_tmpdir_however_long_the_jobs_name(backend, tmp_path):
    code = """
        import os, socket, tempfile
        place = tempfile.mkdtemp(prefix="pymp-")
        socket.socket(socket.AF_UNIX).bind(os.path.join(place, "listener-12345678"))
        print(tempfile.gettempdir(), os.path.realpath(tempfile.gettempdir()), sep="\\n")
    """
    folder = tmp_path / ("long" * 15) / ("name" * 15)
    code, (link, place) = run(backend, folder, "inline", {"code": textwrap.dedent(code)})
    assert code == 0
    assert place == str(folder / "tmp")
    assert not Path(link).exists()


def test_every_line_comes_out(backend, tmp_path):
    code = """
        import os, sys
        os.write(1, b"\\r 10%\\r 20%\\n")
        os.write(2, b"bad \\xff byte\\n")
        for number in range(50_000): print(number)
        sys.stdout.flush()
        os.write(1, b"x" * 300_000 + b"\\n")
        os.write(1, b"no newline")
    """
    _, lines = run(backend, tmp_path / "job", "inline", {"code": textwrap.dedent(code)})
    assert lines[:3] == [" 10%", " 20%", "bad \\xff byte"]
    assert lines[3:50_003] == [str(number) for number in range(50_000)]
    assert "".join(lines[50_003:-1]) == "x" * 300_000
    assert lines[-1] == "no newline"


def test_sigterm_goes_to_the_program_alone_and_its_exit_code_counts(backend, tmp_path):
    running = launch(backend, tmp_path / "job", "patient")
    assert stop_when_ready(running, None, None) == 143
    assert (tmp_path / "job/algo-1/model/last.txt").read_text() == "saved on SIGTERM"
    running.stop()


def test_a_stop_right_after_the_start_is_not_lost(backend, tmp_path):
    for attempt in range(20):
        running = launch(backend, tmp_path / str(attempt), "patient")
        time.sleep(attempt / 1000)
        running.stop(8)
        list(running.logs())
        assert running.wait().code == 143, "SIGKILL after the grace period: SIGTERM was lost"


def test_a_program_that_ignores_sigterm_is_killed_after_the_grace_period(backend, tmp_path):
    assert stop_when_ready(launch(backend, tmp_path / "job", "stubborn"), 0.2) == 137


def test_a_second_shorter_grace_period_counts(backend, tmp_path):
    assert stop_when_ready(launch(backend, tmp_path / "job", "stubborn"), 600, 0.1) == 137


def test_a_signal_is_128_and_its_number(backend, tmp_path):
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    assert run(backend, tmp_path / "job", "inline", {"code": code})[0] == 128 + signal.SIGSEGV


def pids(lines):
    return [int(line.split()[1]) for line in lines if line.startswith(("child", "grandchild"))]


def test_children_end_with_the_program_also_those_in_a_session_of_their_own(backend, tmp_path):
    code, lines = run(backend, tmp_path / "job", "family")
    assert code == 0
    assert len(pids(lines)) == 2
    assert all(supervisor.process_start(pid) is None for pid in pids(lines))


def test_children_end_when_the_program_is_killed(backend, tmp_path):
    running = launch(backend, tmp_path / "job", "family", {"then": "wait"})
    batches = split_lines(running.logs())
    lines = []
    while len(pids(lines)) < 2:
        lines += next(batches)
    record = json.loads((tmp_path / "job/process.json").read_text())
    os.kill(record["program"]["pid"], signal.SIGKILL)
    assert [*batches] == []
    assert running.wait().code == 137
    assert all(gone(pid) for pid in pids(lines))


def test_the_program_ends_when_its_supervisor_is_killed(backend, tmp_path):
    running = launch(backend, tmp_path / "job", "stubborn")
    batches = split_lines(running.logs())
    next(batches)
    record = json.loads((tmp_path / "job/process.json").read_text())
    os.kill(record["supervisor"]["pid"], signal.SIGKILL)
    assert [*batches] == []
    assert running.wait().code == 137
    assert gone(record["program"]["pid"])


EMULATOR = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/tests/unit/local/jobs"]
from test_job_process import PROGRAMS, ProcessBackend, ProgramTable, launch, split_lines
backend = ProcessBackend(ProgramTable([PROGRAMS]), "http://127.0.0.1:9")
running = launch(backend, Path(sys.argv[2]), "family", {"then": "wait"})
for lines in split_lines(running.logs()):
    print(*lines, sep="\\n", flush=True)
"""


def test_nothing_outlives_an_emulator_that_is_killed(backend, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", EMULATOR, str(ROOT), str(tmp_path / "job")], stdout=subprocess.PIPE, text=True
    ) as emulator:
        lines = [emulator.stdout.readline() for _ in range(2)]
        record = json.loads((tmp_path / "job/process.json").read_text())
        emulator.kill()
    backend.clear(tmp_path / "job")
    assert supervisor.process_start(record["supervisor"]["pid"]) is None
    assert supervisor.process_start(record["program"]["pid"]) is None
    assert len(pids(lines)) == 2
    assert all(gone(pid) for pid in pids(lines))
    assert not [link for link in Path(tempfile.gettempdir()).glob("drydock-*") if tmp_path in link.resolve().parents]


def test_clearing_spares_a_stranger_that_got_a_recorded_id(backend, tmp_path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as stranger:
        recorded = {"pid": stranger.pid, "start": 1}
        (tmp_path / "process.json").write_text(json.dumps({"supervisor": recorded, "program": recorded}))
        backend.clear(tmp_path)
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("record", [None, "{cut sho"])
def test_clearing_a_folder_without_a_whole_record_touches_nothing(backend, tmp_path, record):
    running = launch(backend, tmp_path / "other", "patient")
    batches = split_lines(running.logs())
    assert next(batches) == ["ready"]
    folder = tmp_path / "job"
    folder.mkdir()
    if record:
        (folder / "process.json").write_text(record)
    before = {path.name: path.read_text() for path in folder.iterdir()}
    backend.clear(folder)
    assert {path.name: path.read_text() for path in folder.iterdir()} == before
    running.stop()
    assert [*batches] == [["leaving"]], "it ran until it was stopped"
    assert running.wait().code == 143


def test_an_environment_that_cannot_be_made_fails_the_job_with_its_hint(backend):
    program = backend.resolve(Wanted("drydock/train-cpu:unready"))
    with pytest.raises(JobError, match=r"no-such-environment.*the environments are"):
        backend.prepare(program, {}, lambda line: None)


def test_an_unknown_image_is_refused(backend):
    with pytest.raises(ValidationException, match="drydock/train-cpu:hello"):
        backend.resolve(Wanted("drydock/train-cpu:helo"))
