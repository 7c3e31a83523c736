"""The role that SageMaker assumes for a job, and the least policy that a job can run with."""

import json
from dataclasses import dataclass
from typing import Any

from local.aws.account import MARK, Account
from local.aws.repository import PREFIX
from local.aws.resource import Standing, check_mark, code_of
from local.cli.follow import LOG_GROUP
from local.cli.refusal import FAILED, Refusal

POLICY_NAME = "drydock"


@dataclass(frozen=True)
class Role:
    account: Account
    kind: str = "role"

    @property
    def name(self) -> str:
        return self.account.role_name

    @property
    def address(self) -> str:
        return self.account.role

    def settings(self) -> list[str]:
        return [
            "who may assume it:",
            *_lines(trust(self.account)),
            "what it may do:",
            *_lines(policy(self.account)),
        ]

    def look(self) -> Standing:
        from botocore.exceptions import ClientError

        try:
            role = self._iam().get_role(RoleName=self.name)["Role"]
        except ClientError as error:
            if code_of(error) == "NoSuchEntity":
                return Standing.absent
            raise
        check_mark(self, role.get("Tags", []))
        return Standing.ours

    def make(self) -> None:
        iam = self._iam()
        trusted = json.dumps(trust(self.account))
        if self.look() is Standing.absent:
            iam.create_role(
                RoleName=self.name,
                AssumeRolePolicyDocument=trusted,
                Description="SageMaker training jobs of Drydock",
                Tags=[MARK],
            )
        else:
            iam.update_assume_role_policy(RoleName=self.name, PolicyDocument=trusted)
        iam.put_role_policy(RoleName=self.name, PolicyName=POLICY_NAME, PolicyDocument=json.dumps(policy(self.account)))

    def content(self) -> str:
        iam, here = self._iam(), {"RoleName": self.name}
        attached = [found["PolicyName"] for found in iam.list_attached_role_policies(**here)["AttachedPolicies"]]
        others = sorted({*iam.list_role_policies(**here)["PolicyNames"], *attached} - {POLICY_NAME})
        if others:
            raise Refusal(
                f"the role {self.name} has policies that Drydock did not give it: {', '.join(others)}",
                "take them off it, then again",
                FAILED,
            )
        return ""

    def remove(self) -> None:
        iam = self._iam()
        for name in iam.list_role_policies(RoleName=self.name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=self.name, PolicyName=name)
        iam.delete_role(RoleName=self.name)

    def _iam(self) -> Any:
        return self.account.client("iam")


def trust(account: Account) -> dict[str, Any]:
    """Who may assume the role: SageMaker, on behalf of this account and no other."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": account.number}},
            }
        ],
    }


def policy(account: Account) -> dict[str, Any]:
    """What a training job does, by AWS's list of CreateTrainingJob's permissions, on Drydock's own things only."""
    here = f"{account.region}:{account.number}"
    bucket = f"arn:{account.partition}:s3:::{account.bucket}"
    group = f"arn:{account.partition}:logs:{here}:log-group:{LOG_GROUP}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow("Bucket", ["s3:ListBucket"], bucket),
            _allow("Objects", ["s3:GetObject", "s3:PutObject"], f"{bucket}/*"),
            _allow(
                "Images",
                ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
                f"arn:{account.partition}:ecr:{here}:repository/{PREFIX}*",
            ),
            _allow("Registry", ["ecr:GetAuthorizationToken"], "*"),
            _allow(
                "Logs",
                ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                [group, f"{group}:*"],
            ),
            _allow("Metrics", ["cloudwatch:PutMetricData"], "*")
            | {"Condition": {"StringEquals": {"cloudwatch:namespace": LOG_GROUP}}},
        ],
    }


def _lines(document: dict[str, Any]) -> list[str]:
    """A policy as JSON, a line for each statement."""
    version, statements = json.dumps(document["Version"]), [json.dumps(each) for each in document["Statement"]]
    return [f'{{"Version": {version}, "Statement": [', *",\n".join(statements).splitlines(), "]}"]


def _allow(sid: str, actions: list[str], resources: str | list[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
