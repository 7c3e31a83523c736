"""examples/ddp on two hosts: torch.distributed trains what one process would have, and the job ends as one."""

from __future__ import annotations

import array
import io
import json
import zipfile

import pytest

from tests.support.clusters import TWO, kill_host, streams
from tests.support.emulator import ROOT
from tests.support.jobs import Cloud, Jobs
from tests.support.platforms import new_name
from tests.support.scripts import bring, require_here

SCRIPT = (ROOT / "examples" / "ddp" / "train.py").read_text()
EPOCHS = 3

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(autouse=True)
def _scripts_run_here(request: pytest.FixtureRequest) -> None:
    require_here(request)


def train(jobs: Jobs, name: str, hosts: int, epochs: int = EPOCHS) -> None:
    definitions = [{"Name": "train:loss", "Regex": r"name=train:loss value=(\S+);"}]
    bring(
        jobs,
        name,
        SCRIPT,
        HyperParameters={"epochs": epochs, "sagemaker_torch_distributed_enabled": True},
        AlgorithmSpecification={
            "TrainingImage": jobs.script_image,
            "TrainingInputMode": "File",
            "MetricDefinitions": definitions,
        },
        ResourceConfig=TWO | {"InstanceType": jobs.instance_type, "InstanceCount": hosts},
    )


@pytest.fixture(scope="session")
def two_hosts(jobs: Jobs) -> str:
    """The name of a job on two hosts that has completed."""
    name = new_name("ddp-two")
    train(jobs, name, hosts=2)
    jobs.completed(name)
    return name


def weights(jobs: Jobs, name: str) -> list[float]:
    """Every float32 of the one file of a job's model, which torch keeps as the members `data/N` of a zip."""
    ((path, content),) = jobs.archive(name).items()
    assert path == "model.pth"
    values = array.array("f")
    with zipfile.ZipFile(io.BytesIO(content)) as stored:
        for member in sorted(name for name in stored.namelist() if "/data/" in name):
            values.frombytes(stored.read(member))
    return values.tolist()


def test_the_ranks_share_the_images_out(jobs: Jobs, two_hosts: str) -> None:
    shares = []
    for rank, lines in enumerate(streams(jobs, two_hosts).values()):
        (line,) = [line for line in lines if line.startswith(f"rank {rank} of 2 trains on images ")]
        shares.append([int(word) for word in line.split()[7:]])
    assert [len(set(share)) for share in shares] == [128, 128]
    assert sorted(shares[0] + shares[1]) == list(range(256))


def test_the_result_is_that_of_one_process_on_the_whole_batch(jobs: Jobs, two_hosts: str) -> None:
    one = new_name("ddp-one")
    train(jobs, one, hosts=1)
    jobs.completed(one)
    assert weights(jobs, two_hosts) == pytest.approx(weights(jobs, one), abs=1e-5)


def test_there_is_one_model_and_one_set_of_metrics(jobs: Jobs, two_hosts: str) -> None:
    assert jobs.archive(two_hosts).keys() == {"model.pth"}
    metrics = json.loads(jobs.archive(two_hosts, "output")["metrics.json"])
    assert metrics["ranks"] == 2
    (final,) = jobs.ended(two_hosts)["FinalMetricDataList"]
    assert final["Value"] == pytest.approx(metrics["train:loss"], rel=1e-5)
    said = {host: sum("#metric" in line for line in lines) for host, lines in streams(jobs, two_hosts).items()}
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
