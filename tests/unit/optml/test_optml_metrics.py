"""Metric lines: each is caught by exactly one definition, and by the right one."""

from __future__ import annotations

import contextlib
import io
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optml.metrics import Registry

NAMES = [
    "mAP50",
    "mAP50-95",
    "validation:mAP50",
    "validation:mAP50-95",
    "train:box_loss",
    "x.y",
    "xzy",
    "value",
    "name",
]


def registry(names: list[str]) -> Registry:
    made = Registry()
    for name in names:
        made.metric(name, "help")
    return made


def lines_of(made: Registry, values: dict[str, float], epoch: int | None = None, step: int | None = None) -> list[str]:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        made.report(values, epoch=epoch, step=step)
    assert out.getvalue().endswith("\n") or not values
    return out.getvalue().splitlines()


def caught(made: Registry, line: str) -> dict[str, float]:
    found = {entry["Name"]: re.search(entry["Regex"], line) for entry in made.definitions()}
    return {name: float(match.group(1)) for name, match in found.items() if match}


def test_the_line_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    made = registry(["validation:mAP50", "loss"])
    made.report({"validation:mAP50": 0.7312}, epoch=3, step=120)
    made.report(loss=2, epoch=0)
    made.report(loss=-0.5)
    assert capsys.readouterr().out.splitlines() == [
        "#metric epoch=3 step=120 name=validation:mAP50 value=7.312000e-01;",
        "#metric epoch=0 name=loss value=2.000000e+00;",
        "#metric name=loss value=-5.000000e-01;",
    ]
    assert made.definitions()[0] == {
        "Name": "validation:mAP50",
        "Regex": r"name=validation:mAP50 value=([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?);",
    }


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_said_and_never_caught(value: float) -> None:
    made = registry(["loss"])
    made.report(loss=1.0)
    (line,) = lines_of(made, {"loss": value}, epoch=1)
    assert line == "#metric epoch=1 name=loss nonfinite=1;"
    assert caught(made, line) == {}
    assert made.final == {"loss": 1.0}


name = st.one_of(st.sampled_from(NAMES), st.from_regex(r"[A-Za-z0-9:_.-]{1,20}", fullmatch=True))


@given(
    st.lists(name, min_size=1, max_size=20, unique=True),
    st.data(),
    st.one_of(st.none(), st.integers(0, 10**9)),
    st.one_of(st.none(), st.integers(0, 10**9)),
)
def test_every_line_is_caught_by_exactly_its_own_definition(
    names: list[str], data: st.DataObject, epoch: int | None, step: int | None
) -> None:
    made = registry(names)
    values = {name: data.draw(st.floats(), label=name) for name in names}
    lines = lines_of(made, values, epoch, step)
    assert len(lines) == len(names)
    for (name, value), line in zip(values.items(), lines, strict=True):
        expected = {name: pytest.approx(value, rel=1e-6)} if math.isfinite(value) else {}
        assert caught(made, line) == expected
    finite = {name for name, value in values.items() if math.isfinite(value)}
    assert set(made.final) == finite


def test_final_holds_the_last_value() -> None:
    made = registry(["a", "b"])
    lines_of(made, {"a": 1, "b": 2})
    lines_of(made, {"a": 3})
    assert made.final == {"a": 3.0, "b": 2.0}


def test_an_undeclared_metric_is_refused_and_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=r"metric recall was not declared \(known: loss\)"):
        registry(["loss"]).report(loss=1, recall=2)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("bad", ["", "a b", "a=b", "a;b", "é", "a" * 256])
def test_names_that_a_regex_could_not_tell_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="metric name"):
        registry([bad])


def test_a_name_twice_and_the_forty_first_are_refused() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        registry(["a", "a"])
    with pytest.raises(ValueError, match="40 that SageMaker allows"):
        registry([f"m{index}" for index in range(41)])


def test_definitions_fit_sagemakers_limit_on_regexes() -> None:
    assert len(registry(["." * 200]).definitions()[0]["Regex"]) <= 500
