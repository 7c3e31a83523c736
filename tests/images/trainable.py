"""What each train image trains in the tests of its limits: its program, or a script of the user's with checkpoints."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.emulator import ROOT

SCRIPT = """
import argparse, pathlib, signal, sys, time

try:
    import torch
    batches = torch.utils.data.DataLoader(list(range(8)), batch_size=4, num_workers=2)
except ImportError:
    import tensorflow
    batches = tensorflow.data.Dataset.range(8).batch(4)

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
model, checkpoints = pathlib.Path("/opt/ml/model/total"), pathlib.Path("/opt/ml/checkpoints")
stopped = False


def stop(*_):
    global stopped
    stopped = True


signal.signal(signal.SIGTERM, stop)
done = max((int(path.parent.name) for path in checkpoints.glob("*/manifest.json")), default=0)
if done:
    print("resuming after epoch", done, flush=True)
for epoch in range(done + 1, parser.parse_args().epochs + 1):
    total = sum(int(number) for batch in batches for number in batch)
    (checkpoints / str(epoch)).mkdir()
    (checkpoints / str(epoch) / "manifest.json").write_text("{}")
    if stopped:
        break
model.write_text(str(total))
"""


@dataclass(frozen=True)
class Trainable:
    """One image, and a job that it can run in seconds."""

    image: str
    model: str
    """A file that the job leaves in the model folder."""
    settings: dict[str, str]

    @property
    def tag(self) -> str:
        return self.image.removeprefix("drydock/")

    @property
    def program(self) -> str:
        """Its program, or script."""
        return self.image.partition(":")[2]

    def epochs(self, count: int) -> dict[str, str]:
        return {**self.settings, "epochs": str(count)}


PROGRAMS = json.loads((ROOT / "entrypoints/programs.json").read_text())["programs"]
TINY = {"img-size": "64", "batch-size": "4"}
OWN = {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": '"/opt/ml/input/data/code"'}
TRAINABLE = [
    *(
        Trainable(f"drydock/{stack}:{name}", "model.safetensors", TINY)
        for name, program in PROGRAMS.items()
        for stack in program["images"]
    ),
    *(
        Trainable(f"drydock/{name}:script", "total", OWN)
        for name in ("train-cpu", "train-gpu", "train-tf-cpu", "train-tf-gpu")
    ),
]


def bring_samples(engine: Any, image: Any, program: str, folder: Path) -> Path:
    """A folder with generated photographs for a program, made by its image, to be the channel `train`."""
    folder.mkdir()
    command = ["python", "-m", "vision.samples", "/samples/made", "--images", "24", "--seed", "7"]
    engine.containers.run(
        image, [*command, "--kind", PROGRAMS[program]["samples"]],
        user=os.getuid(), network_mode="none", volumes=[f"{folder}:/samples"], remove=True,
    )  # fmt: skip
    return folder / "made"


def bring_script(folder: Path) -> Path:
    """A folder with SCRIPT in it, to be the channel `code`."""
    folder.mkdir()
    (folder / "train.py").write_text(SCRIPT)
    return folder
