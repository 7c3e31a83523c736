"""The counting program: artefacts, log lines of both kinds, resuming, and the same answer by every way."""

from __future__ import annotations

import json
import re
import shutil
import signal
from pathlib import Path

import pytest

from tests.support import metric_lines
from tests.support.answers import evaluated, invoked, predicted
from tests.support.job import Job
from tests.support.weights import fingerprint
from tests.unit.bin_counting.conftest import TINY

pytestmark = pytest.mark.pytorch
PUBLISHED = (
    "Average loss: ([0-9\\.]+)",
    "Precision: ([0-9\\.]+)",
    "Recall: ([0-9\\.]+)",
    "F1 Score: ([0-9\\.]+)",
)


def test_artefacts_are_complete(trained: tuple[Job, str]) -> None:
    job, _ = trained
    metadata = json.loads(job.model("metadata.json").read_text())
    assert (metadata["task"], metadata["classes"]) == ("count", ["1", "2", "3", "4", "5"])
    assert (metadata["head"], metadata["hidden"], metadata["fit"]) == ("ordinal", 0, "pad")
    for name in ("curves.png", "confusion.png", "predictions.jpg"):
        assert job.output(name).read_bytes()[:2] in (b"\x89P", b"\xff\xd8")
    best = json.loads(job.output("metrics.json").read_text())["best"]
    assert set(best["per_count"]) == {"1", "2", "3", "4", "5"}
    assert best["majority"]["accuracy"] >= 0.2
    assert not job.failure


def test_every_line_of_the_log_is_caught_by_the_definition_of_its_metric_or_by_one_of_the_projects(
    trained: tuple[Job, str],
) -> None:
    _, output = trained
    assert set(metric_lines.caught("bin_counting", output)) == {
        one.name for one in metric_lines.definitions("bin_counting")
    }
    theirs = []
    for line in output.splitlines():
        found = [pattern for pattern in PUBLISHED if re.search(pattern, line)]
        assert len(found) <= 1, line
        assert not (found and line.startswith("#metric")), line
        theirs += found
    assert theirs == [*PUBLISHED, *PUBLISHED]  # once an epoch


def test_the_published_values_are_those_of_the_metrics(trained: tuple[Job, str]) -> None:
    _, output = trained
    for pattern, name in zip(PUBLISHED, ("loss", "precision", "recall", "f1"), strict=True):
        theirs = float(re.findall(pattern, output)[-1])
        ours = float(re.findall(rf"name=validation:{name} value=([^;]+);", output)[-1])
        assert theirs == pytest.approx(ours, abs=1e-6)


def test_a_stopped_run_resumed_ends_with_the_weights_of_one_that_was_not(job: Job, trained: tuple[Job, str]) -> None:
    whole, _ = trained
    job.configure(**TINY)
    stopped = job.interrupted("epoch 1/2: loss", signal.SIGTERM)
    assert stopped.returncode == 143, stopped.stderr
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert "resuming after epoch" in done.stdout
    assert fingerprint(job.model("model.safetensors")) == fingerprint(whole.model("model.safetensors"))


def test_one_image_has_the_same_scores_by_every_way(trained: tuple[Job, str], bins: Path) -> None:
    job, _ = trained
    rows = json.loads(job.output("predictions.json").read_text())
    assert len({row["predictions"][0]["score"] for row in rows}) > 1, "the model answers alike whatever it sees"
    asked = [bins / row["image"] for row in rows]
    for answers in (predicted(job, asked), invoked(job, asked)):
        for row, other in zip(rows, answers, strict=True):
            assert [one["class"] for one in other["predictions"]] == [one["class"] for one in row["predictions"]]
            for found, expected in zip(other["predictions"], row["predictions"], strict=True):
                assert found["score"] == pytest.approx(expected["score"], abs=1e-6)


def test_the_metrics_of_evaluate_are_those_of_what_predict_answers(trained: tuple[Job, str], bins: Path) -> None:
    job, _ = trained
    lists = json.loads((bins / "file_list.json").read_text())
    true = {Path(entry).stem: int(count) for count, entries in lists.items() for entry in entries}
    asked = sorted((bins / "bin-images").glob("*.jpg"))
    errors, right = [], 0
    for path, row in zip(asked, predicted(job, asked), strict=True):
        mean = sum(int(found["class"]) * found["score"] for found in row["predictions"])
        errors.append(round(mean) - true[path.stem])
        right += int(row["predictions"][0]["class"]) == true[path.stem]
    scores = evaluated(job, bins)
    assert scores["images"] == len(asked)
    assert scores["validation:accuracy"] == pytest.approx(right / len(asked))
    assert scores["validation:rmse"] == pytest.approx((sum(error**2 for error in errors) / len(errors)) ** 0.5)


def test_the_recipe_of_the_projects_runs(job: Job, trained: tuple[Job, str], bins: Path) -> None:
    job.configure(
        epochs="1", img_size="32", batch_size="8", test_batch_size="8", lr="0.01", head="softmax", freeze="true",
        hidden="16", fit="squash", num_classes="5", base_network="resnet-18", momentum="0.9", num_training_samples="30",
    )  # fmt: skip
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert "6 images, 1 of 1, 1 of 2, " in done.stdout
    assert 'hyperparameter "momentum" has no effect: the optimiser is AdamW' in done.stderr
    assert "(its head only)" in done.stdout
    assert evaluated(job, bins)["images"] == 30


def test_a_batch_of_one_image_is_refused_where_a_hidden_layer_normalises(job: Job) -> None:
    """Of 27 images the last one is left alone."""
    job.configure(
        **(TINY | {"batch_size": "2", "validation_fraction": "0.1", "img_size": "64"}), hidden="8", freeze="true"
    )
    assert "batch-size=2 makes a batch of one image out of 27" in job.refused()


def test_a_hidden_layer_that_no_memory_holds_is_refused(job: Job) -> None:
    job.configure(**TINY, hidden="1000000000000")
    assert '"hidden" is 1000000000000; allowed: ' in job.refused()


def test_another_number_of_counts_than_the_data_has_is_refused(job: Job) -> None:
    job.configure(**TINY, num_classes="6")
    assert "num-classes=6, but the data has 5 classes (1, 2, 3, 4, 5)" in job.refused()


def test_a_list_that_names_a_missing_image_is_refused(job: Job, bins: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(bins / "bin-images", data / "bin-images")
    (data / "file_list.json").write_text('{"1": ["data/metadata/99999.json"]}')
    (job.base / "input/data/train").unlink()
    job.channel("train", data)
    job.configure(**TINY)
    done = job.run()
    assert done.returncode == 2
    assert "no image of id 99999" in job.failure
    assert "Traceback" not in done.stderr
