"""The UNet program's training: artefacts, metric lines, stopping, resuming, several classes."""

from __future__ import annotations

import csv
import json
import re
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support import metric_lines
from tests.support.job import ENTRYPOINTS, Job
from tests.support.weights import fingerprint
from tests.unit.unet.conftest import TINY

pytestmark = pytest.mark.tensorflow

KILLED_WITHIN_AN_EPOCH = f"""
import os, signal, sys
sys.path.insert(0, {str(ENTRYPOINTS)!r})
from training import keras_loop
save, keras_loop.SAVE_EVERY_S = keras_loop._save, -1.0
def save_and_die(run, state):
    save(run, state)
    if (state.place.epoch, state.place.batch) == (1, 2):
        os.kill(os.getpid(), signal.SIGKILL)
keras_loop._save = save_and_die
import unet
unet.PROGRAM.main(["train"])
"""


def test_artefacts_are_complete(trained: tuple[Job, str]) -> None:
    job, _ = trained
    metadata = json.loads(job.model("metadata.json").read_text())
    assert (metadata["task"], metadata["classes"], metadata["input_size"]) == ("semantic", ["defect"], [32, 64])
    assert (metadata["architecture"], metadata["loss"]) == ("plain", "dice_crossentropy")
    assert 0 < metadata["threshold"] < 1
    assert metadata["image_score"] in ("head", "pixels")
    for name in ("curves.png", "precision-recall.png", "roc.png", "predictions.jpg"):
        assert job.output(name).read_bytes()[:2] in (b"\x89P", b"\xff\xd8")
    with job.output("results.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["epoch"] for row in rows] == ["1.0", "2.0", "3.0"]
    assert {"train/loss", "val/loss", "metrics/dice", "metrics/auroc"} <= set(rows[0])
    best = json.loads(job.output("metrics.json").read_text())["best"]
    assert {"nothing_defective", "everything_defective", "mean_mask"} <= set(best)
    names = sorted(json.loads(job.output("split.json").read_text())["validation"])
    assert sorted(row["image"] for row in json.loads(job.output("predictions.json").read_text())) == names
    assert not job.failure


def test_training_starts_from_every_tensor_of_the_starter(trained: tuple[Job, str]) -> None:
    _, output = trained
    assert re.search(r"starting from Drydock's starter plain.safetensors: (\d+) of \1 tensors", output), output


def test_every_line_of_the_log_is_caught_by_the_definition_of_its_metric_or_by_none(trained: tuple[Job, str]) -> None:
    _, output = trained
    seen = set(metric_lines.caught("unet", output))
    assert seen == {one.name for one in metric_lines.definitions("unet")}


def test_a_run_killed_within_an_epoch_and_stopped_once_ends_with_the_weights_of_one_that_was_not(
    job: Job, trained: tuple[Job, str], tensorflow: Path
) -> None:
    whole, _ = trained
    job.configure(**TINY)
    command, job.command = job.command, [str(tensorflow), "-c", KILLED_WITHIN_AN_EPOCH]
    assert job.run().returncode == -signal.SIGKILL
    assert not job.model("metadata.json").exists()
    job.command = command
    stopped = job.interrupted("resuming after epoch 1, 2 batches into the next,", signal.SIGTERM)
    assert stopped.returncode == 143, stopped.stderr
    assert "stopped on request; epoch" in stopped.stdout
    assert json.loads(job.model("metadata.json").read_text())["threshold"] is not None
    assert not job.failure
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert fingerprint(job.model("model.safetensors")) == fingerprint(whole.model("model.safetensors"))
    newest = [sorted((one.base / "checkpoints").glob("0*"))[-1] for one in (job, whole)]
    assert newest[0].name == newest[1].name
    assert fingerprint(newest[0] / "last.safetensors") == fingerprint(newest[1] / "last.safetensors")


def test_no_loss_is_nan_where_masks_are_empty_full_or_all_beside_the_image(tensorflow: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(ENTRYPOINTS)!r})
import numpy as np
import tensorflow as tf
from training import keras_losses
for classes in (1, 3):
    for value in (0, 1, 255):
        for loss in keras_losses.LOSSES:
            logits = tf.Variable(tf.random.normal((2, 8, 8, 1 if classes == 1 else classes + 1)) * 50)
            labels = np.full((2, 8, 8), value, np.uint8)
            with tf.GradientTape() as tape:
                lost = keras_losses.total(loss, logits, tf.zeros((2, 1)), labels, np.array([value == 1] * 2))
            gradient = tape.gradient(lost, logits)
            ok = np.isfinite(float(lost)) and (gradient is None or bool(tf.reduce_all(tf.math.is_finite(gradient))))
            print(ok, classes, value, loss)
"""
    done = subprocess.run([tensorflow, "-c", code], capture_output=True, text=True, check=True)
    assert [line for line in done.stdout.splitlines() if not line.startswith("True")] == []
    assert len(done.stdout.splitlines()) == 24


def test_two_classes_from_the_weights_of_another_job(
    job: Job, trained: tuple[Job, str], plates: Path, tmp_path: Path
) -> None:
    data = tmp_path / "classes"
    shutil.copytree(plates, data)
    (data / "classes.txt").write_text("left\nright\n")
    for path in sorted((data / "masks").glob("*.png")):
        with Image.open(path) as image:
            mask = np.asarray(image) > 0
        sides = 1 + (np.arange(mask.shape[1]) >= mask.shape[1] // 2)
        Image.fromarray((mask * sides).astype(np.uint8)).save(path)
    (job.base / "input/data/train").unlink()
    job.channel("train", data)
    job.channel("pretrained", trained[0].base / "model")
    job.configure(**TINY | {"epochs": "1"}, num_classes="3", optimizer="nag", lr_scheduler="poly", gamma1="0.9")
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("has no effect") == 3
    found = re.search(r"starting from channel `pretrained` \(model.safetensors\): (\d+) of (\d+) tensors", done.stdout)
    assert found, done.stdout
    assert int(found[1]) == int(found[2]) - 2  # the last layer has other classes
    assert json.loads(job.model("metadata.json").read_text())["classes"] == ["left", "right"]


@pytest.mark.slow
def test_a_mobilenet_takes_the_weights_that_keras_publishes(job: Job, tensorflow: Path, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    code = (
        "import keras; keras.applications.MobileNetV2(include_top=False, weights=None, alpha=0.35)"
        f".save_weights({str(tmp_path / 'weights/mobilenet.weights.h5')!r})"
    )
    subprocess.run([tensorflow, "-c", code], check=True, capture_output=True)
    job.channel("pretrained", tmp_path / "weights")
    job.configure(**(TINY | {"epochs": "1", "model": "mobilenetv2_035"}))
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert re.search(r"channel `pretrained` \(mobilenet.weights.h5\): \d{2,} of \d+ tensors", done.stdout)
