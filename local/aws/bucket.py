"""The bucket for data, checkpoints and results."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local.aws.account import MARK, Account
from local.aws.resource import Standing, check_mark, code_of
from local.cli.refusal import FAILED, Refusal

NOT_PUBLIC = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
ENCRYPTED = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
WITHOUT_CONSTRAINT = "us-east-1"
"""The one region that CreateBucket may not be told."""


@dataclass(frozen=True)
class Bucket:
    account: Account
    kind: str = "bucket"

    @property
    def name(self) -> str:
        return self.account.bucket

    @property
    def address(self) -> str:
        return f"s3://{self.name}"

    def settings(self) -> list[str]:
        return ["all public access blocked", "objects encrypted at rest (AES256)"]

    def look(self) -> Standing:
        from botocore.exceptions import ClientError

        s3, here = self._s3(), {"Bucket": self.name, "ExpectedBucketOwner": self.account.number}
        try:
            s3.head_bucket(**here)
            tags = s3.get_bucket_tagging(**here)["TagSet"]
        except ClientError as error:
            if code_of(error) == "404":
                return Standing.absent
            if code_of(error) == "403":
                raise self._taken() from error
            if code_of(error) != "NoSuchTagSet":
                raise
            tags = []
        check_mark(self, tags)
        return Standing.ours

    def make(self) -> None:
        s3 = self._s3()
        if self.look() is Standing.absent:
            self._create(s3)
        s3.put_public_access_block(Bucket=self.name, PublicAccessBlockConfiguration=NOT_PUBLIC)
        s3.put_bucket_encryption(Bucket=self.name, ServerSideEncryptionConfiguration=ENCRYPTED)

    def content(self) -> str:
        sizes = [version.get("Size", 0) for version in self._versions()]
        return f"{len(sizes)} objects ({sum(sizes) / 1e6:.1f} MB)" if sizes else ""

    def remove(self) -> None:
        s3 = self._s3()
        batch: list[dict[str, str]] = []
        for version in self._versions():
            batch.append({"Key": version["Key"], "VersionId": version["VersionId"]})
            if len(batch) == 1000:
                self._delete(batch)
                batch = []
        self._delete(batch)
        s3.delete_bucket(Bucket=self.name)

    def _create(self, s3: Any) -> None:
        region = self.account.region
        place = {} if region == WITHOUT_CONSTRAINT else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=self.name, **place)
        s3.put_bucket_tagging(Bucket=self.name, Tagging={"TagSet": [MARK]})

    def _versions(self) -> Iterator[dict[str, Any]]:
        for page in self._s3().get_paginator("list_object_versions").paginate(Bucket=self.name):
            yield from page.get("Versions", [])
            yield from page.get("DeleteMarkers", [])

    def _delete(self, batch: list[dict[str, str]]) -> None:
        if not batch:
            return
        failed = self._s3().delete_objects(Bucket=self.name, Delete={"Objects": batch, "Quiet": True}).get("Errors")
        if failed:
            raise Refusal(
                f"s3://{self.name}/{failed[0]['Key']} cannot be deleted: {failed[0].get('Message')}",
                "the bucket stays; the command goes on where it stopped when it runs again",
                FAILED,
            )

    def _taken(self) -> Refusal:
        return Refusal(
            f"the bucket name {self.name} belongs to another account, or these credentials may not look at it",
            "use another region: AWS_REGION=NAME, for the name is made of account and region",
            FAILED,
        )

    def _s3(self) -> Any:
        return self.account.client("s3")
