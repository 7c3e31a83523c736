"""What a program folder says of its programs: the text of ``programs.json``, from what each program says of itself."""

import json
import subprocess
import sys
from pathlib import Path

from local.cli.refusal import FAILED, Refusal

TABLE = "programs.json"
_MARK = "PROGRAM = Program("


def registered(folder: Path) -> str:
    """The text of the folder's table; raises Refusal for a program that cannot say what it is.

    A program imports its framework where it uses it, so any Python can ask it.
    """
    entries: dict[str, object] = {}
    for path in sorted(folder.glob("*.py")):
        if _MARK in path.read_text(encoding="utf-8"):
            entries |= _described(path)
    return json.dumps({"programs": entries}, indent=1, ensure_ascii=False) + "\n"


def _described(program: Path) -> dict[str, object]:
    command = [sys.executable, str(program), "describe"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["no reason"])[-1]
        raise Refusal(f"{program} cannot say what it is: {reason}", f"python {program} describe", FAILED)
    described: dict[str, object] = json.loads(result.stdout)
    return described
