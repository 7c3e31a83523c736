"""The classification program's training: artefacts, metric lines, stopping, resuming, starting weights."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.support import metric_lines
from tests.support.job import ENTRYPOINTS, Job
from tests.support.weights import fingerprint
from tests.unit.classification.conftest import TINY

pytestmark = pytest.mark.pytorch


def weights(job: Job) -> str:
    """The fingerprint of the kept weights."""
    return fingerprint(job.model("model.safetensors"))


def test_artefacts_are_complete(trained: tuple[Job, str]) -> None:
    job, _ = trained
    metadata = json.loads(job.model("metadata.json").read_text())
    assert (metadata["classes"], metadata["positive"]) == (["anomalous", "normal"], 0)
    assert 0 <= metadata["threshold"] <= 1
    assert (metadata["task"], metadata["input_size"], metadata["fit"]) == ("classify", [32, 32], "pad")
    for name in ("curves.png", "roc.png", "confusion.png", "predictions.jpg"):
        assert job.output(name).read_bytes()[:2] in (b"\x89P", b"\xff\xd8")
    with job.output("results.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["epoch"] for row in rows] == ["1.0", "2.0"]
    assert {"train/loss", "val/loss", "metrics/auroc", "val/accuracy", "train/accuracy"} <= set(rows[0])
    assert not job.failure


def test_the_numbers_agree_with_each_other(trained: tuple[Job, str]) -> None:
    job, _ = trained
    best = json.loads(job.output("metrics.json").read_text())["best"]
    predicted = json.loads(job.output("predictions.json").read_text())
    names = sorted(json.loads(job.output("split.json").read_text())["validation"])
    assert sorted(row["image"] for row in predicted) == names
    right = [row["image"].startswith(row["predictions"][0]["class"]) for row in predicted]
    assert best["validation:accuracy"] == pytest.approx(sum(right) / len(right))
    assert best["threshold"] == json.loads(job.model("metadata.json").read_text())["threshold"]
    assert best["majority_accuracy"] == 0.6  # 3 of 5
    for row in predicted:
        assert sum(found["score"] for found in row["predictions"]) == pytest.approx(1)
        assert {found["class_id"] for found in row["predictions"]} == {0, 1}


def test_every_line_of_the_log_is_caught_by_the_definition_of_its_metric_or_by_none(trained: tuple[Job, str]) -> None:
    _, output = trained
    seen = set(metric_lines.caught("classification", output))
    assert seen == {one.name for one in metric_lines.definitions("classification")}
    assert "validation:accuracy" in seen  # as AWS's built-in algorithm calls it


def test_a_killed_run_resumed_ends_with_the_weights_of_one_that_was_not(job: Job, trained: tuple[Job, str]) -> None:
    whole, _ = trained
    job.configure(**TINY)
    job.interrupted("epoch 1/2: loss", signal.SIGKILL)
    assert not job.model("metadata.json").exists()
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert "resuming after epoch" in done.stdout
    assert weights(job) == weights(whole)
    newest = [sorted((one.base / "checkpoints").glob("0*"))[-1] for one in (job, whole)]
    assert [path.name for path in newest] == ["000000000002"] * 2
    digests = [json.loads((path / "manifest.json").read_text())["files"]["best.safetensors"] for path in newest]
    assert digests[0] == digests[1]


def test_a_stopped_run_keeps_its_best_epoch(job: Job) -> None:
    job.configure(**(TINY | {"epochs": "500"}))
    done = job.interrupted("epoch 1/500: loss", signal.SIGTERM)
    assert done.returncode == 143, done.stderr
    assert "stopped on request; epoch" in done.stdout
    assert json.loads(job.model("metadata.json").read_text())["threshold"] is not None
    assert not job.failure


def test_a_finished_run_resumed_writes_its_artefacts_again(job: Job, trained: tuple[Job, str]) -> None:
    whole, _ = trained
    (job.base / "checkpoints").rmdir()
    (job.base / "checkpoints").symlink_to(whole.base / "checkpoints")
    job.configure(**TINY)
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert "all 2 epochs are done already" in done.stdout
    assert weights(job) == weights(whole)


def test_a_frozen_backbone_trains_the_head_of_given_weights(job: Job, trained: tuple[Job, str], pytorch: Path) -> None:
    earlier, _ = trained
    job.channel("pretrained", earlier.base / "model")
    job.configure(**TINY, freeze="true")
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert re.search(r"starting from channel `pretrained` \(model.safetensors\): (\d+) of \1 tensors", done.stdout)
    paths = [str(one.model("model.safetensors")) for one in (job, earlier)]
    code = (
        f"from safetensors.torch import load_file; a, b = map(load_file, {paths}); "
        "print(sorted({n.split('.')[0] for n in a if not a[n].equal(b[n])}))"
    )
    changed = subprocess.run([pytorch, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert changed == "['fc']"


def test_training_starts_from_the_starter_but_for_the_head(job: Job) -> None:
    job.configure(**(TINY | {"model": "efficientnet_b0", "epochs": "1", "freeze": "true"}))
    done = job.run()
    assert done.returncode == 0, done.stderr
    said = r"starting from Drydock's starter efficientnet_b0.safetensors \(its head is new\): (\d+) of (\d+) tensors"
    found = re.search(said, done.stdout)
    assert found, done.stdout
    assert int(found[1]) == int(found[2]) - 2


STARTS = """
import json, sys, torch
from pathlib import Path
from safetensors.torch import save_file
from starter import write
from training import backbones, starter, weights
torch.manual_seed(0)
with torch.inference_mode():
    outputs = backbones.build("efficientnet_b0", 4).train()(torch.randn(16, 3, 64, 64))
loss = torch.nn.functional.cross_entropy(outputs, torch.arange(16) % 4)
assert loss < 1.6, loss  # ln 4 = 1.39
wrapped = {"epoch": 3, "model_state_dict": torch.nn.DataParallel(backbones.build("resnet18", 2)).state_dict()}
folder = Path(sys.argv[1])
torch.save(wrapped, folder / "wrapped.pt")
assert weights.read(folder / "wrapped.pt").keys() == backbones.build("resnet18", 2).state_dict().keys()
for name in ("efficientnet_b0", "resnet18"):
    network = backbones.build(name, 2)
    save_file(network.state_dict(), folder / "model.safetensors")
    (folder / "metadata.json").write_text(json.dumps({"architecture": name, "classes": ["crack", "hole"]}))
    write(folder, folder / "starter.safetensors")
    said, state = starter.headless(folder / "starter.safetensors", backbones.build(name, 2))
    head = {"classifier.1.weight", "classifier.1.bias"} if name == "efficientnet_b0" else {"fc.weight", "fc.bias"}
    assert network.state_dict().keys() - state.keys() == head, (said, network.state_dict().keys() - state.keys())
"""


def test_first_weights_guess_and_those_of_a_starter_or_of_a_wrapped_network_fit(pytorch: Path, tmp_path: Path) -> None:
    environ = os.environ | {"PYTHONPATH": str(ENTRYPOINTS)}
    ran = subprocess.run([pytorch, "-c", STARTS, tmp_path], capture_output=True, text=True, env=environ, check=False)
    assert ran.returncode == 0, ran.stderr


EVERY = """
import torch
from training import backbones, names
with torch.inference_mode():
    for name in names.CLASSIFIERS:
        body, head = backbones.parts(backbones.build(name, 3).eval())
        assert head(body(torch.rand(2, 3, 64, 64))).shape == (2, 3), name
        print(name)
"""


@pytest.mark.slow
def test_every_network_has_a_head_of_its_own(pytorch: Path) -> None:
    environ = os.environ | {"PYTHONPATH": str(ENTRYPOINTS)}
    ran = subprocess.run([pytorch, "-c", EVERY], capture_output=True, text=True, env=environ, check=False)
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.splitlines()) == 12


def test_three_classes_of_images_of_every_mode_by_the_names_of_the_built_in_algorithm(
    job: Job, folders: Path, tmp_path: Path
) -> None:
    data = tmp_path / "three"
    for name, pattern in (
        ("broken", "anomalous/*[6-9].jpg"),
        ("cracked", "anomalous/*[0-5].jpg"),
        ("whole", "normal/*"),
    ):
        (data / name).mkdir(parents=True)
        for path in folders.glob(pattern):
            (data / name / path.name).symlink_to(path)
    for number, mode in enumerate(("L", "CMYK", "P", "RGBA", "I;16"), 1):
        path = data / f"whole/{number:04d}.jpg"
        with Image.open(path) as image:
            converted = image.convert("L").convert("I;16") if mode == "I;16" else image.convert(mode)
        path.unlink()
        converted.save(path.with_suffix(".tif"))
    (job.base / "input/data/train").unlink()
    job.channel("train", data)
    job.configure(
        mini_batch_size="8", image_shape="3,32,32", num_classes="3", num_training_samples="24", epochs="1",
        use_pretrained_model="0", num_layers="18", learning_rate="0.001", optimizer="adam", beta_1="0.9", eps="1e-8",
        augmentation_type="crop", resize="256", top_k="2", multi_label="0", early_stopping="False",
        early_stopping_patience="1", use_weighted_loss="1", precision_dtype="float32",
    )  # fmt: skip
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("has no effect") == 6
    assert "random weights (pretrained=none)" in done.stdout
    metadata = json.loads(job.model("metadata.json").read_text())
    assert (metadata["architecture"], metadata["input_size"], metadata["positive"]) == ("resnet18", [32, 32], None)
    used = metadata["hyperparameters"]
    assert (used["batch_size"], used["num_classes"], used["augmentation"], used["patience"]) == (8, 3, "light", 0)
    best = json.loads(job.output("metrics.json").read_text())["best"]
    assert set(best["per_class"]) == {"broken", "cracked", "whole"}
    assert "validation:auroc" not in best
    assert not job.output("roc.png").exists()
