"""What only the docker backend can do or refuse: images of a user's own, containers, and what becomes of them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.support import emulator as emulators
from tests.support.jobs import Cloud, make_bucket
from tests.support.runners import BASE, REGISTRY, DockerRuns, ProcessRuns

SOMEBODY = 54321


@pytest.fixture(scope="module")
def cloud(containers: DockerRuns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    running = emulators.start(tmp_path_factory.mktemp("emulator") / "home", backend="docker")
    make_bucket(running)
    yield Cloud(running, containers)
    running.stop()


def refusal(cloud: Cloud, image: str) -> str:
    with pytest.raises(ClientError) as caught:
        cloud.create_on("refused", image)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    return str(caught.value.response["Error"]["Message"])


def test_the_program_is_process_1_with_half_of_the_memory_as_shared_memory(
    cloud: Cloud, containers: DockerRuns
) -> None:
    size = "(lambda s: s.f_blocks * s.f_frsize)(os.statvfs('/dev/shm'))"
    cloud.inline("first", f"import os; print(os.getpid(), {size})")
    pid, shm_bytes = cloud.completed("first")[0].split()
    assert pid == "1"
    assert int(shm_bytes) == pytest.approx(containers.api.info()["MemTotal"] / 2, abs=4096)


def test_isolation_leaves_the_loopback_device_and_the_hosts_own_name(cloud: Cloud) -> None:
    code = "import os, socket; print(os.listdir('/sys/class/net'), socket.gethostbyname('algo-1'))"
    cloud.inline("alone", code, EnableNetworkIsolation=True)
    assert cloud.completed("alone") == ["['lo'] 127.0.0.1"]


def test_the_host_of_the_job_has_an_address(cloud: Cloud) -> None:
    code = "import socket as s; print(s.gethostbyname('algo-1') == s.gethostbyname(s.gethostname()))"
    cloud.inline("named", code)
    assert cloud.completed("named") == ["True"]


def test_what_an_image_has_in_opt_ml_stays(cloud: Cloud, containers: DockerRuns) -> None:
    image = f"{REGISTRY}/with-code:1"
    dockerfile = f"FROM {containers.image('inline')}\nCOPY note.txt /opt/ml/code/note.txt\n"
    containers.build(image, dockerfile, {"note.txt": b"baked"})
    cloud.create_on("baked", image, HyperParameters={"code": "print(open('/opt/ml/code/note.txt').read())"})
    assert cloud.completed("baked") == ["baked"]


def test_an_entrypoint_is_given_the_word_train(cloud: Cloud, containers: DockerRuns) -> None:
    entry = '["python", "-c", "import sys; print(sys.argv[1:])"]'
    image = containers.build(f"{REGISTRY}/own:1", f"FROM {BASE}\nENTRYPOINT {entry}\n")
    cloud.create_on("own", image)
    assert cloud.completed("own") == ["['train']"]


def test_an_image_without_train_fails_with_what_to_add_before_data_is_fetched(cloud: Cloud) -> None:
    cloud.create_on("trainless", BASE)
    reply = cloud.ended("trainless")
    assert reply["TrainingJobStatus"] == "Failed"
    assert [entry["Status"] for entry in reply["SecondaryStatusTransitions"]] == ["Starting", "Failed"]
    assert f"ClientError: The image {BASE} (" in reply["FailureReason"]
    assert "has no program `train`" in reply["FailureReason"]
    assert cloud.runs.left(cloud.emulator.home, []) == []


def test_our_image_is_found_behind_any_registry(cloud: Cloud, containers: DockerRuns) -> None:
    ours = containers.build(f"drydock/train-cpu:test-{os.getpid()}", f"FROM {containers.image('hello')}\n")
    cloud.create_on("published", f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/{ours}")
    assert cloud.completed("published") == ["hello"]
    assert f": {ours} (" in cloud.log("published")[0]


def test_an_image_that_is_not_there_is_refused_with_the_ones_that_are(cloud: Cloud) -> None:
    hello = cloud.runs.image("hello")
    assert hello in refusal(cloud, "nobody/nothing:1")
    assert f'Did you mean "{hello}"? ' in refusal(cloud, hello.removesuffix("o"))
    assert "docker pull nobody/nothing:1" in refusal(cloud, "nobody/nothing:1")
    yola = refusal(cloud, "drydock/train-cpu:yola")
    assert 'Did you mean "drydock/train-cpu:yolo"? ' in yola
    assert "make images" not in yola
    assert '"no image" is not in the container engine' in refusal(cloud, "no image")


def test_an_image_for_another_architecture_is_refused(cloud: Cloud, containers: DockerRuns) -> None:
    name = f"{REGISTRY}/foreign:1"
    for _ in containers.api.load_image(foreign_image(name)):
        pass
    try:
        message = refusal(cloud, name)
    finally:
        containers.api.remove_image(name)
    assert "is for linux/s390x, and this machine is linux/" in message
    assert f"docker pull --platform linux/{containers.api.version()['Arch']} {name}" in message


def foreign_image(name: str) -> bytes:
    """An empty image for a machine that this one is not, as `docker save` writes it."""
    layer = tar_of({})
    diff_id = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    config = {"architecture": "s390x", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    documents = {"config.json": config, "manifest.json": manifest}
    return tar_of({"layer.tar": layer, **{path: json.dumps(value).encode() for path, value in documents.items()}})


def tar_of(files: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()


EAT = "x = b'x' * (1 << 30)"
"""More than `starve` leaves."""


def starve(cloud: Cloud, containers: DockerRuns, name: str, code: str) -> str:
    """The FailureReason of a job that runs code where there are 64 MiB."""
    wait = "[time.sleep(0.05) for _ in iter(lambda: os.path.exists('/opt/ml/output/go'), True)]"
    cloud.inline(name, f"import os, time; print('ready', flush=True); {wait}; {code}")
    cloud.said(name, "ready")
    identity = containers.container(cloud.emulator.home)
    containers.api.update_container(identity, mem_limit="64m", memswap_limit="64m")
    (cloud.folder(name) / "algo-1" / "output" / "go").touch()
    return str(cloud.ended(name)["FailureReason"])


def test_a_program_that_memory_ran_out_for_is_told_from_one_that_was_killed(
    cloud: Cloud, containers: DockerRuns
) -> None:
    reason = starve(cloud, containers, "hungry", EAT)
    assert reason == "AlgorithmError: the program was killed by the kernel because memory ran out, exit code: 137"

    cloud.create("shot", "patient")
    cloud.said("shot", "ready")
    containers.api.kill(containers.container(cloud.emulator.home), "SIGKILL")
    reason = cloud.ended("shot")["FailureReason"]
    assert reason.startswith("AlgorithmError: the program was killed by SIGKILL")
    assert reason.endswith(", exit code: 137")


def test_a_child_that_memory_ran_out_for_is_told_beside_what_the_program_says(
    cloud: Cloud, containers: DockerRuns
) -> None:
    child = f"import subprocess, sys; ended = subprocess.run([sys.executable, '-c', \"{EAT}\"]).returncode"
    fail = "open('/opt/ml/output/failure', 'w').write(f'a worker ended with {ended}'); sys.exit(1)"
    reason = starve(cloud, containers, "parent", f"{child}; {fail}")
    assert reason == "a worker ended with -9 (the kernel killed a process of the program because memory ran out)"


def test_a_stop_before_the_container_is_there_leaves_none(cloud: Cloud) -> None:
    cloud.create("early", "patient")
    cloud.client("sagemaker").stop_training_job(TrainingJobName="early")
    assert cloud.ended("early")["TrainingJobStatus"] == "Stopped"
    assert cloud.runs.left(cloud.emulator.home, []) == []


def test_a_stop_waits_for_the_handler_of_process_1(cloud: Cloud) -> None:
    leave = "signal.signal(signal.SIGTERM, lambda *_: (print('leaving', flush=True), os._exit(0)))"
    code = f"import os, signal, time; print('no handler yet', flush=True); time.sleep(3); {leave}; time.sleep(600)"
    cloud.inline("hasty", code)
    cloud.said("hasty", "no handler yet")
    cloud.client("sagemaker").stop_training_job(TrainingJobName="hasty")
    assert cloud.ended("hasty")["TrainingJobStatus"] == "Stopped"
    assert cloud.output("hasty") == ["no handler yet", "leaving"]


def test_a_stop_reaches_a_process_1_that_waits_for_signals(cloud: Cloud) -> None:
    """As inits do, and the programs of our images: the kernel shows no handler, and nothing blocked."""
    block = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})"
    code = f"import signal; {block}; print('ready', flush=True); signal.sigwait({{signal.SIGTERM}}); print('leaving')"
    cloud.inline("waiting", code)
    cloud.said("waiting", "ready")
    cloud.client("sagemaker").stop_training_job(TrainingJobName="waiting")
    assert cloud.ended("waiting")["TrainingJobStatus"] == "Stopped"
    assert cloud.output("waiting") == ["ready", "leaving"]


def test_an_emulator_of_the_process_backend_removes_what_one_of_docker_left(
    containers: DockerRuns, start: Callable[..., Cloud]
) -> None:
    cloud = start(containers)
    cloud.create("left", "patient")
    cloud.said("left", "ready")
    cloud.emulator.kill()
    assert containers.left(cloud.emulator.home)
    start(containers, backend=ProcessRuns.backend)
    assert containers.left(cloud.emulator.home) == []


@pytest.mark.skipif(os.getuid() != 0, reason="runs the emulator as another user, which only root can")
def test_a_user_owns_what_the_job_leaves_and_can_write_where_root_can_in_sagemaker(
    containers: DockerRuns, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("somebody")
    for place in (folder, *folder.parents[:2]):
        place.chmod(0o755)
    (folder / "home").mkdir()
    for place in (folder, folder / "home"):
        os.chown(place, SOMEBODY, SOMEBODY)
    group = Path("/var/run/docker.sock").stat().st_gid
    reads = "+dac_read_search"  # this checkout and its environments, wherever they are; it writes as anybody does
    prefix = ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", f"--groups={group}"]
    prefix += [f"--inh-caps={reads}", f"--ambient-caps={reads}"]
    running = emulators.start(folder / "home", backend="docker", prefix=prefix, HOME=str(folder))
    try:
        make_bucket(running)
        cloud = Cloud(running, containers)
        code = (
            "import os, tempfile; from pathlib import Path; Path('/opt/ml/own').mkdir();"
            "Path('/opt/ml/model/w').touch(); tempfile.mkdtemp(); (Path.home() / 'x').touch(); print(os.getuid())"
        )
        cloud.inline("theirs", code)
        assert cloud.completed("theirs") == [str(SOMEBODY)]
        owners = {path.stat().st_uid for path in cloud.folder("theirs").rglob("*")}
        assert owners == {SOMEBODY}
    finally:
        running.stop()
