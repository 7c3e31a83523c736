"""Names under which users bring hyperparameters: those of AWS's built-in algorithms and of published projects.

One table a source; a program says which it understands. What is in none of them, and no hyperparameter, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from optml.hyperparameters import Alias

COMMON: Mapping[str, Alias] = {
    "mini-batch-size": Alias("batch-size"),
    "lr": Alias("learning-rate"),
    "image-shape": Alias("img-size", pattern=r"3\s*,\s*(\d+)\s*,\s*\1", form="3,224,224"),
    "early-stopping-patience": Alias("patience"),
    "precision-dtype": Alias("precision", values={"float32": "fp32"}),
}

IMAGE_CLASSIFICATION: Mapping[str, Alias] = {
    **COMMON,
    "num-layers": Alias("model", values={"18": "resnet18", "34": "resnet34", "50": "resnet50"}),
    "use-pretrained-model": Alias("pretrained", values={"0": "none", "1": "imagenet"}),
    "use-weighted-loss": Alias("class-weights"),
    "augmentation-type": Alias("augmentation", values={"crop_color": "light", "crop_color_transform": "full"}),
}
"""AWS's built-in image classification; `num-classes`, `num-training-samples`, `learning-rate`, `weight-decay` and
`epochs` are our own names too.
"""

OBJECT_DETECTION: Mapping[str, Alias] = {
    **COMMON,
    "base-network": Alias("model", values={"vgg-16": "ssd300_vgg16", "resnet-50": "fasterrcnn_resnet50_fpn"}),
    "image-shape": Alias("img-size"),
    "use-pretrained-model": Alias("pretrained", values={"0": "none", "1": "coco"}),
}
"""AWS's built-in Object Detection; `num-classes`, `num-training-samples`, `learning-rate`, `weight-decay`, `epochs`,
`overlap-threshold` and `nms-threshold` are our own names too. Its SSD on ResNet-50 has no counterpart in torchvision:
the detector there is that builds on this network stands for it.
"""

BIN_COUNTING: Mapping[str, Alias] = {
    **COMMON,
    "num-classes": Alias("max-count"),
}
"""What the published projects on the Amazon Bin Image Dataset call theirs, whose classes are the counts 1 to 5."""

SEGMENTATION: Mapping[str, Alias] = {
    name: COMMON[name] for name in ("mini-batch-size", "lr", "early-stopping-patience")
}
"""Of AWS's built-in semantic segmentation and of published projects; `learning-rate`, `weight-decay` and `epochs` are
our own names too.
"""
