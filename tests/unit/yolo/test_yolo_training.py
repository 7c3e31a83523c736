"""The YOLO program's training: artefacts, metric lines, stopping, resuming."""

from __future__ import annotations

import json
import pickletools
import re
import shutil
import signal
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.support import metric_lines
from tests.support.job import Job
from tests.unit.yolo.conftest import TINY

pytestmark = pytest.mark.pytorch
SCORES = ("precision", "recall", "mAP50", "mAP50-95")
BOXES = {
    *(f"{part}:{name}_loss" for part in ("train", "validation") for name in ("box", "cls", "dfl")),
    *(f"validation:{name}" for name in (*SCORES, "best_mAP50")),
    "train:epoch_seconds",
}
MASKS = {
    *(f"{part}:{name}_loss" for part in ("train", "validation") for name in ("seg", "sem")),
    *(f"validation:mask_{name}" for name in SCORES),
}


def test_artefacts_are_complete(trained: tuple[Job, str]) -> None:
    job, _ = trained
    metadata = json.loads(job.model("metadata.json").read_text())
    assert metadata["classes"] == ["cracked"]
    assert metadata["task"] == "segment"
    assert metadata["input_size"] == [64, 64]
    for name in ("model.pt", "model.safetensors"):
        assert job.model(name).stat().st_size > 1_000_000
    for name in ("metrics.json", "results.csv", "split.json", "predictions.json"):
        assert job.output(name).stat().st_size > 0
    for name in ("curves.png", "confusion.png", "predictions.jpg"):
        assert job.output(name).read_bytes()[:2] in (b"\x89P", b"\xff\xd8")
    assert not job.failure


def test_model_pt_opens_in_ultralytics_and_holds_no_class_of_ours(trained: tuple[Job, str], pytorch: Path) -> None:
    job, _ = trained
    code = f"from ultralytics import YOLO; m = YOLO({str(job.model('model.pt'))!r}); print(m.task, m.names)"
    done = subprocess.run([pytorch, "-c", code], capture_output=True, text=True, check=True)
    assert "segment {0: 'cracked'}" in done.stdout
    with zipfile.ZipFile(job.model("model.pt")) as archive:
        name = next(entry for entry in archive.namelist() if entry.endswith("data.pkl"))
        opcodes = list(pickletools.genops(archive.read(name)))
    modules = {str(argument).split()[0].split(".")[0] for code, argument, _ in opcodes if code.name == "GLOBAL"}
    strings = [str(argument) for code, argument, _ in opcodes if "UNICODE" in code.name]
    assert modules | {"ultralytics"} <= {
        "ultralytics",
        "torch",
        "collections",
        "numpy",
        "pathlib",
        "__builtin__",
        "builtins",
    }
    assert "__main__" not in strings


def test_every_line_of_the_log_is_caught_by_the_definition_of_its_metric_or_by_none(trained: tuple[Job, str]) -> None:
    _, output = trained
    assert set(metric_lines.caught("yolo", output)) == BOXES | MASKS


def test_the_split_is_seeded_and_written_down(trained: tuple[Job, str]) -> None:
    job, output = trained
    split = json.loads(job.output("split.json").read_text())
    train, validation = set(split["train"]), set(split["validation"])
    assert train
    assert validation
    assert not train & validation
    assert f"train: {len(train)} images" in output


def test_training_starts_from_every_tensor_of_the_starter(trained: tuple[Job, str]) -> None:
    _, output = trained
    assert re.search(r"starting from Drydock's starter \S+ \(cracked as \w+\): (\d+) of \1 tensors", output), output


def test_a_model_of_a_finished_job_is_a_start_for_another(trained: tuple[Job, str], job: Job, tmp_path: Path) -> None:
    """Its model.pt too, which Ultralytics pickles as a whole: that it runs code is said."""
    earlier, _ = trained
    (tmp_path / "start").mkdir()
    shutil.copy(earlier.model("model.pt"), tmp_path / "start")
    job.channel("pretrained", tmp_path / "start")
    job.configure(task="segment", **TINY)
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert "model.pt is a pickle of a whole model, opened by running what it holds" in done.stdout
    assert re.search(r"starting from channel `pretrained` \(model.pt\): (\d+) of \1 tensors", done.stdout)


def test_resume_goes_on_after_the_newest_epoch(again: Job) -> None:
    again.configure(pretrained="none", **(TINY | {"epochs": "2"}))
    done = again.run()
    assert done.returncode == 0, done.stderr
    assert "resuming after epoch 1" in done.stdout
    assert "epoch 2/2" in done.stdout
    assert "epoch 1/2" not in done.stdout
    assert set(metric_lines.caught("yolo", done.stdout + done.stderr)) == BOXES
    assert len(again.output("results.csv").read_text().splitlines()) == 3


def test_resume_computes_in_the_precision_that_it_is_asked_for(
    again: Job, detecting: tuple[Job, str], pytorch: Path
) -> None:
    again.configure(pretrained="none", precision="bf16", **(TINY | {"epochs": "2"}))
    done = again.run()
    if "does not compute in bfloat16" in again.failure:
        pytest.skip("this processor does not compute in bfloat16")
    assert done.returncode == 0, done.stderr
    assert "in float32" in detecting[1]
    assert "in bfloat16" in done.stdout
    assert "Resume ignores" not in done.stdout + done.stderr
    newest = sorted((again.base / "checkpoints").glob("0*"))[-1] / "last.pt"
    code = f"import torch; print(torch.load({str(newest)!r}, weights_only=False)['train_args']['amp'])"
    kept = subprocess.run([pytorch, "-c", code], capture_output=True, text=True, check=True)
    assert kept.stdout.strip() == ("bf16" if "on GPU" in done.stdout else "False")


def test_a_finished_run_resumed_writes_its_artefacts_again(again: Job) -> None:
    again.model("model.safetensors").unlink()
    done = again.run()
    assert done.returncode == 0, done.stderr
    assert "all 1 epochs are done already" in done.stdout
    assert again.model("model.safetensors").exists()


def test_resume_with_another_image_size_is_refused(again: Job) -> None:
    again.configure(pretrained="none", **(TINY | {"img_size": "96", "epochs": "2"}))
    done = again.run()
    assert done.returncode == 2
    assert "the checkpoint was made with img-size=64, this job asks for 96" in again.failure


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_ended_in_mid_epoch_resumes_from_a_whole_checkpoint(job: Job, signal_: signal.Signals) -> None:
    job.configure(pretrained="none", **(TINY | {"epochs": "500"}))
    process = job.start()
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch 2/"):
            break
    process.send_signal(signal_)
    process.communicate(timeout=60)
    assert process.returncode == (143 if signal_ == signal.SIGTERM else -signal.SIGKILL)
    assert not job.failure
    if signal_ == signal.SIGTERM:
        assert job.model("model.safetensors").exists()
        assert json.loads(job.output("metrics.json").read_text())["last"]["validation:mAP50"] >= 0
    newest = sorted((job.base / "checkpoints").glob("0*"))[-1]
    epochs = int(newest.name) + 1
    job.configure(pretrained="none", **(TINY | {"epochs": str(epochs)}))
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert f"resuming after epoch {int(newest.name)}" in done.stdout
