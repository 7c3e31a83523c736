"""Metric definitions applied to log lines."""

import pytest

from local.jobs import metrics
from local.jobs.logs import Event
from local.jobs.metrics import Watch, definitions

REQUEST = {
    "AlgorithmSpecification": {
        "MetricDefinitions": [
            {"Name": "loss", "Regex": "loss=([^ ;]+)"},
            {"Name": "map", "Regex": r"map=(\d+\.\d+)?"},
        ]
    }
}


@pytest.fixture
def watch(tmp_path):
    watch = Watch(definitions(REQUEST), tmp_path / "metrics.jsonl")
    yield watch
    watch.close()


@pytest.mark.parametrize(
    ("line", "points"),
    [
        ("loss=0.5; map=0.25", [("loss", 0.5), ("map", 0.25)]),
        ("loss=-1e-3 loss=7", [("loss", -0.001)]),
        ("loss=nan", []),
        ("loss=inf", []),
        ("loss=high", []),
        ("map=none", []),
        ("nothing", []),
    ],
)
def test_the_first_group_of_each_regex_is_a_point_if_it_is_a_finite_number(watch, line, points):
    assert [(point.name, point.value) for point in watch.observe([Event(1000, line)])] == points


def test_the_last_point_of_each_metric_is_final(watch, tmp_path):
    watch.observe([Event(1000, "loss=3"), Event(2000, "loss=2 map=0.1")])
    watch.observe([Event(3000, "loss=1"), Event(4000, "loss=nan")])
    final = metrics.final(tmp_path / "metrics.jsonl")
    assert [(metric.name, metric.value, metric.timestamp) for metric in final] == [("loss", 1, 3), ("map", 0.1, 2)]


def test_every_point_is_in_the_file(watch, tmp_path):
    points = watch.observe([Event(1000, "loss=3"), Event(2000, "loss=2")])
    assert [*metrics.read(tmp_path / "metrics.jsonl")] == points
    assert len(points) == 2


def test_a_job_without_definitions_has_no_metrics(tmp_path):
    assert definitions({"AlgorithmSpecification": {}}) == ()
    assert metrics.final(tmp_path / "none.jsonl") == ()
