"""Which launcher a job's hyperparameters ask for: once on each host, or torchrun. All others are refused by name."""

from __future__ import annotations

import enum
import importlib.util
from collections.abc import Mapping

from optml.errors import Refusal

ENABLED = {"true", "1", "yes", "on"}
OFF = {"", "false", "0", "no", "off", "none", "null", "{}"}
TORCHRUN = "sagemaker_torch_distributed_enabled"
ABSENT = {
    "sagemaker_mpi_enabled": "MPI",
    "sagemaker_distributed_dataparallel_enabled": "SageMaker's data parallel library (smdistributed.dataparallel)",
    "sagemaker_pytorch_ddp_enabled": "pytorchddp, which starts scripts with MPI",
    "sagemaker_pytorch_xla_multi_worker_enabled": "PyTorch/XLA",
    "sagemaker_parameter_server_enabled": "TensorFlow's parameter server",
    "sagemaker_multi_worker_mirrored_strategy_enabled": "TensorFlow's MultiWorkerMirroredStrategy",
    "mp_parameters": "SageMaker's model parallel library (smdistributed.modelparallel)",
}
"""What AWS's framework images start scripts with and ours do not, by the hyperparameter that asks for it."""


class Launcher(enum.Enum):
    ONCE = "Process"
    """The script is started once on each host."""
    TORCHRUN = "TorchDistributed"

    # The values are the toolkit's own names of its runners.


def choose(hyperparameters: Mapping[str, str]) -> Launcher:
    """The launcher; raises Refusal for one that the image lacks, known or not."""
    wanted = sorted(name for name, value in hyperparameters.items() if _asks(name, value))
    for name in wanted:
        if name != TORCHRUN:
            launcher = ABSENT.get(name, "a launcher that is not known here")
            raise Refusal(f"this image cannot start scripts with {launcher} (hyperparameter {name})", _instead())
    if not wanted:
        return Launcher.ONCE
    if importlib.util.find_spec("torch") is None:
        raise Refusal(f"this image has no torchrun: it holds no PyTorch (hyperparameter {TORCHRUN})", _instead())
    return Launcher.TORCHRUN


def _asks(name: str, value: str) -> bool:
    if name == "mp_parameters":
        return value.strip().lower() not in OFF
    return name.startswith("sagemaker_") and name.endswith("_enabled") and value.strip().lower() in ENABLED


def _instead() -> str:
    return (
        "without `distribution` the script is started once on each host; "
        'distribution={"torch_distributed": {"enabled": True}} starts it with torchrun in the PyTorch images'
    )
