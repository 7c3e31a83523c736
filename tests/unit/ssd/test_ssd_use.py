"""What a trained detector answers: evaluate, predict, export, and serve over HTTP say the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.answers import as_truth, evaluated, invoked, predicted
from tests.support.job import ENTRYPOINTS, Job

pytestmark = pytest.mark.pytorch


@pytest.fixture(scope="session")
def low(trained: tuple[Job, str], tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The trained model, made to report all that it finds, however unsure."""
    job, _ = trained
    other = Job(tmp_path_factory.mktemp("low"), Path(job.command[0]), "ssd.py")
    shutil.copytree(job.base / "model", other.base / "model", dirs_exist_ok=True)
    metadata = json.loads(other.model("metadata.json").read_text()) | {"confidence": 0.001}
    other.model("metadata.json").write_text(json.dumps(metadata))
    return other


def test_one_image_has_the_same_boxes_by_every_way(low: Job, cookies: Path, tmp_path: Path) -> None:
    asked = sorted(cookies.rglob("*.jpg"))[:3]
    rows = predicted(low, asked)
    assert all(len(row["predictions"]) > 3 for row in rows)
    for row, answer in zip(rows, invoked(low, asked), strict=True):
        assert answer == {name: value for name, value in row.items() if name != "image"}
        for found in row["predictions"]:
            x1, y1, x2, y2 = found["box"]
            assert 0 <= x1 < x2 <= row["width"]
            assert 0 <= y1 < y2 <= row["height"]
    rows[0]["predictions"] = rows[0]["predictions"][:20]
    scores = evaluated(low, as_truth(tmp_path / "truth", asked[0], rows[0]))
    assert scores["validation:mAP50-95"] == pytest.approx(1.0)


def test_training_wrote_what_predict_says(trained: tuple[Job, str], cookies: Path) -> None:
    job, _ = trained
    rows = json.loads(job.output("predictions.json").read_text())
    answers = predicted(job, [cookies / row["image"] for row in rows])
    assert [one["predictions"] for one in answers] == [row["predictions"] for row in rows]


def test_evaluate_of_the_validation_images_says_what_training_said(
    trained: tuple[Job, str], cookies: Path, tmp_path: Path
) -> None:
    job, _ = trained
    shutil.copytree(cookies, tmp_path / "part")
    held_out = set(json.loads(job.output("split.json").read_text())["validation"])
    manifest = tmp_path / "part/manifests/template.manifest"
    lines = [line for line in manifest.read_text().splitlines() if json.loads(line)["source-ref"] in held_out]
    assert len(lines) == len(held_out)
    manifest.write_text("\n".join(lines) + "\n")
    scores = evaluated(job, tmp_path / "part")
    best = json.loads(job.output("metrics.json").read_text())["best"]
    assert set(best) - set(scores) == {"validation:best_mAP50"}
    assert scores["images"] == best["images"]
    for name in ("validation:mAP50", "validation:mAP50-95", "validation:mAP", "VOC07"):
        assert scores[name] == pytest.approx(best[name], abs=1e-6)


def test_an_exported_graph_gives_the_boxes_of_predict(low: Job, cookies: Path, tmp_path: Path) -> None:
    """Decoded in the graph, overlaps dropped as runtimes/detector.py drops them."""
    done = low.run("export", str(low.base / "model"), str(tmp_path / "out"), "--format", "torchscript")
    assert done.returncode == 0, done.stderr
    image = str(min(cookies.rglob("*.jpg")))
    code = f"""
import json, numpy as np, torch
from runtimes.detector import Detector
from vision import images
metadata = json.load(open({str(tmp_path / "out/metadata.json")!r})) | {{"graph": {{"overlaps": True}}}}
class Session:
    outputs = ("detections",)
    shape = (1, 3, 64, 64)
    def predict(self, x):
        module = torch.jit.load({str(tmp_path / "out/model.torchscript")!r})
        return {{"detections": module(torch.from_numpy(x)).numpy()}}
print(json.dumps(Detector(Session(), metadata).predict(images.open_image({image!r}))))
"""
    environ = os.environ | {"PYTHONPATH": str(ENTRYPOINTS)}
    ran = subprocess.run([low.command[0], "-c", code], capture_output=True, text=True, env=environ, check=False)
    assert ran.returncode == 0, ran.stderr
    predicted = json.loads(low.run("predict", str(low.base / "model"), image).stdout)["predictions"]
    found = json.loads(ran.stdout)
    assert len(found) == len(predicted) > 3
    for one, other in zip(found, predicted, strict=True):
        assert one["class_id"] == other["class_id"]
        assert one["score"] == pytest.approx(other["score"], abs=2e-4)
        assert one["box"] == pytest.approx(other["box"], abs=0.05)


def test_damaged_metadata_is_refused(low: Job, cookies: Path, tmp_path: Path) -> None:
    shutil.copytree(low.base / "model", tmp_path / "model")
    metadata = json.loads(low.model("metadata.json").read_text())
    for name, value in (("anchors", [1, 2]), ("architecture", "yolov8n"), ("confidence", "high"), ("nms_iou", None)):
        (tmp_path / "model/metadata.json").write_text(json.dumps(metadata | {name: value}))
        done = low.run("predict", str(tmp_path / "model"), str(min(cookies.rglob("*.jpg"))))
        assert done.returncode == 2
        assert f'"{name}" is not one that a model can have' in done.stderr


MODELS = """
import sys, numpy as np, torch
import ssd
from training import detectors, ssd_head
from vision import anchors
def check(name):
    torch.manual_seed(0)
    side_px, _ = ssd.MODELS[name]
    sizes = [10.0, 15.0, 20.0, 30.0, 40.0, 60.0][:detectors.anchor_count(name)]
    network = detectors.build(name, 2, side_px, sizes, 0.45)
    x = torch.rand(2, 3, side_px, side_px)
    boxes = torch.tensor([[5.0, 5.0, 40.0, 30.0]])
    labels = torch.tensor([1])
    targets = [{"boxes": boxes[:count], "labels": labels[:count]} for count in (1, 0)]
    frozen = detectors.freeze(network, 2)
    assert frozen and any(p.requires_grad for p in network.backbone.parameters())
    for one in (targets, [targets[1]] * 2):
        parts = detectors.losses(network.train(), x, one)
        assert all(torch.isfinite(part) for part in parts.values()), parts
        sum(parts.values()).backward()
    assert all(p.grad is None for module in frozen for p in module.parameters())
    with torch.inference_mode():
        for found in detectors.detect(network.eval(), x):
            assert found.boxes.shape == (len(found.labels), 4) and len(found.labels) <= 300
            assert not len(found.labels) or 0 <= found.labels.min() <= found.labels.max() <= 1
    if name.startswith("ssdlite"):
        sizes = [20.0, 30.0, 40.0, 50.0, 60.0, 64.0]
        laid = detectors.build(name, 2, side_px, sizes, 0.45).eval()
        with torch.inference_mode():
            there = ssd_head.outputs(laid, x)[2].numpy()
        expected = anchors.default_boxes(sizes, side_px, detectors.grids(name, side_px))
        assert np.abs(there - expected).max() < 1e-3
    if name == "ssd300_vgg16":
        try:
            detectors.grids(name, side_px - 1)
        except RuntimeError:
            pass
        else:
            raise AssertionError("it takes less")
    print(name, sorted(parts))
for name in sys.argv[1:]:
    check(name)
"""


@pytest.mark.parametrize(
    "names",
    [
        ("ssdlite320_mobilenet_v3_large", "ssd300_vgg16", "fasterrcnn_mobilenet_v3_large_fpn"),
        pytest.param(("fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2"), marks=pytest.mark.slow),
    ],
)
def test_every_model_learns_from_its_smallest_images_with_and_without_objects(
    pytorch: Path, names: tuple[str, ...]
) -> None:
    environ = os.environ | {"PYTHONPATH": str(ENTRYPOINTS)}
    command = [pytorch, "-c", MODELS, *names]
    ran = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    assert ran.returncode == 0, ran.stderr
    assert [line.split()[0] for line in ran.stdout.splitlines() if "box_loss" in line] == list(names)


CARRIED = """
import json, sys, torch
from pathlib import Path
from safetensors.torch import save_file
from starter import write
from training import detectors, ssd_head, starter
from vision import formats
torch.manual_seed(0)
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
sizes = [10.0, 15.0, 20.0, 30.0, 40.0, 60.0]
def build(classes):
    return detectors.build("ssdlite320_mobilenet_v3_large", classes, 64, sizes, 0.45)
old = build(3)
with torch.no_grad():
    for level in old.head.classification_head.module_list:
        level[1].bias.view(6, 4)[:] = torch.tensor([0.0, -5, 3, 5])
save_file(old.state_dict(), folder / "model.safetensors")
said = {"architecture": "ssd", "classes": ["crack", "hole", "dent"], "input_size": [64, 64], "anchors": sizes}
(folder / "metadata.json").write_text(json.dumps(said))
write(folder, out)
assert {"architecture", "classes", "input_size", "anchors"} == starter.header(out).keys()
data = formats.load(Path(sys.argv[3]), "", "train")
words, state = starter.fitted(out, build, data, 64, ssd_head.ByClass, background=True)
new = build(1)
new.load_state_dict(state)
x = torch.rand(1, 3, 64, 64)
with torch.inference_mode():
    before, after = (ssd_head.outputs(one.eval(), x)[1] for one in (old, new))
row = 1 + said["classes"].index(words.removeprefix("cracked as "))
assert torch.allclose(before[..., [0, row]], after, atol=0.02), (before[0, 0], after[0, 0])
"""


def test_a_starter_is_carried_over_with_the_background_and_one_of_its_classes(
    pytorch: Path, cookies: Path, tmp_path: Path
) -> None:
    environ = os.environ | {"PYTHONPATH": str(ENTRYPOINTS)}
    command = [pytorch, "-c", CARRIED, tmp_path, tmp_path / "starter.safetensors", cookies]
    ran = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    assert ran.returncode == 0, ran.stderr


def test_two_stages_are_not_exported(low: Job, pytorch: Path, tmp_path: Path) -> None:
    code = (
        "import json, sys; from pathlib import Path; from safetensors.torch import save_file; from training import "
        "detectors; name = 'fasterrcnn_mobilenet_v3_large_fpn'; folder = Path(sys.argv[1]); "
        "save_file(detectors.build(name, 1, 64, None, 0.45).state_dict(), folder / 'model.safetensors'); "
        "path = folder / 'metadata.json'; "
        "path.write_text(json.dumps(json.loads(path.read_text()) | {'architecture': name, 'anchors': None}))"
    )
    model = tmp_path / "model"
    shutil.copytree(low.base / "model", model)
    environ = os.environ | {"PYTHONPATH": str(ENTRYPOINTS)}
    subprocess.run([pytorch, "-c", code, model], check=True, env=environ)
    done = low.run("export", str(model), str(tmp_path / "out"), "--format", "torchscript")
    assert done.returncode == 2
    assert "fasterrcnn_mobilenet_v3_large_fpn is not exported" in done.stderr
    assert not (tmp_path / "out").exists()
