"""Compiled models, run without the framework that trained them: `load(file).predict(array)`.

Like `optml` and `vision`, it runs on what a device has: Python 3.8 and newer.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Dict, Mapping, Protocol, Sequence

import numpy as np
from numpy.typing import NDArray

from optml.errors import Refusal

Tensor = NDArray[np.float32]
Outputs = Dict[str, Tensor]
"""By the names that the model gives them."""

TOOLCHAINS: Mapping[str, str] = {".onnx": "runtimes.onnx"}
"""What runs a file, by its suffix: a module with `load(path, threads) -> Session`."""


class Session(Protocol):
    """A model that is loaded and can be run, by one thread at a time."""

    runtime: str
    """Name and version of what runs it."""
    shape: tuple[int, ...]
    """Of the one input."""
    outputs: Sequence[str]
    """Names of what it answers with, in its own order."""

    def predict(self, array: Tensor) -> Outputs:
        """The model's outputs for one input; Refusal for an input of another shape, and where it cannot be run."""


def load(path: Path, threads: int | None = None) -> Session:
    """The session of a model file; `threads` is by default the number of processors that this process may use.

    Raises Refusal for a file that cannot be run: missing, truncated, of a kind or with operators not known here.
    """
    if threads is not None and threads < 1:
        raise Refusal(f"--threads is {threads}", "give a number of threads, 1 or more")
    if path.suffix not in TOOLCHAINS:
        raise Refusal(f"nothing here runs {path.name} ({path})", f"give one of: {', '.join(TOOLCHAINS)}")
    if not path.is_file():
        raise Refusal(f"there is no {path.name} ({path})", "give the folder that `yolo.py export` wrote")
    session: Session = import_module(TOOLCHAINS[path.suffix]).load(path, threads)
    return session
