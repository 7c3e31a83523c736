"""What `make train-local` asks of the command line."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.support.emulator import ROOT


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (["PROGRAM=ssd", "EPOCHS=5", "HP=mini_batch_size=8 seed=3"], {"epochs=5", "mini_batch_size=8", "seed=3"}),
        (["PROGRAM=classification"], set()),
        ([], {"task=detect", "epochs=20", "img-size=320", "batch-size=8"}),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_each_setting_is_asked_for_once(given: list[str], asked: set[str]) -> None:
    command = ["make", "-n", "train-local", *given]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"--hp '([^']+)'", said)
    assert (set(found), len(found)) == (asked, len(asked))


def test_every_dockerfile_is_linted() -> None:
    said = subprocess.run(["make", "-n", "lint"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    patterns = re.findall(r"hadolint.* (\S+Dockerfile)$", said, re.MULTILINE)
    linted = [path for pattern in patterns for path in ROOT.glob(pattern)]
    assert sorted(linted) == sorted((ROOT / "containers").rglob("*Dockerfile*"))
