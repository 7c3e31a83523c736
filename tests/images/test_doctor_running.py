"""What `drydock doctor` finds by running small images with one fault each, and that it leaves nothing behind."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.doctored import Doctor

PYTHON = "#!/opt/venv/bin/python\nimport json, os, signal, sys, time\nfrom pathlib import Path\nML = Path('/opt/ml')\n"
REFUSES = "(ML / 'output/failure').write_text('no channel train'); sys.exit(2)\n"
OBEYS = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
TRAINS = PYTHON + OBEYS + "channel = ML / 'input/data/train'\nif not channel.is_dir():\n    " + REFUSES
WAITS = "time.sleep(600)\n"
SERVES = (
    PYTHON
    + "from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer\n"
    + OBEYS
    + "class Handler(BaseHTTPRequestHandler):\n"
    + "    def do_GET(self):\n        PING\n        self.send_response(200); self.end_headers()\n"
    + "START\nThreadingHTTPServer(('0.0.0.0', 8080), Handler).serve_forever()\n"
)


def serves(start: str = "", ping: str = "pass") -> dict[str, str]:
    return {"serve": SERVES.replace("START", start).replace("PING", ping)}


@pytest.fixture
def build(engine: Any, built: Callable[[str], Any]) -> Iterator[Callable[..., str]]:
    """Builds an image of the emulator's Python and these programs, and removes it afterwards."""
    base = built("drydock/local").tags[0]
    made = []

    def image(programs: dict[str, str], *lines: str) -> str:
        steps = [f"FROM {base}", "COPY --chmod=755 bin /usr/local/bin/", "CMD []", *lines]
        files = {"Dockerfile": "\n".join(steps), **{f"bin/{name}": text for name, text in programs.items()}}
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as tar:
            for name, text in files.items():
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(text), 0o755
                tar.addfile(info, io.BytesIO(text.encode()))
        context.seek(0)
        identity: str = engine.images.build(fileobj=context, custom_context=True, rm=True)[0].id
        made.append(identity)
        return identity

    yield image
    for identity in made:
        engine.images.remove(identity, force=True)


@pytest.fixture
def doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: Any) -> Iterator[Doctor]:
    yield Doctor(tmp_path, capsys)
    left = {"all": True, "filters": {"label": "drydock.doctor"}}
    assert engine.containers.list(**left) == []
    assert engine.networks.list(filters={"label": "drydock.doctor"}) == []


FAULTS = {
    "does not start": ("DD701", {"train": "#!/bin/sh\nexec true\n"}, ['ENTRYPOINT ["/bin"]']),
    "no failure file": ("DD702", {"train": PYTHON + "sys.exit('no channel')\n"}, []),
    "failure and exit code 0": ("DD703", {"train": TRAINS.replace("sys.exit(2)", "sys.exit(0)")}, []),
    "root only": ("DD704", {"train": PYTHON + "Path('/root/state').write_text('')\n" + REFUSES}, []),
    "writes to its root": ("DD705", {"train": PYTHON + "Path('/var/tmp/state').write_text('')\n" + REFUSES}, []),
    "no handler": ("DD706", {"train": PYTHON + WAITS}, []),
    "ignores SIGTERM": ("DD706", {"train": PYTHON + "signal.signal(signal.SIGTERM, print)\n" + WAITS}, []),
    "serve does not start": ("DD801", serves(), ['ENTRYPOINT ["/bin"]']),
    "never healthy": ("DD802", {"serve": PYTHON + OBEYS + WAITS}, []),
    "slow ping": ("DD804", serves(ping="time.sleep(2.5)"), []),
    "server without a handler": ("DD805", serves(start="signal.signal(signal.SIGTERM, signal.SIG_DFL)"), []),
    "serves as root only": ("DD806", serves(start="Path('/root/state').write_text('')"), []),
    "server writes to its root": ("DD807", serves(start="Path('/var/tmp/state').write_text('')"), []),
    "server writes its model": ("DD802", serves(start="(ML / 'model/cache').write_text('')"), []),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_is_one_finding(doctor: Doctor, build: Callable[..., str], tmp_path: Path, fault: str) -> None:
    code, programs, lines = FAULTS[fault]
    verb = "serve" if "serve" in programs else "train"
    given = ["--model", str(tmp_path)] if verb == "serve" else []

    report = doctor(
        build(programs, *lines), "--for", verb, *given, "--timeout", "6", "--grace", "2",
        "--ignore", "DD102", "--ignore", "DD104", "--ignore", "DD707", "--ignore", "DD502",
    )  # fmt: skip

    found = {finding["code"]: finding for finding in report["findings"]}
    assert list(found) == [code], found
    assert report["not_run"] is None


def test_an_image_that_keeps_the_contract_is_clean(doctor: Doctor, build: Callable[..., str], tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    image = build({"train": TRAINS + WAITS, **serves()})

    without = doctor(image, "--ignore", "DD502")
    given = doctor(image, "--data", f"train={data}", "--model", str(data), "--timeout", "10", "--ignore", "DD502")

    assert [finding["code"] for finding in without["findings"]] == ["DD707"]
    assert given["findings"] == []
    assert given["exit_code"] == 0


def test_a_read_only_channel_is_not_written_in(doctor: Doctor, build: Callable[..., str], tmp_path: Path) -> None:
    image = build({"train": TRAINS + "(channel / 'labels.cache').write_text('')\n" + WAITS})

    assert doctor.codes(image, "--for", "train", "--data", f"train={tmp_path}") == ["DD708"]


def test_an_image_that_is_not_there_is_refused(doctor: Doctor) -> None:
    code, out, err = doctor.run("nobody/nothing:never")

    assert (code, out) == (2, "")
    assert "there is no image nobody/nothing:never" in err
    assert "hint: docker images" in err
