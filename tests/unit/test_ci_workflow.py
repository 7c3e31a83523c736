"""examples/ci/github-workflow.yml stays valid: its schema, shell, each target, lock and image in it. And .ci/run."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests import golden
from tests.support.emulator import ROOT

WORKFLOW = ROOT / "examples" / "ci" / "github-workflow.yml"
KNOWN = {"make", "docker", "sudo", "curl", "test", "for", "done", "sleep"}
"""What its shell may begin a line with: a runner has these."""


def steps() -> list[dict[str, Any]]:
    return [step for job in yaml.safe_load(WORKFLOW.read_text())["jobs"].values() for step in job["steps"]]


def scripts() -> list[str]:
    found = [step["run"] for step in steps() if "run" in step]
    assert found
    return found


def test_it_keeps_the_schema_of_github() -> None:
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*checker, WORKFLOW], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_actions_are_pinned_to_a_release() -> None:
    uses = [step["uses"] for step in steps() if "uses" in step]
    assert {"actions/checkout", "docker/setup-qemu-action"} <= {action.partition("@")[0] for action in uses}
    for action in uses:
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", action), action


@pytest.mark.parametrize("script", scripts())
def test_its_shell_is_shell(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    commands = re.sub(r"\\\n\s*", "", script).splitlines()
    assert {line.split()[0] for line in commands} <= KNOWN


def test_every_make_target_and_image_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = re.findall(r"\bmake ([a-z-]+)", "\n".join(scripts()))
    assert {"lint", "images", "test"} <= set(named) <= targets
    plan = golden.PLAN.read_text()
    images = yaml.safe_load(WORKFLOW.read_text())["env"]["IMAGES"].split()
    images += re.findall(r"buildx bake ([\w-]+)", "\n".join(scripts()))
    for image in images:
        assert f'"{image}": {{' in plan, image


def test_every_path_that_it_hashes_exists() -> None:
    patterns = re.findall(r"'([\w*./-]+\.lock)'", WORKFLOW.read_text())
    assert patterns
    for pattern in patterns:
        assert list(ROOT.glob(pattern)), pattern


def test_the_images_are_those_of_our_own_ci() -> None:
    ours = re.search(r'^images="([^"]+)"', (ROOT / ".ci/run").read_text(), flags=re.MULTILINE)
    assert ours
    assert yaml.safe_load(WORKFLOW.read_text())["env"]["IMAGES"] == ours[1]


def test_our_own_ci_leaves_no_test_out() -> None:
    elsewhere = re.search(r'^elsewhere="([^"]+)"', (ROOT / ".ci/run").read_text(), flags=re.MULTILINE)
    assert elsewhere
    held = {path.relative_to(ROOT).parts[1] for path in ROOT.glob("tests/**/test_*.py")}
    assert {f"tests/{folder}" for folder in held} == {"tests/unit", *elsewhere[1].split()}
