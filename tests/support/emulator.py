"""A real emulator for a test: started as a process on port 0, driven with boto3, killed as a machine would kill it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local.cli.shell import variables

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "tests" / "programs"
ROLE = "arn:aws:iam::123456789012:role/drydock"
REGION = "eu-west-1"
START_TIMEOUT_S = 180


@dataclass
class Emulator:
    """A running server; `client("sagemaker")` talks to it."""

    home: Path
    url: str
    process: subprocess.Popen[bytes]

    def client(self, service: str, **config: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 0}, **config),
        )

    @property
    def environment(self) -> dict[str, str]:
        """What `drydock env` prints: it points any AWS client at this emulator and at nothing else."""
        return variables(self.url, {"AWS_REGION": REGION})

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """SIGTERM, as `drydock down` sends it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.kill()
                raise


def start(
    home: Path,
    programs: Sequence[Path] = (PROGRAMS,),
    backend: str = "process",
    prefix: Sequence[str] = (),
    **environ: str,
) -> Emulator:
    """Start an emulator on `home` and wait until it answers; its log is `<home>/server.log`.

    `prefix` is a command that runs another one, as another user.
    """
    home.mkdir(parents=True, exist_ok=True)
    server_file = home / "emulator.json"
    command = [sys.executable, "-m", "local.server", "--home", str(home), "--port", "0", "--backend", backend]
    for folder in programs:
        command += ["--programs", str(folder)]
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [*prefix, *command], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)} | environ, stdout=log, stderr=log
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the emulator ended with {process.returncode}:\n{(home / 'server.log').read_text()}")
        if server_file.exists() and (record := json.loads(server_file.read_text()))["pid"] == process.pid:
            return Emulator(home, record["url"], process)
        time.sleep(0.02)
    process.kill()
    raise RuntimeError(f"the emulator did not answer in {START_TIMEOUT_S} s:\n{(home / 'server.log').read_text()}")
