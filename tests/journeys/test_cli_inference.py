"""predict and serve, with a program of three verbs that needs no framework."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.drydock import Drydock

PROGRAM = """
import json, os, pathlib, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

BASE = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))

def train():
    (BASE / "model/box").mkdir()
    (BASE / "model/metadata.json").symlink_to("box/metadata.json")
    (BASE / "model/metadata.json").write_text(json.dumps({"program": "box", "classes": ["thing"]}))

def predict(model, *images):
    classes = json.loads(pathlib.Path(model, "metadata.json").read_text())["classes"]
    for image in images:
        if "bad" in image:
            sys.exit("error: bad image")
        if "huge" in image:
            print('{"image": ', end="", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        found = {"class": classes[0], "class_id": 0, "score": 0.5, "box": [2, 20, 30, 30]}
        print(json.dumps({"image": image, "width": 40, "height": 40, "predictions": [found]}), flush=True)

def serve():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if (BASE / "model/metadata.json").exists() else 500)
            self.end_headers()
        def log_message(self, *_):
            pass
    server = HTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()

{"train": train, "predict": predict, "serve": serve}[sys.argv[1]](*sys.argv[2:])
"""
ENTRY = {"file": "box.py", "environment": "python", "images": ["train-cpu"], "verbs": ["train", "predict", "serve"]}


@pytest.fixture(scope="module")
def drydock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drydock]:
    folder = tmp_path_factory.mktemp("cli")
    programs = folder / "programs"
    programs.mkdir()
    (programs / "box.py").write_text(PROGRAM)
    (programs / "programs.json").write_text(json.dumps({"programs": {"box": ENTRY}}))
    command = Drydock(folder)
    command("up", "--port", "0", "--programs", str(programs))
    trained = command("train", "box", "--name", "box-1")
    assert trained.code == 0, trained.err
    yield command
    command("down")


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    for name in ("one/a.png", "two/a.png", "two/notes.txt"):
        path = tmp_path / "photographs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            Image.new("RGB", (40, 40)).save(path)
        else:
            path.touch()
    return tmp_path / "photographs"


def test_predictions_go_to_stdout_and_every_image_is_drawn(drydock: Drydock, photographs: Path, tmp_path: Path) -> None:
    result = drydock("predict", "box-1", str(photographs), "--output", str(tmp_path / "drawn"))

    assert result.code == 0, result.err
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert [Path(row["image"]).parent.name for row in rows] == ["one", "two"]
    drawn = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert drawn == ["2-a.png", "a.png"]
    assert Image.open(tmp_path / "drawn/a.png").getpixel((2, 25)) != (0, 0, 0)


def test_drawn_images_lie_with_the_run_unless_told_otherwise(drydock: Drydock, photographs: Path) -> None:
    drydock("predict", "box-1", str(photographs / "one/a.png"))

    assert (drydock.runs / "box-1/predictions/a.png").is_file()


def test_a_program_that_refuses_an_image_gives_its_words_and_its_exit_code(drydock: Drydock, tmp_path: Path) -> None:
    (tmp_path / "bad.png").touch()

    result = drydock("predict", "box-1", str(tmp_path / "bad.png"))

    assert result.code == 1
    assert result.err.strip() == "error: bad image"


def test_a_program_that_a_signal_kills_is_named_with_the_signal(
    drydock: Drydock, photographs: Path, tmp_path: Path
) -> None:
    (tmp_path / "huge.png").touch()

    result = drydock("predict", "box-1", str(photographs / "one/a.png"), str(tmp_path / "huge.png"))

    assert result.code == 137
    assert len(result.out.splitlines()) == 1
    assert "\nerror: box was killed by SIGKILL\n\nhint: " in result.err
    assert "Traceback" not in result.err


def test_a_place_without_images_is_refused(drydock: Drydock, tmp_path: Path) -> None:
    assert "there is no image" in drydock("predict", "box-1", str(tmp_path / "none.jpg")).err
    assert "holds no images" in drydock("predict", "box-1", str(tmp_path)).err
    (tmp_path / "notes").write_text("no image")
    assert "notes is not an image that can be read" in drydock("predict", "box-1", str(tmp_path / "notes")).err
    os.mkfifo(tmp_path / "pipe.png")
    assert "pipe.png is not an image that can be read" in drydock("predict", "box-1", str(tmp_path / "pipe.png")).err


def test_the_model_is_served_until_ctrl_c(drydock: Drydock) -> None:
    with drydock.start("serve", "box-1", "--port", "0") as process:
        assert process.stdout
        assert process.stderr
        told = process.stderr.readline()
        port = process.stdout.readline().strip()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping") as reply:
            assert reply.status == 200
        assert f"http://127.0.0.1:{port}/invocations" in told
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
