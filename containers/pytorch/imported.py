"""Prints the files of the packages that trainings and launchers load, a line each: these get bytecode in the image.

A read-only image cannot make it for itself, and of all that is installed it would take 55 MB more.
"""

import importlib.util
import sys
from pathlib import Path

MODULES = (
    "cv2", "matplotlib.pyplot", "matplotlib.backends.backend_agg", "pandas", "polars", "safetensors.torch",
    "sagemaker_training.cli.train", "sagemaker_training.entry_point", "sagemaker_training.params", "smdebug.pytorch",
    "torchvision.models.detection", "ultralytics.data.build", "ultralytics.engine.trainer",
    "ultralytics.models.yolo.detect", "ultralytics.models.yolo.segment", "ultralytics.utils.plotting",
    "pip._internal.cli.main", "pip._internal.commands.install",
)  # fmt: skip
"""pip comes last: beside it setuptools hides the distutils that smdebug asks for."""


def main() -> None:
    for name in MODULES:
        importlib.import_module(name)
    files = (getattr(module, "__file__", None) or "" for module in list(sys.modules.values()))
    for file in sorted({file for file in files if file.endswith(".py") and "/site-packages/" in file}):
        if not Path(importlib.util.cache_from_source(file)).exists():  # torch's lies beside it, in its layer
            print(file)


if __name__ == "__main__":
    main()
