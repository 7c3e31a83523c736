"""Writes what it was given to output/data: every path and file below its base, and its environment."""

import json
import os

from environment import BASE

tree = {str(path.relative_to(BASE)): path.read_text() if path.is_file() else None for path in BASE.rglob("*")}
(BASE / "output" / "data" / "tree.json").write_text(json.dumps(tree))
(BASE / "output" / "data" / "environment.json").write_text(json.dumps(dict(os.environ)))
