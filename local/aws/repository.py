"""The ECR repositories of train images, one for each image name."""

from dataclasses import dataclass
from typing import Any

from local.aws.account import MARK, Account
from local.aws.resource import Standing, check_mark, code_of

PREFIX = "drydock/"
IMAGES = ("train-cpu", "train-gpu", "train-tf-cpu", "train-tf-gpu")
"""The train images of docker-bake.hcl, by the part of their names before the program."""


@dataclass(frozen=True)
class Repository:
    account: Account
    name: str
    kind: str = "repository"

    @property
    def address(self) -> str:
        return str(self._described()["repositoryUri"])

    def settings(self) -> list[str]:
        return ["images scanned on push", "tags immutable"]

    def look(self) -> Standing:
        from botocore.exceptions import ClientError

        try:
            arn = self._described()["repositoryArn"]
        except ClientError as error:
            if code_of(error) == "RepositoryNotFoundException":
                return Standing.absent
            raise
        check_mark(self, self._ecr().list_tags_for_resource(resourceArn=arn)["tags"])
        return Standing.ours

    def make(self) -> None:
        ecr, scanned = self._ecr(), {"scanOnPush": True}
        if self.look() is Standing.absent:
            ecr.create_repository(
                repositoryName=self.name,
                imageScanningConfiguration=scanned,
                imageTagMutability="IMMUTABLE",
                tags=[MARK],
            )
            return
        ecr.put_image_scanning_configuration(repositoryName=self.name, imageScanningConfiguration=scanned)
        ecr.put_image_tag_mutability(repositoryName=self.name, imageTagMutability="IMMUTABLE")

    def content(self) -> str:
        count = len(self.images())
        return f"{count} images" if count else ""

    def remove(self) -> None:
        self._ecr().delete_repository(repositoryName=self.name, force=True)

    def images(self) -> list[dict[str, Any]]:
        """What ECR says of each image in it."""
        pages = self._ecr().get_paginator("describe_images").paginate(repositoryName=self.name)
        return [image for page in pages for image in page["imageDetails"]]

    def _described(self) -> dict[str, Any]:
        found: list[dict[str, Any]] = self._ecr().describe_repositories(repositoryNames=[self.name])["repositories"]
        return found[0]

    def _ecr(self) -> Any:
        return self.account.client("ecr")


def marked(account: Account) -> list[Repository]:
    """Every repository of the account's region that Drydock made."""
    ecr = account.client("ecr")
    pages = ecr.get_paginator("describe_repositories").paginate()
    found = [repository for page in pages for repository in page["repositories"]]
    return [
        Repository(account, each["repositoryName"])
        for each in found
        if each["repositoryName"].startswith(PREFIX)
        and MARK in ecr.list_tags_for_resource(resourceArn=each["repositoryArn"])["tags"]
    ]
