"""The SSD program's training: artefacts, metric lines, stopping, resuming, starting weights, what it refuses."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.support import metric_lines
from tests.support.job import Job, generated
from tests.support.several import Several
from tests.support.weights import fingerprint
from tests.unit.ssd.conftest import TINY

pytestmark = pytest.mark.pytorch
OF_TWO_STAGES = {"train:objectness_loss", "train:proposal_loss"}


def test_artefacts_are_complete(trained: tuple[Job, str]) -> None:
    job, _ = trained
    metadata = json.loads(job.model("metadata.json").read_text())
    assert (metadata["program"], metadata["task"], metadata["classes"]) == ("ssd", "detect", ["cracked"])
    assert (metadata["input_size"], metadata["nms_iou"]) == ([64, 64], 0.45)
    assert metadata["anchors"] == sorted(metadata["anchors"])
    assert len(metadata["anchors"]) == 6
    assert 0.05 <= metadata["confidence"] <= 0.9
    for name in ("curves.png", "precision-recall.png", "confusion.png", "predictions.jpg"):
        assert job.output(name).read_bytes()[:2] in (b"\x89P", b"\xff\xd8")
    with job.output("results.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["epoch"] for row in rows] == ["1.0", "2.0"]
    assert {"train/loss", "train/box_loss", "train/cls_loss", "metrics/mAP50", "metrics/mAP"} <= set(rows[0])
    assert not job.failure


def test_training_starts_from_every_tensor_of_the_starter(job: Job) -> None:
    job.configure(**(TINY | {"epochs": "1", "pretrained": "auto"}))
    done = job.run()
    assert done.returncode == 0, done.stderr
    said = r"starting from Drydock's starter \S+ \(cracked as \w+\): (\d+) of \1 tensors"
    assert re.search(said, done.stdout), done.stdout


def test_the_numbers_agree_with_each_other(trained: tuple[Job, str]) -> None:
    job, _ = trained
    best = json.loads(job.output("metrics.json").read_text())["best"]
    predicted = json.loads(job.output("predictions.json").read_text())
    names = sorted(json.loads(job.output("split.json").read_text())["validation"])
    assert sorted(row["image"] for row in predicted) == names
    assert best["images"] == len(names)
    assert best["validation:best_mAP50"] == best["validation:mAP50"] == best["per_class"]["cracked"]["mAP50"]
    assert {"mAP50", "mAP75", "mAP50-95", "VOC07", "VOC10", "objects"} == set(best["per_class"]["cracked"])


def test_every_line_of_the_log_is_caught_by_the_definition_of_its_metric_or_by_none(trained: tuple[Job, str]) -> None:
    _, output = trained
    seen = set(metric_lines.caught("ssd", output))
    assert seen == {one.name for one in metric_lines.definitions("ssd")} - OF_TWO_STAGES
    assert "validation:mAP" in seen  # as AWS's built-in algorithm calls it


def test_two_stages_report_the_losses_of_both(job: Job) -> None:
    job.configure(**(TINY | {"epochs": "1", "model": "fasterrcnn_mobilenet_v3_large_fpn"}))
    done = job.run()
    assert done.returncode == 0, done.stderr
    seen = set(metric_lines.caught("ssd", done.stdout + done.stderr))
    assert seen == {one.name for one in metric_lines.definitions("ssd")}


def test_a_few_images_are_learnt_by_heart(job: Job, pytorch: Path, tmp_path: Path) -> None:
    """What is evaluated, averaged weights and running statistics included, has learnt what training did."""
    few = generated(pytorch, tmp_path / "few", "detection", 8)
    for channel in ("train", "validation"):
        (job.base / "input/data" / channel).unlink(missing_ok=True)
        job.channel(channel, few)
    job.configure(augmentation="none", anchors="fitted", epochs="15", img_size="96", learning_rate="0.002")
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert json.loads(job.output("metrics.json").read_text())["best"]["validation:mAP50"] > 0.9


def test_a_killed_run_resumed_ends_with_the_weights_of_one_that_was_not(job: Job, trained: tuple[Job, str]) -> None:
    whole, _ = trained
    job.configure(**TINY)
    job.interrupted("epoch 1/2: loss", signal.SIGKILL)
    assert not job.model("metadata.json").exists()
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert "resuming after epoch" in done.stdout
    assert fingerprint(job.model("model.safetensors")) == fingerprint(whole.model("model.safetensors"))
    assert json.loads(job.model("metadata.json").read_text()) == json.loads(whole.model("metadata.json").read_text())


def test_a_stopped_run_keeps_its_best_epoch(job: Job) -> None:
    job.configure(**(TINY | {"epochs": "500"}))
    done = job.interrupted("epoch 1/500: loss", signal.SIGTERM)
    assert done.returncode == 143, done.stderr
    assert "stopped on request; epoch" in done.stdout
    assert json.loads(job.model("metadata.json").read_text())["confidence"]
    assert not job.failure


def test_an_earlier_model_brings_its_weights_and_anchors_and_frozen_stages_stay(
    job: Job, trained: tuple[Job, str], pytorch: Path
) -> None:
    earlier, _ = trained
    job.channel("pretrained", earlier.base / "model")
    job.configure(**(TINY | {"epochs": "1", "frozen_stages": "5", "pretrained": "auto"}))
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert re.search(r"starting from channel `pretrained` \(model.safetensors\): (\d+) of \1 tensors", done.stdout)
    before, after = (json.loads(one.model("metadata.json").read_text()) for one in (earlier, job))
    assert after["anchors"] == before["anchors"]
    code = (
        f"from safetensors.torch import load_file; "
        f"a, b = map(load_file, {[str(one.model('model.safetensors')) for one in (job, earlier)]}); "
        "print(sorted({'.'.join(n.split('.')[:2]) for n in a if not a[n].equal(b[n])}))"
    )
    changed = subprocess.run([pytorch, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert "backbone.features" not in changed
    assert "head.classification_head" in changed


def test_the_channels_and_names_of_the_built_in_algorithm(job: Job, tmp_path: Path) -> None:
    images, annotations = tmp_path / "images", tmp_path / "annotations"
    images.mkdir()
    annotations.mkdir()
    for number in range(12):
        Image.new("L", (90, 60), 40 + 10 * number).save(images / f"{number}.jpg")
        box = {"class_id": number % 2, "left": 10, "top": 10, "width": 20 + number, "height": 30}
        content = {
            "file": f"{number}.jpg",
            "image_size": [{"width": 90, "height": 60, "depth": 3}],
            "annotations": [box] if number % 3 else [],
            "categories": [{"class_id": 0, "name": "dog"}, {"class_id": 1, "name": "cat"}],
        }
        (annotations / f"{number}.json").write_text(json.dumps(content))
    (job.base / "input/data/train").unlink()
    for name, folder in (("train", images), ("train_annotation", annotations)):
        job.channel(name, folder)
    job.configure(
        mini_batch_size="4", image_shape="64", num_classes="2", num_training_samples="12", epochs="1",
        learning_rate="0.001", use_pretrained_model="0", overlap_threshold="0.5", nms_threshold="0.4",
        optimizer="sgd", momentum="0.9", weight_decay="0.0005", lr_scheduler_step="33,67", lr_scheduler_factor="0.1",
        label_width="350", kv_store="dist_sync", early_stopping="True", early_stopping_min_epochs="10",
        early_stopping_patience="7", early_stopping_tolerance="0.0",
    )  # fmt: skip
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert 'warning: hyperparameter "lr-scheduler-step" has no effect: the learning rate rises' in done.stderr
    assert done.stderr.count("has no effect") == 8
    metadata = json.loads(job.model("metadata.json").read_text())
    assert (metadata["classes"], metadata["input_size"], metadata["nms_iou"]) == (["dog", "cat"], [64, 64], 0.4)
    used = metadata["hyperparameters"]
    assert (used["batch_size"], used["patience"], used["weight_decay"]) == (4, 7, 0.0005)


@pytest.mark.parametrize(
    ("hyperparameters", "said"),
    [
        ({"model": "ssd512"}, "ssd300_vgg16"),
        ({"base_network": "resnet-101"}, 'hyperparameter "base-network" is resnet-101; allowed: vgg-16, resnet-50'),
        ({"freeze_layer_pattern": "^conv1_"}, 'hint: set "frozen-stages" to'),
        ({"momentums": "0.9"}, 'unknown hyperparameter "momentums"'),
        ({"num_classes": "3"}, "num-classes=3, but the data has 1 classes (cracked)"),
        ({"num_training_samples": "9"}, "num-training-samples=9, but there are"),
        ({"img_size": "32"}, "img-size=32 leaves nothing of an image"),
        ({"model": "ssd300_vgg16", "img_size": "267"}, "nothing of an image for ssd300_vgg16: it takes 268 or more"),
        ({"pretrained": "channel"}, 'channel "pretrained" is missing'),
        ({"learning_rate": "1e12"}, "the loss is not finite in epoch"),
        ({"batch_size": "1"}, "batch-size=1 makes a batch of one image"),
    ],
)
def test_what_is_refused(job: Job, hyperparameters: dict[str, str], said: str) -> None:
    job.configure(**(TINY | hyperparameters))
    assert said in job.refused()


def test_two_hosts_train_one_detector(pytorch: Path, cookies: Path, tmp_path: Path) -> None:
    pair = Several(tmp_path, pytorch, "ssd.py", cookies)
    pair.configure(**(TINY | {"epochs": "1", "batch_size": "4"}))
    first, other = pair.run()
    assert "epoch 1/1: loss" in first.stdout
    assert "#metric" not in other.stdout
    assert pair.jobs[0].model("metadata.json").exists()
    assert not any((pair.jobs[1].base / "model").iterdir())
