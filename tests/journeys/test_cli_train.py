"""train and what belongs to it, with tiny programs in a real emulator."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.drydock import Drydock
from tests.support.emulator import PROGRAMS


@pytest.fixture(scope="module")
def drydock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drydock]:
    command = Drydock(tmp_path_factory.mktemp("cli"))
    up = command("up", "--port", "0", "--programs", str(PROGRAMS))
    assert up.code == 0, up.err
    yield command
    command("down")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("a.txt", "deep/b.txt", ".hidden"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{tmp_path.name} {name}")
    return tmp_path / "data"


def test_a_job_runs_and_its_results_lie_in_runs(drydock: Drydock) -> None:
    result = drydock("train", "artefacts", "--name", "results-1")

    assert result.code == 0, result.err
    run = drydock.runs / "results-1"
    assert (run / "model.tar.gz").is_file()
    assert (run / "log.txt").is_file()
    assert (drydock.runs / "latest").resolve() == run.resolve()
    assert "results-1  Completed" in result.out
    assert "this wall time" in result.out
    assert "ml.g4dn.xlarge" in result.out


def test_epochs_and_metrics_are_told_as_they_come_and_again_at_the_end(drydock: Drydock) -> None:
    result = drydock("train", "metrics", "--name", "metrics-1", "--hp", "epochs=2")

    assert "epoch 2/2  loss 0.750  mAP50 0.500" in result.err
    assert "validation:mAP50  0.5" in result.out


def test_json_is_for_a_script(drydock: Drydock) -> None:
    result = drydock("train", "metrics", "--name", "metrics-2", "--json")

    assert result.json["job"] == "metrics-2"
    assert result.json["status"] == "Completed"
    assert result.json["metrics"]["validation:mAP50"] == 0.5
    assert result.json["cost"]["instance_type"] == "ml.g4dn.xlarge"


def test_the_program_gets_the_data_and_the_settings(drydock: Drydock, data: Path) -> None:
    result = drydock(
        "train", "dump", "--name", "dump-1", "--data", str(data), "--data", f"validation={data}", "--hp", "x=1"
    )

    assert result.code == 0, result.err
    files = [path for path in (drydock.runs / "dump-1").rglob("*") if path.is_file() and path.suffix == ".json"]
    told = "".join(path.read_text() for path in files)
    for path in ("input/data/train/a.txt", "input/data/train/deep/b.txt", "input/data/validation/a.txt"):
        assert path in told
    assert ".hidden" not in told


def test_the_same_data_is_not_sent_twice(drydock: Drydock, data: Path) -> None:
    first = drydock("train", "hello", "--data", str(data))
    second = drydock("train", "hello", "--data", str(data))
    (data / "a.txt").write_text("changed")
    third = drydock("train", "hello", "--data", str(data))

    assert "sent to s3://drydock-data-" in first.err
    assert "are already at s3://drydock-data-" in second.err
    assert "sent to s3://drydock-data-" in third.err


def test_a_manifest_brings_its_files_along(drydock: Drydock, tmp_path: Path) -> None:
    (tmp_path / "set/images").mkdir(parents=True)
    (tmp_path / "set/images/a.jpg").touch()
    (tmp_path / "set/unrelated.bin").touch()
    manifest = tmp_path / "set/lists/m.manifest"
    manifest.parent.mkdir()
    manifest.write_text(json.dumps({"source-ref": "images/a.jpg"}) + "\n")

    result = drydock("train", "dump", "--name", "manifest-1", "--data", str(manifest))

    assert result.code == 0, result.err
    told = "".join(path.read_text() for path in (drydock.runs / "manifest-1").rglob("*.json"))
    assert "input/data/train/images/a.jpg" in told
    assert "input/data/train/lists/m.manifest" in told
    assert "unrelated" not in told


def test_a_failed_job_is_one_error_with_its_hint_and_exit_code_1(drydock: Drydock) -> None:
    result = drydock("train", "bad-input")

    assert result.code == 1
    assert result.err.endswith("error: hyperparameter epochs is 0\n\nhint: use 1 or more\n")


def test_ctrl_c_stops_the_job_and_says_how_to_go_on(drydock: Drydock) -> None:
    with drydock.start("train", "patient", "--name", "patient-1") as process:
        _wait_for(process, "Training")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "--resume patient-1" in err
    assert "patient-1  Stopped" in out
    assert drydock("describe", "patient-1", "--json").json["TrainingJobStatus"] == "Stopped"


def test_a_second_ctrl_c_leaves_the_job_to_itself(drydock: Drydock) -> None:
    with drydock.start("train", "stubborn", "--name", "stubborn-1") as process:
        _wait_for(process, "Training")
        process.send_signal(signal.SIGINT)
        _wait_for(process, "stopping")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "left stubborn-1 to itself" in err
    assert drydock("describe", "stubborn-1", "--json").json["TrainingJobStatus"] == "Stopping"


def test_stop_ends_a_job_that_was_not_waited_for(drydock: Drydock) -> None:
    assert drydock("train", "patient", "--name", "patient-2", "--no-wait").out == "patient-2\n"

    assert drydock("stop", "patient-2").code == 0
    log = drydock("logs", "-f", "patient-2")

    assert drydock("describe", "patient-2", "--json").json["TrainingJobStatus"] == "Stopped"
    assert log.err == ""
    assert drydock("fetch", "patient-2").out.strip() == str(drydock.runs / "patient-2")


def test_a_resumed_job_goes_on_from_the_checkpoints(drydock: Drydock) -> None:
    first = drydock("train", "checkpointing", "--name", "count-1", "--hp", "steps=2")
    assert first.code == 0, first.err

    second = drydock("train", "checkpointing", "--name", "count-2", "--resume", "count-1", "--hp", "steps=3")

    assert second.code == 0, second.err
    lines = drydock("logs", "count-2").out.splitlines()
    assert [line for line in lines if "step" in line] == ["starting after step 2", "step 3"]


def test_a_job_without_checkpoints_cannot_be_resumed(drydock: Drydock) -> None:
    drydock("train", "hello", "--name", "hello-1")

    result = drydock("train", "hello", "--resume", "hello-1")

    assert result.code == 2
    assert "hello-1 left no checkpoints" in result.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing",), "there is no program 'nothing'"),
        (("hello", "--data", "/no/such/place"), "there is no data at /no/such/place"),
        (("hello", "--data", "s3://no-such-bucket-1/x"), "s3://no-such-bucket-1/x"),
        (("hello", "--hp", "epochs"), "is not of the form name=value"),
        (("hello", "--resume", "no-such-job"), "no-such-job"),
        (("yolo", "--hp", "epoch=3"), "yolo has no hyperparameter 'epoch'"),
        (("yolo", "--data", "test=/tmp"), "yolo reads no channel 'test'"),
    ],
)
def test_bad_input_is_refused_before_a_job_is_made(drydock: Drydock, arguments: tuple[str, ...], told: str) -> None:
    before = drydock("jobs", "--json").json

    result = drydock("train", *arguments)

    assert result.code == 2
    assert result.err.splitlines()[0].startswith("error: ")
    assert told in result.err
    assert "hint: " in result.err
    assert drydock("jobs", "--json").json == before


def test_a_name_used_twice_is_told_in_the_services_words(drydock: Drydock) -> None:
    drydock("train", "hello", "--name", "twice")

    result = drydock("train", "hello", "--name", "twice")

    assert result.code == 1
    error, _, hint = result.err.splitlines()[-3:]
    assert error.startswith("error: ResourceInUse")
    assert hint == "hint: choose another --name, or leave --name out"


def test_a_job_that_does_not_exist_is_an_error_everywhere(drydock: Drydock) -> None:
    for verb in ("describe", "logs", "stop", "fetch"):
        result = drydock(verb, "no-such-job")
        assert result.code == 2
        assert result.err.startswith("error: no-such-job: ")


def test_jobs_lists_the_newest_first(drydock: Drydock) -> None:
    drydock("train", "hello", "--name", "list-1")
    drydock("train", "hello", "--name", "list-2")

    assert [job["TrainingJobName"] for job in drydock("jobs", "--json", "--limit", "2").json] == ["list-2", "list-1"]
    assert drydock("jobs").out.splitlines()[1].startswith("list-2")


def test_train_starts_the_emulator_and_leaves_it_up(tmp_path: Path) -> None:
    other = Drydock(tmp_path)
    try:
        result = other("train", "yolo", "--data", "/no/such/place")

        assert "started the emulator at" in result.err
        assert other("env").code == 0
    finally:
        other("down")


def _wait_for(process: object, text: str) -> None:
    """Reads the command's talk until a line holds the text."""
    for line in process.stderr:  # type: ignore[attr-defined]
        if text in line:
            return
    raise AssertionError(f"the command ended without saying {text!r}")
