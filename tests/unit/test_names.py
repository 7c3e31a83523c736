"""Every hyperparameter of the algorithms that a program stands for is known to it (from AWS's developer guide)."""

from __future__ import annotations

import importlib
import json

import pytest

from optml.errors import Refusal
from optml.hyperparameters import parse
from tests.golden import PROGRAMS

OBJECT_DETECTION = """
num_classes num_training_samples base_network early_stopping early_stopping_min_epochs early_stopping_patience
early_stopping_tolerance image_shape epochs freeze_layer_pattern kv_store label_width learning_rate lr_scheduler_factor
lr_scheduler_step mini_batch_size momentum nms_threshold optimizer overlap_threshold use_pretrained_model weight_decay
"""
IMAGE_CLASSIFICATION = """
num_classes num_training_samples augmentation_type beta_1 beta_2 checkpoint_frequency early_stopping
early_stopping_min_epochs early_stopping_patience early_stopping_tolerance epochs eps gamma image_shape kv_store
learning_rate lr_scheduler_factor lr_scheduler_step mini_batch_size momentum multi_label num_layers optimizer
precision_dtype resize top_k use_pretrained_model use_weighted_loss weight_decay
"""
SEMANTIC_SEGMENTATION = """
backbone use_pretrained_model algorithm num_classes num_training_samples base_size crop_size early_stopping
early_stopping_min_epochs early_stopping_patience early_stopping_tolerance epochs gamma1 gamma2 learning_rate
lr_scheduler lr_scheduler_factor lr_scheduler_step mini_batch_size momentum optimizer syncbn
validation_mini_batch_size weight_decay
"""


@pytest.mark.parametrize(
    ("program", "theirs"),
    [
        ("ssd", OBJECT_DETECTION),
        ("classification", IMAGE_CLASSIFICATION),
        ("bin_counting", IMAGE_CLASSIFICATION),
        ("yolo", OBJECT_DETECTION),
        ("unet", SEMANTIC_SEGMENTATION),
    ],
)
def test_every_name_is_known(program: str, theirs: str) -> None:
    entry = json.loads(PROGRAMS.read_text())["programs"][program]
    known = {declared["name"] for declared in entry["hyperparameters"]} | set(entry["aliases"])
    assert {name.replace("_", "-") for name in theirs.split()} - known == set()


@pytest.mark.parametrize(
    ("program", "given", "said", "hint"),
    [
        (
            "classification", {"image_shape": "3,250,250"},
            'hyperparameter "image_shape" is 3,250,250, that is img-size 250', 'set "image_shape" to 3,224,224',
        ),
        ("yolo", {"model": "yolov8n-cls.pt"}, 'hyperparameter "model" is yolov8n-cls.pt; it must', 'set "model-size"'),
        (
            "yolo", {"model": "yolov8n-seg.pt", "task": "detect"},
            'hyperparameter "model" is yolov8n-seg.pt, that is task segment, but "task" is detect', 'set "task" to seg',
        ),
        ("yolo", {"device": "0,1"}, 'hyperparameter "device" is 0,1; allowed: auto, cpu', "one device trains"),
        ("yolo", {"pretrained": "my.pt"}, 'hyperparameter "pretrained" is my.pt; allowed: auto,', "set it to auto"),
        ("yolo", {"box": "5"}, 'hyperparameter "box" is 5, but the loss weighs it', "leave it out"),
        ("yolo", {"classes": "[0]"}, 'hyperparameter "classes" is [0], but every class', "leave the others out"),
        ("yolo", {"time": "2"}, 'hyperparameter "time" is 2, but epochs and patience decide', 'set "epochs"'),
        ("yolo", {"fliplr": "0.0"}, 'hyperparameter "fliplr" cannot be followed', "leave it out"),
        ("yolo", {"data": "coco8.yaml"}, 'hyperparameter "data" cannot be followed', "leave it out, and give"),
        ("yolo", {"base_network": "vgg-16"}, 'hyperparameter "base_network" cannot be followed', 'set "model-size"'),
        (
            "ssd", {"freeze_layer_pattern": "^conv1_"},
            'hyperparameter "freeze_layer_pattern" is ^conv1_, but "frozen-stages" alone', 'set "frozen-stages" to',
        ),
        ("yolo", {"freeze_layer_pattern": "^conv1_"}, 'hyperparameter "freeze_layer_pattern" is ^conv1_', "leave it"),
        ("ssd", {"mini_batch_size": "0"}, 'hyperparameter "mini_batch_size" is 0', 'set "mini_batch_size", or'),
    ],
)  # fmt: skip
def test_a_refusal_calls_it_as_it_was_typed(program: str, given: dict[str, str], said: str, hint: str) -> None:
    whole = importlib.import_module(program).PROGRAM
    with pytest.raises(Refusal) as refused:
        parse(whole.hyperparameters, given, aliases=whole.aliases)
    assert refused.value.message.startswith(said)
    assert refused.value.hint.startswith(hint)


@pytest.mark.parametrize("program", ["ssd", "yolo"])
def test_a_pattern_that_freezes_nothing_has_no_effect(program: str) -> None:
    whole, said = importlib.import_module(program).PROGRAM, []
    parse(whole.hyperparameters, {"freeze_layer_pattern": "False"}, said.append, whole.aliases)
    assert [line.partition(":")[0] for line in said] == ['hyperparameter "freeze_layer_pattern" has no effect']


def test_settings_of_ultralytics_are_understood() -> None:
    given = {"model": "yolo11s.pt", "imgsz": "320", "batch": "4", "lr0": "0.002", "amp": "False", "momentum": "0.937"}
    whole, said = importlib.import_module("yolo").PROGRAM, []
    hp = parse(whole.hyperparameters, given, said.append, whole.aliases)
    assert (hp.architecture, hp.img_size, hp.batch_size) == ("yolo11s", 320, 4)
    assert (hp.learning_rate, hp.precision) == (0.002, "fp32")
    assert said == ['hyperparameter "momentum" has no effect: the optimiser is AdamW']


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"model": "yolo11s-seg.pt"}, {"architecture": "yolo11s", "task": "segment"}),
        ({"model": "yolov8n-seg.yaml", "task": "segment"}, {"architecture": "yolov8n", "task": "segment"}),
        ({"model": "yolov8n.pt", "device": "0"}, {"task": "detect", "device": "cuda"}),
        ({"device": "cpu", "pretrained": "True"}, {"device": "cpu", "pretrained": "auto"}),
        ({"pretrained": "False"}, {"pretrained": "none"}),
        ({"pretrained": "ultralytics", "device": "auto"}, {"pretrained": "ultralytics", "device": "auto"}),
    ],
)
def test_values_as_ultralytics_writes_them_are_followed(given: dict[str, str], expected: dict[str, str]) -> None:
    whole = importlib.import_module("yolo").PROGRAM
    hp = parse(whole.hyperparameters, given, pytest.fail, whole.aliases)
    assert {name: getattr(hp, name) for name in expected} == expected


def test_ultralytics_defaults_and_settings_of_its_predictions_are_said_to_have_no_effect() -> None:
    defaults = {
        "box": "7.5", "cls": "0.5", "dfl": "1.5", "fraction": "1.0", "classes": "None", "time": "None",
        "mode": "train", "overlap_mask": "True", "mask_ratio": "4", "dropout": "0.0", "half": "True",
        "max_det": "100", "agnostic_nms": "True", "augment": "True", "profile": "False", "compile": "False",
    }  # fmt: skip
    whole, said = importlib.import_module("yolo").PROGRAM, []
    assert parse(whole.hyperparameters, defaults, said.append, whole.aliases) == whole.hyperparameters()
    assert [line.split('"')[1] for line in said] == list(defaults)
