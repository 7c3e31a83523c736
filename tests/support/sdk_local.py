"""The local mode of the SageMaker SDK v2 as a platform: its own client, our S3, containers of this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

from docker.errors import APIError

from local.cli.shell import SDK
from tests.support.emulator import ROLE, Emulator
from tests.support.jobs import BUCKET
from tests.support.platforms import Ended, Platform, archive, new_name, request
from tests.support.runners import DockerRuns

CLIENT = Path(__file__).parent / "clients" / "sdk_local_jobs.py"
COMPOSE = "docker-compose"
OUTPUT = f"s3://{BUCKET}/out"
_SAID = re.compile(r"^(?:\x1b\[2K)?[a-z0-9]{10}-algo-1-[a-z0-9]{5} +\| ?(.*?)\r*$")
"""A line of the program, as docker compose prints it; all others are its own."""
_FAILED = "RuntimeError: Failed to run: "


class SdkLocal(Platform):
    """``LocalSession().sagemaker_client``, given the requests that an endpoint is given."""

    name = "sdk-local"

    def __init__(self, python: Path, emulator: Emulator, containers: DockerRuns, folder: Path) -> None:
        """`emulator` has the bucket; `folder` is for all that local mode leaves behind."""
        self._s3 = emulator.client("s3")
        self._containers = containers
        self._folder = folder
        self._client = subprocess.Popen(
            [python, CLIENT], env=environment(emulator, folder), cwd=folder,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=(folder / "stderr.log").open("w"), text=True,
        )  # fmt: skip

    def store(self, key: str, body: bytes) -> str:
        self._s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return f"s3://{BUCKET}/{key}"

    def run(self, program: str, **members: Any) -> Ended:
        name = new_name(program)
        common = request(self._containers.image(program), OUTPUT, ROLE, "local")
        reply = self._ask({"TrainingJobName": name, **common, **members})
        assert reply["described"] or reply["error"].startswith(_FAILED), reply
        said = [found[1] for line in reply["printed"].split("\n") if (found := _SAID.match(line))]
        status = reply["described"]["TrainingJobStatus"] if reply["described"] else "Failed"
        return Ended(name, status, reply["error"] or "", said, partial(archive, self._s3, OUTPUT, name))

    def _ask(self, question: dict[str, Any]) -> Any:
        stdin, stdout = self._client.stdin, self._client.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(question) + "\n")
        stdin.flush()
        line = stdout.readline()
        assert line, (self._folder / "stderr.log").read_text()
        return json.loads(line)

    def close(self) -> None:
        """End the client and remove the containers and the network that local mode leaves."""
        self._client.kill()
        self._client.communicate()
        clear(self._containers.api, self._folder)


def environment(emulator: Emulator, folder: Path) -> dict[str, str]:
    """What local mode needs: AWS's services here, temporary files in `folder`, and no usage data sent."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(SDK / "sagemaker.yaml"),
        **emulator.environment,
    }


def why_not() -> str:
    """What local mode lacks on this machine; empty if nothing."""
    if shutil.which("docker") and (shutil.which(COMPOSE) or _compose_says_v2()):
        return ""
    return f"the SDK's local mode needs docker and {COMPOSE} on PATH; .ci/engine installs them on Debian 12"


def clear(api: Any, folder: Path) -> None:
    """Remove the containers and networks of compose projects below a folder."""
    projects = {path.parent.name for path in folder.glob("*/docker-compose.yaml")}
    for project in projects:
        mine = {"label": f"com.docker.compose.project={project}"}
        for entry in api.containers(all=True, filters=mine):
            api.remove_container(entry["Id"], force=True, v=True)
    for project in projects:
        for entry in api.networks(filters={"label": f"com.docker.compose.project={project}"}):
            try:
                api.remove_network(entry["Id"])
            except APIError as error:
                if error.status_code != 403:  # in use: the SDK has one network for all runs of a machine
                    raise


def _compose_says_v2() -> bool:
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, text=True, check=False)
    return asked.returncode == 0 and "v2" in asked.stdout
