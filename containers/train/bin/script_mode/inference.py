"""Serves a model by the user's own `code/inference.py`, as AWS's PyTorch inference toolkit calls it.

`model_fn(model_dir)`, `input_fn(body, content_type)`, `predict_fn(data, model)`, `output_fn(prediction, accept)`, or
`transform_fn(model, body, content_type, accept)` for the last three; each may take a `context` as well. What the script
leaves out is done by `defaults`.
"""

from __future__ import annotations

import atexit
import importlib.util
import inspect
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from optml import serving
from optml.environment import base_dir
from optml.errors import Refusal

from . import defaults, interpreter, worker

_NAMES = ("model_fn", "input_fn", "predict_fn", "output_fn", "transform_fn")


def find(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The script that serves the model; None if neither the model nor the environment has one."""
    model = base_dir(environ) / "model"
    name = environ.get("SAGEMAKER_PROGRAM", "")
    given = environ.get("SAGEMAKER_SUBMIT_DIRECTORY", "").removeprefix("file://")
    folder = Path(given) if given.startswith("/") and Path(given).is_dir() else model / "code"
    script = folder / (name or "inference.py")
    if script.is_file():
        return script
    if name:
        raise Refusal(
            f"there is no {name} in {folder} (environment variable SAGEMAKER_PROGRAM)",
            f"put it into the model archive as code/{name}",
        )
    return None


def main(script: Path) -> int:
    """Serve until SIGTERM; the exit code."""
    return worker.run(lambda: _serve(script), None)


@dataclass(frozen=True)
class Handlers:
    """The script's functions, called with as many arguments as they take."""

    functions: Mapping[str, Callable[..., Any]]
    context: SimpleNamespace

    def call(self, name: str, *arguments: Any) -> Any:
        function = self.functions.get(name) or getattr(defaults, name)
        takes = len(inspect.signature(function).parameters)
        if takes not in (len(arguments), len(arguments) + 1):
            raise TypeError(f"{name} takes {takes} arguments, not {len(arguments)} or {len(arguments) + 1}")
        return function(*arguments, self.context) if takes > len(arguments) else function(*arguments)

    def transform(self, model: Any, body: bytes | str, content_type: str, accept: str) -> Any:
        if "transform_fn" in self.functions:
            return self.call("transform_fn", model, body, content_type, accept)
        data = self.call("input_fn", body, content_type)
        return self.call("output_fn", self.call("predict_fn", data, model), accept)


def load(script: Path, model_dir: Path) -> serving.Predictor:
    """The script imported and its model loaded; raises Refusal that names the function at fault."""
    _install_requirements(script.parent / "requirements.txt")
    module = _attempt(f"{script.name} cannot be imported", lambda: _import(script))
    functions = {name: getattr(module, name) for name in _NAMES if callable(getattr(module, name, None))}
    handlers = Handlers(functions, SimpleNamespace(system_properties={"model_dir": str(model_dir)}))
    model = _attempt(
        f"model_fn of {script.name} failed" if "model_fn" in functions else f"{script.name} has no model_fn",
        lambda: handlers.call("model_fn", str(model_dir)),
    )

    def predict(body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        accept = defaults.preferred(accept)
        result = handlers.transform(model, defaults.text_or_bytes(body, content_type), content_type, accept)
        answer, answer_type = result if isinstance(result, tuple) else (result, accept)
        if not isinstance(answer, (str, bytes, bytearray)):
            raise TypeError(f"output_fn of {script.name} returned {type(answer).__name__}, not text or bytes")
        return answer.encode() if isinstance(answer, str) else bytes(answer), answer_type

    return predict


def _serve(script: Path) -> int:
    serving.serve(lambda model_dir: load(script, model_dir), name=script.name)
    return 0


def _install_requirements(requirements: Path) -> None:
    if not requirements.is_file():
        return
    scratch = Path(tempfile.mkdtemp(prefix="script-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    interpreter.lay_over(scratch / "python")
    interpreter.install(requirements, scratch)
    sys.path.insert(0, str(interpreter.site_packages(scratch / "python")))


def _import(script: Path) -> ModuleType:
    sys.path.insert(0, str(script.parent))
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[script.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _attempt(what: str, action: Callable[[], Any]) -> Any:
    try:
        return action()
    except Refusal as error:
        raise Refusal(f"{what}: {error.message}", error.hint) from error
    except Exception as error:
        traceback.print_exc()
        cause = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
        hint = "correct the script (its traceback is above) and pack the model again"
        if isinstance(error, ModuleNotFoundError):
            hint = "name what it imports in code/requirements.txt, or put it into code/, and pack the model again"
        raise Refusal(f"{what}: {cause}", hint) from error
