"""Where a program computes and in which precision, and what it says when memory runs out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from optml import checkpoints
from optml.environment import Environment
from optml.errors import Refusal
from optml.metrics import Registry
from training.run import Compute, Run


def new_run(env: Environment, hp: Any, classes: tuple[str, ...], metrics: Registry) -> Run[Any]:
    """A run on this machine's device, its randomness fixed, of a program with our loop in PyTorch."""
    chosen = compute(hp.device, hp.precision)
    make_deterministic(hp.seed, env.num_cpus)
    return Run(env, hp, chosen, classes, checkpoints.Store(env.checkpoint_dir), metrics)


def compute(device: str, precision: str) -> Compute:
    """What the hyperparameters `device` and `precision` come to on this machine."""
    chosen = choose(device)
    return Compute(chosen, computes_bfloat16(chosen, precision))


def choose(name: str) -> str:
    """`cpu` or `cuda` for a `device` hyperparameter of auto, cpu or cuda; refuses `cuda` where there is none."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise Refusal("device=cuda, but this machine has no CUDA device", "use device=auto or device=cpu")
    return "cuda" if available and name != "cpu" else "cpu"


def computes_bfloat16(device: str, precision: str) -> bool:
    """Whether forward passes on `device` shall run in bfloat16, for a `precision` of auto, fp32 or bf16.

    `auto` takes it where the hardware multiplies it natively; `bf16` is refused where it does not.
    """
    able = _cpu_has_bfloat16() if device == "cpu" else torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "bf16" and not able:
        raise Refusal("precision=bf16, but this processor does not compute in bfloat16", "use precision=auto")
    return able and precision != "fp32"


def make_deterministic(seed: int, threads: int) -> None:
    """Seed torch, compute with so many threads, and take the algorithms that give the same bits every time."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False


def in_float32(output: Any) -> Any:
    """`output` with every floating tensor in it as float32; dicts, lists and tuples keep their shape."""
    if isinstance(output, dict):
        return {key: in_float32(value) for key, value in output.items()}
    if isinstance(output, (list, tuple)):
        return type(output)(in_float32(value) for value in output)
    return output.float() if output.is_floating_point() else output


@contextlib.contextmanager
def memory_checked(batch_size: int, img_size: int) -> Iterator[None]:
    """A framework's error that memory ran out, on whatever device, becomes a Refusal that says which batch to take."""
    try:
        yield
    except Exception as error:
        if "out of memory" not in str(error).lower():
            raise
        raise Refusal(
            f"out of memory with batch-size={batch_size} and img-size={img_size}",
            f"use batch-size={max(1, batch_size // 2)}",
        ) from error


def _cpu_has_bfloat16() -> bool:
    """AVX-512 BF16 or AMX; elsewhere bfloat16 is emulated and slower than float32."""
    with contextlib.suppress(OSError):
        flags = Path("/proc/cpuinfo").read_text()
        return "avx512_bf16" in flags or "amx_bf16" in flags
    return False
