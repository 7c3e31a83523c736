"""What an inference script may leave out: the defaults of AWS's PyTorch inference toolkit, for JSON, CSV and npy.

Bodies become float tensors where the image has PyTorch, else arrays. No pickle is read.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
from pathlib import Path
from typing import Any

from optml.errors import Refusal
from optml.serving import UnsupportedMediaType

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
KNOWN = (JSON, CSV, NPY)


def model_fn(model_dir: str) -> Any:
    """The one TorchScript file of the model, for evaluation, on the GPU if there is one."""
    if not _has_torch():
        raise Refusal("this image has no default for it", "define model_fn(model_dir) in the script")
    files = sorted(path for path in Path(model_dir).iterdir() if path.suffix in (".pt", ".pth"))
    if len(files) != 1:
        found = ", ".join(path.name for path in files) or "none"
        raise Refusal(
            f"the default needs exactly one .pt or .pth file in the model ({found})",
            "define model_fn(model_dir) in the script",
        )
    import torch

    try:
        return torch.jit.load(str(files[0]), map_location=_device()).eval()
    except RuntimeError as error:
        raise Refusal(
            f"the default cannot load {files[0].name}, which is not TorchScript",
            "define model_fn(model_dir) in the script, or save the model with torch.jit.script",
        ) from error


def input_fn(body: str | bytes, content_type: str) -> Any:
    """An array of the body's numbers; raises Refusal for a body that is not what its content type says."""
    kind = _kind(content_type)
    if kind not in KNOWN:
        raise UnsupportedMediaType(f"content type {content_type} is not read", f"send {', '.join(KNOWN)}")
    import numpy

    try:
        if kind == NPY:
            array = numpy.load(io.BytesIO(body if isinstance(body, bytes) else body.encode()), allow_pickle=False)
        elif kind == JSON:
            array = numpy.array(json.loads(body))
        else:
            array = numpy.genfromtxt(io.StringIO(str(body)), delimiter=",")
        if array.dtype == object or array.dtype.kind not in "biuf":
            raise ValueError(f"it holds {array.dtype}, not numbers")
    except (ValueError, EOFError) as error:
        raise Refusal(f"the body is not {kind}: {error}", "send an array of numbers, or define input_fn") from error
    if not _has_torch():
        return array
    import torch

    return (torch.FloatTensor(array) if kind != NPY else torch.from_numpy(array)).to(_device())


def predict_fn(data: Any, model: Any) -> Any:
    if not _has_torch():
        return model(data)
    import torch

    if isinstance(model, torch.nn.Module):
        model.to(_device()).eval()
    with torch.no_grad():
        return model(data)


def output_fn(prediction: Any, accept: str) -> str | bytes:
    """The prediction as the client accepts it."""
    import numpy

    plain = _plain(prediction)
    kind = _kind(accept)
    if kind == JSON:
        return json.dumps(plain)
    if kind not in KNOWN:
        raise UnsupportedMediaType(f"{accept} is not written", f"accept {', '.join(KNOWN)}")
    stream = io.BytesIO()
    if kind == NPY:
        numpy.save(stream, numpy.asarray(plain), allow_pickle=False)
    else:
        numpy.savetxt(stream, numpy.atleast_1d(numpy.asarray(plain)), delimiter=",", fmt="%s")
    return stream.getvalue()


def preferred(accept: str) -> str:
    """The first media type of an Accept header; the platform's default, else JSON, where it leaves the choice."""
    first = _kind(accept.split(",", maxsplit=1)[0])
    default = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or JSON
    return default if first in ("", "*/*", "application/*") else first


def text_or_bytes(body: bytes, content_type: str) -> str | bytes:
    """Scripts are given JSON and CSV as text, all else as bytes."""
    if _kind(content_type) not in (JSON, CSV):
        return body
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(f"the body is not UTF-8: {error}", "send text as UTF-8") from error


def _plain(value: Any) -> Any:
    """Lists and numbers of tensors and arrays, also inside lists and dicts."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return value.tolist() if hasattr(value, "tolist") else value.numpy().tolist() if hasattr(value, "numpy") else value


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None


def _kind(media_type: str) -> str:
    return media_type.split(";", maxsplit=1)[0].strip().lower()
