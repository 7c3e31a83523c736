"""What a trained UNet answers: evaluate, predict, export, and serve over HTTP say the same."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.answers import evaluated, invoked, predicted
from tests.support.job import Job

pytestmark = pytest.mark.tensorflow


def test_one_image_has_the_same_answer_by_every_way(trained: tuple[Job, str], plates: Path) -> None:
    job, _ = trained
    rows = json.loads(job.output("predictions.json").read_text())
    assert len({row["image_score"] for row in rows}) > 1, "the model answers alike whatever it sees"
    asked = [plates / row["image"] for row in rows]
    for answers in (predicted(job, asked), invoked(job, asked)):
        for row, other in zip(rows, answers, strict=True):
            assert {name: value for name, value in other.items() if name != "image"} == {
                name: value for name, value in row.items() if name != "image"
            }


def test_evaluate_of_the_validation_images_says_what_training_said(
    trained: tuple[Job, str], plates: Path, tmp_path: Path
) -> None:
    job, _ = trained
    for name in json.loads(job.output("split.json").read_text())["validation"]:
        for path in (Path(name), Path("masks", Path(name).name).with_suffix(".png")):
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).symlink_to(plates / path)
    best = json.loads(job.output("metrics.json").read_text())["best"]
    del best["mean_mask"]  # of the training masks
    assert evaluated(job, tmp_path) == best


def test_export_writes_a_saved_model_that_gives_probabilities(
    trained: tuple[Job, str], tensorflow: Path, tmp_path: Path
) -> None:
    job, _ = trained
    done = job.run("export", str(job.base / "model"), str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    code = (
        f"import tensorflow as tf; model = tf.saved_model.load({str(tmp_path / 'out/saved_model')!r}); "
        "found = model.signatures['serving_default'](tf.random.uniform((3, 64, 32, 3), 0, 255)); "
        "print([found['maps'].shape.as_list(), found['image'].shape.as_list(), "
        "float(tf.reduce_min(found['maps'])) >= 0, float(tf.reduce_max(found['maps'])) <= 1])"
    )
    ran = subprocess.run([tensorflow, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[[3, 64, 32, 1], [3], True, True]"
    assert (tmp_path / "out/metadata.json").exists()
