"""Users' own training scripts run in the images through AWS's toolkit: arguments, signals, requirements, refusals."""

from __future__ import annotations

import json
import tarfile
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.images.container import Job, wait_until

IMAGE = "drydock/train-cpu:script"
BARE = {"read_only": True, "tmpfs": {"/tmp": "mode=1777"}, "cap_drop": ["ALL"]}
"""As little as a container can be given; its /tmp executes nothing."""
SCRIPT = {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": '"/opt/ml/input/data/code"'}
TWO_RANKS = {"sagemaker_torch_distributed_enabled": "true", "sagemaker_mpi_num_of_processes_per_host": "2"}

TELL = """
import json, os, sys
told = {"arguments": sys.argv[1:], "variables": {k: v for k, v in os.environ.items() if k.startswith("SM_")}}
open(os.environ["SM_MODEL_DIR"] + "/told.json", "w").write(json.dumps(told))
"""

SAVE = """
import os, signal, sys, time
rank = os.environ.get("RANK", "0")
def save(*_):
    time.sleep(1)
    open(f"/opt/ml/checkpoints/saved-{rank}", "w").close()
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
open(f"/opt/ml/checkpoints/started-{rank}", "w").close()
time.sleep(600)
"""

RANKS = """
import sys, torch, torch.distributed as dist
dist.init_process_group("gloo")
total = torch.tensor([dist.get_rank() + 1.0])
dist.all_reduce(total)
if dist.get_rank() == 0:
    open("/opt/ml/model/total", "w").write(f"{total.item()} of {dist.get_world_size()}")
elif "--fail" in sys.argv:
    raise ValueError("rank 1 has no images")
dist.barrier()
"""

SAVE_WITH_A_LOADER = """
import multiprocessing, signal, sys, time
def work(requests, answers):
    for request in iter(requests.get, None):
        answers.put(request)
requests, answers = multiprocessing.Queue(), multiprocessing.Queue()
loader = multiprocessing.Process(target=work, args=(requests, answers), daemon=True)
loader.start()
def save(*_):
    requests.put("the loader's last batch")
    open("/opt/ml/checkpoints/saved-0", "w").write(answers.get(timeout=60))
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
open("/opt/ml/checkpoints/started-0", "w").close()
time.sleep(600)
"""


@pytest.fixture
def image(built: Callable[[str], Any]) -> Any:
    return built(IMAGE)


def bring(job: Job, **files: str) -> Path:
    """The channel `code` of a job, filled with files; `train_py` is train.py."""
    folder = job.base.parent / "code"
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(textwrap.dedent(content))
    job.channel("code", folder)
    return folder


def assert_refused(job: Job, log: str, code: int, what: str) -> None:
    """One error, the same in the log and in the failure file, with a hint."""
    assert code == 2, log
    error, _, hint = job.failure.partition("\n\nhint: ")
    assert what in error
    assert hint.strip()
    assert [line for line in log.splitlines() if line.startswith("error: ")] == [f"error: {error}"]


@pytest.mark.parametrize(
    ("name", "user", "limits"),
    [(IMAGE, 0, {}), (IMAGE, 54321, BARE), ("drydock/train-tf-cpu:script", 54321, BARE)],
    ids=["root", "any user, read-only root", "TensorFlow"],
)
def test_a_script_gets_its_arguments_and_variables(
    built: Callable[[str], Any], scripted: Job, name: str, user: int, limits: dict[str, Any]
) -> None:
    bring(scripted, train_py=TELL)
    code, log = scripted.run(built(name), user, limits, **SCRIPT, epochs="3", optimizer='"sgd"')
    assert code == 0, log
    told = json.loads((scripted.base / "model/told.json").read_text())
    assert told["arguments"] == ["--epochs", "3", "--optimizer", "sgd"]
    assert told["variables"]["SM_MODEL_DIR"] == "/opt/ml/model"
    assert told["variables"]["SM_CHANNEL_CODE"] == "/opt/ml/input/data/code"
    assert json.loads(told["variables"]["SM_HPS"]) == {"epochs": 3, "optimizer": "sgd"}
    assert (scripted.base / "output/success").is_file()
    assert not scripted.failure


def test_an_exception_is_told_alike_everywhere(image: Any, scripted: Job) -> None:
    bring(scripted, train_py="raise ValueError('no images\\nlooked everywhere')")
    code, log = scripted.run(image, 54321, **SCRIPT)
    assert code == 1
    assert "Traceback (most recent call last)" in log
    assert "error: ValueError: no images\n" in log
    assert scripted.failure == "ValueError: no images\n\nExecuteUserScriptError: train.py exited with code 1\n"


def test_a_script_keeps_its_exit_code_and_last_words(image: Any, scripted: Job) -> None:
    bring(scripted, train_py="import sys; print('learning rate 7 is too large', file=sys.stderr); sys.exit(7)")
    code, _ = scripted.run(image, 54321, **SCRIPT)
    assert code == 7
    assert scripted.failure.startswith("learning rate 7 is too large\n")


def test_a_killed_script_is_told_apart(image: Any, scripted: Job) -> None:
    bring(scripted, train_py="import os; os.kill(os.getpid(), 9)")
    code, _ = scripted.run(image, 54321, **SCRIPT)
    assert code == 137
    assert scripted.failure.startswith("killed by SIGKILL")


def stop_once_started(job: Job, image: Any, ranks: int = 1, **hp: str) -> None:
    """Stop the script as StopTrainingJob does; every rank has saved by then."""
    container = job.start(image, "train", 54321, **hp)
    started = [job.base / f"checkpoints/started-{rank}" for rank in range(ranks)]
    wait_until(lambda: all(path.exists() for path in started), container)
    container.stop(timeout=120)
    assert container.wait()["StatusCode"] == 143, container.logs().decode()
    assert all((job.base / f"checkpoints/saved-{rank}").exists() for rank in range(ranks))
    assert not job.failure


def test_sigterm_reaches_the_script_while_its_loaders_live_on(image: Any, scripted: Job) -> None:
    bring(scripted, train_py=SAVE_WITH_A_LOADER)
    stop_once_started(scripted, image, **SCRIPT)
    assert (scripted.base / "checkpoints/saved-0").read_text() == "the loader's last batch"


def test_sigterm_reaches_what_a_shell_script_started(image: Any, scripted: Job) -> None:
    bring(scripted, train_py=SAVE, train_sh='#!/bin/sh\npython train.py "$@"\necho done\n')
    stop_once_started(scripted, image, **SCRIPT | {"sagemaker_program": "train.sh"})


def test_torchrun_starts_the_ranks(image: Any, scripted: Job) -> None:
    bring(scripted, train_py=RANKS)
    code, log = scripted.run(image, 54321, BARE, **SCRIPT | TWO_RANKS)
    assert code == 0, log
    assert (scripted.base / "model/total").read_text() == "3.0 of 2"


def test_a_rank_that_fails_is_told_not_torchruns_own_error(image: Any, scripted: Job) -> None:
    bring(scripted, train_py=RANKS)
    code, log = scripted.run(image, 54321, BARE, **SCRIPT | TWO_RANKS, fail="1")
    assert code == 1, log
    assert scripted.failure.startswith("ValueError: rank 1 has no images\n"), log


def test_sigterm_reaches_the_ranks_of_torchrun(image: Any, scripted: Job) -> None:
    bring(scripted, train_py=SAVE)
    stop_once_started(scripted, image, 2, **SCRIPT | TWO_RANKS)


def test_requirements_are_installed_for_any_user_without_a_writable_root(image: Any, scripted: Job) -> None:
    folder = bring(
        scripted,
        train_py="import tiny, sys, torch; open('/opt/ml/model/tiny', 'w').write(tiny.WORD)",
        requirements_txt="./tiny-1.0-py3-none-any.whl\nnumpy\n",  # what the image has needs no index
    )
    write_wheel(folder / "tiny-1.0-py3-none-any.whl", "tiny", "WORD = 'installed'")
    code, log = scripted.run(image, 54321, BARE | {"tmpfs": {"/tmp": "mode=1777,exec"}}, **SCRIPT)
    assert code == 0, log
    assert (scripted.base / "model/tiny").read_text() == "installed"


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"sagemaker_mpi_enabled": "true"}, "MPI (hyperparameter sagemaker_mpi_enabled)"),
        ({"sagemaker_program": "tarin.py"}, "there is no tarin.py in /opt/ml/input/data/code (it holds: train.py)"),
        ({"sagemaker_program": "../train.py"}, "'../train.py'"),
        ({"sagemaker_submit_directory": "/opt/ml/input/data/cod"}, "no source directory /opt/ml/input/data/cod"),
    ],
    ids=["a launcher", "a script that is not there", "a script outside", "a directory that is not there"],
)
def test_what_cannot_run_is_refused_by_name(image: Any, scripted: Job, asked: dict[str, str], named: str) -> None:
    bring(scripted, train_py="raise SystemExit('it was started')")
    code, log = scripted.run(image, 54321, BARE, **SCRIPT | asked)
    assert_refused(scripted, log, code, named)
    assert "Invoking user script" not in log


def test_requirements_that_do_not_install_are_refused_with_pips_reason(image: Any, scripted: Job) -> None:
    bring(scripted, train_py="raise SystemExit('it was started')", requirements_txt="--no-index\nno-such-package==9\n")
    code, log = scripted.run(image, 54321, BARE, **SCRIPT)
    assert_refused(scripted, log, code, "No matching distribution found for no-such-package==9")


def test_a_truncated_archive_is_refused(image: Any, scripted: Job) -> None:
    folder = bring(scripted, train_py=TELL, noise_txt="".join(chr(65 + (i * i) % 57) for i in range(4000)))
    whole = pack(folder, scripted.base.parent / "whole.tar.gz").read_bytes()
    (folder / "sourcedir.tar.gz").write_bytes(whole[: len(whole) // 2])
    archive = {"sagemaker_submit_directory": "/opt/ml/input/data/code/sourcedir.tar.gz"}
    code, log = scripted.run(image, 54321, BARE, **SCRIPT | archive)
    assert_refused(scripted, log, code, "the source archive is truncated")


@pytest.fixture
def s3(engine: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A client of an S3 that containers reach over their bridge, and what a container needs for it."""
    gateway = engine.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    server = ThreadedMotoServer(ip_address=gateway, port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    environment = {
        "AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"
    }  # fmt: skip
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=url, **keys)
    client.create_bucket(Bucket="scripts")
    yield client, {"network_mode": "bridge", "environment": environment}
    server.stop()


def test_a_script_comes_from_s3(image: Any, scripted: Job, s3: tuple[Any, dict[str, Any]], tmp_path: Path) -> None:
    client, limits = s3
    archive = pack(bring(scripted, train_py=TELL), tmp_path / "sourcedir.tar.gz")
    client.upload_file(str(archive), "scripts", "job/sourcedir.tar.gz")
    there = SCRIPT | {"sagemaker_submit_directory": '"s3://scripts/job/sourcedir.tar.gz"'}
    code, log = scripted.run(image, 54321, limits, **there)
    assert code == 0, log
    assert (scripted.base / "model/told.json").is_file()
    code, log = scripted.run(image, 54321, limits, **there | {"sagemaker_submit_directory": "s3://scripts/no.tar.gz"})
    assert_refused(scripted, log, code, "there is no source archive s3://scripts/no.tar.gz")


def test_the_debugger_hook_saves_tensors(image: Any, scripted: Job) -> None:
    bring(scripted, train_py="""
        import torch, smdebug.pytorch as smd
        hook = smd.Hook.create_from_json_file()
        model, loss = torch.nn.Linear(2, 1), torch.nn.MSELoss()
        hook.register_module(model)
        hook.register_loss(loss)
        for step in range(3):
            loss(model(torch.ones(4, 2)), torch.zeros(4, 1)).backward()
        hook.close()
        from smdebug.trials import create_trial
        steps = create_trial("/opt/ml/output/tensors").tensor("MSELoss_output_0").steps()
        open("/opt/ml/model/steps", "w").write(str(steps))
    """)  # fmt: skip
    losses = {"CollectionName": "losses", "CollectionParameters": {"save_interval": "2"}}
    hook = {"S3OutputPath": "s3://b/t", "LocalPath": "/opt/ml/output/tensors", "CollectionConfigurations": [losses]}
    scripted.config("debughookconfig.json", hook)
    code, log = scripted.run(image, 54321, BARE | {"environment": {"TRAINING_JOB_NAME": "hooked"}}, **SCRIPT)
    assert code == 0, log
    assert (scripted.base / "model/steps").read_text() == "[0, 2]"


def pack(folder: Path, archive: Path) -> Path:
    with tarfile.open(archive, "w:gz") as tar:
        for path in folder.iterdir():
            tar.add(path, path.name)
    return archive


def write_wheel(path: Path, name: str, module: str) -> None:
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", module)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
