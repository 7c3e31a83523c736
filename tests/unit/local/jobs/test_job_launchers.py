"""A job's launcher is found as the image finds it, so that what that would refuse is refused before it is started."""

from __future__ import annotations

import pytest

from containers.train.bin.script_mode import launchers as of_image
from local.errors import ValidationException
from local.jobs.backend import Wanted, wanted
from local.jobs.programs import ProgramTable
from optml.errors import Refusal

SCRIPT = {"sagemaker_program": '"train.py"'}


def asked(**hyperparameters: str) -> Wanted:
    return wanted(
        {
            "HyperParameters": hyperparameters,
            "AlgorithmSpecification": {"TrainingImage": "drydock/train-tf-cpu:script"},
            "ResourceConfig": {"InstanceCount": 1},
        }
    )


@pytest.mark.parametrize("value", ["true", "True", "1", "yes", '"true"', "false", "0", "", "{}", "null", "maybe"])
@pytest.mark.parametrize("name", [*of_image.ABSENT, of_image.TORCHRUN, "sagemaker_warp_drive_enabled"])
def test_it_is_refused_where_the_image_would_refuse_it(name: str, value: str) -> None:
    """By the images without PyTorch, as the environment of the tests is one."""
    try:
        of_image.choose({name: value.strip('"')})
    except Refusal:
        with pytest.raises(ValidationException, match=f"Hyperparameter {name} asks for a launcher"):
            ProgramTable([]).check(asked(**SCRIPT, **{name: value}))
    else:
        ProgramTable([]).check(asked(**SCRIPT, **{name: value}))


def test_torchrun_is_in_the_pytorch_images() -> None:
    wants = asked(**SCRIPT, **{of_image.TORCHRUN: "true"})._replace(image="drydock/train-gpu:script")
    ProgramTable([]).check(wants)
    with pytest.raises(ValidationException, match="drydock/train-gpu does not have"):
        ProgramTable([]).check(wants._replace(launcher=asked(**SCRIPT, mp_parameters="{1}").launcher))


def test_without_a_script_of_its_own_a_job_asks_for_none() -> None:
    assert asked(sagemaker_mpi_enabled="true").launcher == ""
