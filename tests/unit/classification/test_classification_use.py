"""What a trained classifier answers: evaluate, predict, export, and serve over HTTP say the same."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path

import pytest

from tests.support.answers import evaluated, invoked, predicted
from tests.support.job import Job

pytestmark = pytest.mark.pytorch


def test_one_image_has_the_same_scores_by_every_way(trained: tuple[Job, str], folders: Path) -> None:
    job, _ = trained
    rows = json.loads(job.output("predictions.json").read_text())
    assert len({row["predictions"][0]["score"] for row in rows}) > 1, "the model answers alike whatever it sees"
    asked = [folders / row["image"] for row in rows]
    for answers in (predicted(job, asked), invoked(job, asked)):
        for row, other in zip(rows, answers, strict=True):
            assert (other["width"], other["height"]) == (row["width"], row["height"])
            for found, expected in zip(other["predictions"], row["predictions"], strict=True):
                assert (found["class"], found["class_id"]) == (expected["class"], expected["class_id"])
                assert found["score"] == pytest.approx(expected["score"], abs=1e-6)


def test_the_metrics_of_evaluate_are_those_of_what_predict_answers(trained: tuple[Job, str], folders: Path) -> None:
    job, _ = trained
    metadata = json.loads(job.model("metadata.json").read_text())
    asked = sorted(folders.rglob("*.jpg"))
    of_class: dict[str, list[float]] = {"anomalous": [], "normal": []}
    right = 0
    for path, row in zip(asked, predicted(job, asked), strict=True):
        score = next(found["score"] for found in row["predictions"] if found["class"] == "anomalous")
        of_class[path.parent.name].append(score)
        assert row["predictions"][0]["class"] == ("anomalous" if score >= metadata["threshold"] else "normal")
        right += row["predictions"][0]["class"] == path.parent.name
    pairs = list(itertools.product(*of_class.values()))
    above = sum((broken > whole) + (broken == whole) / 2 for broken, whole in pairs)
    scores = evaluated(job, folders)
    assert scores["images"] == len(asked)
    assert scores["validation:accuracy"] == pytest.approx(right / len(asked))
    assert scores["validation:auroc"] == pytest.approx(above / len(pairs))


def test_evaluate_of_the_validation_images_says_what_training_said(
    trained: tuple[Job, str], folders: Path, tmp_path: Path
) -> None:
    job, _ = trained
    for name in json.loads(job.output("split.json").read_text())["validation"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(folders / name)
    scores = evaluated(job, tmp_path)
    best = json.loads(job.output("metrics.json").read_text())["best"]
    assert scores.keys() == best.keys()
    for name in ("validation:auroc", "validation:accuracy", "threshold"):
        assert scores[name] == pytest.approx(best[name], abs=1e-6)
    assert scores["confusion"] == best["confusion"]


def test_export_writes_a_module_that_gives_probabilities(
    trained: tuple[Job, str], pytorch: Path, tmp_path: Path
) -> None:
    job, _ = trained
    done = job.run("export", str(job.base / "model"), str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    code = (
        f"import torch; module = torch.jit.load({str(tmp_path / 'out' / 'model.torchscript')!r}); "
        "print(module(torch.rand(3, 3, 32, 32)).sum(1).tolist())"
    )
    ran = subprocess.run([pytorch, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == pytest.approx([1, 1, 1])
    assert (tmp_path / "out/metadata.json").exists()


def test_a_model_of_another_program_is_refused(trained: tuple[Job, str], folders: Path, tmp_path: Path) -> None:
    job, _ = trained
    metadata = json.loads(job.model("metadata.json").read_text()) | {"task": "detect"}
    (tmp_path / "metadata.json").write_text(json.dumps(metadata))
    done = job.run("predict", str(tmp_path), str(next(folders.rglob("*.jpg"))))
    assert done.returncode == 2
    assert '"task" is not one that a model can have' in done.stderr
