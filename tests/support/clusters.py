"""Jobs of several hosts: the same code on each, what each said, and the end of one of them."""

from __future__ import annotations

import json
import os
import signal
import textwrap
import time
from typing import Any

from tests.support.jobs import GROUP, PATIENCE_S, Cloud, Jobs

TWO = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 10}

_GIVEN = """
import json, os, socket
base = os.environ.get('SAGEMAKER_BASE_DIR', '/opt/ml')
resources = json.load(open(base + '/input/config/resourceconfig.json'))
resources['interfaces'] = [name for _, name in socket.if_nameindex()]
"""


def on_each(cloud: Cloud, name: str, code: str, **members: Any) -> None:
    """A job whose two hosts run the code; it has `base`, the folder of /opt/ml, and `resources`, its configuration."""
    one_line = f"exec({_GIVEN + textwrap.dedent(code)!r})"  # a hyperparameter holds no line ends
    cloud.inline(name, one_line, **{"ResourceConfig": TWO} | members)


def streams(jobs: Jobs, name: str) -> dict[str, list[str]]:
    """The lines of the programs in CloudWatch Logs, by host."""
    logs = jobs.client("logs")
    found = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
    said = {}
    for stream in found:
        host = stream["logStreamName"].removeprefix(f"{name}/").rpartition("-")[0]
        page = logs.get_log_events(logGroupName=GROUP, logStreamName=stream["logStreamName"], startFromHead=True)
        messages = [event["message"].strip() for event in page["events"]]
        said[host] = [message for message in messages if not message.startswith("[drydock]")]
    return said


def said_by_all(cloud: Cloud, name: str, text: str) -> None:
    """Wait for a line of every host that begins so."""
    deadline = time.monotonic() + PATIENCE_S
    for host in ("algo-1", "algo-2"):
        path = cloud.folder(name) / "logs" / f"{host}.jsonl"
        while not path.exists() or f'"{text}' not in path.read_text():
            assert time.monotonic() < deadline, f"{host} of {name} did not say {text}"
            time.sleep(0.02)


def kill_host(cloud: Cloud, name: str, host: str) -> None:
    """kill -9 of the program of one host."""
    if cloud.runs.backend == "process":
        record = json.loads((cloud.folder(name) / "hosts" / host / "process.json").read_text())
        os.kill(record["program"]["pid"], signal.SIGKILL)
        return
    api: Any = cloud.runs.api  # type: ignore[attr-defined]
    (container,) = api.containers(filters={"label": f"drydock.home={cloud.emulator.home}", "name": f"{host}$"})
    api.kill(container["Id"], "SIGKILL")
