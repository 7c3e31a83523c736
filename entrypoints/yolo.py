"""YOLO: fine-tunes Ultralytics' detectors and segmenters on photographs of defects, and serves them.

    python yolo.py train                          what SageMaker runs; everything comes from /opt/ml
    python yolo.py serve                          /ping and /invocations on port 8080, model from /opt/ml/model
    python yolo.py predict MODEL_DIR IMAGE…       predictions JSON on stdout
    python yolo.py evaluate MODEL_DIR DATA        metrics JSON on stdout
    python yolo.py export MODEL_DIR OUT           ONNX (or TorchScript) for other runtimes

Channels: `train` (required), `validation` and `pretrained` (optional). Output: model.pt, model.safetensors and
metadata.json in /opt/ml/model; metrics.json, results.csv, split.json and pictures in /opt/ml/output/data.

This is the one file that imports ultralytics (AGPL-3.0).
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optml import artefact, checkpoints
from optml.environment import Environment
from optml.errors import Refusal
from optml.hyperparameters import field
from optml.metrics import Registry
from optml.program import Channel, Program, Stopped, Verb, leave_if_stopped
from training import first, names, results, resume, ultralytics_loop, ultralytics_setup, verbs, waiting
from training.run import Run
from training.ultralytics_setup import file_stem

if TYPE_CHECKING:
    from training.ultralytics_model import Model
    from training.weights import Start
    from vision.record import Dataset

SIZES = ("n", "s", "m", "l", "x")
MODELS = tuple(f"{family}{size}" for family in ("yolov8", "yolo11", "yolo26") for size in SIZES)
STARTER = Path(__file__).parent / "weights" / "yolov8n-seg.safetensors"
CONFIDENCE = 0.25


@dataclass(frozen=True)
class Hyperparameters:
    """As the published guides name them; dashes and underscores are equal, Ultralytics' are in `training.names`."""

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
    num_classes: int | None = field(None, minimum=1, help="checked against the data where it is given")
    num_training_samples: int | None = field(None, unit="images", minimum=1, help="checked, likewise")
    validation_fraction: float = field(0.2, minimum=0.05, maximum=0.5, help="held out when there is no such channel")
    manifest: str = field("", help="annotation file inside the channel, when it holds several")

    @property
    def architecture(self) -> str:
        """`yolov8n`, `yolo11s`, …: the name Ultralytics' model files begin with."""
        return f"yolov8{self.model_size}" if self.model_size in SIZES else self.model_size


METRICS = Registry()
ultralytics_loop.declare_losses(METRICS)
results.declare_scores(METRICS, masks=True)


# ---------------------------------------------------------------- train
def train(env: Environment, hp: Hyperparameters) -> None:
    """Read, split, fine-tune, keep the best epoch, write the artefacts."""
    from vision import images, prepare

    train_set, validation_set = read_data(env, hp)
    check_start(env, hp)
    waiting.asleep()
    from training import devices  # torch takes seconds to import: wrong data is refused before

    compute = devices.compute(hp.device, hp.precision)
    prepare_ultralytics(env.scratch_dir, offline=hp.pretrained != "ultralytics")
    data_yaml = prepare.training_folder(
        env.scratch_dir / "data", train_set, validation_set, hp.img_size, masks=hp.task == "segment"
    )
    leave_if_stopped()
    run = Run(env, hp, compute, train_set.classes, checkpoints.Store(env.checkpoint_dir), METRICS)
    trainer = build_trainer(run, data_yaml, train_set)
    try:
        with devices.memory_checked(hp.batch_size, hp.img_size):
            if trainer is not None:
                trainer.train()
    except Stopped:
        save_model(run)
        results.stopped(run)
        raise
    save_model(run)
    model = load_model(env.model_dir, env.scratch_dir, compute.device)
    found = [model.predict(images.open_image(sample.image)) for sample in validation_set.samples]
    results.report(run, model.evaluate(data_yaml), found, validation_set)


def read_data(env: Environment, hp: Hyperparameters) -> tuple[Dataset, Dataset]:
    """The training and the validation set of the job's channels."""
    from vision import classification, detection

    sets = detection.load_sets(
        env.channels,
        manifest=hp.manifest,
        fraction=hp.validation_fraction,
        seed=hp.seed,
        split_file=env.output_data_dir / "split.json",
        masks=hp.task == "segment",
    )
    detection.check_classes(sets[0], hp.num_classes)
    classification.check_samples(sets, hp.num_training_samples)
    return sets


def check_start(env: Environment, hp: Hyperparameters) -> None:
    """Refusal where there are no weights of the kind that `pretrained` asks for."""
    source = first.origin(hp.pretrained, env, ships=True)
    if source == "channel":
        env.channel("pretrained")
    if source == "starter" and hp.architecture != "yolov8n":
        raise Refusal(
            f"Drydock ships starting weights for yolov8n, not for {hp.architecture}",
            "add a channel `pretrained` with a .pt or .safetensors file, or set pretrained=ultralytics (needs "
            "internet) or pretrained=none (random weights)",
        )


def prepare_ultralytics(scratch: Path, *, offline: bool = True) -> None:
    """Import Ultralytics for the first time: cut off from the network, and without its own tables and settings."""
    ultralytics_setup.isolate(scratch, offline=offline)
    from PIL import Image

    pillow_open = Image.open
    from ultralytics.utils import LOGGER, SETTINGS

    Image.open = pillow_open  # its own wants a package for HEIC where a file is no image at all
    SETTINGS.update({"sync": False})
    LOGGER.setLevel(logging.WARNING)


# ---------------------------------------------------------------- model and loss
def new_model(architecture: str, task: str, classes: int) -> Any:
    """An Ultralytics model of `architecture`, and its loss, with random weights and heads for `classes` classes."""
    from ultralytics.nn.tasks import DetectionModel, SegmentationModel

    kind = SegmentationModel if task == "segment" else DetectionModel
    return kind(f"{file_stem(architecture, task)}.yaml", nc=classes, verbose=False)


def starting_weights(run: Run[Hyperparameters], train_set: Dataset) -> Start:
    """Where the first weights come from, and the weights."""
    from ultralytics.utils.downloads import attempt_download_asset

    from training import ultralytics_weights, weights

    name = f"{file_stem(run.hp.architecture, run.hp.task)}.pt"
    return weights.start(
        run.hp.pretrained,
        run.env,
        starter=lambda: fitted_starter(run.hp, train_set),
        published=lambda: weights.downloaded("Ultralytics", name, attempt_download_asset, ultralytics_weights.read),
        read_file=ultralytics_weights.read,
    )


def fitted_starter(hp: Hyperparameters, train_set: Dataset) -> Start:
    """Drydock's own weights for yolov8n, each class of the data as the defect that resembles it most."""
    from training import starter

    words, state = starter.fitted(STARTER, lambda n: new_model("yolov8n", "segment", n), train_set, hp.img_size)
    return f"Drydock's starter {STARTER.name} ({words})", state


# ---------------------------------------------------------------- loop and metrics
def build_trainer(run: Run[Hyperparameters], data_yaml: Path, train_set: Dataset) -> Any:
    """An Ultralytics trainer that starts from the newest checkpoint or the starting weights; None when all is done."""
    checkpoint = run.store.newest()
    if checkpoint:
        resume.restore(checkpoint, run, ultralytics_setup.kept_files(run.folder))
        print(f"resuming after epoch {checkpoint.step} from {checkpoint.path.name}", flush=True)
        if checkpoint.step >= run.hp.epochs:
            print(f"all {run.hp.epochs} epochs are done already", flush=True)
            return None
    start = ("the checkpoint", {}) if checkpoint else starting_weights(run, train_set)
    trainer = trainer_class(run.hp.task, start)(
        overrides=ultralytics_setup.settings(run, data_yaml, resume=checkpoint is not None)
    )
    ultralytics_setup.complete(trainer, run)
    ultralytics_loop.attach(trainer, run)
    return trainer


def trainer_class(task: str, start: Start) -> Any:
    """Ultralytics' trainer of a task, with our starting weights and our validation input."""
    from ultralytics.models.yolo.detect import DetectionTrainer
    from ultralytics.models.yolo.segment import SegmentationTrainer

    from training.weights import load_matching

    source, weights = start

    class Trainer(SegmentationTrainer if task == "segment" else DetectionTrainer):  # type: ignore[misc]
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
            """The best epoch is evaluated by `results.report`, with the saved artefact."""

    return Trainer


# ---------------------------------------------------------------- artefact
def save_model(run: Run[Hyperparameters]) -> None:
    """Write the best epoch so far as model.pt (for Ultralytics) and model.safetensors (for everyone else)."""
    best = run.folder / "weights" / "best.pt"
    if not best.is_file():
        return
    from safetensors.torch import save_file
    from ultralytics.utils.torch_utils import strip_optimizer

    from training import model_folder
    from vision import transforms

    stripped = run.folder / "best-stripped.pt"
    saved = strip_optimizer(best, str(stripped))
    state = {name: tensor.contiguous() for name, tensor in saved["model"].state_dict().items()}
    header = {"architecture": run.hp.architecture, "classes": json.dumps(run.classes)}
    artefact.save(
        run.env.model_dir,
        {"model.pt": resume.copier(stripped), "model.safetensors": model_folder.writer(save_file, state, header)},
        results.describe_model(
            run,
            "yolo",
            run.hp.task,
            packages=("torch", "ultralytics"),
            input_size=[run.hp.img_size, run.hp.img_size],
            letterbox={"color": list(transforms.GREY), "scale_up": True, "center": True},
            architecture=run.hp.architecture,
            confidence=CONFIDENCE,
            nms_iou=ultralytics_setup.NMS_IOU,
        ),
    )


def load_model(folder: Path, scratch: Path, device: str = "auto") -> Model:
    """A trained model folder, loaded without unpickling."""
    from training import model_folder

    metadata = model_folder.metadata(folder, MODELS, ("detect", "segment"))
    waiting.asleep()
    prepare_ultralytics(scratch)
    from ultralytics import YOLO

    from training import devices
    from training.ultralytics_model import Model

    device = devices.choose(device)
    task, architecture, classes = metadata["task"], metadata["architecture"], metadata["classes"]
    yolo = YOLO(f"{file_stem(architecture, task)}.yaml", task=task, verbose=False)
    model = new_model(architecture, task, len(classes))
    model_folder.load_weights(model, folder)
    model.names = dict(enumerate(classes))
    model.args = yolo.model.args
    yolo.model = model.float().eval()
    return Model(yolo, metadata, device)


# ---------------------------------------------------------------- use
def serve(_options: argparse.Namespace) -> None:
    """Answer /invocations with boxes (or masks) in pixels of the image sent."""
    verbs.serve("yolo", load_model)


def predict(options: argparse.Namespace) -> None:
    """Print predictions of images, one JSON document an image."""
    verbs.predict(load_model, options)


def evaluate(options: argparse.Namespace) -> None:
    """Print the metrics of a model on a data set, every image of it."""
    from vision import prepare

    with verbs.scratch_folder() as scratch:
        model = load_model(options.model, scratch)
        whole, side_px = verbs.evaluation_set(options, model.classes), model.metadata["input_size"][0]
        masks = model.metadata["task"] == "segment"
        data_yaml = prepare.training_folder(scratch / "data", whole.subset(()), whole, side_px, masks=masks)
        print(json.dumps(model.evaluate(data_yaml).values, indent=2, allow_nan=False))


def export(options: argparse.Namespace) -> None:
    """Write the model for other runtimes beside its metadata.json."""
    verbs.check_format(options, "yolo")
    name = f"model.{options.format}"
    with verbs.scratch_folder() as scratch:
        model = load_model(options.model, scratch, "cpu")
        verbs.make_folder(options.out)
        if options.format == "onnx":
            compiled = {"graph": model.export_onnx(scratch / name)}
        else:
            model.export_torchscript(scratch / name)
            compiled = {}
        artefact.save(options.out, {name: resume.copier(scratch / name)}, {**model.metadata, **compiled})
    print(options.out / name)


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
        "predict": Verb(predict, "predictions of images as JSON", verbs.predict_arguments),
        "evaluate": Verb(evaluate, "metrics on a data set as JSON", verbs.evaluate_arguments),
        "export": Verb(export, "ONNX or TorchScript for other runtimes", verbs.export_arguments),
    },
    aliases=names.YOLO,
    samples="detection",
)

if __name__ == "__main__":
    PROGRAM.main()
