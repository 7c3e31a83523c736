"""Metric definitions applied to log lines."""

import pytest

from local.jobs import metrics
from local.jobs.logs import Event
from local.jobs.metrics import Watch, definitions

METRICS = [{"Name": "loss", "Regex": "loss=([^ ;]+)"}, {"Name": "map", "Regex": r"map=(\d+\.\d+)?"}]
REQUEST = {"AlgorithmSpecification": {"MetricDefinitions": METRICS}}


@pytest.fixture
def watch(tmp_path):
    watch = Watch(definitions(REQUEST), tmp_path / "metrics.jsonl", pytest.fail)
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


def test_a_regex_that_does_not_come_to_an_end_is_switched_off_and_the_others_go_on(tmp_path):
    endless, complaints = {"Name": "endless", "Regex": "((a|a)+)b"}, []
    asked = definitions({"AlgorithmSpecification": {"MetricDefinitions": [endless, *METRICS]}})
    watch = Watch(asked, tmp_path / "metrics.jsonl", complaints.append)

    points = watch.observe([Event(1000, "loss=1 " + "a" * 40), Event(2000, "loss=2 " + "a" * 40)])
    points += watch.observe([Event(3000, "loss=3 ab")])
    watch.close()

    assert [(point.name, point.value) for point in points] == [("loss", 1), ("loss", 2), ("loss", 3)]
    (complaint,) = complaints
    assert complaint.startswith('metric "endless": matching its regex ((a|a)+)b takes too long')


def test_many_slow_lines_that_arrive_together_take_no_longer_than_one(tmp_path):
    complaints = []
    asked = definitions({"AlgorithmSpecification": {"MetricDefinitions": [{"Name": "slow", "Regex": "((a|a)+)b"}]}})
    watch = Watch(asked, tmp_path / "metrics.jsonl", complaints.append)
    watch.observe(Event(1000, "a" * 17) for _ in range(2000))
    watch.close()
    assert len(complaints) == 1
