"""Buckets: names, locations, removal, and the documents that are kept with them."""

import pytest
from botocore.handlers import validate_bucket_name


def test_create_find_list_delete(s3, refused):
    s3.create_bucket(Bucket="one.two-3")
    assert s3.head_bucket(Bucket="one.two-3")["BucketRegion"] == "us-east-1"
    assert "one.two-3" in [each["Name"] for each in s3.list_buckets()["Buckets"]]
    s3.delete_bucket(Bucket="one.two-3")
    refused("404", s3.head_bucket, Bucket="one.two-3")
    refused("NoSuchBucket", s3.delete_bucket, Bucket="one.two-3")


@pytest.mark.parametrize(
    "name", ["ab", "x" * 64, "Upper", "under_score", "-start", "end-", "a..b", "192.168.5.4", "xn--a", "a-s3alias"]
)
def test_names_that_s3_refuses(client, refused, name):
    unchecked = client()
    unchecked.meta.events.unregister("before-parameter-build.s3", validate_bucket_name)
    refused("InvalidBucketName", unchecked.create_bucket, Bucket=name)


def test_a_bucket_made_twice_is_refused_unless_in_us_east_1(s3, refused):
    west = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket="made-twice", CreateBucketConfiguration=west)
    refused("BucketAlreadyOwnedByYou", s3.create_bucket, Bucket="made-twice", CreateBucketConfiguration=west)
    assert s3.get_bucket_location(Bucket="made-twice")["LocationConstraint"] == "eu-west-1"
    s3.create_bucket(Bucket="made-again")
    s3.put_object(Bucket="made-again", Key="k", Body=b"")
    s3.create_bucket(Bucket="made-again")
    assert s3.get_bucket_location(Bucket="made-again")["LocationConstraint"] is None
    assert s3.list_objects_v2(Bucket="made-again")["KeyCount"] == 1


def test_a_location_that_does_not_exist(s3, refused):
    for region in ("us-east-1", "moon-1"):
        refused(
            "InvalidLocationConstraint",
            s3.create_bucket,
            Bucket="located",
            CreateBucketConfiguration={"LocationConstraint": region},
        )


def test_list_buckets_pages(s3):
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        s3.create_bucket(Bucket=name)
    pages = list(s3.get_paginator("list_buckets").paginate(Prefix="page-", PaginationConfig={"PageSize": 2}))
    assert [[each["Name"] for each in page["Buckets"]] for page in pages] == [names[:2], names[2:4], names[4:]]


def test_a_bucket_with_anything_in_it_stays(s3, bucket, refused):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    s3.create_multipart_upload(Bucket=bucket, Key="unfinished")
    s3.delete_bucket(Bucket=bucket)


RULE = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}}
ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}]}
CORS = {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 5}
BLOCK = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


@pytest.mark.parametrize(
    "case",
    [
        ("bucket_tagging", "bucket_tagging", "Tagging", {"TagSet": [{"Key": "a", "Value": "b"}]}, "TagSet",
         "NoSuchTagSet"),
        ("bucket_cors", "bucket_cors", "CORSConfiguration", {"CORSRules": [CORS]}, "CORSRules",
         "NoSuchCORSConfiguration"),
        ("bucket_policy", "bucket_policy", "Policy", '{"Version": "2012-10-17", "Statement": []}', "Policy",
         "NoSuchBucketPolicy"),
        ("bucket_lifecycle", "bucket_lifecycle_configuration", "LifecycleConfiguration", {"Rules": [RULE]}, "Rules",
         "NoSuchLifecycleConfiguration"),
        ("bucket_encryption", "bucket_encryption", "ServerSideEncryptionConfiguration", ENCRYPTION,
         "ServerSideEncryptionConfiguration", "ServerSideEncryptionConfigurationNotFoundError"),
        ("public_access_block", "public_access_block", "PublicAccessBlockConfiguration", BLOCK,
         "PublicAccessBlockConfiguration", "NoSuchPublicAccessBlockConfiguration"),
        ("bucket_ownership_controls", "bucket_ownership_controls", "OwnershipControls",
         {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}, "OwnershipControls",
         "OwnershipControlsNotFoundError"),
    ],
    ids=lambda case: case[1],
)  # fmt: skip
def test_documents_come_back_as_they_were_put(s3, bucket, refused, case):
    noun, get, argument, document, member, missing = case
    read, write, delete = (getattr(s3, name) for name in (f"get_{get}", f"put_{get}", f"delete_{noun}"))
    refused(missing, read, Bucket=bucket)
    write(Bucket=bucket, **{argument: document})
    expected = document[member] if isinstance(document, dict) and member in document else document
    assert read(Bucket=bucket)[member] == expected
    delete(Bucket=bucket)
    refused(missing, read, Bucket=bucket)
    refused("NoSuchBucket", read, Bucket="not-there")


def test_documents_that_s3_would_not_take(s3, bucket, refused):
    refused("MalformedPolicy", s3.put_bucket_policy, Bucket=bucket, Policy="{")
    bad_enum = {"Rules": [{**RULE, "Status": "Perhaps"}]}
    refused("MalformedXML", s3.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration=bad_enum)
    refused("IllegalVersioningConfigurationException", s3.put_bucket_versioning, Bucket=bucket,
            VersioningConfiguration={})  # fmt: skip


def test_operations_that_are_not_answered_are_named(s3, bucket, refused):
    for name, arguments in (
        ("put_bucket_website", {"WebsiteConfiguration": {"IndexDocument": {"Suffix": "a"}}}),
        ("get_bucket_notification_configuration", {}),
        ("put_bucket_acl", {"ACL": "private"}),
    ):
        reply = refused("NotImplemented", getattr(s3, name), Bucket=bucket, **arguments)
        assert name.replace("_", "") in reply["Error"]["Message"].lower()
        assert reply["ResponseMetadata"]["HTTPStatusCode"] == 501
