"""Writes docs/names.md: `PYTHONPATH=entrypoints python -m tests.names_page`, run by `make golden`."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path

from optml.aliases import Alias, Meaning, Refused, Switch

ROOT = Path(__file__).resolve().parents[1]
HEAD = (
    "# Names that users bring\n\n"
    "What each program makes of hyperparameters of AWS's built-in algorithms, of Ultralytics and of published projects "
    "that are not its own (`entrypoints/training/names.py`; `make golden` writes this page). Dashes and underscores "
    "are equal. What has no effect is named in the log, a line each. A name that is neither here nor the program's own "
    "is refused; `entrypoints/programs.json` lists its own.\n"
)


def page() -> str:
    """The page's text."""
    programs = json.loads((ROOT / "entrypoints/programs.json").read_text())["programs"]
    tables = {name: importlib.import_module(name).PROGRAM.aliases for name in sorted(programs)}
    return HEAD + "".join(_section(name, table) for name, table in tables.items() if table)


def _section(name: str, table: Mapping[str, Meaning]) -> str:
    joined: dict[str, list[str]] = {}
    for given, meaning in table.items():
        joined.setdefault(_row(meaning), []).append(f"`{given.replace('-', '_')}`")
    rows = "".join(f"| {', '.join(names)} | {row} |\n" for row, names in joined.items())
    return f"\n## {name}\n| given | means |\n|---|---|\n{rows}"


def _row(meaning: Meaning) -> str:
    if isinstance(meaning, Alias):
        return f"`{meaning.name}`{_values(meaning)}"
    if isinstance(meaning, Switch):
        of = meaning.of.replace("-", "_")
        return f"false: `{meaning.name}` {meaning.off}, whatever `{of}` says; true: as that says, or {meaning.on}"
    if isinstance(meaning, Refused):
        return f"refused: {meaning.because}; {meaning.hint}"
    other = f"; other values than {', '.join(meaning.values)} are refused" if meaning.values else ""
    return f"no effect: {meaning.because}{other}"


def _values(alias: Alias) -> str:
    if alias.values:
        return ": " + ", ".join(f"{theirs} → {ours}" for theirs, ours in alias.values.items())
    implied = f", with -seg also `{alias.implied[0]}` {alias.implied[1]}" if alias.implied[0] else ""
    return f": {alias.form.format(alias.example)} → {alias.example}{implied}" if alias.pattern else ""


if __name__ == "__main__":
    print(page(), end="")
