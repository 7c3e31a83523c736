"""Segmentation of surface defects, pixel by pixel: a UNet in TensorFlow/Keras, which also judges the image as a whole.

    python unet.py train                      what SageMaker runs; everything comes from /opt/ml
    python unet.py serve                      /ping and /invocations on port 8080
    python unet.py predict MODEL_DIR IMAGE…   predictions JSON on stdout
    python unet.py evaluate MODEL_DIR DATA    metrics JSON on stdout
    python unet.py export MODEL_DIR OUT       a SavedModel for other runtimes

Channels: `train` (required), `validation` and `pretrained` (optional). Output: model.safetensors and metadata.json in
/opt/ml/model; metrics.json, results.csv, split.json, predictions.json and pictures in /opt/ml/output/data.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optml.environment import Environment
from optml.hyperparameters import field
from optml.metrics import Registry
from optml.program import Channel, Program
from optml.resources import count_cpus
from training import first, names, quiet, results, verbs
from training.run import Run

if TYPE_CHECKING:
    from training.keras_loop import Found
    from training.segmenter import Segmenter
    from training.segmenting import Job
    from vision.mask_scores import Tally
    from vision.record import Dataset

MODELS = ("plain", "mobilenetv2_035", "mobilenetv2_050", "mobilenetv2_100")
LOSSES = ("dice_crossentropy", "dice", "crossentropy", "focal")


@dataclass(frozen=True)
class Hyperparameters:
    """Dashes and underscores are equal; names of AWS's built-in algorithm are understood too (`training.names`)."""

    model: str = field("plain", choices=MODELS, help="encoder: a small plain one, or MobileNetV2 of a width")
    epochs: int = field(14, unit="passes over the training set", minimum=1)
    batch_size: int = field(4, unit="images", minimum=1, recommended=(2, 64))
    img_size: int = field(224, unit="pixels, longer side of the input", minimum=64, multiple_of=32)
    shape: str = field(
        "fit", choices=("fit", "square"), help="of the input: the proportions of the median image, or square"
    )
    learning_rate: float = field(0.002, unit="AdamW step size", minimum=1e-8, recommended=(1e-5, 0.02))
    weight_decay: float = field(0.02, unit="share of a step", minimum=0.0, maximum=1.0)
    loss: str = field(
        "dice_crossentropy",
        choices=LOSSES,
        help="of the pixels, the image's is a cross-entropy; dice alone learns nothing from images without a defect",
    )
    augmentation: str = field(
        "light",
        choices=("none", "light", "full"),
        help="light: mirrored left and right, moved, scaled, tinted; full: also turned by any angle",
    )
    balance: bool = field(True, help="an epoch takes every defective image, and at most as many others as these")
    image_score: str = field(
        "auto",
        choices=("auto", "head", "pixels"),
        help="what judges an image as a whole: a head of its own, its worst pixels, or the better one on validation",
    )
    seed: int = field(0, minimum=0, help="of weights, split, order and augmentation")
    patience: int = field(0, unit="epochs without a better score before stopping; 0 never stops", minimum=0)
    device: str = field("auto", choices=("auto", "cpu", "cuda"))
    pretrained: str = field(
        "auto",
        choices=("auto", "starter", "channel", "imagenet", "none"),
        help="starting weights; auto: the channel `pretrained`, else Drydock's starter of the model, else none; "
        "imagenet: Keras', from the internet",
    )
    num_classes: int | None = field(
        None, minimum=2, help="checked against the data where it is given; with the background, as AWS counts them"
    )
    num_training_samples: int | None = field(None, unit="images", minimum=1, help="checked, likewise")
    validation_fraction: float = field(0.2, minimum=0.05, maximum=0.5, help="held out when there is no such channel")
    manifest: str = field("", help="annotation file inside the channel, when it holds several")


METRICS = Registry()
METRICS.metric("train:loss", "mean loss over the epoch")
METRICS.metric("validation:loss", "loss on the validation set")
METRICS.metric("validation:dice", "Dice of the images that hold a defect, at a threshold of 0.5")
METRICS.metric("validation:iou", "intersection over union, likewise")
METRICS.metric("validation:pixel_average_precision", "step integral of precision over recall of defective pixels")
METRICS.metric("validation:auroc", "area under the ROC curve of the images as a whole")
METRICS.metric("validation:average_precision", "step integral of precision over recall of the images as a whole")
METRICS.metric("validation:best_dice", "Dice of the kept weights, at their threshold")
METRICS.metric("validation:best_iou", "intersection over union, likewise")
METRICS.metric("validation:best_auroc", "auroc of the kept weights")
METRICS.metric("train:epoch_seconds", "wall time of the epoch", unit="s")


# ---------------------------------------------------------------- train
def train(env: Environment, hp: Hyperparameters) -> None:
    """Read, split, train, keep the best epoch, choose the thresholds, write the artefacts."""
    from vision import classification, segmentation

    sets = segmentation.load_sets(
        env.channels,
        manifest=hp.manifest,
        fraction=hp.validation_fraction,
        seed=hp.seed,
        split_file=env.output_data_dir / "split.json",
    )
    segmentation.check_classes(sets[0], hp.num_classes)
    classification.check_samples(sets, hp.num_training_samples)
    own = first.shipped(hp.model, MODELS, hp.pretrained, env)
    quiet.tensorflow()
    from training import segmenting  # TensorFlow takes seconds to import: wrong data is refused before

    run = segmenting.new_run(env, hp, sets[0].classes, METRICS)
    job = segmenting.prepare(run, sets, own)
    segmenting.fit(run, job, lambda found: scores(found, job), "validation:dice", lambda: save_model(run, job))
    report(run, job, sets[1])


def scores(found: Found, job: Job) -> dict[str, float]:
    """Metrics of an epoch on the validation set, in pixels of the network's input."""
    from vision import mask_evaluation

    anomalous = job.validation.anomalous
    return mask_evaluation.of_pixels(found.tally, 0.5) | mask_evaluation.of_images(found.head, anomalous)


# ---------------------------------------------------------------- artefact
def save_model(run: Run[Hyperparameters], job: Job) -> None:
    """Write the best epoch with the thresholds that are best on the validation set, for pixels and for images."""
    from training import keras_loop, keras_state, segmenting
    from vision import mask_evaluation

    found = keras_loop.outputs(keras_state.evaluated(job.network), job.validation, run.hp, stoppable=False)
    by, anomalous = {"head": found.head, "pixels": found.pixels}, job.validation.anomalous
    areas = {name: mask_evaluation.of_images(one, anomalous).get("validation:auroc", 0.0) for name, one in by.items()}
    chosen = run.hp.image_score if run.hp.image_score != "auto" else max(areas, key=lambda name: areas[name])
    segmenting.save_model(
        run,
        job,
        threshold=found.tally.best_threshold(),
        image_score=chosen,
        image_threshold=mask_evaluation.image_threshold(by[chosen], anomalous),
    )


def report(run: Run[Hyperparameters], job: Job, validation_set: Dataset) -> None:
    """Evaluate the saved model as every other verb would; write the numbers and the pictures."""
    from vision import mask_evaluation, mask_report

    model = load_model(run.env.model_dir, run.env.scratch_dir, run.hp.device)
    tally, answers = over(model, validation_set)
    values = evaluation(model, tally, answers, validation_set)
    mean = mask_evaluation.mean_mask(job.train.labels, job.validation.labels, len(run.classes))
    values["mean_mask"] = {"dice": mean}
    best = {f"validation:best_{name}": values.get(f"validation:{name}") for name in ("dice", "iou", "auroc")}
    run.metrics.report({name: value for name, value in best.items() if value is not None})
    results.write_numbers(run, values)
    mask_report.write(
        run.env.output_data_dir, validation_set, tally, answers,
        model.metadata["threshold"], model.metadata["image_threshold"],
    )  # fmt: skip
    said = ", ".join(f"{name.partition('_')[2]} {value:.3f}" for name, value in best.items() if value is not None)
    flood = values["everything_defective"]["dice"]
    print(
        f"best epoch: {said} (Dice of calling nothing defective 0.000, everything {flood:.3f}, always the mean mask "
        f"{mean:.3f})",
        flush=True,
    )


def load_model(folder: Path, _scratch: Path, device: str = "auto") -> Segmenter:
    """A trained model folder; nothing in it is run."""
    from training import model_folder

    metadata = model_folder.metadata(folder, MODELS, ("semantic",))
    quiet.tensorflow()
    from training import keras_devices, segmenting
    from training.segmenter import Segmenter

    keras_devices.prepare(device, count_cpus())
    return Segmenter(segmenting.load_network(metadata, folder), metadata)


# ---------------------------------------------------------------- use
def over(model: Segmenter, dataset: Dataset) -> tuple[Tally, list[dict[str, Any]]]:
    """The counts of pixels over a data set, and the answer to every image."""
    from vision import mask_scores, segmentation

    tally, answers = mask_scores.Tally(len(model.classes)), []
    for sample, seen in model.over(dataset):
        tally.add(segmentation.labels(sample), seen.maps)
        answers.append(model.answer(seen))
    return tally, answers


def evaluation(model: Segmenter, tally: Tally, answers: list[dict[str, Any]], dataset: Dataset) -> dict[str, Any]:
    """All that is said of a model on a data set, in pixels of its images."""
    import numpy as np

    from vision import mask_evaluation

    anomalous = np.array([bool(sample.instances) for sample in dataset.samples])
    return mask_evaluation.whole(tally, model.classes, model.metadata["threshold"], answers, anomalous)


def evaluate(options: argparse.Namespace) -> None:
    """Print the metrics of a model on a data set, every image of it."""
    from vision import formats, record

    with verbs.scratch_folder() as scratch:
        model = load_model(options.model, scratch)
        dataset = record.aligned(formats.load_masks(options.data, prefer=options.manifest), model.classes)
        for note in dataset.notes:
            print(f"note: {note}", file=sys.stderr)
        print(json.dumps(evaluation(model, *over(model, dataset), dataset), indent=2, allow_nan=False))


PROGRAM = Program(
    name="unet",
    summary="Trains a UNet in Keras to mark surface defects pixel by pixel, and to judge images as a whole",
    hyperparameters=Hyperparameters,
    metrics=METRICS,
    environment="tensorflow",
    images=("train-tf-cpu", "train-tf-gpu"),
    channels={
        "train": Channel(True, "images/ and masks/, KolektorSDD, KolektorSDD2, or a manifest with masks"),
        "validation": Channel(False, "the same; else a stratified part of `train` is held out"),
        "pretrained": Channel(False, "one .safetensors or Keras' own .h5 file, or a model.tar.gz, to start from"),
    },
    verbs=verbs.table("unet", load_model, train, evaluate, exported=("saved_model", "a SavedModel")),
    aliases=names.SEGMENTATION,
    samples="segmentation",
    sample_settings={"epochs": "9"},
)

if __name__ == "__main__":
    PROGRAM.main()
