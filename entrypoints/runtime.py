"""Runs compiled models: the one program of the runtime images, for machines that have no training framework.

    python runtime.py serve                            /ping and /invocations on port 8080, model from /opt/ml/model
    python runtime.py predict MODEL_DIR IMAGE…         predictions JSON on stdout
    python runtime.py bench MODEL_DIR                  latency in milliseconds, JSON on stdout
    python runtime.py verify MODEL_DIR GOLDEN          the model's answers compared with recorded ones
    python runtime.py verify MODEL_DIR GOLDEN --record IMAGE…

A model folder is what `yolo.py export` writes: model.onnx and metadata.json. Runs on Python 3.8 and newer.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from optml import artefact, serving
from optml.errors import Refusal
from optml.metrics import Registry
from optml.program import Program, Verb, confidence_argument

if TYPE_CHECKING:
    from runtimes.detector import Detector


def load(folder: Path, threads: int | None = None) -> Detector:
    """The model of a folder, ready to run; Refusal where it is none of ours or cannot be run here."""
    import runtimes
    from runtimes.detector import Detector

    metadata = artefact.read(folder)
    graph = metadata.get("graph")
    if not isinstance(graph, dict) or not isinstance(graph.get("file"), str):
        raise Refusal(
            f'metadata.json has no "graph", so this is no compiled model ({folder / artefact.METADATA})',
            f"compile it: yolo.py export {folder} OUT",
        )
    return Detector(runtimes.load(folder / Path(graph["file"]).name, threads), metadata)


def serve(_options: argparse.Namespace) -> None:
    """Answer /invocations as `yolo.py serve` does."""
    from vision import payload

    def predictor(folder: Path) -> serving.Predictor:
        model = load(folder)
        model.warm_up()
        return payload.predictor(model.predict)

    serving.serve(predictor, name="the compiled model")


def predict(options: argparse.Namespace) -> None:
    """Print predictions of images, one JSON document an image."""
    from vision import images

    model = load(options.model, options.threads)
    for path in options.images:
        image = images.open_image(path)
        found = model.predict(image, options.confidence)
        row = {"image": str(path), "width": image.shape[1], "height": image.shape[0], "predictions": found}
        print(json.dumps(row), flush=True)


def bench(options: argparse.Namespace) -> None:
    """Print how long the model takes for one input."""
    from runtimes import measure

    print(json.dumps(measure.latency(load(options.model, options.threads).session, options.runs), indent=2))


def verify(options: argparse.Namespace) -> None:
    """Record the model's answers for images, or print how far its answers are from the recorded ones."""
    from runtimes import golden
    from vision import images

    model = load(options.model, options.threads)
    if options.record:
        inputs = [model.prepare(images.open_image(path)) for path in options.record]
        golden.record(options.golden, model.session, inputs)
        print(options.golden)
        return
    report = golden.compare(options.golden, model.session)
    print(json.dumps(report, indent=2), flush=True)
    if not report["largest_difference"] <= options.tolerance:  # whatever is no number is no answer either
        raise Refusal(
            f"the model's answers differ from {options.golden.name} by {report['largest_difference']:.2g} "
            f"({model.session.runtime}; {options.tolerance:g} are allowed)",
            "do not use this model on this machine; record the answers again if the model was changed",
        )


def _predict_arguments(parser: argparse.ArgumentParser) -> None:
    _model_arguments(parser)
    parser.add_argument("images", type=Path, nargs="+")
    confidence_argument(parser)


def _bench_arguments(parser: argparse.ArgumentParser) -> None:
    _model_arguments(parser)
    parser.add_argument("--runs", type=int, default=50, help="timed inferences, after some that are not")


def _verify_arguments(parser: argparse.ArgumentParser) -> None:
    _model_arguments(parser)
    parser.add_argument("golden", type=Path, help="file of recorded inputs and answers, .npz")
    parser.add_argument("--record", type=Path, nargs="+", metavar="IMAGE", help="write that file, from these images")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="largest relative difference allowed")


def _model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help="model folder: metadata.json and model.onnx")
    parser.add_argument("--threads", type=int, help="default: as many as processors")


RUNTIME = Program(
    name="runtime",
    summary="Runs compiled models",
    hyperparameters=type(None),
    metrics=Registry(),
    environment="runtime",
    images=("runtime-amd64", "runtime-arm64"),
    channels={},
    verbs={
        "serve": Verb(serve, "answer /ping and /invocations"),
        "predict": Verb(predict, "predictions of images as JSON", _predict_arguments),
        "bench": Verb(bench, "latency as JSON", _bench_arguments),
        "verify": Verb(verify, "answers compared with recorded ones", _verify_arguments),
    },
)

if __name__ == "__main__":
    RUNTIME.main()
