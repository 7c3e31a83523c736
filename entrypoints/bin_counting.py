"""Counting objects: trains torchvision's networks on photographs of warehouse bins to say how many things are inside.

    python bin_counting.py train                      what SageMaker runs; everything comes from /opt/ml
    python bin_counting.py serve                      /ping and /invocations on port 8080
    python bin_counting.py predict MODEL_DIR IMAGE…   predictions JSON on stdout
    python bin_counting.py evaluate MODEL_DIR DATA    metrics JSON on stdout
    python bin_counting.py export MODEL_DIR OUT       TorchScript for other runtimes

Channels: `train` (required), `validation` and `pretrained` (optional). Output: model.safetensors and metadata.json in
/opt/ml/model; metrics.json, results.csv, split.json, predictions.json and pictures in /opt/ml/output/data.

The published projects froze a backbone, squashed the images and took a count for a name:

    pretrained=imagenet model=resnet50 freeze=true hidden=256 fit=squash head=softmax
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
from training import first, names, results, verbs, waiting
from training.hosts import Hosts
from training.joining import together
from training.run import Run

if TYPE_CHECKING:
    import torch

    from training.classifier import Classifier
    from training.labels import Objective
    from vision.label_scores import Floats, Ints
    from vision.record import Dataset

MODELS = names.CLASSIFIERS
HEADS = ("ordinal", "softmax")


@dataclass(frozen=True)
class Hyperparameters:
    """Dashes and underscores are equal; names of the published projects are understood too (`training.names`)."""

    model: str = field("resnet18", choices=MODELS, help="architecture, of torchvision")
    head: str = field("ordinal", choices=HEADS, help="ordinal: is it more than 1, than 2, …; softmax: a class a count")
    hidden: int = field(0, unit="width of a hidden layer of the head; 0: none", minimum=0, maximum=65536)
    dropout: float = field(0.2, unit="share of the head's inputs", minimum=0.0, maximum=0.9)
    freeze: bool = field(False, help="train the head only, on features computed once; nothing is augmented then")
    epochs: int = field(12, unit="passes over the training set", minimum=1)
    batch_size: int = field(16, unit="images", minimum=2, recommended=(4, 256), help="a step, on each host")
    img_size: int = field(96, unit="pixels, side of the square input", minimum=32, multiple_of=32)
    learning_rate: float = field(0.001, unit="AdamW step size", minimum=1e-8, recommended=(1e-5, 0.1))
    weight_decay: float = field(0.02, unit="share of a step", minimum=0.0, maximum=1.0)
    fit: str = field("pad", choices=("pad", "squash"), help="how an image becomes square: grey borders, or stretched")
    augmentation: str = field(
        "light",
        choices=("none", "light", "full"),
        help="light: mirrored left and right, moved, scaled, tinted; full: also turned by any angle",
    )
    max_count: int | None = field(
        None, unit="objects; images of more are left out", minimum=1, help="none: 5, or as num-classes has it"
    )
    num_classes: int | None = field(
        None, unit="counts", minimum=2, help="from the least one of the data on: 1 to 5 are five, 0 to 5 are six"
    )
    num_training_samples: int | None = field(None, unit="images", minimum=1, help="checked against the data")
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
    validation_fraction: float = field(0.2, minimum=0.05, maximum=0.5, help="held out when there is no such channel")
    manifest: str = field("", help="list or annotation file inside the channel, when it holds several")


METRICS = Registry()
results.declare_training(METRICS)
METRICS.metric("validation:rmse", "root mean square error of the expected count, rounded", unit="objects")
METRICS.metric("validation:precision", "mean precision of the counts on the validation set")
METRICS.metric("validation:recall", "mean recall of the counts on the validation set")
METRICS.metric("validation:f1", "mean F1 of the counts on the validation set")
METRICS.metric("validation:best_accuracy", "accuracy of the epoch whose weights are kept")
METRICS.metric("validation:best_rmse", "RMSE of the epoch whose weights are kept", unit="objects")


# ---------------------------------------------------------------- train
def train(env: Environment, hp: Hyperparameters) -> None:
    """Read, split, train, keep the best epoch, write the artefacts."""
    sets, own = read_data(env, hp), first.shipped(hp.model, MODELS, hp.pretrained, env)
    if hp.hidden or (hp.img_size < 64 and not hp.freeze):  # some layers normalise one number an image
        Hosts.of(env).check_batches(len(sets[0].samples), hp.batch_size, "" if hp.hidden else "img-size=64 ")
    waiting.asleep()
    from training import classifying, devices  # torch takes seconds to import: wrong data is refused before

    run = devices.new_run(env, hp, sets[0].classes, METRICS)
    network = build(hp.model, hp.head, hp.hidden, len(run.classes), hp.dropout)
    job = classifying.prepare(run, network, sets, own)
    head = {"head": hp.head, "hidden": hp.hidden}
    classifying.fit(run, job, objective(run), lambda: classifying.save_model(run, job, "bin_counting", "count", **head))
    if run.hosts.first:
        report(run, sets[1])


def read_data(env: Environment, hp: Hyperparameters) -> tuple[Dataset, Dataset]:
    """The training and the validation set of the job's channels."""
    from vision import classification, counting

    sets = counting.load_sets(
        env.channels,
        max_count=hp.max_count,
        counts=hp.num_classes,
        manifest=hp.manifest,
        fraction=hp.validation_fraction,
        seed=hp.seed,
        split_file=Hosts.of(env).output(env) / "split.json",
    )
    classification.check_samples(sets, hp.num_training_samples)
    return sets


# ---------------------------------------------------------------- model and loss
def build(model: str, head: str, hidden: int, classes: int, dropout: float | None = None) -> torch.nn.Module:
    """A network with an output for each count, or for each step between two counts."""
    from training import backbones

    return backbones.build(model, classes - (head == "ordinal"), hidden=hidden, dropout=dropout)


def objective(run: Run[Hyperparameters]) -> Objective:
    """Cross-entropy of the counts, or of each question whether there are more; the log lines that projects match."""
    import torch
    from torch.nn import functional

    from training.labels import Objective
    from vision import counting

    def loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if run.hp.head == "softmax":
            return functional.cross_entropy(outputs, labels)
        steps = torch.arange(outputs.shape[1], device=outputs.device)
        return functional.binary_cross_entropy_with_logits(outputs, (labels[:, None] > steps).float())

    def scores(found: Floats, labels: Ints) -> dict[str, float]:
        return counting.metrics(found, labels, run.classes)

    return Objective(loss, probabilities(run.hp.head), scores, "validation:accuracy", published_lines)


def probabilities(head: str) -> Any:
    """What turns outputs (B, K) into probabilities of the counts (B, C)."""
    import torch

    def of_steps(outputs: torch.Tensor) -> torch.Tensor:
        more = outputs.sigmoid().cummin(1).values  # more than 3 is never likelier than more than 2
        edges = torch.nn.functional.pad(more, (1, 0), value=1.0)
        return edges - torch.nn.functional.pad(more, (0, 1), value=0.0)

    return of_steps if head == "ordinal" else lambda outputs: outputs.softmax(1)


def published_lines(values: dict[str, float]) -> list[str]:
    """The lines of the published projects, so that their own metric definitions catch them."""
    named = {"Average loss": "loss", "Precision": "precision", "Recall": "recall", "F1 Score": "f1"}
    return [f"{said}: {values[f'validation:{name}']:.6f}" for said, name in named.items()]


# ---------------------------------------------------------------- artefact
def report(run: Run[Hyperparameters], validation_set: Dataset) -> None:
    """Evaluate the saved model as every other verb would; write the numbers and the pictures."""
    from vision import label_report

    model = load_model(run.env.model_dir, run.env.scratch_dir, run.compute.device)
    found = model.over(validation_set)
    values = evaluation(validation_set, found)
    best = {f"validation:best_{name}": values[f"validation:{name}"] for name in ("accuracy", "rmse")}
    run.metrics.report(best)
    results.write_numbers(run, values | best)
    label_report.write(run.env.output_data_dir, validation_set, found, [model.answer(one) for one in found])
    others = "; ".join(
        f"always the {word}: {values[key]['accuracy']:.3f}, {values[key]['rmse']:.3f}"
        for key, word in (("majority", "most frequent count"), ("mean", "mean"))
    )
    accuracy, rmse = best.values()
    print(f"best epoch: accuracy {accuracy:.3f}, RMSE {rmse:.3f} ({others})", flush=True)


def evaluation(dataset: Dataset, found: Floats) -> dict[str, Any]:
    """All that is said of probabilities (N, C) for a data set."""
    import numpy as np

    from vision import classification, counting

    return counting.whole(found, np.array(classification.labels(dataset)), dataset)


def load_model(folder: Path, _scratch: Path, device: str = "auto") -> Classifier:
    """A trained model folder, loaded without unpickling."""
    from training import model_folder

    metadata = model_folder.metadata(folder, MODELS, ("count",))
    waiting.asleep()
    from training import devices
    from training.classifier import Classifier

    network = build(metadata["architecture"], metadata["head"], metadata["hidden"], len(metadata["classes"]))
    model_folder.load_weights(network, folder)
    find = probabilities(metadata["head"])
    return Classifier(network, metadata, devices.choose(device), find, lambda found: int(found.argmax()))


# ---------------------------------------------------------------- use
def evaluate(options: argparse.Namespace) -> None:
    """Print the metrics of a model on a data set, every image of a count that it knows."""
    from vision import counting

    with verbs.scratch_folder() as scratch:
        model = load_model(options.model, scratch)
        dataset = counting.evaluation_set(options.data, options.manifest, model.classes)
        for note in dataset.notes:
            print(f"note: {note}", file=sys.stderr)
        print(json.dumps(evaluation(dataset, model.over(dataset)), indent=2, allow_nan=False))


PROGRAM = Program(
    name="bin_counting",
    summary="Trains torchvision's networks to count the objects in photographs of bins",
    hyperparameters=Hyperparameters,
    metrics=METRICS,
    environment="pytorch",
    images=("train-cpu", "train-gpu"),
    channels={
        "train": Channel(True, "ABID's images with their metadata or a list of ids, or folders named by the count"),
        "validation": Channel(False, "the same; else a stratified part of `train` is held out"),
        "pretrained": Channel(False, "one .safetensors, .pt or .pth file, or a model.tar.gz, to start from"),
    },
    verbs=verbs.table("bin_counting", load_model, together(train), evaluate),
    aliases=names.BIN_COUNTING,
    several_hosts=True,
    samples="counting",
    sample_settings={"epochs": "10"},
)

if __name__ == "__main__":
    PROGRAM.main()
