"""What the programs of this folder share: their base folder and hyperparameters."""

import json
import os
from pathlib import Path

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))


def hyperparameters() -> dict[str, str]:
    return json.loads((BASE / "input" / "config" / "hyperparameters.json").read_text())
