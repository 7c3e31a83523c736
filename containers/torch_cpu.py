"""The lock of a CPU-only torch for the images without a GPU, made where the index that has one can be reached.

PyPI's torch for x86-64 brings CUDA, 5 GB of it. uv knows where PyTorch keeps its CPU builds; a mirror of that index is
given by the environment variable TORCH_CPU_INDEX. Standard library only.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from local import environments
from local.installer import installer_environment

CHECKOUT = Path(__file__).resolve().parent.parent
GENERAL = CHECKOUT / "containers/pytorch-script"
LOCK = CHECKOUT / "containers/pytorch-cpu/requirements.lock"
MIRROR = "TORCH_CPU_INDEX"


def variables(environ: Mapping[str, str], say: Callable[[str], None], lock: Path = LOCK) -> dict[str, str]:
    """Variables of the bake file that make the CPU images take a CPU-only torch; none where no index has one.

    Writes the lock: the packages and versions of the general one, but torch and torchvision as they are built for the
    CPU, and without CUDA. Says what it chose.
    """
    mirror = environ.get(MIRROR, "")
    place = mirror or "PyTorch's own index"
    failure = _compile(environments.find_uv(say), lock, mirror)
    if failure:
        say(f"torch: no CPU-only build to be had ({place}: {failure}); CPU and GPU images share the general one")
        return {}
    say(f"torch: CPU-only for the CPU images, from {place} ({lock})")
    return {"CPU_PACKAGES": "pytorch-cpu", MIRROR: mirror}


def _compile(uv: Path, lock: Path, mirror: str) -> str:
    """Write the lock; empty, or why it cannot be written."""
    command: list[str | Path] = [
        uv, "pip", "compile", "--quiet", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url",
        "--no-header", GENERAL / "requirements.in", "--override", GENERAL / "overrides.txt",
        "--constraint", GENERAL / "requirements.lock",
    ]  # fmt: skip
    if lock.exists():
        command += ["--output-file", lock]
    index = ["--index", mirror, "--index-strategy", "unsafe-best-match"] if mirror else ["--torch-backend", "cpu"]
    environ = {"UV_HTTP_RETRIES": "0", **installer_environment()}
    result = subprocess.run([*command, *index], cwd=CHECKOUT, env=environ, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or [f"uv ended with {result.returncode}"]
        return lines[-1].strip().removeprefix("cause: ")
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(result.stdout, encoding="utf-8")
    return ""
