"""Refuses its input: the same words on stderr and in output/failure, exit code 2."""

import sys

from environment import BASE

print("error: hyperparameter epochs is 0\n\nhint: use 1 or more", file=sys.stderr)
(BASE / "output" / "failure").write_text("hyperparameter epochs is 0\n\nhint: use 1 or more\n" + "x" * 2000)
sys.exit(2)
