"""Records the generated files: `python -m tests.golden`. Tests compare them with what would be recorded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ROOT / "entrypoints" / "programs.json"
COVERAGE = ROOT / "docs" / "api-coverage.md"


def programs() -> str:
    """entrypoints/programs.json, from what each program says of itself."""
    entries: dict[str, object] = {}
    for path in sorted((ROOT / "entrypoints").glob("*.py")):
        if "PROGRAM = Program(" in path.read_text():
            described = subprocess.run([sys.executable, path, "describe"], check=True, capture_output=True, text=True)
            entries |= json.loads(described.stdout)
    return json.dumps({"programs": entries}, indent=1, ensure_ascii=False) + "\n"


def coverage() -> str:
    """docs/api-coverage.md, from botocore's model and the members table."""
    from local import coverage

    return coverage.page()


def main() -> None:
    for path, text in ((PROGRAMS, programs()), (COVERAGE, coverage())):
        path.write_text(text)
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
