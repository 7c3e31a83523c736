"""examples/ddp on two hosts: torch.distributed trains what one process would have, and the job ends as one."""

from __future__ import annotations

import array
import io
import json
import zipfile
from typing import Any

import pytest

from tests.support.clusters import TWO, kill_host, streams
from tests.support.emulator import ROOT
from tests.support.jobs import Cloud
from tests.support.runners import Runs
from tests.support.scripts import IMAGE, bring, require

SCRIPT = (ROOT / "examples" / "ddp" / "train.py").read_text()
EPOCHS = 3

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", autouse=True)
def _scripts_run_here(runs: Runs, request: pytest.FixtureRequest) -> None:
    require(runs.backend, request)


def train(cloud: Cloud, name: str, hosts: int, epochs: int = EPOCHS) -> None:
    definitions = [{"Name": "train:loss", "Regex": r"name=train:loss value=(\S+);"}]
    bring(
        cloud,
        name,
        SCRIPT,
        HyperParameters={"epochs": epochs, "sagemaker_torch_distributed_enabled": True},
        AlgorithmSpecification={
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": definitions,
        },
        ResourceConfig=TWO | {"InstanceCount": hosts},
    )


@pytest.fixture(scope="module")
def two_hosts(cloud: Cloud) -> dict[str, Any]:
    """The description of a job on two hosts that has completed."""
    train(cloud, "ddp-two", hosts=2)
    cloud.completed("ddp-two")
    return cloud.ended("ddp-two")


def weights(cloud: Cloud, name: str) -> list[float]:
    """Every float32 of the one file of a job's model, which torch keeps as the members `data/N` of a zip."""
    ((path, content),) = cloud.archive(name).items()
    assert path == "model.pth"
    values = array.array("f")
    with zipfile.ZipFile(io.BytesIO(content)) as stored:
        for member in sorted(name for name in stored.namelist() if "/data/" in name):
            values.frombytes(stored.read(member))
    return values.tolist()


def test_the_ranks_share_the_images_out(cloud: Cloud, two_hosts: dict[str, Any]) -> None:
    shares = []
    for rank, lines in enumerate(streams(cloud, "ddp-two").values()):
        (line,) = [line for line in lines if line.startswith(f"rank {rank} of 2 trains on images ")]
        shares.append([int(word) for word in line.split()[7:]])
    assert [len(set(share)) for share in shares] == [128, 128]
    assert sorted(shares[0] + shares[1]) == list(range(256))


def test_the_result_is_that_of_one_process_on_the_whole_batch(cloud: Cloud, two_hosts: dict[str, Any]) -> None:
    train(cloud, "ddp-one", hosts=1)
    cloud.completed("ddp-one")
    assert weights(cloud, "ddp-two") == pytest.approx(weights(cloud, "ddp-one"), abs=1e-5)


def test_there_is_one_model_and_one_set_of_metrics(cloud: Cloud, two_hosts: dict[str, Any]) -> None:
    assert cloud.archive("ddp-two").keys() == {"model.pth"}
    metrics = json.loads(cloud.archive("ddp-two", "output")["metrics.json"])
    assert metrics["ranks"] == 2
    (final,) = two_hosts["FinalMetricDataList"]
    assert final["Value"] == pytest.approx(metrics["train:loss"], rel=1e-5)
    said = {host: sum("#metric" in line for line in lines) for host, lines in streams(cloud, "ddp-two").items()}
    assert said == {"algo-1": EPOCHS, "algo-2": 0}


def test_a_killed_host_fails_the_job_and_is_named(cloud: Cloud) -> None:
    train(cloud, "ddp-killed", hosts=2, epochs=100_000)
    cloud.said("ddp-killed", "#metric")
    kill_host(cloud, "ddp-killed", "algo-2")
    reply = cloud.ended("ddp-killed")
    assert reply["TrainingJobStatus"] == "Failed"
    assert reply["FailureReason"].startswith("AlgorithmError: the program was killed by SIGKILL")
    assert reply["FailureReason"].endswith(", exit code: 137 (host algo-2)")
    assert cloud.runs.left(cloud.emulator.home, []) == []
