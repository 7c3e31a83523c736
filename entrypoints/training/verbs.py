"""The verbs that every program has beside `train`: their arguments, and what does not depend on the model."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from optml import serving
from optml.artefact import METADATA
from optml.environment import Environment
from optml.errors import Refusal
from optml.program import Verb, confidence_argument

if TYPE_CHECKING:
    from vision.images import Array
    from vision.payload import Answer
    from vision.record import Dataset


class Model(Protocol):
    """A trained model folder, loaded."""

    def predict(self, image: Array, confidence: float | None = None) -> Answer:
        """What is found in one RGB image `(H, W, 3)`; schema in docs/contract.md.

        `confidence` is the lowest score reported; None takes the model's own.
        """


class Exportable(Model, Protocol):
    """A model that its framework can write as it is."""

    def export(self, path: Path) -> None:
        """Write TorchScript, or what else the program exports."""


Load = Callable[[Path, Path], Model]
"""Loads a model folder; the second folder is scratch."""


def table(
    name: str,
    load: Callable[[Path, Path], Exportable],
    train: Callable[[Environment, Any], None],
    evaluate: Callable[[argparse.Namespace], None],
    exported: tuple[str, str] = ("model.torchscript", "TorchScript"),
) -> dict[str, Verb]:
    """The five verbs of the program `name`, whose models `load` opens and write as `exported`: a name, and its kind."""
    file, kind = exported
    return {
        "train": Verb(train, "train as SageMaker would"),
        "serve": Verb(lambda _: serve(name, load), "answer /ping and /invocations"),
        "predict": Verb(partial(predict, load), "predictions of images as JSON", predict_arguments),
        "evaluate": Verb(evaluate, "metrics on a data set as JSON", evaluate_arguments),
        "export": Verb(partial(export, load, file), f"{kind} for other runtimes", folder_arguments),
    }


def serve(name: str, load: Load) -> None:
    """Answer /invocations with predictions in pixels of the image sent, until SIGTERM."""
    from vision import payload

    with scratch_folder() as scratch:
        serving.serve(lambda folder: payload.predictor(load(folder, scratch).predict), name=name)


def predict(load: Load, options: argparse.Namespace) -> None:
    """Print predictions of images, one JSON document an image."""
    from vision import images, payload

    with scratch_folder() as scratch:
        model = load(options.model, scratch)
        for path in options.images:
            image = images.open_image(path)
            row = {"image": str(path)} | payload.answer(image, model.predict(image, options.confidence))
            print(json.dumps(row, allow_nan=False), flush=True)


def evaluation_set(options: argparse.Namespace, classes: list[str]) -> Dataset:
    """The data that `evaluate` of a detector was given, its class ids as indices of `classes`."""
    from vision import detection, formats, record

    dataset = record.aligned(formats.load(options.data, prefer=options.manifest), classes)
    detection.check_objects(dataset, str(options.data), "add images with objects; `predict` tells what is found")
    return dataset


def labelled_set(options: argparse.Namespace, classes: list[str]) -> Dataset:
    """The data that `evaluate` was given, with a label for each image, as indices of `classes`."""
    from vision import formats, record

    return record.aligned(formats.load_labels(options.data, prefer=options.manifest), classes)


def export(load: Callable[[Path, Path], Exportable], file: str, options: argparse.Namespace) -> None:
    """Write the model for other runtimes beside its metadata.json; print the path."""
    target = options.out / file
    with scratch_folder() as scratch:
        model = load(options.model, scratch)
        make_folder(options.out)
        model.export(target)
    (options.out / METADATA).write_bytes((options.model / METADATA).read_bytes())
    print(target)


def check_format(options: argparse.Namespace, program: str) -> None:
    """Refusal of `--format onnx` where the package onnx is not installed, before a framework is imported."""
    if options.format == "onnx" and importlib.util.find_spec("onnx") is None:
        raise Refusal(
            "onnx is not in this environment (it cannot live beside smdebug)",
            f'run "$(python3 -m local.environments compile)" entrypoints/{program}.py export MODEL_DIR OUT, '
            "or give --format torchscript",
        )


def make_folder(path: Path) -> None:
    """Make the folder that a verb writes to; Refusal where it cannot be made or written to."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(
            f"the folder {path} cannot be made: {error.strerror}", "give another folder to write to"
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise Refusal(f"the folder {path} cannot be written to", "give another folder to write to")


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder that is gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="drydock-") as folder:
        yield Path(folder)


def predict_arguments(parser: argparse.ArgumentParser) -> None:
    _model_arguments(parser)
    parser.add_argument("images", type=Path, nargs="+")
    confidence_argument(parser)


def evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    _model_arguments(parser)
    parser.add_argument("data", type=Path, help="folder in any format that training reads")
    parser.add_argument("--manifest", default="", help="annotation file inside it, when it holds several")


def folder_arguments(parser: argparse.ArgumentParser) -> None:
    _model_arguments(parser)
    parser.add_argument("out", type=Path, help="folder to write the model to")


def export_arguments(parser: argparse.ArgumentParser) -> None:
    folder_arguments(parser)
    parser.add_argument("--format", choices=("onnx", "torchscript"), default="onnx", help="onnx needs the package onnx")


def _model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help="model folder: metadata.json and model.safetensors")
