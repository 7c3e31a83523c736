"""SSD: fine-tunes torchvision's detectors (SSDLite, SSD300, Faster R-CNN) to find objects.

    python ssd.py train                      what SageMaker runs; everything comes from /opt/ml
    python ssd.py serve                      /ping and /invocations on port 8080
    python ssd.py predict MODEL_DIR IMAGE…   predictions JSON on stdout
    python ssd.py evaluate MODEL_DIR DATA    metrics JSON on stdout
    python ssd.py export MODEL_DIR OUT       ONNX (or TorchScript) for other runtimes

Channels: `train` (required), `validation`, `train_annotation`, `validation_annotation` and `pretrained` (optional).
Output: model.safetensors and metadata.json in /opt/ml/model; metrics.json, results.csv, split.json, predictions.json
and pictures in /opt/ml/output/data.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from optml import artefact
from optml.environment import Environment
from optml.errors import Refusal
from optml.hyperparameters import field
from optml.metrics import Registry
from optml.program import Channel, Program, Verb
from training import first, names, results, resume, verbs, waiting
from training.hosts import Hosts
from training.joining import together
from training.run import Run

if TYPE_CHECKING:
    from training.detecting import Detector
    from training.detection_job import Job
    from vision.detection_scores import Objects
    from vision.record import Dataset

MODELS = {
    "ssdlite320_mobilenet_v3_large": (64, 320),
    "ssd300_vgg16": (268, 300),  # its last layers do not pad: of less there is nothing left
    "fasterrcnn_mobilenet_v3_large_fpn": (64, 640),
    "fasterrcnn_resnet50_fpn": (64, 640),
    "fasterrcnn_resnet50_fpn_v2": (64, 640),
}
"""The smallest input of a model, in pixels, and the largest that is taken without being asked for."""


@dataclass(frozen=True)
class Hyperparameters:
    """Dashes and underscores are equal; names of AWS's built-in algorithm are understood too (`training.names`)."""

    model: str = field("ssdlite320_mobilenet_v3_large", choices=tuple(MODELS), help="architecture, of torchvision")
    epochs: int = field(30, unit="passes over the training set", minimum=1)
    batch_size: int = field(8, unit="images", minimum=1, recommended=(2, 64), help="a step, on each host")
    img_size: int = field(
        0, unit="pixels, side of the square input", minimum=0, maximum=2048,
        help="0: twice the images' longer side, at most 320 (SSD) or 640 (Faster R-CNN)",
    )  # fmt: skip
    learning_rate: float = field(0.001, unit="AdamW step size", minimum=1e-8, recommended=(1e-5, 0.01))
    weight_decay: float = field(0.02, unit="share of a step", minimum=0.0, maximum=1.0)
    augmentation: str = field(
        "full",
        choices=("none", "light", "full"),
        help="light: mirrored left and right, moved, scaled, tinted; full: also turned by quarters",
    )
    anchors: str = field(
        "auto",
        choices=("auto", "fitted", "standard"),
        help="sizes that boxes start from; auto: those of weights that are given, else fitted to the objects",
    )
    frozen_stages: int = field(0, minimum=0, maximum=5, help="first stages of the backbone that are not trained")
    seed: int = field(0, minimum=0, help="of weights, split, order and augmentation")
    patience: int = field(0, unit="epochs without a better mAP before stopping; 0 never stops", minimum=0)
    device: str = field("auto", choices=("auto", "cpu", "cuda"))
    precision: str = field("auto", choices=("auto", "fp32", "bf16"), help="bf16 where the processor computes in it")
    pretrained: str = field(
        "auto",
        choices=("auto", "starter", "channel", "coco", "none"),
        help="starting weights; auto: the channel `pretrained`, else Drydock's starter where the model has one, "
        "else none; coco: torchvision's, from the internet",
    )
    nms_threshold: float = field(0.45, unit="IoU from which the worse of two boxes is dropped", minimum=0, maximum=1)
    overlap_threshold: float = field(
        0.5, unit="IoU from which validation:mAP takes a box as right", minimum=0.01, maximum=1
    )
    num_classes: int | None = field(None, minimum=1, help="checked against the data where it is given")
    num_training_samples: int | None = field(None, unit="images", minimum=1, help="checked, likewise")
    validation_fraction: float = field(0.2, minimum=0.05, maximum=0.5, help="held out when there is no such channel")
    manifest: str = field("", help="annotation file inside the channel, when it holds several")


METRICS = Registry()
METRICS.metric("train:loss", "mean loss over the epoch")
for _part in ("box", "cls", "objectness", "proposal"):
    METRICS.metric(f"train:{_part}_loss", f"its {_part} part; the last two are Faster R-CNN's")
METRICS.metric("validation:mAP", "mean over the classes of VOC10's average precision at overlap-threshold")
results.declare_scores(METRICS, masks=False)


# ---------------------------------------------------------------- train
def train(env: Environment, hp: Hyperparameters) -> None:
    """Read, split, train, keep the best epoch, choose the confidence, write the artefacts."""
    sets = read_data(env, hp)
    side_px = input_size(hp, sets[0])
    own = first.shipped(hp.model, MODELS, hp.pretrained, env)
    if hp.model.startswith("ssdlite"):  # its last grid is one number a channel and image
        Hosts.of(env).check_batches(len(sets[0].samples), hp.batch_size)
    waiting.asleep()
    from training import detection_job, devices  # torch takes seconds to import: wrong data is refused before

    run = devices.new_run(env, hp, sets[0].classes, METRICS)
    job = detection_job.prepare(run, sets, side_px, own)
    detection_job.fit(run, job, lambda: save_model(run, job))
    if run.hosts.first:
        report(run, sets[1])


def read_data(env: Environment, hp: Hyperparameters) -> tuple[Dataset, Dataset]:
    """The training and the validation set of the job's channels."""
    from vision import classification, detection

    sets = detection.load_sets(
        env.channels,
        manifest=hp.manifest,
        fraction=hp.validation_fraction,
        seed=hp.seed,
        split_file=Hosts.of(env).output(env) / "split.json",
        masks=False,
    )
    detection.check_classes(sets[0], hp.num_classes)
    classification.check_samples(sets, hp.num_training_samples)
    return sets


def input_size(hp: Hyperparameters, train_set: Dataset) -> int:
    """The side of the square that the network sees, as asked for or fitted to the images."""
    from vision import anchors

    smallest_px, largest_px = MODELS[hp.model]
    if 0 < hp.img_size < smallest_px:
        raise Refusal(
            f"img-size={hp.img_size} leaves nothing of an image for {hp.model}: it takes {smallest_px} or more",
            f"set img-size to {smallest_px} or more, or to 0 to have it fitted",
        )
    return hp.img_size or anchors.input_size(train_set, largest_px, smallest_px)


# ---------------------------------------------------------------- artefact
def save_model(run: Run[Hyperparameters], job: Job) -> None:
    """Write the best epoch with the confidence of its highest mean F1 on the validation set."""
    from training import detection_job

    detection_job.save_model(run, job, "ssd", confidence=detection_job.best_confidence(run, job))


def report(run: Run[Hyperparameters], validation_set: Dataset) -> None:
    """Evaluate the saved model as every other verb would; write the numbers and the pictures."""
    model = load_model(run.env.model_dir, run.env.scratch_dir, run.compute.device)
    found = model.over(validation_set)
    scores = evaluation(model, validation_set, found, run.hp.overlap_threshold)
    results.report(run, scores, [model.answer(one) for one in found], validation_set)


def load_model(folder: Path, _scratch: Path, device: str = "auto") -> Detector:
    """A trained model folder, loaded without unpickling."""
    from training import model_folder

    metadata = model_folder.metadata(folder, MODELS, ("detect",))
    waiting.asleep()
    from training import detection_job, devices

    return detection_job.load(folder, metadata, devices.choose(device))


# ---------------------------------------------------------------- use
def evaluation(model: Detector, dataset: Dataset, found: list[Objects], overlap: float) -> results.Scores:
    """All that is said of what a model has found in the images of a data set."""
    from vision import detection_evaluation

    true = detection_evaluation.truth(dataset)
    values, curves = detection_evaluation.whole(true, found, model.classes, overlap)
    return results.Scores(values, curves)


def evaluate(options: argparse.Namespace) -> None:
    """Print the metrics of a model on a data set, every image of it."""
    with verbs.scratch_folder() as scratch:
        model = load_model(options.model, scratch)
        dataset = verbs.evaluation_set(options, model.classes)
        overlap = model.metadata["hyperparameters"].get("overlap_threshold", 0.5)
        print(json.dumps(evaluation(model, dataset, model.over(dataset), overlap).values, indent=2, allow_nan=False))


def export(options: argparse.Namespace) -> None:
    """Write the model for other runtimes beside its metadata.json."""
    verbs.check_format(options, "ssd")
    name = f"model.{options.format}"
    with verbs.scratch_folder() as scratch:
        model = load_model(options.model, scratch, "cpu")
        graph, compiled = model.graph(), {}
        verbs.make_folder(options.out)
        if options.format == "onnx":
            from training import onnx_file

            size = model.metadata["input_size"]
            written = onnx_file.write(graph, size, ["detections"], scratch / name, overlaps=True)
            compiled = {"graph": written}
        else:
            model.export(scratch / name)
        artefact.save(options.out, {name: resume.copier(scratch / name)}, {**model.metadata, **compiled})
    print(options.out / name)


PROGRAM = Program(
    name="ssd",
    summary="Fine-tunes torchvision's detectors: SSDLite, SSD300 and Faster R-CNN",
    hyperparameters=Hyperparameters,
    metrics=METRICS,
    environment="pytorch",
    images=("train-cpu", "train-gpu"),
    channels={
        "train": Channel(
            True, "Pascal VOC, COCO or JumpStart JSON, YOLO folder, RecordIO or .lst, a manifest, or a JSON an image"
        ),
        "validation": Channel(False, "the same; else a stratified part of `train` is held out"),
        "train_annotation": Channel(False, "the JSON files of `train`, as AWS's built-in algorithm has them"),
        "validation_annotation": Channel(False, "the JSON files of `validation`"),
        "pretrained": Channel(False, "one .safetensors, .pt or .pth file, or a model.tar.gz, to start from"),
    },
    verbs={
        **verbs.table("ssd", load_model, together(train), evaluate),
        "export": Verb(export, "ONNX or TorchScript for other runtimes", verbs.export_arguments),
    },
    aliases=names.OBJECT_DETECTION,
    several_hosts=True,
    samples="steel",
    sample_settings={
        "epochs": "10",
        "img-size": "128",
        "batch-size": "16",
        "learning-rate": "0.002",
        "pretrained": "none",
    },
)

if __name__ == "__main__":
    PROGRAM.main()
