"""``aws setup``, ``aws clean`` and ``train --aws``: against moto, and against an emulator whose jobs really run."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.aws.repository import IMAGES
from local.neighbours import Forwarder
from tests.support import account as accounts
from tests.support.account import NUMBER, Moto
from tests.support.drydock import Drydock
from tests.support.emulator import PROGRAMS, ROOT
from tests.support.serving import served

MORE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}],
}
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"})
REPOSITORIES = {f"drydock/{image}" for image in IMAGES}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with accounts.running() as url:
        yield url


@pytest.fixture(params=["eu-west-1", "us-east-1"])
def moto(server: str, request: pytest.FixtureRequest) -> Moto:
    return accounts.emptied(server, request.param)


@pytest.fixture
def european(server: str) -> Moto:
    return accounts.emptied(server, "eu-west-1")


@pytest.fixture
def drydock(tmp_path: Path) -> Drydock:
    return Drydock(tmp_path)


def test_setup_makes_a_closed_bucket_a_role_and_the_repositories(moto: Moto, drydock: Drydock) -> None:
    made = drydock("aws", "setup", "--yes", "--json", **moto.environ)

    assert made.code == 0, made.err
    bucket = f"drydock-{NUMBER}-{moto.region}"
    addresses = {thing["kind"]: thing["address"] for thing in made.json}
    assert addresses["bucket"] == f"s3://{bucket}"
    assert addresses["role"] == f"arn:aws:iam::{NUMBER}:role/drydock-{moto.region}"
    assert addresses["repository"].startswith(f"{NUMBER}.dkr.ecr.{moto.region}.amazonaws.com/drydock/")
    s3, ecr = moto.client("s3"), moto.client("ecr")
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == moto.region
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert encryption["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    repositories = ecr.describe_repositories()["repositories"]
    assert {each["repositoryName"] for each in repositories} == REPOSITORIES
    for each in repositories:
        assert each["imageTagMutability"] == "IMMUTABLE"
        assert each["imageScanningConfiguration"]["scanOnPush"]


def test_the_plan_holds_the_whole_policy_and_is_what_the_role_gets(european: Moto, drydock: Drydock) -> None:
    asked = drydock("aws", "setup", **european.environ)

    assert asked.code == 2
    assert asked.err.endswith("nobody is here to ask\n\nhint: add --yes\n")
    assert asked.out == ""
    assert european.client("s3").list_buckets()["Buckets"] == []
    assert european.client("iam").list_roles()["Roles"] == []
    planned = [json.loads(text) for text in re.findall(r'\{"Version".+?^ +\]\}', asked.err, re.DOTALL | re.MULTILINE)]
    drydock("aws", "setup", "--yes", **european.environ)
    iam, name = european.client("iam"), "drydock-eu-west-1"
    role = iam.get_role(RoleName=name)["Role"]
    given = iam.get_role_policy(RoleName=name, PolicyName="drydock")["PolicyDocument"]
    assert planned == [role["AssumeRolePolicyDocument"], given]


def test_the_policy_allows_nothing_but_its_own_things(european: Moto, drydock: Drydock) -> None:
    drydock("aws", "setup", "--yes", **european.environ)
    iam, name = european.client("iam"), "drydock-eu-west-1"
    policy = iam.get_role_policy(RoleName=name, PolicyName="drydock")["PolicyDocument"]

    actions: dict[str, Any] = {action: each for each in policy["Statement"] for action in each["Action"]}
    anywhere = {action for action, each in actions.items() if each["Resource"] == "*"}
    assert anywhere == {"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"}
    assert "Condition" in actions["cloudwatch:PutMetricData"]
    assert not [action for action in actions if "*" in action or "Delete" in action]
    for action in set(actions) - anywhere:
        resources = actions[action]["Resource"]
        for resource in [resources] if isinstance(resources, str) else resources:
            assert "drydock" in resource or ":log-group:/aws/sagemaker/TrainingJobs" in resource
            assert resource.startswith("arn:aws:s3:::") or f":eu-west-1:{NUMBER}:" in resource
    trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert [each["Principal"] for each in trust] == [{"Service": "sagemaker.amazonaws.com"}]
    assert trust[0]["Condition"] == {"StringEquals": {"aws:SourceAccount": NUMBER}}


def test_setup_run_twice_says_what_is_there_and_mends_what_was_changed(european: Moto, drydock: Drydock) -> None:
    first = drydock("aws", "setup", "--yes", **european.environ)
    ecr, s3, bucket = european.client("ecr"), european.client("s3"), f"drydock-{NUMBER}-eu-west-1"
    ecr.put_image_tag_mutability(repositoryName="drydock/train-cpu", imageTagMutability="MUTABLE")
    s3.delete_public_access_block(Bucket=bucket)

    second = drydock("aws", "setup", "--yes", **european.environ)

    assert second.code == 0, second.err
    assert second.out == first.out
    assert (first.err.count("(new)"), first.err.count("(there already)")) == (6, 0)
    assert (second.err.count("(new)"), second.err.count("(there already)")) == (0, 6)
    mended = ecr.describe_repositories(repositoryNames=["drydock/train-cpu"])["repositories"][0]
    assert mended["imageTagMutability"] == "IMMUTABLE"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())


@pytest.mark.parametrize(("answer", "made"), [("y", True), ("n", False)])
def test_setup_asks_on_a_terminal(european: Moto, drydock: Drydock, answer: str, made: bool) -> None:
    typed, terminal = os.openpty()
    os.write(typed, f"{answer}\n".encode())
    process = subprocess.run(
        drydock.command("aws", "setup"), env=drydock.environ(**european.environ), cwd=drydock.folder,
        stdin=terminal, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    os.close(terminal)
    os.close(typed)

    assert "Make these?" in process.stderr
    assert (process.returncode == 0) is made
    assert bool(european.client("iam").list_roles()["Roles"]) is made


def test_a_bucket_name_that_another_account_has_is_one_error(european: Moto, drydock: Drydock) -> None:
    bucket = f"drydock-{NUMBER}-eu-west-1"
    theirs = european.client_of("999999999999", "s3")
    theirs.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    theirs.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "made-by", "Value": "drydock"}]})

    with minding_owners(european.url) as url:
        refused = drydock("aws", "setup", "--yes", **Moto(url, "eu-west-1").environ)

    assert refused.code == 1
    assert european.client("iam").list_roles()["Roles"] == []
    assert f"error: the bucket name {bucket} belongs to another account" in refused.err
    assert "hint: use another region" in refused.err


@contextmanager
def minding_owners(moto: str) -> Iterator[str]:
    """moto, but for a question about a bucket of a given owner: it has another, which moto does not look at."""
    forwarded = Forwarder(moto)

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("HTTP_X_AMZ_EXPECTED_BUCKET_OWNER") == NUMBER:
            start_response("403 Forbidden", [("Content-Length", "0")])
            return []
        return forwarded(environ, start_response)

    with served(application) as url:
        yield url


def test_what_somebody_else_made_under_our_names_is_neither_changed_nor_removed(
    european: Moto, drydock: Drydock
) -> None:
    iam, ecr, bucket = european.client("iam"), european.client("ecr"), f"drydock-{NUMBER}-eu-west-1"
    european.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    iam.create_role(RoleName="drydock-us-east-1", AssumeRolePolicyDocument="{}")
    ecr.create_repository(repositoryName="drydock/theirs")

    for verb in ("setup", "clean"):
        refused = drydock("aws", verb, "--yes", **european.environ)
        assert refused.code == 1
        assert f"error: the bucket {bucket} is there, without the tag made-by=drydock" in refused.err
        assert "give it that tag" in refused.err
    european.client("s3").delete_bucket(Bucket=bucket)
    assert drydock("aws", "setup", "--yes", **european.environ).code == 0

    cleaned = drydock("aws", "clean", "--yes", **european.environ)

    assert cleaned.code == 0, cleaned.err
    assert len(cleaned.out.splitlines()) == 6
    assert [role["RoleName"] for role in iam.list_roles()["Roles"]] == ["drydock-us-east-1"]
    assert [each["repositoryName"] for each in ecr.describe_repositories()["repositories"]] == ["drydock/theirs"]
    assert "holds nothing of Drydock's" in drydock("aws", "clean", "--yes", **european.environ).err


def test_clean_takes_data_only_when_told_and_says_what_is_lost(european: Moto, drydock: Drydock) -> None:
    drydock("aws", "setup", "--yes", **european.environ)
    s3, bucket = european.client("s3"), f"drydock-{NUMBER}-eu-west-1"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        s3.put_object(Bucket=bucket, Key="output/model.tar.gz", Body=b"x" * 1_000_000)
    s3.delete_object(Bucket=bucket, Key="output/model.tar.gz")
    european.client("ecr").put_image(repositoryName="drydock/train-cpu", imageManifest=MANIFEST, imageTag="one")

    refused = drydock("aws", "clean", "--yes", **european.environ)
    assert refused.code == 2
    assert f"bucket {bucket}: 3 objects (2.0 MB)" in refused.err
    assert "repository drydock/train-cpu: 1 images" in refused.err
    assert "hint: " in refused.err
    assert "drydock aws clean --delete-data" in refused.err
    assert s3.head_bucket(Bucket=bucket)

    cleaned = drydock("aws", "clean", "--yes", "--delete-data", **european.environ)
    assert cleaned.code == 0, cleaned.err
    assert "with 3 objects (2.0 MB), which is lost" in cleaned.err
    assert s3.list_buckets()["Buckets"] == []


def test_clean_leaves_a_role_that_was_given_more(european: Moto, drydock: Drydock) -> None:
    drydock("aws", "setup", "--yes", **european.environ)
    iam = european.client("iam")
    iam.put_role_policy(RoleName="drydock-eu-west-1", PolicyName="more", PolicyDocument=json.dumps(MORE))

    refused = drydock("aws", "clean", "--yes", **european.environ)

    assert refused.code == 1
    assert "the role drydock-eu-west-1 has policies that Drydock did not give it: more" in refused.err
    assert european.client("s3").list_buckets()["Buckets"], "nothing is removed before all is looked at"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Drydock, dict[str, str]]]:
    """The command, and the environment in which AWS is an emulator of its home, after ``aws setup``."""
    command = Drydock(tmp_path_factory.mktemp("aws"))
    assert command("up", "--port", "0", "--programs", str(PROGRAMS)).code == 0
    environ = command("env", "--json").json
    setup = command("aws", "setup", "--yes", **environ)
    assert setup.code == 0, setup.err
    yield command, environ
    command("down")


def client(environ: dict[str, str], service: str) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, endpoint_url=environ["AWS_ENDPOINT_URL"], region_name="us-east-1", **keys)


def pushed(environ: dict[str, str], image: str, tag: str) -> str:
    """What ECR knows after a push."""
    manifest = json.dumps({**json.loads(MANIFEST), "of": tag})
    ecr = client(environ, "ecr")
    ecr.put_image(repositoryName=f"drydock/{image}", imageManifest=manifest, imageTag=tag)
    return f"{NUMBER}.dkr.ecr.us-east-1.amazonaws.com/drydock/{image}:{tag}"


def test_a_job_runs_in_the_account_and_its_results_come_back(
    cloud: tuple[Drydock, dict[str, str]], tmp_path: Path
) -> None:
    drydock, environ = cloud
    (tmp_path / "photo.jpg").write_bytes(b"photo")
    pushed(environ, "train-cpu", "metrics-0.1.0-0000001")
    newest = pushed(environ, "train-cpu", "metrics-0.1.0-0000002")
    pushed(environ, "train-cpu", "metrics-of-another-0.1.0-0000003")

    trained = drydock(
        "train", "metrics", "--aws", "--yes", "--name", "far-1", "--data", str(tmp_path), "--hp", "epochs=2", **environ
    )

    assert trained.code == 0, trained.err
    described = client(environ, "sagemaker").describe_training_job(TrainingJobName="far-1")
    bucket = f"drydock-{NUMBER}-us-east-1"
    assert described["AlgorithmSpecification"]["TrainingImage"] == newest
    assert described["RoleArn"] == f"arn:aws:iam::{NUMBER}:role/drydock-us-east-1"
    assert described["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"].startswith(f"s3://{bucket}/data/")
    assert described["OutputDataConfig"]["S3OutputPath"].startswith(f"s3://{bucket}/")
    assert described["ResourceConfig"]["InstanceType"] == "ml.m5.xlarge"
    assert "$0.2300 per hour on demand, $5.52 at most" in trained.err
    assert "which is not AWS" in trained.err
    assert "epoch 2/2" in trained.err
    assert "billed at ml.m5.xlarge: $" in trained.out
    assert (drydock.runs / "far-1" / "log.txt").is_file()
    assert [job["TrainingJobName"] for job in drydock("jobs", "--aws", "--json", **environ).json] == ["far-1"]
    assert "#metric epoch=2" in drydock("logs", "far-1", "--aws", **environ).out


def test_the_same_job_definition_is_sent_here_and_there(cloud: tuple[Drydock, dict[str, str]]) -> None:
    drydock, environ = cloud
    uri = pushed(environ, "train-cpu", "hello-0.1.0-0000001")
    drydock("train", "hello", "--name", "here-1")
    there = drydock("train", "hello", "--aws", "--yes", "--name", "there-1", "--json", **environ)
    assert there.json["cost"]["instance_type"] == "ml.m5.xlarge"

    sagemaker = client(environ, "sagemaker")
    members = sagemaker.meta.service_model.operation_model("CreateTrainingJob").input_shape.members
    one, other = (sagemaker.describe_training_job(TrainingJobName=name) for name in ("here-1", "there-1"))

    assert {member for member in members if one.get(member) != other.get(member)} == {
        "TrainingJobName", "RoleArn", "AlgorithmSpecification", "OutputDataConfig", "CheckpointConfig",
    }  # fmt: skip
    assert other["AlgorithmSpecification"] == one["AlgorithmSpecification"] | {"TrainingImage": uri}


def test_a_gpu_instance_gets_the_gpu_image(cloud: tuple[Drydock, dict[str, str]]) -> None:
    drydock, environ = cloud
    gpu = pushed(environ, "train-gpu", "yolo-0.1.0-0000001")

    by_instance = drydock("train", "yolo", "--aws", "--instance-type", "ml.g5.xlarge", **environ)
    by_image = drydock("train", "yolo", "--aws", "--image", "drydock/train-gpu:yolo", **environ)

    assert f"image     {gpu}" in by_instance.err
    assert "price     unknown to this program" in by_instance.err
    assert f"image     {gpu}" in by_image.err
    assert "1 × ml.g4dn.xlarge, for at most 24 h" in by_image.err
    assert "$0.7364 per hour" in by_image.err


def test_without_a_yes_nothing_is_sent_or_started(cloud: tuple[Drydock, dict[str, str]], tmp_path: Path) -> None:
    drydock, environ = cloud
    (tmp_path / "unsent.jpg").write_bytes(os.urandom(8))
    pushed(environ, "train-cpu", "dump-0.1.0-0000001")

    refused = drydock("train", "dump", "--aws", "--name", "never-1", "--data", str(tmp_path), **environ)

    assert refused.code == 2
    assert "error: the job was not started: nobody is here to ask\n\nhint: add --yes" in refused.err
    assert "sent to" not in refused.err
    assert drydock("describe", "never-1", "--aws", **environ).code == 2


def test_what_is_missing_is_told_with_the_command_that_makes_it(
    cloud: tuple[Drydock, dict[str, str]], european: Moto
) -> None:
    drydock, environ = cloud
    no_image = drydock("train", "artefacts", "--aws", "--yes", **environ)
    assert no_image.code == 1
    assert "error: no image drydock/train-cpu:artefacts was pushed to account" in no_image.err
    assert "hint: make push IMAGES=train-cpu-artefacts" in no_image.err

    no_setup = drydock("train", "hello", "--aws", "--yes", **european.environ)
    assert no_setup.code == 1
    assert f"has no bucket drydock-{NUMBER}-eu-west-1" in no_setup.err
    assert "hint: make aws-setup" in no_setup.err

    backend = drydock("train", "hello", "--aws", "--backend", "docker", **environ)
    assert backend.code == 2
    assert "hint: leave one out" in backend.err


def test_setup_makes_a_repository_for_each_train_image_of_the_bake_file() -> None:
    stacks = re.search(r'variable "STACKS" \{.*?\n\}\n', (ROOT / "docker-bake.hcl").read_text(), re.DOTALL)
    assert stacks
    assert set(re.findall(r"^ +(train-\S+) += ", stacks[0], re.MULTILINE)) == set(IMAGES)
