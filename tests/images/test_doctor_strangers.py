"""Images that follow patterns of public recipes: what the doctor says of them is true, and is all there is to say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.doctored import Doctor

APP = """#!/opt/venv/bin/python
from flask import Flask
app = Flask(__name__)
app.get("/ping")(lambda: "")
app.run("0.0.0.0", 8080)
"""
TRAIN = """#!/opt/venv/bin/python
import pathlib, sys
data = pathlib.Path("/opt/ml/input/data/training")
if not data.is_dir():
    pathlib.Path("/opt/ml/output/failure").write_text(f"Exception during training: no {data}")
    sys.exit(255)
"""


def found(doctor: Doctor, image: str, *arguments: str) -> dict[str, dict[str, Any]]:
    return {finding["code"]: finding for finding in doctor(image, "--timeout", "15", *arguments)["findings"]}


def test_a_web_server_that_a_shell_script_starts(doctor: Doctor, build: Callable[..., str], tmp_path: Path) -> None:
    """Bring your own container: a folder of programs on PATH, `serve` a script that starts servers and waits."""
    serve = "#!/bin/sh\nset -e\npython /usr/local/bin/wsgi &\nwait\n"
    image = build({"train": TRAIN, "serve": serve, "wsgi": APP}, "ENV MODEL_SERVER_WORKERS=2", "EXPOSE 8080")

    findings = found(doctor, image, "--model", str(tmp_path))

    assert list(findings) == ["DD106", "DD805", "DD502", "DD707"]
    assert findings["DD106"]["where"] == "/usr/local/bin/serve"


def test_a_conda_like_image(doctor: Doctor, build: Callable[..., str]) -> None:
    """A package manager's cache deleted one step too late, another one kept, and an entrypoint in shell form."""
    image = build(
        {"run.py": TRAIN},
        "RUN mkdir -p /opt/conda/pkgs /opt/conda/lib && head -c 60000000 /dev/zero > /opt/conda/pkgs/mkl.tar.bz2",
        "RUN cp /opt/conda/pkgs/mkl.tar.bz2 /opt/conda/lib/libmkl.a && rm -rf /opt/conda/pkgs",
        "RUN mkdir -p /root/.cache/pip/http && head -c 30000000 /dev/zero > /root/.cache/pip/http/wheel",
        "ENTRYPOINT python /usr/local/bin/run.py",
    )

    findings = found(doctor, image)

    # it starts all the same, without ever seeing `train`: what runs has nothing to add but that it ended
    assert list(findings) == ["DD101", "DD303", "DD304", "DD707"]
    assert "/opt/conda/pkgs/mkl.tar.bz2 (60 MB" in findings["DD303"]["where"]
    assert findings["DD304"]["where"] == "/root/.cache/pip (30 MB)"


def test_a_development_image_as_a_training_image(doctor: Doctor, build: Callable[..., str]) -> None:
    """A clone of the sources with its history, root, a token of the experiment tracker, and a shell as CMD."""
    image = build(
        {"notes": ""},
        "WORKDIR /usr/src/app",
        "RUN mkdir -p .git/objects/pack && head -c 40000000 /dev/zero > .git/objects/pack/a.pack",
        "ARG WANDB_API_KEY=0123456789abcdef0123456789abcdef01234567",
        "RUN chmod 777 /usr/src/app && pip --version || true",
        'CMD ["bash"]',
    )

    findings = found(doctor, image)

    assert list(findings) == ["DD102", "DD701", "DD205", "DD304", "DD407"]
    assert "executable file not found" in findings["DD701"]["what"]
    assert findings["DD304"]["where"] == "/usr/src/app/.git (40 MB)"
