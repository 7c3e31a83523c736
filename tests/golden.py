"""Records the generated files: `python -m tests.golden`. Tests compare them with what would be recorded."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from containers import build
from local.cli.registration import registered

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ROOT / "entrypoints" / "programs.json"
COVERAGE = ROOT / "docs" / "api-coverage.md"
BAKE_FILE = ROOT / "docker-bake.hcl"
PLAN = ROOT / "tests" / "images" / "bake-print.json"
FIXED = {
    "ROOTFS": "rootfs",
    "CA_BUNDLE": "/dev/null",
    "REVISION": "0" * 40,
    "SOURCE_DATE_EPOCH": "0",
    "BUILDX_BUILDER": "default",
}
"""What differs between machines and commits, as the recorded plan has it."""
DOCTOR = ROOT / "docs" / "doctor.md"
NAMES = ROOT / "docs" / "names.md"


def programs() -> str:
    """entrypoints/programs.json, from what each program says of itself."""
    return registered(PROGRAMS.parent)


def coverage() -> str:
    """docs/api-coverage.md, from botocore's model and the members table."""
    from local import coverage

    return coverage.page()


def bake_file() -> str:
    """docker-bake.hcl, its PROGRAMS by default those of programs.json."""
    line = re.compile(r'(?<=^variable "PROGRAMS" \{ default = ")[^"]*', re.MULTILINE)
    return line.sub(" ".join(build.program_tags(PROGRAMS)), BAKE_FILE.read_text(), count=1)


def plan() -> str:
    """All that bake makes of its file, as `docker buildx bake --print` tells it; CannotBuildError without buildx."""
    build.check_buildx()
    environ = {name: value for name, value in os.environ.items() if f'variable "{name}"' not in BAKE_FILE.read_text()}
    printed = subprocess.run(
        ["docker", "buildx", "bake", "--print"],
        cwd=ROOT, env=environ | FIXED, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return json.dumps(json.loads(printed, object_hook=_in_newer_words), indent=1, sort_keys=True) + "\n"


def _in_newer_words(target: dict[str, Any]) -> dict[str, Any]:
    """Newer buildx prints as objects what older prints as `type=docker,dest=…`."""
    for member in ("output", "secret"):
        if member in target:
            target[member] = [
                dict(part.split("=", 1) for part in entry.split(",")) if isinstance(entry, str) else entry
                for entry in target[member]
            ]
    return target


def doctor() -> str:
    """docs/doctor.md, from the rules of `drydock doctor`."""
    from local.doctor import page

    return page.page()


def names() -> str:
    """docs/names.md, from the tables of the programs."""
    return subprocess.run(
        [sys.executable, "-m", "tests.names_page"],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(PROGRAMS.parent)}, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


def main() -> None:
    recorded = [
        (PROGRAMS, programs),
        (NAMES, names),
        (BAKE_FILE, bake_file),
        (COVERAGE, coverage),
        (DOCTOR, doctor),
        (PLAN, plan),
    ]
    for path, text in recorded:  # each rests on those before it
        try:
            path.write_text(text())
        except build.CannotBuildError as error:
            print(f"{path.relative_to(ROOT)} stays as it was: {error.message}")
        else:
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
