"""What a job in AWS needs before it starts: its image in ECR, its instance, and a yes to its price."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from local.aws.account import Account, connect
from local.aws.repository import PREFIX
from local.aws.tags import newest
from local.cli import pricing
from local.cli.programs import Program
from local.cli.refusal import FAILED, Refusal
from local.cli.request import INSTANCE_TYPE
from local.cli.terminal import confirm, say

GPU_INSTANCE_TYPE = "ml.g4dn.xlarge"
PRICES = "https://aws.amazon.com/sagemaker/pricing/"

_HAS_GPU = re.compile(r"ml\.[gp]\d.*")


def account(backend: object) -> Account:
    """Where ``train --aws`` runs. Raises Refusal for a backend, which only the emulator has."""
    if backend is not None:
        raise Refusal("--backend says how the emulator runs a job, and --aws that it runs in AWS", "leave one out")
    return connect()


def choose(
    where: Account, program: Program, image: str | None, instance_type: str | None, *, resumes: bool
) -> tuple[str | None, str | None]:
    """Image and instance type; a resumed job keeps those that are not given.

    Without an image, the program's first that fits the instance; of an image's name as it is here, the newest that
    was pushed. Raises Refusal if setup was not made, or if no such image was pushed.
    """
    _check_setup(where)
    if resumes and not image:
        return None, instance_type
    wanted = image or _fitting(program, instance_type)
    if not resumes:
        instance_type = instance_type or (GPU_INSTANCE_TYPE if "gpu" in wanted else INSTANCE_TYPE)
    return (newest(where, wanted) if wanted.startswith(PREFIX) else wanted), instance_type


def ask(where: Account, body: Mapping[str, Any], data: Sequence[str], yes: bool) -> None:
    """Says what will run, where and for how much, and goes on after a yes."""
    resources = body["ResourceConfig"]
    instance_type, count = resources["InstanceType"], resources["InstanceCount"]
    hours = body["StoppingCondition"]["MaxRuntimeInSeconds"] / 3600
    price, source = pricing.hourly(instance_type)
    say(f"{where}: job {body['TrainingJobName']}")
    say(f"  image     {body['AlgorithmSpecification']['TrainingImage']}")
    say(f"  data      {', '.join(data) or 'as before, or generated images'} → s3://{where.bucket}")
    say(f"  instance  {count} × {instance_type}, for at most {hours:g} h")
    if price is None:
        say(f"  price     unknown to this program: {PRICES}")
    else:
        say(f"  price     ${price * count:.4f} per hour on demand, ${price * count * hours:.2f} at most ({source})")
    confirm("Start it?", yes, "the job was not started")


def _check_setup(where: Account) -> None:
    from botocore.exceptions import ClientError

    where.ensure_bucket()
    try:
        where.client("iam").get_role(RoleName=where.role_name)
    except ClientError as error:
        code = error.response["Error"].get("Code")
        if code == "NoSuchEntity":
            raise Refusal(f"{where} has no role {where.role_name}", "make aws-setup", FAILED) from error
        if code != "AccessDenied":  # who may not look may still use it; SageMaker says if there is none
            raise


def _fitting(program: Program, instance_type: str | None) -> str:
    if instance_type and _HAS_GPU.fullmatch(instance_type):
        return next((image for image in program.images if "gpu" in image), program.image)
    return program.image
