"""Leaves a model and output behind, then exits with ``exit-code`` (default 0)."""

import sys

from environment import BASE, hyperparameters

(BASE / "model" / "code").mkdir()
(BASE / "model" / "weights.bin").write_bytes(bytes(range(256)) * 1000)
(BASE / "model" / "code" / "inference.py").write_text("pass\n")
(BASE / "output" / "data" / "metrics.json").write_text('{"loss": 0.5}')
sys.exit(int(hyperparameters().get("exit-code", "0")))
