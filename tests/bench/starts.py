"""How long until a program says its first line: in the emulator, by `docker run` and in the SDK's local mode."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local import environments
from tests.support import emulator as emulators
from tests.support import sdk_local
from tests.support.emulator import ROLE, Emulator
from tests.support.platforms import channel, request
from tests.support.runners import BASE, DockerRuns

ROUNDS = 9
BUCKET = "bench"
OUTPUT = f"s3://{BUCKET}/out"
CLIENT = Path(__file__).parent / "clients" / "fit.py"


def first_line(running: Emulator, name: str, image: str) -> float:
    """Seconds from CreateTrainingJob to the moment the program's first line was read, by the clock of this machine."""
    sagemaker = running.client("sagemaker")
    members = request(image, OUTPUT, ROLE, "ml.m5.xlarge") | {"InputDataConfig": [channel(f"s3://{BUCKET}/empty/")]}
    started = time.time()
    sagemaker.create_training_job(TrainingJobName=name, **members)
    while sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "InProgress":
        time.sleep(0.05)
    log = running.home / "training-jobs" / name / "logs" / "algo-1.jsonl"
    events = [json.loads(line) for line in log.read_text().splitlines()]
    return float(next(event["t"] for event in events if not event["m"].startswith("[drydock]")) / 1000 - started)


def fill(running: Emulator) -> None:
    """The bucket, with a channel that has nothing in it."""
    s3 = running.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=BUCKET, Key="empty/", Body=b"")


def main(folder: Path) -> None:
    """Print the medians of all three, measured in turn so that what else the machine does is shared by all."""
    runs = _images()
    if runs is None:
        print("docker: no engine with drydock/local here, so the starts of containers are not measured", flush=True)
        return
    running = emulators.start(folder / "docker", backend=runs.backend)
    seconds: dict[str, list[float]] = {"docker run": [], "CreateTrainingJob": [], "fit": []}
    try:
        fill(running)
        image = runs.image("hello")
        with _fit(running, folder, image) as fit:
            for number in range(-1, ROUNDS):  # the first round warms up
                seconds["docker run"].append(_docker_run(image))
                seconds["CreateTrainingJob"].append(first_line(running, f"hello-{number + 1}", image))
                seconds["fit"].append(fit() if fit else float("nan"))
    finally:
        running.stop()
        sdk_local.clear(runs.api, folder)
        runs.clear()
    _print({name: each[1:] for name, each in seconds.items()})


def _images() -> DockerRuns | None:
    import docker

    try:
        client = docker.from_env()
        client.images.get(BASE)
    except docker.errors.DockerException:
        return None
    return DockerRuns(client.api)


def _docker_run(image: str) -> float:
    started = time.time()
    command = ["docker", "run", "--rm", image, "train"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        ended = time.time()
    if line != "hello\n":
        sys.exit(f"docker run {image} train said {line!r}")
    return ended - started


@contextmanager
def _fit(running: Emulator, folder: Path, image: str) -> Iterator[Any]:
    """A function that measures one fit() of the SDK, which is imported once; None where it cannot run."""
    if reason := sdk_local.why_not():
        print(f"note: {reason}", flush=True)
        yield None
        return
    process = subprocess.Popen(
        [environments.ensure("sdk-v2"), CLIENT], env=sdk_local.environment(running, folder), cwd=folder,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()

    def fit() -> float:
        job = {"image": image, "channel": f"s3://{BUCKET}/empty/", "output": OUTPUT}
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    yield fit
    process.stdin.close()
    process.wait()


def _print(seconds: dict[str, list[float]]) -> None:
    floor = statistics.median(seconds["docker run"])
    for name, what, aim in (
        ("docker run", "docker run, to a one-line program's first line", ""),
        ("CreateTrainingJob", "CreateTrainingJob, the same image", " (aim: 0.500)"),
        ("fit", "fit() of the SDK's local mode, the same image", ""),
    ):
        median, worst = statistics.median(seconds[name]), max(seconds[name])
        print(f"{what:58} {median:7.3f} s {worst:7.3f} s", flush=True)
        if name != "docker run":
            print(f"{f'  above docker run{aim}':58} {median - floor:7.3f} s", flush=True)
