"""What `drydock doctor` finds by running small images with one fault each, and that it leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
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


FAULTS = {
    "does not start": ("DD701", {"train": "#!/bin/sh\nexec true\n"}, ['ENTRYPOINT ["/bin"]']),
    "no failure file": ("DD702", {"train": PYTHON + "sys.exit('no channel')\n"}, []),
    "failure and exit code 0": ("DD703", {"train": TRAINS.replace("sys.exit(2)", "sys.exit(0)")}, []),
    "root only": ("DD704", {"train": PYTHON + "os.getuid() and sys.exit(1)\n" + REFUSES}, []),
    "writes to its root": ("DD705", {"train": PYTHON + "Path('/var/tmp/state').write_text('')\n" + REFUSES}, []),
    "no handler": ("DD706", {"train": PYTHON + WAITS}, []),
    "ignores SIGTERM": ("DD706", {"train": PYTHON + "signal.signal(signal.SIGTERM, print)\n" + WAITS}, []),
    "serve does not start": ("DD801", serves(), ['ENTRYPOINT ["/bin"]']),
    "never healthy": ("DD802", {"serve": PYTHON + OBEYS + WAITS}, []),
    "slow ping": ("DD804", serves(ping="time.sleep(2.5)"), []),
    "server without a handler": ("DD805", serves(start="signal.signal(signal.SIGTERM, signal.SIG_DFL)"), []),
    "serves as root only": ("DD806", serves(start="os.getuid() and sys.exit(1)"), []),
    "server writes to its root": ("DD807", serves(start="Path('/var/tmp/state').write_text('')"), []),
    "server writes its model": ("DD802", serves(start="(ML / 'model/cache').write_text('')"), []),
}  # fmt: skip

WAITED_FOR = {"no handler", "ignores SIGTERM", "never healthy", "slow ping"}
"""Whose time has to run out."""
SLOW = {"no failure file", "writes to its root", "ignores SIGTERM", "serve does not start", "server writes to its root"}
"""A minute of containers that start; each has a like that always runs."""


@pytest.mark.parametrize("fault", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in FAULTS])
def test_one_fault_is_one_finding(doctor: Doctor, build: Callable[..., str], tmp_path: Path, fault: str) -> None:
    code, programs, lines = FAULTS[fault]
    verb = "serve" if "serve" in programs else "train"
    given = ["--model", str(tmp_path)] if verb == "serve" else []

    limits = ["--timeout", "3" if fault in WAITED_FOR else "20", "--grace", "2"]
    told_elsewhere = [word for known in ("DD102", "DD103", "DD707", "DD502") for word in ("--ignore", known)]

    report = doctor(build(programs, *lines), "--for", verb, *given, *limits, *told_elsewhere)

    found = {finding["code"]: finding for finding in report["findings"]}
    assert list(found) == [code], found
    assert report["not_run"] is None


def test_an_image_that_keeps_the_contract_is_clean(doctor: Doctor, build: Callable[..., str], tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    waits = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}); signal.sigwait({signal.SIGTERM})\n"
    image = build({"train": TRAINS.replace(OBEYS, "") + waits, **serves()})

    without = doctor(image, "--ignore", "DD502")
    given = doctor(image, "--data", f"train={data}", "--model", str(data), "--timeout", "20", "--ignore", "DD502")

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


def test_an_image_reads_the_same_where_the_engine_keeps_it_and_as_it_saves_it(
    doctor: Doctor, build: Callable[..., str], engine: Any, tmp_path: Path
) -> None:
    """The engine's own folders are read where this user may; what is deleted, replaced and linked is in both."""
    image = build(
        {"train": TRAINS, "gone": "1", "replaced": "2"},
        "RUN mkdir -p /srv/a /srv/b && head -c 30000000 /dev/zero > /srv/a/big && ln /usr/local/bin/train /srv/b/same",
        "RUN rm -r /srv/a /usr/local/bin/gone && mkdir /srv/a && echo 3 > /usr/local/bin/replaced && chmod 777 /srv/b",
    )
    saved = tmp_path / "saved.tar"
    with saved.open("wb") as file:
        file.writelines(engine.api.get_image(image))

    kept, stored = doctor(image, "--static", "--for", "train"), doctor(saved, "--for", "train")

    assert [finding["code"] for finding in kept["findings"]] == ["DD205", "DD303"]
    different = {"image": "", "not_run": ""}
    assert kept | different == stored | different


def test_what_other_data_or_a_model_would_tell_is_said(
    doctor: Doctor, build: Callable[..., str], tmp_path: Path
) -> None:
    image = build({"train": TRAINS + "sys.exit('bad labels')\n", **serves(start="sys.exit('no model')")})

    report = doctor(image, "--data", f"train={tmp_path}", "--timeout", "20", "--ignore", "DD502")

    found = {finding["code"]: finding["what"] for finding in report["findings"]}
    assert list(found) == ["DD709", "DD803"]
    assert "bad labels" in found["DD709"]
    assert "no model" in found["DD803"]
