"""YOLO: fine-tunes Ultralytics' detectors and segmenters on photographs of defects, and serves them.

    python yolo.py train                          what SageMaker runs; everything comes from /opt/ml
    python yolo.py serve                          /ping and /invocations on port 8080, model from /opt/ml/model
    python yolo.py predict MODEL_DIR IMAGE…       predictions JSON on stdout
    python yolo.py evaluate MODEL_DIR DATA        metrics JSON on stdout
    python yolo.py export MODEL_DIR OUT           TorchScript for other runtimes

Channels: `train` (required), `validation` and `pretrained` (optional). Output: model.pt, model.safetensors and
metadata.json in /opt/ml/model; metrics.json, results.csv, split.json and pictures in /opt/ml/output/data.

This is the one file that imports ultralytics (AGPL-3.0).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optml import artefact, checkpoints, serving
from optml.environment import Environment
from optml.errors import Refusal
from optml.hyperparameters import field
from optml.metrics import Registry
from optml.program import Channel, Program, Stopped, Verb, stop_requested

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from vision.record import Dataset
    from vision.report import PrecisionRecall

SIZES = ("n", "s", "m", "l", "x")
MODELS = tuple(f"{family}{size}" for family in ("yolov8", "yolo11", "yolo26") for size in SIZES)
STARTER = Path(__file__).parent / "weights" / "yolov8n-seg.safetensors"
CONFIDENCE = 0.25
NMS_IOU = 0.4
"""Above it the lower of two predictions is dropped; below Ultralytics' 0.7, since defects seldom overlap."""
LETTERBOX_COLOUR = (114, 114, 114)


@dataclass(frozen=True)
class Hyperparameters:
    """Named as the published guides name them; dashes and underscores are equal."""

    model_size: str = field("yolov8n", choices=(*MODELS, *SIZES), help="architecture; a bare size means YOLOv8")
    task: str = field("detect", choices=("detect", "segment"), help="boxes, or boxes and masks")
    epochs: int = field(50, unit="passes over the training set", minimum=1, recommended=(10, 300))
    batch_size: int = field(16, unit="images", minimum=1, recommended=(1, 64))
    img_size: int = field(640, unit="pixels of the longer side", minimum=32, multiple_of=32, recommended=(320, 1280))
    learning_rate: float = field(0.001, unit="AdamW step size", minimum=1e-8, recommended=(1e-5, 0.01))
    mosaic: float = field(1.0, unit="share of images put together from four", minimum=0.0, maximum=1.0)
    seed: int = field(0, minimum=0, help="of weights, split, order and augmentation")
    patience: int = field(50, unit="epochs without a better mAP before stopping; 0 never stops", minimum=0)
    device: str = field("auto", choices=("auto", "cpu", "cuda"))
    precision: str = field("auto", choices=("auto", "fp32", "bf16"), help="bf16 where the processor computes in it")
    pretrained: str = field(
        "auto",
        choices=("auto", "starter", "channel", "ultralytics", "none"),
        help="starting weights; auto: the channel `pretrained`, else the starter that ships with Drydock",
    )
    validation_fraction: float = field(0.2, minimum=0.05, maximum=0.5, help="held out when there is no such channel")
    manifest: str = field("", help="annotation file inside the channel, when it holds several")

    @property
    def architecture(self) -> str:
        """`yolov8n`, `yolo11s`, …: the name Ultralytics' model files begin with."""
        return f"yolov8{self.model_size}" if self.model_size in SIZES else self.model_size


METRICS = Registry()
LOSSES = ("box_loss", "cls_loss", "dfl_loss", "seg_loss", "sem_loss", "l1_loss")
SCORES = {"precision": "precision", "recall": "recall", "mAP50": "mAP50", "mAP50-95": "mAP50-95"}
for _loss in LOSSES:
    METRICS.metric(f"train:{_loss}", f"mean {_loss.replace('_', ' ')} over the epoch")
    METRICS.metric(f"validation:{_loss}", f"{_loss.replace('_', ' ')} on the validation set")
for _score in SCORES:
    METRICS.metric(f"validation:{_score}", f"{_score} of boxes on the validation set")
    METRICS.metric(f"validation:mask_{_score}", f"{_score} of masks on the validation set")
METRICS.metric("validation:best_mAP50", "mAP50 of the epoch whose weights are kept (masks when task=segment)")
METRICS.metric("train:epoch_seconds", "wall time of the epoch", unit="s")


# ---------------------------------------------------------------- train
def train(env: Environment, hp: Hyperparameters) -> None:
    """Read, split, fine-tune, keep the best epoch, write the artefacts."""
    train_set, validation_set = read_data(env, hp)
    from training import devices  # torch takes seconds to import: wrong data is refused before

    device = devices.choose(hp.device)
    compute = Compute(device, devices.computes_bfloat16(device, hp.precision))
    prepare_ultralytics(env.scratch_dir, offline=hp.pretrained != "ultralytics")
    data_yaml = write_training_data(env.scratch_dir / "data", train_set, validation_set, hp)
    leave_if_stopped()
    run = Run(env, hp, compute, train_set.classes, checkpoints.Store(env.checkpoint_dir))
    trainer = build_trainer(run, data_yaml, train_set)
    try:
        if trainer is not None:
            trainer.train()
    except Stopped:
        save_model(run)
        write_numbers(run, {})
        kept = run.store.newest()
        print(f"stopped on request; {f'epoch {kept.step} is kept' if kept else 'no epoch was finished'}", flush=True)
        raise
    except Exception as error:
        if "out of memory" in str(error).lower():
            raise out_of_memory(hp) from error
        raise
    save_model(run)
    report(run, validation_set)


def leave_if_stopped() -> None:
    """Raise Stopped once SIGTERM has come: called wherever the run can be left, at each batch too."""
    if stop_requested():
        raise Stopped


def read_data(env: Environment, hp: Hyperparameters) -> tuple[Dataset, Dataset]:
    """The training and the validation set of the job's channels."""
    from vision import detection

    return detection.load_sets(
        env.channel("train"),
        env.channels.get("validation"),
        manifest=hp.manifest,
        fraction=hp.validation_fraction,
        seed=hp.seed,
        split_file=env.output_data_dir / "split.json",
        masks=hp.task == "segment",
    )


def write_training_data(folder: Path, train_set: Dataset, validation_set: Dataset, hp: Hyperparameters) -> Path:
    """A YOLO folder in scratch with images decoded once and scaled to `img-size`; returns its data.yaml."""
    from vision import prepare
    from vision.formats import yolo_folder

    parts = [
        prepare.scaled(part, folder.with_name(f"{folder.name}-{role}"), hp.img_size)
        for role, part in (("train", train_set), ("val", validation_set))
    ]
    return yolo_folder.save(folder, *parts, polygons=hp.task == "segment")


def prepare_ultralytics(scratch: Path, *, offline: bool = True) -> None:
    """Keep Ultralytics from fetching fonts, installing packages, calling home and printing its own tables.

    Must run before the first import of ultralytics: it reads these variables at import.
    """
    import matplotlib

    config = scratch / "ultralytics"
    config.mkdir(parents=True, exist_ok=True)
    font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        shutil.copyfile(font, config / name)
    os.environ.update(
        YOLO_CONFIG_DIR=str(config), YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false", YOLO_OFFLINE=str(offline).lower()
    )
    import logging

    from PIL import Image

    pillow_open = Image.open
    from ultralytics.utils import LOGGER, SETTINGS

    Image.open = pillow_open  # its own wants a package for HEIC where a file is no image at all
    SETTINGS.update({"sync": False})
    LOGGER.setLevel(logging.WARNING)


# ---------------------------------------------------------------- model
def file_stem(architecture: str, task: str) -> str:
    """What Ultralytics' model and weights files of an architecture are called, without their suffix."""
    return f"{architecture}-seg" if task == "segment" else architecture


def new_model(architecture: str, task: str, classes: int) -> Any:
    """An Ultralytics model of `architecture` with random weights and heads for `classes` classes."""
    from ultralytics.nn.tasks import DetectionModel, SegmentationModel

    kind = SegmentationModel if task == "segment" else DetectionModel
    return kind(f"{file_stem(architecture, task)}.yaml", nc=classes, verbose=False)


def starting_weights(env: Environment, hp: Hyperparameters, train_set: Dataset) -> tuple[str, dict[str, torch.Tensor]]:
    """Where the first weights come from, and the weights by name (empty: random)."""
    source = hp.pretrained
    if source == "auto":
        source = "channel" if "pretrained" in env.channels else "starter"
    if source == "none":
        return "random weights (pretrained=none)", {}
    from training import weights

    if source == "channel":
        name, state = weights.from_channel(env.channel("pretrained"), env.scratch_dir)
        return f"channel `pretrained` ({name})", state
    if source == "ultralytics":
        return published_weights(hp)
    if hp.architecture != "yolov8n":
        raise Refusal(
            f"Drydock ships starting weights for yolov8n, not for {hp.architecture}",
            "add a channel `pretrained` with a .pt or .safetensors file, or set pretrained=ultralytics (needs "
            "internet) or pretrained=none (random weights)",
        )
    from training import starter

    words, state = starter.fitted(STARTER, lambda n: new_model("yolov8n", "segment", n), train_set, hp.img_size)
    return f"Drydock's starter {STARTER.name} ({words})", state


def published_weights(hp: Hyperparameters) -> tuple[str, dict[str, torch.Tensor]]:
    """Ultralytics' own weights, downloaded because the user asked for them."""
    from ultralytics.utils.downloads import attempt_download_asset

    from training import weights

    name = f"{file_stem(hp.architecture, hp.task)}.pt"
    try:
        path = Path(attempt_download_asset(name))
    except Exception as error:
        raise Refusal(
            f"could not download Ultralytics' {name}: {error}",
            "check the network, or give the file in a channel `pretrained`",
        ) from error
    return f"Ultralytics' published {name}", weights.read(path)


def run_forward_in_bfloat16(model: Any) -> None:
    """Let the CPU compute the forward pass of `model` in bfloat16; loss and weights stay float32.

    Twice the images per second where the hardware has it. Only the live model is changed, never the averaged copy
    that is validated and saved.
    """
    import torch

    from training import devices

    forward = model._predict_once

    def predict_once(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return devices.in_float32(forward(*args, **kwargs))

    model._predict_once = predict_once


# ---------------------------------------------------------------- loop
@dataclass(frozen=True)
class Compute:
    device: str
    """`cpu` or `cuda`"""
    half: bool
    """Forward passes in bfloat16."""

    def __str__(self) -> str:
        return f"{'CPU' if self.device == 'cpu' else 'GPU'} in {'bfloat16' if self.half else 'float32'}"


@dataclass(frozen=True)
class Run:
    """One training run: what it was asked for, what it computes on, where its checkpoints go."""

    env: Environment
    hp: Hyperparameters
    compute: Compute
    classes: tuple[str, ...]
    store: checkpoints.Store

    @property
    def folder(self) -> Path:
        """Where Ultralytics writes."""
        return self.env.scratch_dir / "run"


def build_trainer(run: Run, data_yaml: Path, train_set: Dataset) -> Any:
    """An Ultralytics trainer that starts from the newest checkpoint or the starting weights; None when all is done."""
    from ultralytics.models.yolo.detect import DetectionTrainer
    from ultralytics.models.yolo.segment import SegmentationTrainer

    from training.weights import load_matching

    hp, checkpoint = run.hp, run.store.newest()
    source, weights = ("the checkpoint", {}) if checkpoint else starting_weights(run.env, hp, train_set)
    if checkpoint:
        restore(checkpoint, run)
        print(f"resuming after epoch {checkpoint.step} from {checkpoint.path.name}", flush=True)
        if checkpoint.step >= hp.epochs:
            print(f"all {hp.epochs} epochs are done already", flush=True)
            return None

    class Trainer(SegmentationTrainer if hp.task == "segment" else DetectionTrainer):  # type: ignore[misc]
        def get_model(self, cfg: Any = None, weights_: Any = None, verbose: bool = True, **kwargs: Any) -> Any:
            resumed = kwargs.get("weights", weights_)
            model = super().get_model(cfg=cfg, weights=resumed, verbose=False)
            if resumed is None:
                fitted, total = load_matching(model, weights)
                print(f"starting from {source}: {fitted} of {total} tensors", flush=True)
            return model

        def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:
            dataset = super().build_dataset(img_path, mode, batch)
            if mode == "val":  # square letterbox, the very input that serve and predict make
                dataset.rect = False
                dataset.transforms = dataset.build_transforms(hyp=self.args)
            return dataset

        def final_eval(self) -> None:
            """The best epoch is evaluated by `report`, with the saved artefact."""

    trainer = Trainer(overrides=settings(run, data_yaml, resume=checkpoint is not None))
    trainer.args.epochs = trainer.epochs = hp.epochs
    attach(trainer, run)
    return trainer


def settings(run: Run, data_yaml: Path, *, resume: bool) -> dict[str, Any]:
    """Ultralytics' settings, each decided here: nothing is left to its `auto`."""
    hp, on_cpu = run.hp, run.compute.device == "cpu"
    return {
        "model": f"{file_stem(hp.architecture, hp.task)}.yaml",
        "task": hp.task,
        "data": str(data_yaml),
        "epochs": hp.epochs,
        "batch": hp.batch_size,
        "nbs": hp.batch_size,  # one optimiser step a batch
        "imgsz": hp.img_size,
        "optimizer": "AdamW",  # `auto` would override the learning rate
        "lr0": hp.learning_rate,
        "lrf": 0.01,
        "cos_lr": True,
        "momentum": 0.9,
        "weight_decay": 0.01,
        "warmup_epochs": 1.0,
        "warmup_bias_lr": 0.0,
        "mosaic": hp.mosaic,
        "close_mosaic": max(1, hp.epochs // 4),
        "iou": NMS_IOU,
        "flipud": 0.5,  # parts on a belt have no up
        "scale": 0.3,
        "hsv_h": 0.05,
        "hsv_s": 0.5,
        "hsv_v": 0.3,
        "seed": hp.seed,
        "patience": hp.patience or 10**6,
        "device": "cpu" if on_cpu else "0",
        "amp": "bf16" if run.compute.half and not on_cpu else False,  # True would fetch a model to test
        "workers": 0 if on_cpu else min(8, run.env.num_cpus),
        "cache": False,
        "pretrained": False,
        "plots": False,
        "verbose": False,
        "deterministic": True,
        "resume": str(run.folder / "weights" / "last.pt") if resume else False,
        "save_dir": str(run.folder),
        "exist_ok": True,
    }


def attach(trainer: Any, run: Run) -> None:
    """Metric lines, checkpoints and stopping, as callbacks of Ultralytics' trainer."""
    import torch

    from training.pace import Pace

    pace = Pace()

    def on_train_start(trainer: Any) -> None:
        torch.set_num_threads(run.env.num_cpus)  # Ultralytics leaves one core idle
        if run.compute.half and run.compute.device == "cpu":
            run_forward_in_bfloat16(trainer.model)
        print(f"training {run.hp.architecture} ({run.hp.task}) on {run.compute}, {run.env.num_cpus} CPUs", flush=True)

    def on_train_epoch_start(trainer: Any) -> None:
        leave_if_stopped()
        trainer._oom_retries = 3  # out of memory is an error to report, not a reason to halve the batch in silence
        pace.start_epoch()

    def on_train_batch_end(trainer: Any) -> None:
        leave_if_stopped()
        if pace.due():
            print(
                f"epoch {trainer.epoch + 1}/{trainer.epochs}: batch {pace.batches}/{len(trainer.train_loader)}",
                flush=True,
            )

    def on_model_save(trainer: Any) -> None:
        files = {path.name: path for path in kept_files(run.folder) if path.is_file()}
        run.store.save(
            trainer.epoch + 1,
            {name: copier(path) for name, path in files.items()},
            epoch=trainer.epoch + 1,
            extra={"hyperparameters": asdict(run.hp), "classes": list(run.classes)},
        )

    def on_fit_epoch_end(trainer: Any) -> None:
        values = epoch_metrics(trainer) | {"train:epoch_seconds": pace.seconds()}
        METRICS.report(values, epoch=trainer.epoch + 1)
        print(epoch_line(trainer, values, run.hp), flush=True)

    for callback in (on_train_start, on_train_epoch_start, on_train_batch_end, on_model_save, on_fit_epoch_end):
        trainer.add_callback(callback.__name__, callback)


def epoch_metrics(trainer: Any) -> dict[str, float]:
    """Ultralytics' names (`metrics/mAP50(B)`, `val/box_loss`) as ours."""
    values = {f"train:{name}": float(value) for name, value in (trainer.tloss or {}).items() if name in LOSSES}
    for key, value in trainer.metrics.items():
        group, name = key.split("/", 1)
        if group == "val" and name in LOSSES:
            values[f"validation:{name}"] = float(value)
        elif match := re.fullmatch(r"(.+)\((B|M)\)", name):
            values[f"validation:{'mask_' if match[2] == 'M' else ''}{match[1]}"] = float(value)
    return values


def epoch_line(trainer: Any, values: Mapping[str, float], hp: Hyperparameters) -> str:
    kind = "validation:mask_" if hp.task == "segment" else "validation:"
    loss = sum(value for name, value in values.items() if name.startswith("train:") and name.endswith("loss"))
    return (
        f"epoch {trainer.epoch + 1}/{trainer.epochs}: loss {loss:.3f}, mAP50 {values[kind + 'mAP50']:.3f}, "
        f"mAP50-95 {values[kind + 'mAP50-95']:.3f} ({values['train:epoch_seconds']:.1f} s)"
    )


def copier(source: Path) -> Callable[[Path], None]:
    """A writer for the checkpoint store and the model folder."""

    def write(target: Path) -> None:
        shutil.copyfile(source, target)

    return write


def kept_files(folder: Path) -> tuple[Path, ...]:
    """What a checkpoint holds, as Ultralytics places it below its run folder."""
    return (folder / "weights" / "last.pt", folder / "weights" / "best.pt", folder / "results.csv")


def restore(checkpoint: checkpoints.Checkpoint, run: Run) -> None:
    """Put a checkpoint where Ultralytics resumes from; refuses one made with other settings."""
    before = checkpoint.extra["hyperparameters"]
    free = {"epochs", "patience", "device", "precision", "manifest"}
    for name, value in asdict(run.hp).items():
        if name not in free and before.get(name) != value:
            raise Refusal(
                f"the checkpoint was made with {name.replace('_', '-')}={before.get(name)}, this job asks for {value}",
                "resume with the same value, or start afresh with another checkpoint location",
            )
    if checkpoint.extra["classes"] != list(run.classes):
        raise Refusal(
            f"the checkpoint knows the classes {checkpoint.extra['classes']}, the data has {list(run.classes)}",
            "resume with the same data, or start afresh with another checkpoint location",
        )
    (run.folder / "weights").mkdir(parents=True, exist_ok=True)
    for path in kept_files(run.folder):
        if (checkpoint.path / path.name).is_file():
            shutil.copyfile(checkpoint.path / path.name, path)


def out_of_memory(hp: Hyperparameters) -> Refusal:
    """Ultralytics would halve the batch in silence; we say which size to take."""
    return Refusal(
        f"out of memory with batch-size={hp.batch_size} and img-size={hp.img_size}",
        f"use batch-size={max(1, hp.batch_size // 2)}",
    )


# ---------------------------------------------------------------- artefact
def save_model(run: Run) -> None:
    """Write the best epoch so far as model.pt (for Ultralytics) and model.safetensors (for everyone else)."""
    best = run.folder / "weights" / "best.pt"
    if not best.is_file():
        return
    from safetensors.torch import save_file
    from ultralytics.utils.torch_utils import strip_optimizer

    stripped = run.folder / "best-stripped.pt"
    saved = strip_optimizer(best, str(stripped))
    state = {name: tensor.contiguous() for name, tensor in saved["model"].state_dict().items()}
    header = {"architecture": run.hp.architecture, "classes": json.dumps(run.classes)}
    artefact.save(
        run.env.model_dir,
        {"model.pt": copier(stripped), "model.safetensors": lambda path: save_file(state, path, header)},
        describe_model(run.hp, run.classes),
    )


def describe_model(hp: Hyperparameters, classes: tuple[str, ...]) -> dict[str, Any]:
    """metadata.json, see docs/contract.md."""
    return {
        "format": 1,
        "program": "yolo",
        "task": hp.task,
        "classes": list(classes),
        "input_size": [hp.img_size, hp.img_size],
        "letterbox": {"color": list(LETTERBOX_COLOUR), "scale_up": True, "center": True},
        "architecture": hp.architecture,
        "confidence": CONFIDENCE,
        "nms_iou": NMS_IOU,
        "versions": {name: installed.version(name) for name in ("torch", "ultralytics")},
        "hyperparameters": asdict(hp),
    }


def report(run: Run, validation_set: Dataset) -> None:
    """Evaluate the saved model and write metrics.json, results.csv and the pictures to output/data."""
    from vision import report as pictures

    model = Model(run.env.model_dir, run.env.scratch_dir, run.compute.device)
    scores = model.evaluate(run.env.scratch_dir / "data" / "data.yaml")
    kind = "validation:mask_" if run.hp.task == "segment" else "validation:"
    best = {"validation:best_mAP50": scores.values[kind + "mAP50"]}
    METRICS.report(best)
    write_numbers(run, scores.values | best)
    out = run.env.output_data_dir
    pictures.write(out, validation_set, model.predict, scores.curves, out / "results.csv")
    print(f"best epoch: mAP50 {best['validation:best_mAP50']:.3f}", flush=True)


def write_numbers(run: Run, best: Mapping[str, float]) -> None:
    """results.csv and metrics.json: `best` of the kept weights, and the last values reported."""
    out, results = run.env.output_data_dir, run.folder / "results.csv"
    out.mkdir(parents=True, exist_ok=True)
    if results.is_file():
        shutil.copyfile(results, out / "results.csv")
    (out / "metrics.json").write_text(json.dumps({"best": dict(best), "last": dict(METRICS.final)}, indent=2))


# ---------------------------------------------------------------- use
@dataclass(frozen=True)
class Scores:
    values: dict[str, float]
    """By metric name."""
    curves: PrecisionRecall


class Model:
    """A trained model folder, loaded without unpickling."""

    def __init__(self, folder: Path, scratch: Path, device: str = "auto") -> None:
        self.metadata = artefact.read(folder)
        prepare_ultralytics(scratch)
        from training import devices

        device = devices.choose(device)
        from safetensors.torch import load_file
        from ultralytics import YOLO

        task, architecture = self.metadata["task"], self.metadata["architecture"]
        self._yolo = YOLO(f"{file_stem(architecture, task)}.yaml", task=task, verbose=False)
        model = new_model(architecture, task, len(self.metadata["classes"]))
        model.load_state_dict(load_file(folder / "model.safetensors"))
        model.names = dict(enumerate(self.metadata["classes"]))
        model.args = self._yolo.model.args
        self._yolo.model = model.float().eval()
        self._inference = {
            "device": "cpu" if device == "cpu" else "0",
            "imgsz": self.metadata["input_size"][0],
            "iou": self.metadata["nms_iou"],
            "rect": False,
            "verbose": False,
        }

    def predict(self, image: NDArray[np.uint8], confidence: float | None = None) -> list[dict[str, Any]]:
        """Predictions of one RGB image `(H, W, 3)`, boxes xyxy in its pixels; schema in docs/contract.md.

        `confidence` is the lowest score reported; None takes the model's own.
        """
        from vision import masks

        bgr = image[..., ::-1].copy()
        lowest = self.metadata["confidence"] if confidence is None else confidence
        result = self._yolo.predict(bgr, conf=lowest, save=False, retina_masks=True, **self._inference)[0].cpu()
        found = []
        for index, box in enumerate(result.boxes):
            label = int(box.cls)
            prediction = {
                "class": self.metadata["classes"][label],
                "class_id": label,
                "score": round(float(box.conf), 4),
                "box": [round(float(value), 2) for value in box.xyxy[0]],
            }
            if result.masks is not None:
                prediction["mask"] = masks.encode(result.masks.data[index].numpy() > 0.5)
            found.append(prediction)
        return found

    def evaluate(self, data_yaml: Path) -> Scores:
        """Ultralytics' own validation on the `val` part of a YOLO folder."""
        out = str(data_yaml.parent / "val")
        result = self._yolo.val(
            data=str(data_yaml), batch=16, plots=False, workers=0, project=out, exist_ok=True, **self._inference
        )
        from vision.report import PrecisionRecall

        values: dict[str, float] = {}
        for prefix, part in (("", result.box), *((("mask_", result.seg),) if hasattr(result, "seg") else ())):
            numbers = dict(zip(SCORES, part.mean_results(), strict=True))
            values |= {f"validation:{prefix}{name}": float(value) for name, value in numbers.items()}
        part = result.seg if hasattr(result, "seg") else result.box
        names = [self.metadata["classes"][index] for index in part.ap_class_index]
        return Scores(values, PrecisionRecall(names, part.px, part.prec_values, [float(value) for value in part.ap50]))


def serve(_options: argparse.Namespace) -> None:
    """Answer /invocations with boxes (or masks) in pixels of the image sent."""
    from vision import payload

    with scratch_folder() as scratch:
        serving.serve(lambda folder: payload.predictor(Model(folder, scratch).predict), name="yolo")


def predict(options: argparse.Namespace) -> None:
    """Print predictions of images, one JSON document an image."""
    from vision import images

    with scratch_folder() as scratch:
        model = Model(options.model, scratch)
        for path in options.images:
            image = images.open_image(path)
            found = model.predict(image, options.confidence)
            row = {"image": str(path), "width": image.shape[1], "height": image.shape[0], "predictions": found}
            print(json.dumps(row), flush=True)


def evaluate(options: argparse.Namespace) -> None:
    """Print the metrics of a model on a data set, every image of it."""
    from vision import formats, prepare, record
    from vision.formats import yolo_folder

    with scratch_folder() as scratch:
        model = Model(options.model, scratch)
        dataset = record.aligned(formats.load(options.data, prefer=options.manifest), model.metadata["classes"])
        scaled = prepare.scaled(dataset, scratch / "scaled", model.metadata["input_size"][0])
        polygons = model.metadata["task"] == "segment"
        folder = yolo_folder.save(scratch / "data", dataset.subset(()), scaled, polygons=polygons)
        print(json.dumps(model.evaluate(folder).values, indent=2))


def export(options: argparse.Namespace) -> None:
    """Write the model as TorchScript: images `(1, 3, H, W)` in 0..1 in, raw predictions out."""
    import torch

    with scratch_folder() as scratch:
        model = Model(options.model, scratch)
        height, width = model.metadata["input_size"]
        module = model._yolo.model.fuse(verbose=False)
        module.model[-1].export = True
        module.model[-1].format = "torchscript"
        example = torch.zeros(1, 3, height, width)
        module(example)  # lays out its anchors for this size
        traced = torch.jit.trace(module, example, strict=False, check_trace=False)  # type: ignore[no-untyped-call]
        options.out.mkdir(parents=True, exist_ok=True)
        traced.save(str(options.out / "model.torchscript"))
        shutil.copyfile(options.model / "metadata.json", options.out / "metadata.json")
        print(options.out / "model.torchscript")


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="yolo-") as folder:
        yield Path(folder)


def _model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help="model folder: metadata.json and model.safetensors")


def _predict_arguments(parser: argparse.ArgumentParser) -> None:
    _model_arguments(parser)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--confidence", type=float, help="lowest score to report, 0 to 1; default: the model's own")


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    _model_arguments(parser)
    parser.add_argument("data", type=Path, help="folder in any format that training reads")
    parser.add_argument("--manifest", default="", help="annotation file inside it, when it holds several")


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    _model_arguments(parser)
    parser.add_argument("out", type=Path, help="folder to write model.torchscript to")


PROGRAM = Program(
    name="yolo",
    summary="Fine-tunes Ultralytics YOLO detectors and segmenters on photographs of defects",
    hyperparameters=Hyperparameters,
    metrics=METRICS,
    environment="pytorch",
    images=("train-cpu", "train-gpu"),
    channels={
        "train": Channel(True, "Lookout for Vision manifest, YOLO folder or COCO JSON with its images"),
        "validation": Channel(False, "the same; else a stratified part of `train` is held out"),
        "pretrained": Channel(False, "one .safetensors or .pt file, or a model.tar.gz, to start from"),
    },
    verbs={
        "train": Verb(train, "train as SageMaker would"),
        "serve": Verb(serve, "answer /ping and /invocations"),
        "predict": Verb(predict, "predictions of images as JSON", _predict_arguments),
        "evaluate": Verb(evaluate, "metrics on a data set as JSON", _evaluate_arguments),
        "export": Verb(export, "TorchScript for other runtimes", _export_arguments),
    },
)

if __name__ == "__main__":
    PROGRAM.main()
