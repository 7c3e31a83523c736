"""The command line refuses a value exactly when the program's own library does, and in its words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from local.cli import hyperparameters
from local.cli.refusal import Refusal
from optml import errors
from optml.hyperparameters import describe, field, parse


@dataclass(frozen=True)
class Declared:
    epochs: int = field(50, minimum=1, recommended=(10, 300))
    img_size: int = field(640, minimum=32, multiple_of=32)
    rate: float = field(0.001, minimum=1e-8, maximum=1.0)
    at_most: float | None = field(None, maximum=3)
    flip: bool = field(True)
    size: str = field("n", choices=("n", "s", "none"))
    device: str | None = field(None, choices=("cpu", "cuda"))
    note: str = field("")


TEXTS = (
    "0", "1", "-1", "2.5", "3", "64.0", "64", "65", "1e3", "1e-9", ".5", "1.", " 64 ", "+64", "1_000", "inf", "nan",
    "1e400", "٣", "", " ", "none", "null", "None", "true", "No", "ON", "maybe", "n", "s", "N", "cpu", "gpu", '"64"',
    '"\\"64\\""', '"n"', '"64', '"[1]"', "[64]", "0x40",
)  # fmt: skip


@pytest.mark.parametrize("declared", describe(Declared), ids=lambda declared: declared["name"])
def test_what_the_program_refuses_is_refused_and_nothing_else(declared: dict[str, Any]) -> None:
    for text in TEXTS:
        assert refusal_of_ours(declared, text) == refusal_of_the_program(declared, text), repr(text)


def refusal_of_ours(declared: dict[str, Any], text: str) -> str | None:
    try:
        hyperparameters.check(declared, text)
    except Refusal as refused:
        return refused.message
    return None


def refusal_of_the_program(declared: dict[str, Any], text: str) -> str | None:
    try:
        parse(Declared, {declared["name"]: text}, warn=lambda _: None)
    except errors.Refusal as refused:
        return refused.message
    return None


@pytest.mark.parametrize(
    ("name", "given", "hint"),
    [
        ("size", "non", "--hp size=none, or leave it out for n"),
        ("img-size", "333", "--hp img-size=320 or 352, or leave it out for 640"),
        ("img-size", "33.5", "--hp img-size=32 or 64, or leave it out for 640"),
        ("img-size", "3", "--hp img-size=32, or leave it out for 640"),
        ("img-size", "-64", "--hp img-size=…, or leave it out for 640"),
        ("img-size", "inf", "--hp img-size=…, or leave it out for 640"),
    ],
)
def test_the_hint_is_what_comes_nearest_and_the_default(name: str, given: str, hint: str) -> None:
    declared = next(declared for declared in describe(Declared) if declared["name"] == name)

    with pytest.raises(Refusal) as refused:
        hyperparameters.check(declared, given)

    assert refused.value.hint == hint


def test_what_else_a_value_is_called_is_taken() -> None:
    declared = {"name": "device", "type": "str", "choices": ["cpu", "cuda"], "also": ["0", "cuda:0"]}
    for text in ("0", "CUDA:0", '"0"', "cpu"):
        hyperparameters.check(declared, text)
    with pytest.raises(Refusal, match='"device" is 1; allowed: cpu or cuda'):
        hyperparameters.check(declared, "1")
