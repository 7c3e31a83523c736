"""Which launcher a job's hyperparameters ask for, to start its own script with; our images have torchrun only.

The image looks again (containers/train/bin/script_mode/launchers.py), since it also runs elsewhere.
"""

from collections.abc import Mapping

TORCHRUN = "sagemaker_torch_distributed_enabled"
_MODEL_PARALLEL = "mp_parameters"
_ENABLED = {"true", "1", "yes", "on"}
_OFF = {"", "false", "0", "no", "off", "none", "null", "{}"}


def asked(hyperparameters: Mapping[str, str]) -> str:
    """The hyperparameter that asks for a launcher, first for one that no image has; empty if none does."""
    names = sorted(name for name, value in hyperparameters.items() if _asks(name, value.strip().strip('"').lower()))
    return next((name for name in names if name != TORCHRUN), names[0] if names else "")


def _asks(name: str, value: str) -> bool:
    if name == _MODEL_PARALLEL:
        return value not in _OFF
    return name.startswith("sagemaker_") and name.endswith("_enabled") and value in _ENABLED
