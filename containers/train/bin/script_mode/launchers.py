"""Which launcher a job's hyperparameters ask for: once on each host, or torchrun. All others are refused by name.

Either way torch.distributed finds the other hosts of the job.
"""

from __future__ import annotations

import enum
import importlib.util
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence

from optml.environment import Environment
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


_NAMES_WAIT_S = 15 * 60
"""As long as the toolkit waits until the names of all hosts resolve."""
_TORCHRUN_GRACE_S = "110"
"""What torchrun leaves its workers after a SIGTERM, 30 s by itself; the platform leaves it 120."""
_LOOPBACK = "127.0.0.1"
_PORT = "7777"


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


def describe_cluster(job: Environment, interface: str) -> None:
    """Wait until all hosts can be found; where torch.distributed finds them, as AWS's PyTorch images set it."""
    several = len(job.hosts) > 1
    os.environ.setdefault("MASTER_ADDR", job.hosts[0] if several else _LOOPBACK)
    os.environ.setdefault("MASTER_PORT", _PORT)
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", _TORCHRUN_GRACE_S)
    if not several:
        return
    for library in ("NCCL", "GLOO"):
        os.environ.setdefault(f"{library}_SOCKET_IFNAME", interface)
    deadline = time.monotonic() + _NAMES_WAIT_S
    for host in job.hosts:
        while not _resolves(host):
            if time.monotonic() > deadline:
                raise Refusal(f"the name of host {host} does not resolve (resourceconfig.json)")
            time.sleep(1)


def with_torchrun(command: Sequence[str], job: Environment) -> list[str]:
    """The toolkit's command, by our interpreter's torchrun, its ranks found at this host's name or on the loopback.

    By itself torchrun takes the machine's name, which may not resolve, and a port that is the same for every job.
    """
    options = {
        "--local_addr": job.current_host if len(job.hosts) > 1 else _LOOPBACK,
        "--master_port": os.environ["MASTER_PORT"],
    }
    if len(job.hosts) == 1:
        os.environ.pop("NCCL_SOCKET_IFNAME", None)  # the toolkit's; this host may have no interface of that name
    words = list(command[1:])
    if "--master_port" in words:  # the toolkit's, of a job with several hosts
        place = words.index("--master_port")
        del words[place : place + 2]
    return [sys.executable, "-m", "torch.distributed.run", *(word for pair in options.items() for word in pair), *words]


def _asks(name: str, value: str) -> bool:
    if name == "mp_parameters":
        return value.strip().lower() not in OFF
    return name.startswith("sagemaker_") and name.endswith("_enabled") and value.strip().lower() in ENABLED


def _instead() -> str:
    return (
        "without `distribution` the script is started once on each host; "
        'distribution={"torch_distributed": {"enabled": True}} starts it with torchrun in the PyTorch images'
    )


def _resolves(host: str) -> bool:
    try:
        socket.gethostbyname(host)
    except OSError:
        return False
    return True
