"""Jobs of several hosts: what each is given, that they find each other, and that they end together."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.clusters import TWO, kill_host, on_each, said_by_all, streams
from tests.support.jobs import BUCKET, Cloud
from tests.support.runners import Runs

SHOW_FILES = "import os; print(*sorted(os.listdir(os.path.join(base, 'input/data/train'))))"
PATIENT = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: (print('leaving', flush=True), os._exit(0)))
print('ready', flush=True)
time.sleep(600)
"""


def channel(distribution: str) -> list[dict[str, Any]]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/shards", "S3DataDistributionType": distribution}
    return [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}]


def put_shards(cloud: Cloud) -> None:
    for name in "abcde":
        cloud.client("s3").put_object(Bucket=BUCKET, Key=f"shards/{name}", Body=b"1")


def test_each_host_has_a_configuration_of_its_own(cloud: Cloud) -> None:
    on_each(cloud, "configured", "print(json.dumps(resources))")
    cloud.completed("configured")
    for host, lines in streams(cloud, "configured").items():
        resources = json.loads(lines[0])
        assert resources["current_host"] == host
        assert resources["hosts"] == ["algo-1", "algo-2"]
        assert resources["instance_groups"][0]["hosts"] == ["algo-1", "algo-2"]
        assert resources["network_interface_name"] in resources["interfaces"]


@pytest.mark.parametrize("isolated", [False, True])
def test_the_hosts_reach_each_other_by_name(cloud: Cloud, isolated: bool) -> None:
    code = """
        import socket, subprocess, time
        here = resources['current_host']
        if here == 'algo-1':
            server = socket.create_server((here, 7000))
            print(server.accept()[0].recv(100).decode())
        else:
            for _ in range(600):
                try:
                    socket.create_connection(('algo-1', 7000)).sendall(b'from ' + here.encode())
                    break
                except OSError:
                    time.sleep(0.1)
            print(len({socket.gethostbyname(host) for host in resources['hosts']}), 'addresses')
    """
    name = f"named-{int(isolated)}"
    on_each(cloud, name, code, EnableNetworkIsolation=isolated)
    cloud.completed(name)
    assert streams(cloud, name) == {"algo-1": ["from algo-2"], "algo-2": ["2 addresses"]}


def test_a_sharded_channel_is_dealt_out_and_a_replicated_one_is_not(cloud: Cloud) -> None:
    put_shards(cloud)
    on_each(cloud, "sharded", SHOW_FILES, InputDataConfig=channel("ShardedByS3Key"))
    on_each(cloud, "replicated", SHOW_FILES, InputDataConfig=channel("FullyReplicated"))
    cloud.completed("sharded")
    cloud.completed("replicated")
    assert streams(cloud, "sharded") == {"algo-1": ["a c e"], "algo-2": ["b d"]}
    assert streams(cloud, "replicated") == {"algo-1": ["a b c d e"], "algo-2": ["a b c d e"]}


def test_more_hosts_than_objects_leave_some_without(cloud: Cloud) -> None:
    put_shards(cloud)
    only = channel("ShardedByS3Key")
    only[0]["DataSource"]["S3DataSource"]["S3Uri"] += "/a"
    on_each(cloud, "few", SHOW_FILES, InputDataConfig=only)
    cloud.completed("few")
    assert streams(cloud, "few") == {"algo-1": ["a"], "algo-2": [""]}


def test_metrics_are_read_from_every_stream(cloud: Cloud) -> None:
    code = "print(resources['current_host'].replace('-', '_') + ':loss=' + resources['current_host'][-1])"
    definitions = [{"Name": f"loss-{n}", "Regex": rf"algo_{n}:loss=(\d)"} for n in (1, 2)]
    image = {"TrainingImage": cloud.runs.image("inline"), "TrainingInputMode": "File", "MetricDefinitions": definitions}
    on_each(cloud, "measured-twice", code, AlgorithmSpecification=image)
    final = cloud.ended("measured-twice")["FinalMetricDataList"]
    assert {metric["MetricName"]: metric["Value"] for metric in final} == {"loss-1": 1, "loss-2": 2}


def test_models_of_all_hosts_are_one_archive_in_which_the_first_hosts_names_win(cloud: Cloud) -> None:
    code = """
        import pathlib
        here = resources['current_host']
        model = pathlib.Path(base, 'model')
        (model / 'shared').mkdir()
        (model / 'weights').write_text(here)
        (model / 'shared' / here).write_text(here)
    """
    on_each(cloud, "merged", code)
    cloud.completed("merged")
    files = {"weights": b"algo-1", "shared/algo-1": b"algo-1", "shared/algo-2": b"algo-2"}
    assert cloud.archive("merged") == files
    assert any("weights of algo-2 is left out" in line for line in cloud.log("merged"))


def test_checkpoints_of_all_hosts_go_to_one_place_and_come_back_to_all(cloud: Cloud) -> None:
    code = """
        import pathlib
        place = pathlib.Path(base, 'checkpoints')
        print(*sorted(path.name for path in place.iterdir()))
        (place / resources['current_host']).touch()
    """
    config = {"S3Uri": f"s3://{BUCKET}/checkpoints/several"}
    for name, lines in (("kept-1", [""]), ("kept-2", ["algo-1 algo-2"])):
        on_each(cloud, name, code, CheckpointConfig=config)
        cloud.completed(name)
        assert streams(cloud, name) == {"algo-1": lines, "algo-2": lines}


def test_a_stop_reaches_every_host(cloud: Cloud) -> None:
    on_each(cloud, "stopped-both", PATIENT)
    said_by_all(cloud, "stopped-both", "ready")
    cloud.client("sagemaker").stop_training_job(TrainingJobName="stopped-both")
    assert cloud.ended("stopped-both")["TrainingJobStatus"] == "Stopped"
    assert streams(cloud, "stopped-both") == {"algo-1": ["ready", "leaving"], "algo-2": ["ready", "leaving"]}
    assert cloud.runs.left(cloud.emulator.home, []) == []


def test_the_time_limit_reaches_every_host(cloud: Cloud) -> None:
    on_each(cloud, "both-too-long", PATIENT, StoppingCondition={"MaxRuntimeInSeconds": 3})
    assert cloud.ended("both-too-long")["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert all(lines[-1] == "leaving" for lines in streams(cloud, "both-too-long").values())


def test_a_host_that_fails_ends_the_others_and_is_named(cloud: Cloud) -> None:
    code = f"import sys; resources['current_host'] == 'algo-2' and sys.exit(3)\n{PATIENT}"
    on_each(cloud, "one-fails", code)
    reply = cloud.ended("one-fails")
    assert reply["TrainingJobStatus"] == "Failed"
    assert reply["FailureReason"] == "AlgorithmError: , exit code: 3 (host algo-2)"


def test_a_host_that_is_killed_ends_the_others_and_is_named(cloud: Cloud) -> None:
    on_each(cloud, "one-killed", PATIENT)
    said_by_all(cloud, "one-killed", "ready")
    kill_host(cloud, "one-killed", "algo-2")
    reply = cloud.ended("one-killed")
    assert reply["TrainingJobStatus"] == "Failed"
    assert reply["FailureReason"].startswith("AlgorithmError: the program was killed by SIGKILL")
    assert reply["FailureReason"].endswith(", exit code: 137 (host algo-2)")
    assert streams(cloud, "one-killed") == {"algo-1": ["ready", "leaving"], "algo-2": ["ready"]}
    assert cloud.runs.left(cloud.emulator.home, []) == []


def test_after_kill_9_nothing_is_left_of_any_host(runs: Runs, start: Callable[..., Cloud]) -> None:
    cloud = start(runs)
    on_each(cloud, "orphans", "import os; print('process', os.getpid(), flush=True)\n" + PATIENT)
    said_by_all(cloud, "orphans", "ready")
    cloud.emulator.kill()
    cloud = start(runs)
    reply = cloud.client("sagemaker").describe_training_job(TrainingJobName="orphans")
    assert reply["FailureReason"].startswith("InternalServerError: The emulator was stopped")
    on_each(cloud, "after", "print('still works')")
    cloud.completed("after")
    pids = [int(lines[0].split()[1]) for lines in streams(cloud, "orphans").values()]
    assert len(pids) == 2
    assert runs.left(cloud.emulator.home, pids) == []


def test_an_emulator_that_ends_in_peace_tells_every_host(runs: Runs, start: Callable[..., Cloud]) -> None:
    cloud = start(runs)
    on_each(cloud, "cut-off", PATIENT)
    said_by_all(cloud, "cut-off", "ready")
    cloud.emulator.stop()
    assert runs.left(cloud.emulator.home, []) == []
    cloud = start(runs)
    said_by_all(cloud, "cut-off", "leaving")


@pytest.mark.parametrize("count", [0, 9])
def test_more_hosts_than_the_machine_is_good_for_are_refused(cloud: Cloud, count: int) -> None:
    with pytest.raises(ClientError, match=r"'resourceConfig\.instanceCount'.*use 1 to 8"):
        on_each(cloud, "never", "pass", ResourceConfig=TWO | {"InstanceCount": count})
