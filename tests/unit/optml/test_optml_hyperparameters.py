"""Hyperparameters: strings of a job become a checked dataclass or a refusal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optml.aliases import Alias, Idle, Meaning, Refused, Switch, decode
from optml.errors import Refusal
from optml.hyperparameters import describe, field, parse


@dataclass(frozen=True)
class Settings:
    model_size: str = field("n", help="which model", choices=("n", "s", "m"))
    epochs: int = field(50, unit="epochs", minimum=1, recommended=(10, 200))
    img_size: int = field(320, unit="pixels", minimum=32, multiple_of=32)
    lr: float = field(0.01, minimum=0.0, maximum=1.0)
    amp: bool = field(False)
    seed: int | None = field(None, minimum=0)
    note: str = ""


@dataclass(frozen=True)
class Required:
    classes: int = field(minimum=1)


def refusal(raw: dict[str, str], cls: Any = Settings) -> Refusal:
    with pytest.raises(Refusal) as refused:
        parse(cls, raw)
    return refused.value


def test_nothing_given_is_all_defaults() -> None:
    assert parse(Settings, {}) == Settings()


@pytest.mark.parametrize("name", ["model-size", "model_size"])
@pytest.mark.parametrize("value", ["s", '"s"', '"\\"s\\""'])
def test_dashes_and_underscores_raw_and_encoded_are_equal(name: str, value: str) -> None:
    assert parse(Settings, {name: value}).model_size == "s"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "64", 64),
        ("epochs", '"64"', 64),
        ("epochs", '"\\"64\\""', 64),
        ("epochs", " 64 ", 64),
        ("epochs", "64.0", 64),
        ("epochs", "6.4e1", 64),
        ("lr", "1e-05", 1e-05),
        ("lr", "1", 1.0),
        ("lr", ".5", 0.5),
        ("amp", "True", True),
        ("amp", "0", False),
        ("amp", "no", False),
        ("seed", "none", None),
        ("seed", "null", None),
        ("seed", "None", None),
        ("seed", "7", 7),
        ("note", "none", "none"),
        ("note", "64", "64"),
        ("note", '"say \\"hi\\""', 'say "hi"'),
        ("note", '"unbalanced', '"unbalanced'),
    ],
)
def test_texts_that_are_values(name: str, text: str, value: object) -> None:
    parsed = getattr(parse(Settings, {name: text}, warn=lambda _: None), name)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "allowed", "hint"),
    [
        ("epochs", "0", "a whole number at least 1", 'set "epochs", or leave it out for the default, 50 epochs'),
        ("epochs", "2.5", "a whole number at least 1", "50 epochs"),
        ("epochs", "1_0", "a whole number", ""),
        ("epochs", "٣", "a whole number", ""),
        ("epochs", "", "a whole number", ""),
        ("epochs", "1" * 2500, "a whole number", ""),
        ("img-size", "333", "a multiple of 32 at least 32", 'set "img-size" to 320 or 352'),
        ("img-size", "10", "a multiple of 32 at least 32", 'set "img-size" to 32'),
        ("lr", "nan", "a number from 0 to 1", "0.01"),
        ("lr", "inf", "a number from 0 to 1", ""),
        ("lr", "1.5", "a number from 0 to 1", ""),
        ("lr", "0,5", "a number from 0 to 1", ""),
        ("amp", "maybe", "true or false", "the default, false"),
        ("seed", "-1", "a whole number at least 0, or none", "the default, none"),
        ("model-size", "xl", "n, s or m", "the default, n"),
    ],
)
def test_a_refusal_names_hyperparameter_value_and_what_is_allowed(
    name: str, text: str, allowed: str, hint: str
) -> None:
    refused = refusal({name: text})
    assert refused.message.startswith(f'hyperparameter "{name}" is {text or "empty"}; allowed: {allowed}')
    assert hint in refused.hint


def test_a_near_choice_is_proposed() -> None:
    @dataclass(frozen=True)
    class Task:
        task: str = field("detect", choices=("detect", "segment"))

    assert refusal({"task": "detection"}, Task).hint == 'set "task" to detect'


def test_an_unknown_name_is_refused_with_the_near_ones() -> None:
    refused = refusal({"epoch": "5"})
    assert refused.message.startswith('unknown hyperparameter "epoch" (known: model-size, epochs, img-size')
    assert refused.hint == "did you mean epochs?"
    assert refusal({"zzzzzz": "5"}).hint == "leave it out"


def test_the_same_name_in_both_spellings_is_refused() -> None:
    assert "given twice" in refusal({"img-size": "320", "img_size": "640"}).message


ALIASES: dict[str, Meaning] = {
    "num-epochs": Alias("epochs"),
    "image-shape": Alias("img-size", pattern=r"3,(\d+),\1", form="3,{0},{0}", example="224"),
    "num-layers": Alias("model-size", values={"18": "s", "50": "m"}),
    "stops": Switch("stop-after", "seed", on="5", off="0"),
    "stop-after": Alias("seed"),
    "momentum": Idle("the optimiser is AdamW"),
    "multi-label": Idle("an image has one label", values=("0",), hint="keep one"),
    "freeze": Refused("layers are called otherwise", 'set "note"'),
}


@pytest.mark.parametrize(
    ("raw", "name", "value"),
    [
        ({"num_epochs": "7"}, "epochs", 7),
        ({"num-layers": '"50"'}, "model_size", "m"),
        ({"image_shape": "3,64,64"}, "img_size", 64),
        ({"stops": "True"}, "seed", 5),
        ({"stop_after": "7"}, "seed", 7),
        ({"stop_after": "7", "stops": "True"}, "seed", 7),
        ({"stops": "False", "stop_after": "7"}, "seed", 0),
    ],
)
def test_other_names_are_understood_with_their_values(raw: dict[str, str], name: str, value: Any) -> None:
    assert getattr(parse(Settings, raw, aliases=ALIASES), name) == value


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"num_layers": "34"}, 'hyperparameter "num_layers" is 34; allowed: 18, 50'),
        ({"image_shape": "3,64,32"}, 'hyperparameter "image_shape" is 3,64,32; it must be of the form 3,224,224'),
        ({"image_shape": "3,33,33"}, 'hyperparameter "image_shape" is 3,33,33, that is img-size 33; allowed: a multip'),
        ({"num_epochs": "0"}, 'hyperparameter "num_epochs" is 0; allowed: a whole number at least 1'),
        ({"stops": "perhaps"}, 'hyperparameter "stops" is perhaps; allowed: true or false'),
        ({"stops": "True", "seed": "3"}, 'hyperparameter "seed" is given twice, as seed and as stops'),
        ({"multi_label": "1"}, 'hyperparameter "multi_label" is 1, but an image has one label'),
        ({"freeze": "^conv1_"}, 'hyperparameter "freeze" cannot be followed: layers are called otherwise'),
        ({"num_epochs": "7", "epochs": "8"}, 'hyperparameter "epochs" is given twice, as num_epochs and as epochs'),
        ({"num_layer": "18"}, 'unknown hyperparameter "num_layer"'),
    ],
)
def test_faults_of_other_names_are_refused(raw: dict[str, str], said: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse(Settings, raw, aliases=ALIASES)
    assert refused.value.message.startswith(said)
    assert refused.value.hint


def test_what_has_no_effect_is_said_in_a_line_each() -> None:
    said: list[str] = []
    assert parse(Settings, {"momentum": '"0.9"', "multi-label": "0"}, said.append, ALIASES) == Settings()
    assert said == [
        'hyperparameter "momentum" has no effect: the optimiser is AdamW',
        'hyperparameter "multi-label" has no effect: an image has one label',
    ]


def test_what_to_type_next_is_written_as_the_other_name_has_it() -> None:
    with pytest.raises(Refusal) as refused:
        parse(Settings, {"image_shape": "3,250,250"}, aliases=ALIASES)
    assert refused.value.hint == 'set "image_shape" to 3,224,224 or 3,256,256'


def test_the_platforms_own_keys_are_let_through() -> None:
    raw = {
        "sagemaker_program": '"x.py"',
        "sagemaker_region": '"us-east-1"',
        "_tuning_objective_metric": "validation:mAP50",
    }
    assert parse(Settings, raw) == Settings()
    assert "unknown" in refusal({"_tuning": "x"}).message


def test_a_required_one_must_be_given() -> None:
    assert refusal({}, Required).message == 'hyperparameter "classes" is required'
    assert parse(Required, {"classes": "3"}).classes == 3


def test_outside_the_recommended_range_warns_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse(Settings, {"epochs": "5"}).epochs == 5
    captured = capsys.readouterr()
    assert captured.err == 'warning: hyperparameter "epochs" is 5, outside the recommended 10 to 200\n'
    assert captured.out == ""
    warnings: list[str] = []
    for inside in ("10", "200"):
        parse(Settings, {"epochs": inside}, warn=warnings.append)
    parse(Settings, {}, warn=warnings.append)
    assert warnings == []


def test_describe_lists_what_is_set() -> None:
    entries = {entry.pop("name"): entry for entry in describe(Settings)}
    assert entries["model-size"] == {"type": "str", "default": "n", "help": "which model", "choices": ["n", "s", "m"]}
    assert entries["epochs"] == {"type": "int", "default": 50, "unit": "epochs", "minimum": 1, "recommended": [10, 200]}
    assert entries["lr"] == {"type": "float", "default": 0.01, "minimum": 0.0, "maximum": 1.0}
    assert entries["seed"] == {"type": "int", "default": None, "optional": True, "minimum": 0}
    assert entries["note"] == {"type": "str", "default": ""}
    assert describe(Required) == [{"name": "classes", "type": "int", "required": True, "minimum": 1}]
    json.dumps(describe(Settings), allow_nan=False)


def test_a_declaration_of_another_type_is_a_fault_of_the_program() -> None:
    @dataclass(frozen=True)
    class Odd:
        sizes: complex = field(0)

    with pytest.raises(TypeError, match="sizes"):
        parse(Odd, {})


@given(st.text(), st.integers(min_value=0, max_value=3))
def test_decode_undoes_any_number_of_encodings_of_a_plain_text(text: str, times: int) -> None:
    encoded = text
    for _ in range(times):
        encoded = json.dumps(encoded)
    if not text.strip().startswith('"'):
        assert decode(encoded) == text


@given(st.integers(min_value=1, max_value=10**9), st.floats(min_value=0, max_value=1))
def test_numbers_survive_json(epochs: int, lr: float) -> None:
    parsed = parse(Settings, {"epochs": json.dumps(epochs), "lr": json.dumps(lr)}, warn=lambda _: None)
    assert (parsed.epochs, parsed.lr) == (epochs, lr)
