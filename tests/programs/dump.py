"""Writes what it was given to model and output/data: every path and file below its base, and its environment."""

import json
import os

from environment import BASE

tree = {str(path.relative_to(BASE)): path.read_text() if path.is_file() else None for path in BASE.rglob("*")}
for folder in (BASE / "model", BASE / "output" / "data"):
    (folder / "tree.json").write_text(json.dumps(tree))
    (folder / "environment.json").write_text(json.dumps(dict(os.environ)))
