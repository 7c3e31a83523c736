"""Environment: a job's folders and config files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from optml.environment import Environment, base_dir
from optml.errors import Refusal


def read(job: Any, **environ: str) -> Environment:
    return Environment.read({"SAGEMAKER_BASE_DIR": str(job.base), **environ})


def test_a_job_as_sagemaker_writes_it(job: Any) -> None:
    job.config("hyperparameters.json", {"lr": "0.01", "opt": '"sgd"', "size": '"\\"64\\""', "word": "plain"})
    job.config(
        "inputdataconfig.json", {"train": {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated"}}
    )
    resources = {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"], "network_interface_name": "eth0"}
    job.config("resourceconfig.json", {**resources, "topology": None})
    job.config("checkpointconfig.json", {"LocalPath": "/opt/ml/checkpoints/mine"})

    env = read(job, TRAINING_JOB_NAME="a-job")

    assert env.job_name == "a-job"
    assert env.hyperparameters == {"lr": "0.01", "opt": "sgd", "size": "64", "word": "plain"}
    assert env.channels == {"train": job.base / "input/data/train"}
    assert (env.current_host, env.hosts, env.network_interface) == ("algo-2", ("algo-1", "algo-2"), "eth0")
    assert env.sharded == ()
    assert env.checkpoint_dir == job.base / "checkpoints/mine"
    assert env.model_dir == job.base / "model"
    assert env.output_dir == job.base / "output"
    assert env.output_data_dir == job.base / "output/data"


def test_defaults_without_any_config_file(job: Any) -> None:
    (job.base / "input/data/validation").mkdir()
    (job.base / "input/data/.hidden").mkdir()
    (job.base / "input/data/train-manifest").write_text("")

    env = read(job)

    assert set(env.channels) == {"train", "validation"}
    assert (env.hosts, env.current_host) == (("algo-1",), "algo-1")
    assert env.checkpoint_dir == job.base / "checkpoints"
    assert env.hyperparameters == {}
    assert env.num_cpus >= 1


def test_channels_that_are_dealt_out_among_the_hosts_are_named(job: Any) -> None:
    kinds = {"train": "ShardedByS3Key", "validation": "FullyReplicated", "other": None}
    job.config("inputdataconfig.json", {name: {"S3DistributionType": kind} for name, kind in kinds.items()})
    assert read(job).sharded == ("train",)


def test_a_base_that_does_not_exist_is_an_empty_job(tmp_path: Path) -> None:
    assert Environment.read({"SAGEMAKER_BASE_DIR": str(tmp_path / "none")}).channels == {}


@pytest.mark.parametrize(
    ("literal", "resolved"),
    [("/opt/ml", ""), ("/opt/ml/", ""), ("/opt/ml/a/b/", "a/b"), ("/state", None), ("/opt/mlx", None)],
)
def test_only_paths_below_opt_ml_are_resolved_against_the_base(job: Any, literal: str, resolved: str | None) -> None:
    job.config("checkpointconfig.json", {"LocalPath": literal})
    assert read(job).checkpoint_dir == (Path(literal) if resolved is None else job.base / resolved)


def test_the_base_is_opt_ml_unless_the_variable_is_set() -> None:
    assert base_dir({}) == Path("/opt/ml")
    assert base_dir({"SAGEMAKER_BASE_DIR": ""}) == Path("/opt/ml")
    assert base_dir({"SAGEMAKER_BASE_DIR": "here"}) == Path.cwd() / "here"


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("hyperparameters.json", "{not json", "hyperparameters.json cannot be read as JSON"),
        ("hyperparameters.json", "[]", "hyperparameters.json holds a list, not an object"),
        ("hyperparameters.json", '{"epochs": [5]}', 'hyperparameter "epochs" is a list, not a string'),
        ("hyperparameters.json", '{"epochs": null}', 'hyperparameter "epochs" is null, not a string'),
        ("inputdataconfig.json", '{"train": "File"}', 'channel "train" is a string, not an object'),
        ("inputdataconfig.json", '{"train": {"TrainingInputMode": "Pipe"}}', 'channel "train" is in Pipe mode'),
        ("resourceconfig.json", '{"hosts": "algo-1"}', '"hosts" is not a list of names'),
        ("resourceconfig.json", '{"current_host": "algo-3", "hosts": ["algo-1"]}', '"current_host" is algo-3'),
        ("resourceconfig.json", "\ufeff{", "resourceconfig.json cannot be read as JSON"),
        ("checkpointconfig.json", "3", "checkpointconfig.json holds a number, not an object"),
    ],
)
def test_a_malformed_config_file_is_refused_by_name(job: Any, name: str, content: str, complaint: str) -> None:
    job.config(name, content)
    with pytest.raises(Refusal) as refused:
        read(job)
    assert refused.value.message.startswith(complaint)
    assert str(job.base / "input/config" / name) in refused.value.message


def test_numbers_in_a_hand_written_hyperparameter_file_are_their_strings(job: Any) -> None:
    job.config("hyperparameters.json", '{"epochs": 5, "lr": 0.5, "flag": true}')
    assert read(job).hyperparameters == {"epochs": "5", "lr": "0.5", "flag": "true"}


def test_channel_gives_the_folder_or_names_the_channels_that_are_there(job: Any) -> None:
    job.config("inputdataconfig.json", {"train": {}, "validation": {}})
    env = read(job)
    assert env.channel("train") == job.base / "input/data/train"
    with pytest.raises(Refusal, match=r'channel "test" is missing \(the job has: train, validation\)'):
        env.channel("test")
    with pytest.raises(Refusal, match=r'channel "validation" has no folder \(looked in .*validation\)'):
        env.channel("validation")


def test_the_scratch_folder_is_outside_the_job_and_gone_after_exit(job: Any, tmp_path: Path) -> None:
    source = "from optml.environment import Environment\n"
    source += "env = Environment.read()\nassert env.scratch_dir == env.scratch_dir\n"
    source += "(env.scratch_dir / 'f').write_text('x')\nprint(env.scratch_dir)"
    (tmp_path / "temporary").mkdir()
    job.environ["TMPDIR"] = str(tmp_path / "temporary")
    out, err = job.start_script(source).communicate(timeout=60)
    assert err == ""
    scratch = Path(out.strip())
    assert scratch.parent == tmp_path / "temporary"
    assert job.base not in scratch.parents
    assert not scratch.exists()


def test_the_library_imports_nothing_but_the_standard_library() -> None:
    entrypoints = Path(__file__).parents[3] / "entrypoints"
    modules = [f"optml.{path.stem}" for path in (entrypoints / "optml").glob("*.py") if path.stem != "__init__"]
    source = f"import sys; sys.path.insert(0, {str(entrypoints)!r})\n"
    source += "".join(f"import {module}\n" for module in modules)
    assert subprocess.run([sys.executable, "-I", "-S", "-c", source], capture_output=True, check=False).stderr == b""
