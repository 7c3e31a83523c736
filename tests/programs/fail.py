"""Crashes without a word in output/failure; hyperparameter ``exit-code`` (default 3)."""

import sys

from environment import hyperparameters

print("about to fail")
sys.exit(int(hyperparameters().get("exit-code", "3")))
