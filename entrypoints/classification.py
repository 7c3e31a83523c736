"""Image classification: fine-tunes torchvision's networks to tell normal from anomalous, or more classes apart.

    python classification.py train                      what SageMaker runs; everything comes from /opt/ml
    python classification.py serve                      /ping and /invocations on port 8080
    python classification.py predict MODEL_DIR IMAGE…   predictions JSON on stdout
    python classification.py evaluate MODEL_DIR DATA    metrics JSON on stdout
    python classification.py export MODEL_DIR OUT       TorchScript for other runtimes

Channels: `train` (required), `validation`, `train_lst`, `validation_lst` and `pretrained` (optional). Output:
model.safetensors and metadata.json in /opt/ml/model; metrics.json, results.csv, split.json, predictions.json and
pictures in /opt/ml/output/data.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optml.environment import Environment
from optml.hyperparameters import field
from optml.metrics import Registry
from optml.program import Channel, Program
from training import first, names, results, verbs, waiting
from training.hosts import Hosts
from training.joining import together
from training.run import Run

if TYPE_CHECKING:
    import torch

    from training.classifier import Classifier, Floats
    from training.classifying import Job
    from training.labels import Labelled, Objective
    from vision.record import Dataset

MODELS = names.CLASSIFIERS


@dataclass(frozen=True)
class Hyperparameters:
    """Dashes and underscores are equal; names of AWS's built-in algorithm are understood too (`training.names`)."""

    model: str = field("resnet18", choices=MODELS, help="architecture, of torchvision")
    epochs: int = field(12, unit="passes over the training set", minimum=1)
    batch_size: int = field(16, unit="images", minimum=1, recommended=(4, 256), help="a step, on each host")
    img_size: int = field(96, unit="pixels, side of the square input", minimum=32, multiple_of=32)
    learning_rate: float = field(0.001, unit="AdamW step size", minimum=1e-8, recommended=(1e-5, 0.01))
    weight_decay: float = field(0.02, unit="share of a step", minimum=0.0, maximum=1.0)
    fit: str = field("pad", choices=("pad", "squash"), help="how an image becomes square: grey borders, or stretched")
    augmentation: str = field(
        "full",
        choices=("none", "light", "full"),
        help="light: mirrored left and right, moved, scaled, tinted; full: also turned by any angle",
    )
    freeze: bool = field(False, help="train the head only, on features computed once; nothing is augmented then")
    class_weights: bool = field(True, help="rare classes count more, so that all count alike")
    label_smoothing: float = field(0.05, minimum=0.0, maximum=0.5, help="how far the target is from certainty")
    seed: int = field(0, minimum=0, help="of weights, split, order and augmentation")
    patience: int = field(0, unit="epochs without a better score before stopping; 0 never stops", minimum=0)
    device: str = field("auto", choices=("auto", "cpu", "cuda"))
    precision: str = field("auto", choices=("auto", "fp32", "bf16"), help="bf16 where the processor computes in it")
    pretrained: str = field(
        "auto",
        choices=("auto", "starter", "channel", "imagenet", "none"),
        help="starting weights; auto: the channel `pretrained`, else Drydock's starter where the model has one, "
        "else none; imagenet: torchvision's, from the internet",
    )
    positive_class: str = field("", help="of two classes the one to find; default: the one not called normal")
    num_classes: int | None = field(None, minimum=2, help="checked against the data where it is given")
    num_training_samples: int | None = field(None, unit="images", minimum=1, help="checked, likewise")
    validation_fraction: float = field(0.2, minimum=0.05, maximum=0.5, help="held out when there is no such channel")
    manifest: str = field("", help="annotation file inside the channel, when it holds several")


METRICS = Registry()
results.declare_training(METRICS)
METRICS.metric("validation:auroc", "area under the ROC curve of two classes on the validation set")
METRICS.metric("validation:average_precision", "step integral of precision over recall of two classes")
METRICS.metric("validation:balanced_accuracy", "mean recall of the classes on the validation set")
METRICS.metric("validation:best_auroc", "auroc of the epoch whose weights are kept")
METRICS.metric("validation:best_balanced_accuracy", "balanced accuracy of the kept weights, at their threshold")


# ---------------------------------------------------------------- train
def train(env: Environment, hp: Hyperparameters) -> None:
    """Read, split, train, keep the best epoch, choose the threshold, write the artefacts."""
    sets, own = read_data(env, hp), first.shipped(hp.model, MODELS, hp.pretrained, env)
    if hp.img_size < 64 and not hp.freeze:  # the last layers see one number a channel and image
        Hosts.of(env).check_batches(len(sets[0].samples), hp.batch_size, "img-size=64 ")
    waiting.asleep()
    from training import backbones, classifying, devices  # torch takes seconds to import: wrong data is refused before

    run = devices.new_run(env, hp, sets[0].classes, METRICS)
    job = classifying.prepare(run, backbones.build(hp.model, len(run.classes)), sets, own)
    goal = objective(run, job.train)
    classifying.fit(run, job, goal, lambda: save_model(run, job, goal))
    if run.hosts.first:
        report(run, sets[1])


def read_data(env: Environment, hp: Hyperparameters) -> tuple[Dataset, Dataset]:
    """The training and the validation set of the job's channels."""
    from vision import classification

    sets = classification.load_sets(
        env.channels,
        manifest=hp.manifest,
        fraction=hp.validation_fraction,
        seed=hp.seed,
        split_file=Hosts.of(env).output(env) / "split.json",
    )
    classification.check_classes(sets[0], hp.num_classes)
    classification.check_samples(sets, hp.num_training_samples)
    if len(sets[0].classes) == 2:
        classification.positive_class(sets[0].classes, hp.positive_class)
    return sets


# ---------------------------------------------------------------- loss
def objective(run: Run[Hyperparameters], train_data: Labelled) -> Objective:
    """Cross-entropy, every class with the same weight in all; AUROC of two classes, balanced accuracy of more."""
    import numpy as np
    import torch
    from torch.nn import functional

    from training.labels import Objective
    from vision import label_evaluation

    counts = np.bincount(train_data.labels, minlength=len(run.classes))
    balance = counts.sum() / (len(counts) * counts) if run.hp.class_weights else np.ones(len(counts))
    weight = torch.tensor(balance, dtype=torch.float32, device=run.compute.device)
    positive = positive_class(run)

    def loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(outputs, labels, weight, label_smoothing=run.hp.label_smoothing)

    return Objective(
        loss,
        lambda outputs: outputs.softmax(1),
        lambda found, labels: label_evaluation.metrics(found, labels, positive),
        "validation:balanced_accuracy" if positive is None else "validation:auroc",
    )


def positive_class(run: Run[Hyperparameters]) -> int | None:
    """Of two classes the one to find."""
    from vision import classification

    return classification.positive_class(run.classes, run.hp.positive_class) if len(run.classes) == 2 else None


# ---------------------------------------------------------------- artefact
def save_model(run: Run[Hyperparameters], job: Job, goal: Objective) -> None:
    """Write the best epoch with the threshold of its highest balanced accuracy on the validation set."""
    from training import classifying, labels
    from vision import label_evaluation

    positive, threshold = positive_class(run), None
    if positive is not None:
        found, _ = labels.outputs(job.trained, job.validation, goal, run, stoppable=False)
        threshold = label_evaluation.threshold(found, job.validation.labels, positive)
    classifying.save_model(run, job, "classification", "classify", positive=positive, threshold=threshold)


def report(run: Run[Hyperparameters], validation_set: Dataset) -> None:
    """Evaluate the saved model as every other verb would; write the numbers and the pictures."""
    from vision import label_report

    model = load_model(run.env.model_dir, run.env.scratch_dir, run.compute.device)
    found = model.over(validation_set)
    values = evaluation(model, validation_set, found)
    best = {f"validation:best_{name}": values.get(f"validation:{name}") for name in ("auroc", "balanced_accuracy")}
    run.metrics.report({name: value for name, value in best.items() if value is not None})
    results.write_numbers(run, values)
    label_report.write(
        run.env.output_data_dir, validation_set, found, [model.answer(one) for one in found],
        model.metadata["positive"], model.metadata["threshold"],
    )  # fmt: skip
    said = ", ".join(f"{name.partition('_')[2]} {value:.3f}" for name, value in best.items() if value is not None)
    print(f"best epoch: {said} (always the largest class: {values['majority_accuracy']:.3f})", flush=True)


def load_model(folder: Path, _scratch: Path, device: str = "auto") -> Classifier:
    """A trained model folder, loaded without unpickling."""
    from training import model_folder

    metadata = model_folder.metadata(folder, MODELS, ("classify",))
    waiting.asleep()
    from training import backbones, devices
    from training.classifier import Classifier
    from vision import label_evaluation

    network = backbones.build(metadata["architecture"], len(metadata["classes"]))
    model_folder.load_weights(network, folder)
    positive, threshold = metadata["positive"], metadata["threshold"]
    return Classifier(
        network,
        metadata,
        devices.choose(device),
        lambda outputs: outputs.softmax(1),
        lambda found: int(label_evaluation.decided(found[None], positive, threshold)[0]),
    )


# ---------------------------------------------------------------- use
def evaluation(model: Classifier, dataset: Dataset, found: Floats) -> dict[str, Any]:
    """All that is said of a model's probabilities (N, C) for a data set."""
    import numpy as np

    from vision import classification, label_evaluation

    labels, metadata = np.array(classification.labels(dataset)), model.metadata
    return label_evaluation.whole(found, labels, model.classes, metadata["positive"], metadata["threshold"])


def evaluate(options: argparse.Namespace) -> None:
    """Print the metrics of a model on a data set, every image of it."""
    with verbs.scratch_folder() as scratch:
        model = load_model(options.model, scratch)
        dataset = verbs.labelled_set(options, model.classes)
        print(json.dumps(evaluation(model, dataset, model.over(dataset)), indent=2, allow_nan=False))


PROGRAM = Program(
    name="classification",
    summary="Fine-tunes torchvision's networks to classify images: normal or anomalous, or more classes",
    hyperparameters=Hyperparameters,
    metrics=METRICS,
    environment="pytorch",
    images=("train-cpu", "train-gpu"),
    channels={
        "train": Channel(True, "a folder for each class, a Lookout for Vision or augmented manifest, or a .lst file"),
        "validation": Channel(False, "the same; else a stratified part of `train` is held out"),
        "train_lst": Channel(False, "the .lst file of `train`, as AWS's built-in algorithm has it"),
        "validation_lst": Channel(False, "the .lst file of `validation`"),
        "pretrained": Channel(False, "one .safetensors, .pt or .pth file, or a model.tar.gz, to start from"),
    },
    verbs=verbs.table("classification", load_model, together(train), evaluate),
    aliases=names.IMAGE_CLASSIFICATION,
    several_hosts=True,
    samples="classification",
)

if __name__ == "__main__":
    PROGRAM.main()
