"""Users' own inference scripts are served by the images: code/inference.py of a model archive, with AWS's defaults."""

from __future__ import annotations

import io
import json
import textwrap
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import numpy
import pytest

from tests.images.container import Job, wait_until
from tests.images.test_image_serve import address, ping

IMAGE = "drydock/train-cpu:script"
SERVED = {
    "network_mode": "bridge",
    "ports": {"8080/tcp": ("127.0.0.1", None)},
    "read_only": True,
    "tmpfs": {"/tmp": "mode=1777"},
    "cap_drop": ["ALL"],
}
OWN = """
import time
import helper
def model_fn(model_dir):
    while not (__import__("pathlib").Path(model_dir) / "go").exists():
        time.sleep(0.1)
    return open(model_dir + "/factor").read()
def input_fn(body, content_type):
    if content_type == "text/odd":
        raise RuntimeError("a fault of the script")
    return [content_type, type(body).__name__, len(body)]
def predict_fn(data, model, context):
    return data + [helper.double(int(model)), context.system_properties["model_dir"]]
def output_fn(prediction, accept):
    return repr(prediction), "text/x-own"
"""
TORCHSCRIPT = "import torch; torch.jit.script(torch.nn.Flatten(0)).save('/opt/ml/model/model.pth')"


def bring(job: Job, **files: str) -> None:
    """The folder `code` of a model; `helper_py` is helper.py."""
    (job.base / "model/code").mkdir()
    for name, content in files.items():
        (job.base / "model/code" / name.replace("_", ".")).write_text(textwrap.dedent(content))


def invoke(container: Any, body: bytes, content_type: str, accept: str = "*/*") -> tuple[int, str, bytes]:
    """Status, content type and body of the reply."""
    headers = {"Content-Type": content_type, "Accept": accept}
    request = urllib.request.Request(f"{address(container)}/invocations", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=250) as reply:
            return reply.status, reply.headers["Content-Type"], reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def test_a_script_of_its_own_serves_once_its_model_is_loaded(built: Callable[[str], Any], scripted: Job) -> None:
    bring(scripted, inference_py=OWN, helper_py="def double(x): return 2 * x")
    (scripted.base / "model/factor").write_text("21")
    container = scripted.start(built(IMAGE), "serve", 54321, SERVED)
    wait_until(lambda: ping(container) == 503, container)
    (scripted.base / "model/go").touch()
    wait_until(lambda: ping(container) == 200, container)
    told = "['image/jpeg', 'bytes', 3, 42, '/opt/ml/model']"
    assert invoke(container, b"abc", "image/jpeg") == (200, "text/x-own", told.encode())
    assert b"'application/json', 'str', 2" in invoke(container, b"{}", "application/json")[2]
    status, _, answer = invoke(container, b"abc", "text/odd")
    assert (status, json.loads(answer)["error"]) == (500, "RuntimeError: a fault of the script")
    container.stop(timeout=30)
    assert container.wait()["StatusCode"] == 0, container.logs().decode()


def test_what_a_script_leaves_out_is_done_as_aws_does(engine: Any, built: Callable[[str], Any], scripted: Job) -> None:
    bring(scripted, inference_py="")
    volume = [f"{scripted.base}/model:/opt/ml/model"]
    engine.containers.run(built(IMAGE), ["python", "-c", TORCHSCRIPT], network_mode="none", volumes=volume, remove=True)
    container = scripted.start(built(IMAGE), "serve", 54321, SERVED)
    wait_until(lambda: ping(container) == 200, container)
    assert invoke(container, b"[[1, 2], [3, 4]]", "application/json") == (
        200, "application/json", b"[1.0, 2.0, 3.0, 4.0]"
    )  # fmt: skip
    stream = io.BytesIO()
    numpy.save(stream, numpy.ones((2, 1), dtype=numpy.float32))
    status, kind, answer = invoke(container, stream.getvalue(), "application/x-npy", "application/x-npy")
    assert (status, kind) == (200, "application/x-npy")
    assert numpy.load(io.BytesIO(answer)).tolist() == [1, 1]
    assert invoke(container, b"1,2\n3,4", "text/csv; charset=utf-8")[2] == b"[1.0, 2.0, 3.0, 4.0]"
    assert invoke(container, b"[[1, 2], [3", "application/json")[0] == 400
    assert invoke(container, b'["a"]', "application/json")[0] == 400
    assert invoke(container, b"\x93NUMPY", "application/x-npy")[0] == 400
    assert invoke(container, b"abc", "image/jpeg")[0] == 415
    assert invoke(container, b"[1]", "application/json", "image/png")[0] == 415


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("def model_fn(", "inference.py cannot be imported: SyntaxError"),
        ("import no_such_module", "inference.py cannot be imported: ModuleNotFoundError: No module named"),
        ("def model_fn(d): raise OSError('no weights')", "model_fn of inference.py failed: OSError: no weights"),
        ("", "inference.py has no model_fn: the default needs exactly one .pt or .pth file in the model (none)"),
    ],
)
def test_a_broken_script_says_what_is_wrong(
    built: Callable[[str], Any], scripted: Job, script: str, error: str
) -> None:
    bring(scripted, inference_py=script)
    container = scripted.start(built(IMAGE), "serve", 54321, SERVED | {"ports": {}, "network_mode": "none"})
    assert container.wait()["StatusCode"] == 2
    log = container.logs().decode()
    assert f"error: {error}" in log
    assert "\nhint: " in log


def test_a_model_without_a_script_is_refused(built: Callable[[str], Any], scripted: Job) -> None:
    container = scripted.start(built(IMAGE), "serve", 54321, {"read_only": True})
    assert container.wait()["StatusCode"] == 2
    assert "code/inference.py" in container.logs().decode()
