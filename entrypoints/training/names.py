"""Names under which users bring hyperparameters: those of AWS's built-in algorithms, of Ultralytics and of published
projects. A program has one table, which docs/names.md shows; what is in neither it nor the program is refused.

A name has no effect (`Idle`) only where the model is of the same kind without it; where it would be another one than
the user asked for, the name is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from optml.aliases import Alias, Idle, Meaning, Refused, Switch

SCHEDULE = Idle("the learning rate rises over the first tenth of the steps and falls along one cosine")
OPTIMISER = Idle("the optimiser is AdamW")
RGB_SQUARE = Alias("img-size", pattern=r"3\s*,\s*(\d+)\s*,\s*\1", form="3,{0},{0}", example="224")
MOMENTS = Idle("the optimiser is AdamW with its usual betas and epsilon")


def _pretrained(source: str) -> Alias:
    return Alias("pretrained", values={"0": "none", "1": source, "false": "none", "true": source})


COMMON: Mapping[str, Meaning] = {
    "mini-batch-size": Alias("batch-size"),
    "lr": Alias("learning-rate"),
    "early-stopping": Switch("early-stopping-patience", "patience", on="5", off="0"),
    "early-stopping-patience": Alias("patience"),
    "early-stopping-min-epochs": Idle("patience alone decides when training ends"),
    "early-stopping-tolerance": Idle("any better score counts as better"),
    "optimizer": OPTIMISER,
    "momentum": OPTIMISER,
    "lr-scheduler-step": SCHEDULE,
    "lr-scheduler-factor": SCHEDULE,
}
DISTRIBUTED: Mapping[str, Meaning] = {
    "kv-store": Idle("hosts learn together, step by step, which is dist_sync"),
    "precision-dtype": Alias(
        "precision", values={"float32": "fp32"}, hint='half precision is bfloat16 here: set "precision" to auto or bf16'
    ),
}

OBJECT_DETECTION: Mapping[str, Meaning] = {
    **COMMON,
    **DISTRIBUTED,
    "base-network": Alias("model", values={"vgg-16": "ssd300_vgg16", "resnet-50": "fasterrcnn_resnet50_fpn"}),
    "image-shape": Alias("img-size"),
    "use-pretrained-model": _pretrained("coco"),
    "label-width": Idle("every object of an image is read, however many there are"),
    "freeze-layer-pattern": Idle(
        '"frozen-stages" alone freezes layers, which have other names in torchvision than in MXNet',
        values=("false",),
        hint='set "frozen-stages" to the number of first stages of the backbone that are not trained',
    ),
}
"""AWS's built-in Object Detection. Its SSD on ResNet-50 has no counterpart in torchvision: the detector there is that
builds on this network stands for it.
"""

_NETWORKS = {depth: f"resnet{depth}" for depth in ("18", "34", "50", "101", "152")}
CLASSIFIERS = (
    *_NETWORKS.values(),
    *(f"efficientnet_b{size}" for size in range(5)),
    "mobilenet_v3_small",
    "mobilenet_v3_large",
)
"""torchvision's names of the networks that classify and count."""
_LABELS: Mapping[str, Meaning] = {
    **COMMON,
    **DISTRIBUTED,
    "image-shape": RGB_SQUARE,
    "num-layers": Alias("model", values=_NETWORKS),
    "use-pretrained-model": _pretrained("imagenet"),
    "augmentation-type": Alias(
        "augmentation", values={"crop": "light", "crop_color": "light", "crop_color_transform": "full"}
    ),
    "beta-1": MOMENTS,
    "beta-2": MOMENTS,
    "eps": MOMENTS,
    "gamma": OPTIMISER,
    "resize": Idle("an image becomes img-size pixels wide and high, whatever its size"),
    "top-k": Idle("the accuracy that is told is that of the most probable class"),
    "checkpoint-frequency": Idle("a checkpoint is kept of every epoch"),
    "multi-label": Idle("an image has one label", values=("0", "false"), hint="leave one label to each image"),
}
"""AWS's built-in image classification, but for what only one of our two programs has."""

IMAGE_CLASSIFICATION: Mapping[str, Meaning] = {**_LABELS, "use-weighted-loss": Alias("class-weights")}

BIN_COUNTING: Mapping[str, Meaning] = {
    **_LABELS,
    "base-network": Alias(
        "model",
        values={
            **{f"resnet-{layers}": ours for layers, ours in _NETWORKS.items()},
            **{ours: ours for ours in _NETWORKS.values()},
            "efficientnet-b0": "efficientnet_b0",
        },
    ),
    "test-batch-size": Idle("the validation set is taken batch-size images at a time"),
    "use-weighted-loss": Idle(
        "every image counts alike", values=("0", "false"), hint="leave it out, or train classification with it"
    ),
}
"""What the published projects on the Amazon Bin Image Dataset call theirs, and AWS's built-in image classification."""

_COSINE = Idle("the learning rate rises over the first epoch and falls along one cosine to a hundredth")
_AUGMENTED = Refused("the augmentation is one that suits defects, of which mosaic alone can be set", "leave it out")
_GAINS = "the loss weighs it as Ultralytics does, by {}"
_FOLDERS = Idle("model, output and checkpoints lie where SageMaker looks for them")
_PLANNED = Idle("threads, workers and what is kept in memory are planned from the machine")
YOLO: Mapping[str, Meaning] = {
    **OBJECT_DETECTION,
    "kv-store": Idle("one host trains"),
    "lr-scheduler-step": _COSINE,
    "lr-scheduler-factor": _COSINE,
    "use-pretrained-model": _pretrained("ultralytics"),
    "base-network": Refused(
        "YOLO's networks are its own", 'set "model-size", or train the program ssd, which has VGG-16 and ResNet-50'
    ),
    "freeze-layer-pattern": Idle("every layer is trained", values=("false",), hint="leave it out"),
    "overlap-threshold": Idle(
        "mAP50 is at IoU 0.5", values=("0.5", ".5"), hint="leave it out, and look at mAP75 or mAP50-95"
    ),
    "nms-threshold": Idle("of boxes that overlap by more than an IoU of 0.4 the worse is dropped"),
    "weight-decay": Idle("it is 0.01, which suits AdamW"),
    "model": Alias(
        "model-size", pattern=r"(yolo(?:v8|11|26)[nsmlx])(-seg)?(?:\.pt|\.yaml)?", implied=("task", "segment"),
        form="{0}.pt", example="yolov8n",
        hint='set "model-size" (and "task"); weights of your own come by a channel "pretrained"',
    ),
    "pretrained": Alias(
        "pretrained",
        values={
            **{ours: ours for ours in ("auto", "starter", "channel", "ultralytics", "none")},
            "true": "auto", "1": "auto", "false": "none", "0": "none",
        },
        hint='set it to auto, and give weights of your own by a channel "pretrained"',
    ),
    "device": Alias(
        "device", values={"auto": "auto", "cpu": "cpu", "cuda": "cuda", "0": "cuda", "cuda:0": "cuda"},
        hint="one device trains: set it to auto, or to 0 for the first GPU",
    ),
    "imgsz": Alias("img-size"),
    "batch": Alias("batch-size"),
    "lr0": Alias("learning-rate"),
    "amp": Alias("precision", values={"true": "auto", "false": "fp32", "1": "auto", "0": "fp32"}),
    "data": Refused("the data are those of the channels", 'leave it out, and give the folder as channel "train"'),
    "resume": Idle(
        "a job goes on from its checkpoints whenever it has some", values=("true", "1", "false", "0"),
        hint='leave it out, and give weights of your own by a channel "pretrained"',
    ),
    "freeze": Refused("every layer is trained", "leave it out"),
    "single-cls": Idle("the classes are those of the data", values=("false", "0"), hint="label all alike"),
    **dict.fromkeys(("lrf", "cos-lr", "warmup-epochs", "warmup-momentum", "warmup-bias-lr"), _COSINE),
    "close-mosaic": Idle("mosaic ends with the last quarter of the epochs"),
    "nbs": Idle("every batch is a step"),
    "workers": _PLANNED,
    "cache": _PLANNED,
    "deterministic": Idle("training is", values=("true", "1"), hint="leave it out"),
    "conf": Idle("the confidence is 0.25"),
    "iou": Idle("of boxes that overlap by more than an IoU of 0.4 the worse is dropped"),
    "box": Idle(_GAINS.format("7.5"), values=("7.5",), hint="leave it out"),
    "cls": Idle(_GAINS.format("0.5"), values=("0.5", ".5"), hint="leave it out"),
    "dfl": Idle(_GAINS.format("1.5"), values=("1.5",), hint="leave it out"),
    "fraction": Idle(
        "every image of the channel is trained on", values=("1.0", "1"), hint="give a channel with fewer images"
    ),
    "classes": Idle(
        "every class of the data is learnt", values=("none", "null"), hint="leave the others out of the annotations"
    ),
    "time": Idle(
        "epochs and patience decide when training ends", values=("none", "null"),
        hint='set "epochs", and for a limit of time MaxRuntimeInSeconds of the job',
    ),
    "mode": Idle("a job trains", values=("train",), hint="leave it out, and use `drydock predict` once it has"),
    "overlap-mask": Idle("the masks of an image are learnt as one", values=("true", "1"), hint="leave it out"),
    "mask-ratio": Idle("masks are learnt at a quarter of the size", values=("4",), hint="leave it out"),
    "dropout": Idle("only Ultralytics' classifiers have some"),
    "half": Idle("precision says how training computes, and predictions are in float32"),
    "max-det": Idle("up to 300 objects of an image are found"),
    "agnostic-nms": Idle("boxes of different classes may overlap"),
    "augment": Idle("an image is predicted once, as it is"),
    "profile": Idle("no speed is measured while training"),
    "compile": Idle("the network is run as it is, which gives the same model"),
    **dict.fromkeys(("project", "name", "exist-ok", "save", "save-period"), _FOLDERS),
    **dict.fromkeys(("plots", "verbose", "val"), Idle("every epoch is validated and told, and pictures are drawn")),
    **dict.fromkeys(
        (
            "hsv-h", "hsv-s", "hsv-v", "degrees", "translate", "scale", "shear", "perspective", "flipud", "fliplr",
            "bgr", "mixup", "cutmix", "copy-paste", "auto-augment", "erasing", "rect", "multi-scale",
        ),
        _AUGMENTED,
    ),
}  # fmt: skip
"""Ultralytics' own settings, and AWS's built-in Object Detection, which people leave for YOLO."""

SEGMENTATION: Mapping[str, Meaning] = {
    **COMMON,
    "image-shape": RGB_SQUARE,
    "use-pretrained-model": _pretrained("imagenet"),
    "early-stopping": Switch("early-stopping-patience", "patience", on="4", off="0"),
    "crop-size": Alias("img-size"),
    "base-size": Idle("an image is shown whole, its longer side img-size pixels long, and scaled by the augmentation"),
    "backbone": Refused("the encoders are a plain one and MobileNetV2", 'set "model", to mobilenetv2_100 for instance'),
    "algorithm": Refused("the network is a UNet", "leave it out"),
    "lr-scheduler": SCHEDULE,
    "gamma1": OPTIMISER,
    "gamma2": OPTIMISER,
    "syncbn": Idle("one device trains"),
    "validation-mini-batch-size": Idle("the validation set is taken batch-size images at a time"),
    "precision-dtype": Idle("the UNet computes in float32", values=("float32",), hint="leave it out"),
    "kv-store": Idle("one host trains"),
}
"""AWS's built-in semantic segmentation."""
