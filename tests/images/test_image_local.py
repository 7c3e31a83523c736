"""The emulator in an image: answers, runs as any user on a root file system it cannot write, ends on SIGTERM."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.images.container import wait_until

LIST = (
    "import boto3; client = boto3.client('sagemaker', endpoint_url='http://127.0.0.1:4566', region_name='us-east-1', "
    "aws_access_key_id='a', aws_secret_access_key='b'); print(client.list_training_jobs()['TrainingJobSummaries'])"
)


@pytest.fixture
def emulator(engine: Any, built: Callable[[str], Any]) -> Iterator[Any]:
    container = engine.containers.run(
        built("drydock/local"), detach=True, user=54321, read_only=True, tmpfs={"/tmp": ""}, network_mode="none"
    )
    yield container
    container.remove(force=True, v=True)


def test_answers_and_ends_on_sigterm(emulator: Any) -> None:
    def healthy() -> bool:
        emulator.reload()
        return bool(emulator.attrs["State"]["Health"]["Status"] == "healthy")

    wait_until(healthy, emulator)
    code, output = emulator.exec_run(["python", "-c", LIST])
    assert (code, output) == (0, b"[]\n")
    emulator.stop(timeout=30)
    assert emulator.wait()["StatusCode"] == 0, emulator.logs().decode()


def test_the_host_reaches_it_through_a_published_port(engine: Any, built: Callable[[str], Any]) -> None:
    container = engine.containers.run(built("drydock/local"), detach=True, ports={"4566/tcp": ("127.0.0.1", None)})
    try:
        container.reload()
        port = container.ports["4566/tcp"][0]["HostPort"]

        def answers() -> bool:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_drydock/health", timeout=5) as reply:
                    return bool(json.load(reply)["status"] == "ok")
            except OSError:
                return False

        wait_until(answers, container)
    finally:
        container.remove(force=True, v=True)
