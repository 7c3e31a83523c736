"""Cold start of the runtime image: from `docker run` to its first answer, beside what `docker run` takes at all."""

from __future__ import annotations

import http.client
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

from local import environments
from local.installer import SetUpError
from tests.support import compiled

IMAGE = "drydock/runtime-amd64"
ROUNDS = 9
LIMIT_S = 60
LOOK_S = 0.005


def main() -> None:
    """Print median and worst of the floor and of each model, measured in turn, each in a container of its own."""
    if not shutil.which("docker") or not _docker("image", "inspect", IMAGE):
        print(f"a cold start: not measured, there is no {IMAGE} here (make images)")
        return
    with tempfile.TemporaryDirectory(prefix="cold-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        picture = compiled.picture(place / "picture.png", 400, 300).read_bytes()
        measured: dict[str, Callable[[], float]] = {f"docker run of {IMAGE}, to Python's first line": _first_line}
        small = compiled.small(place / "small")
        measured["  to the first answer, a model of 6 kB (aim: 1.500)"] = partial(_first_answer, small, picture)
        if detector := _detector(place):
            name = "  to the first answer, YOLOv8n at 320 px (aim: 1.500)"
            measured[name] = partial(_first_answer, detector, picture)
        seconds: dict[str, list[float]] = {what: [] for what in measured}
        for _ in range(ROUNDS + 1):
            for what, measure in measured.items():
                seconds[what].append(measure())
    for what, (_warming_up, *each) in seconds.items():
        print(f"{what:58} {statistics.median(each):7.3f} s {max(each):7.3f} s", flush=True)


def _detector(folder: Path) -> Path | None:
    """The starter YOLOv8n as ONNX; None, and the reason printed, where it cannot be exported."""
    try:
        python = environments.ensure("compile")
    except SetUpError as error:
        print(f"note: YOLOv8n is not exported, so its cold start is not measured: {error.message}")
        return None
    trained = compiled.starter(folder / "trained", "detect", python)
    done = compiled.run(python, "yolo.py", "export", trained, folder / "onnx")
    if done.returncode != 0:
        sys.exit(done.stderr)
    return folder / "onnx"


def _first_line() -> float:
    started = time.perf_counter()
    command = [*_run(_free_port()), IMAGE, "python3", "-c", "print('hello')"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - started
    if line != "hello\n":
        sys.exit(f"{' '.join(command)} said {line!r}")
    return seconds


def _first_answer(model: Path, picture: bytes) -> float:
    """Seconds from the call of `docker run` to the whole answer to the first request, sent as soon as one is taken."""
    name, port = f"drydock-bench-{uuid.uuid4().hex[:8]}", _free_port()
    command = [*_run(port), "--name", name, "--volume", f"{model}:/opt/ml/model:ro", IMAGE, "serve"]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not _answers(port, picture):
                if process.poll() is not None or time.perf_counter() - started > LIMIT_S:
                    sys.exit(f"{' '.join(command)} does not answer: {_docker('logs', name)}")
                time.sleep(LOOK_S)
            return time.perf_counter() - started
        finally:
            _docker("rm", "--force", name)


def _run(port: int) -> list[str]:
    return ["docker", "run", "--rm", "--read-only", "--publish", f"127.0.0.1:{port}:8080"]


def _answers(port: int, picture: bytes) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    try:
        connection.request("POST", "/invocations", picture, {"Content-Type": "image/png"})
        reply = connection.getresponse()
        return reply.status == 200 and b"predictions" in reply.read()
    except (OSError, http.client.HTTPException):
        return False  # the engine's proxy takes connections before the program does
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def _docker(*words: str) -> str:
    """What docker prints; empty if it fails."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode == 0 else ""


if __name__ == "__main__":
    main()
