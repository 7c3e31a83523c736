"""What a trained YOLO model answers: predict, evaluate, export, and serve over HTTP."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.answers import as_truth, evaluated, invoke, invoked, predicted, serving
from tests.support.job import Job
from vision import images, masks, transforms

pytestmark = pytest.mark.pytorch
LOW = 0.001  # from which confidence on Ultralytics evaluates


@pytest.fixture(scope="module")
def picture(cookies: Path) -> Path:
    return sorted(cookies.rglob("anomaly-*.jpg"))[0]


@pytest.fixture(scope="module")
def url(trained: tuple[Job, str]) -> Iterator[str]:
    """A server of the trained model on a free port."""
    with serving(trained[0]) as url:
        yield url


@pytest.fixture(scope="module")
def boxes_only(trained: tuple[Job, str], tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The trained segmenter as the detector that it is too, made to report all that it finds, however unsure."""
    earlier, _ = trained
    job = Job(tmp_path_factory.mktemp("boxes"), Path(earlier.command[0]))
    paths = [str(one.model("model.safetensors")) for one in (earlier, job)]
    code = (
        f"from safetensors.torch import load_file, save_file; a, b = {paths}; "
        "of_masks = ('model.22.proto.', 'model.22.cv4.'); "
        "save_file({name: value for name, value in load_file(a).items() if not name.startswith(of_masks)}, b)"
    )
    subprocess.run([earlier.command[0], "-c", code], check=True)
    metadata = json.loads(earlier.model("metadata.json").read_text()) | {"task": "detect", "confidence": LOW}
    job.model("metadata.json").write_text(json.dumps(metadata))
    return job


def test_one_image_has_the_same_boxes_by_every_way(boxes_only: Job, picture: Path, tmp_path: Path) -> None:
    Image.fromarray(transforms.letterbox(images.open_image(picture), 64)[0]).save(tmp_path / "as evaluated.png")
    row, seen = predicted(boxes_only, [picture, tmp_path / "as evaluated.png"])
    (answer,) = invoked(boxes_only, [picture])
    assert answer == {name: value for name, value in row.items() if name != "image"}
    assert len(row["predictions"]) > 2
    assert [one["score"] for one in row["predictions"]] == [one["score"] for one in seen["predictions"]]
    row["predictions"] = row["predictions"][:3]
    scores = evaluated(boxes_only, as_truth(tmp_path / "truth", picture, row))
    assert scores["validation:mAP50"] == pytest.approx(0.995)  # Ultralytics' own way to 1
    assert scores["validation:mAP50-95"] > 0.9  # what goes over the edge of the image, it does not cut off


def test_one_image_has_the_same_masks_by_every_way(trained: tuple[Job, str], url: str, picture: Path) -> None:
    (row,) = predicted(trained[0], [picture])
    assert row["predictions"]
    answer = invoke(url, picture.read_bytes(), "image/jpeg")
    assert answer == {name: value for name, value in row.items() if name != "image"}


def test_predict_speaks_of_the_image_it_was_sent(trained: tuple[Job, str], picture: Path) -> None:
    job, _ = trained
    done = job.run("predict", str(job.base / "model"), str(picture), "--confidence", "0.00001")
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    with Image.open(picture) as image:
        assert (row["width"], row["height"]) == image.size
    assert row["predictions"]
    for prediction in row["predictions"]:
        x1, y1, x2, y2 = prediction["box"]
        assert 0 <= x1 <= x2 <= row["width"]
        assert 0 <= y1 <= y2 <= row["height"]
        assert prediction["class"] == "cracked"
        assert masks.decode(prediction["mask"]).shape == (row["height"], row["width"])


def test_predict_without_a_model_is_refused(job: Job, picture: Path) -> None:
    done = job.run("predict", str(job.base / "model"), str(picture))
    assert done.returncode == 2
    assert "metadata.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_errors_keep_the_path_that_was_typed(trained: tuple[Job, str], picture: Path, tmp_path: Path) -> None:
    job, _ = trained
    typed = f"{tmp_path}/../{tmp_path.name}/photos"
    done = job.run("predict", str(job.base / "model"), f"{typed}/gone.jpg")
    assert done.returncode == 2
    assert f"error: no such image: {typed}/gone.jpg" in done.stderr
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.jpg").write_bytes(picture.read_bytes()[:500])
    (tmp_path / "photos/a.manifest").write_text('{"source-ref": "a.jpg"}\n')
    done = job.run("evaluate", str(job.base / "model"), typed)
    assert done.returncode == 2
    assert f"error: image {typed}/a.jpg does not decode" in done.stderr


def test_evaluate_agrees_with_the_report_of_training(trained: tuple[Job, str], cookies: Path) -> None:
    job, _ = trained
    done = job.run("evaluate", str(job.base / "model"), str(cookies))
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)
    assert set(scores) == set(json.loads(job.output("metrics.json").read_text())["best"]) - {"validation:best_mAP50"}
    assert all(0 <= value <= 1 for value in scores.values())


def test_export_writes_a_module_that_torch_runs(trained: tuple[Job, str], pytorch: Path, tmp_path: Path) -> None:
    job, _ = trained
    done = job.run("export", str(job.base / "model"), str(tmp_path / "out"), "--format", "torchscript")
    assert done.returncode == 0, done.stderr
    code = (
        f"import torch; module = torch.jit.load({str(tmp_path / 'out' / 'model.torchscript')!r}); "
        "print(tuple(module(torch.zeros(1, 3, 64, 64))[0].shape))"
    )
    ran = subprocess.run([pytorch, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("(1, 37, 84)")  # 4 box values, 1 class, 32 mask coefficients; 8² + 4² + 2² cells


def test_every_content_type_gives_the_same_answer(url: str, picture: Path) -> None:
    with urllib.request.urlopen(f"{url}/ping", timeout=2) as reply:
        assert reply.status == 200
    pixels = images.open_image(picture)
    png, npy = io.BytesIO(), io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    np.save(npy, pixels)
    as_json = json.dumps({"image": base64.b64encode(picture.read_bytes()).decode()}).encode()
    answers = [
        invoke(url, picture.read_bytes(), "image/jpeg"),
        invoke(url, png.getvalue(), "image/png"),
        invoke(url, npy.getvalue(), "application/x-npy"),
        invoke(url, as_json, "application/json"),
    ]
    assert answers[0]["width"] == pixels.shape[1]
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "said"),
    [
        (b"no image", "image/jpeg", 400, "not a readable image"),
        (b"{", "application/json", 400, "not JSON"),
        (b"{}", "application/json", 400, '"image"'),
        (b"x", "text/csv", 415, "text/csv"),
        (b"\x93NUMPY", "application/x-npy", 400, "npy"),
        (b"PK\x03\x04garbage", "application/x-npy", 400, "npy"),
        (b"[" * 100_000, "application/json", 400, "nested too deep"),
        ('{"image": "é"}'.encode(), "application/json", 400, "base64"),
    ],
)
def test_a_wrong_body_is_refused(url: str, body: bytes, content_type: str, status: int, said: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        invoke(url, body, content_type)
    answer = json.load(caught.value)
    assert caught.value.code == status, answer
    assert said in answer["error"]
    assert answer["hint"]
