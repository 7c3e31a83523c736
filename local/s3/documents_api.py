"""Operations on the documents of a bucket: kept and returned as they were put, without effect of their own."""

import json
from dataclasses import dataclass

from local.s3 import buckets
from local.s3.errors import S3Error
from local.s3.operation import Call, Operation
from local.s3.parsing import Members
from local.s3.serialising import Reply
from local.s3.tags import tags_from_set

_MOST_TAGS = 50


@dataclass(frozen=True)
class Document:
    """A kind of document: the put's payload member, the operations, and the error where there is none."""

    payload: str
    put: str
    get: str
    delete: str
    missing: str
    payload_in_reply: bool
    """Whether the get's reply has the payload as such, or the payload's members as its own."""


_DOCUMENTS = (
    Document("Tagging", "PutBucketTagging", "GetBucketTagging", "DeleteBucketTagging", "NoSuchTagSet", False),
    Document(
        "CORSConfiguration", "PutBucketCors", "GetBucketCors", "DeleteBucketCors", "NoSuchCORSConfiguration", False
    ),
    Document(
        "LifecycleConfiguration",
        "PutBucketLifecycleConfiguration",
        "GetBucketLifecycleConfiguration",
        "DeleteBucketLifecycle",
        "NoSuchLifecycleConfiguration",
        False,
    ),
    Document("Policy", "PutBucketPolicy", "GetBucketPolicy", "DeleteBucketPolicy", "NoSuchBucketPolicy", True),
    Document(
        "ServerSideEncryptionConfiguration",
        "PutBucketEncryption",
        "GetBucketEncryption",
        "DeleteBucketEncryption",
        "ServerSideEncryptionConfigurationNotFoundError",
        True,
    ),
    Document(
        "PublicAccessBlockConfiguration",
        "PutPublicAccessBlock",
        "GetPublicAccessBlock",
        "DeletePublicAccessBlock",
        "NoSuchPublicAccessBlockConfiguration",
        True,
    ),
    Document(
        "OwnershipControls",
        "PutBucketOwnershipControls",
        "GetBucketOwnershipControls",
        "DeleteBucketOwnershipControls",
        "OwnershipControlsNotFoundError",
        True,
    ),
)


def _operations(document: Document) -> tuple[Operation, ...]:
    def put(call: Call) -> Reply:
        content = call.members.get(document.payload)
        if content is None:
            raise S3Error("MalformedXML")
        _check(document.payload, content)
        with call.store.database.write() as connection:
            buckets.put_document(connection, call.bucket, document.payload, content)
        return Reply(status=204 if document.payload in ("Policy", "Tagging") else None)

    def get(call: Call) -> Reply:
        content = buckets.document(call.store.database.read(), call.bucket, document.payload)
        if content is None:
            raise S3Error(document.missing, BucketName=call.bucket)
        return Reply({document.payload: content} if document.payload_in_reply else content)

    def delete(call: Call) -> Reply:
        with call.store.database.write() as connection:
            buckets.put_document(connection, call.bucket, document.payload, None)
        return Reply()

    return (
        Operation(document.put, frozenset({document.payload}), put),
        Operation(document.get, frozenset(), get),
        Operation(document.delete, frozenset(), delete),
    )


def _check(payload: str, content: Members | str) -> None:
    if isinstance(content, str):
        try:
            policy = json.loads(content)
        except ValueError:
            policy = None
        if not isinstance(policy, dict):
            raise S3Error("MalformedPolicy")
    elif payload == "Tagging":
        tags_from_set(content["TagSet"], _MOST_TAGS)


OPERATIONS = tuple(operation for document in _DOCUMENTS for operation in _operations(document))
