"""Operations on buckets themselves: make, find, list, remove, and whether they keep versions."""

from local.s3 import buckets
from local.s3.buckets import put_document
from local.s3.errors import S3Error, not_implemented
from local.s3.operation import OWNER, Call, operation
from local.s3.serialising import Reply, document
from local.s3.tags import tag_set, tags_from_set
from local.s3.versions import from_milliseconds

_DEFAULT_REGION = "us-east-1"
_MOST_BUCKETS = 10_000
_MOST_TAGS = 50


@operation("CreateBucket", "CreateBucketConfiguration ObjectOwnership")
def create_bucket(call: Call) -> Reply:
    configuration = call.members.get("CreateBucketConfiguration", {})
    for name in configuration.keys() - {"LocationConstraint", "Tags"}:
        raise not_implemented(f"CreateBucket with {name} is not implemented by Drydock's S3")
    if call.members.get("ObjectOwnership", "BucketOwnerEnforced") != "BucketOwnerEnforced":
        raise not_implemented("CreateBucket with an ObjectOwnership other than BucketOwnerEnforced is not implemented")
    tags = tags_from_set(configuration.get("Tags", []), _MOST_TAGS)
    with call.store.database.write() as connection:
        buckets.create(connection, call.bucket, configuration.get("LocationConstraint"))
        if tags:
            put_document(connection, call.bucket, "Tagging", {"TagSet": tag_set(tags)})
    return Reply({"Location": f"/{call.bucket}"})


@operation("HeadBucket")
def head_bucket(call: Call) -> Reply:
    row = buckets.require(call.store.database.read(), call.bucket)
    return Reply({"BucketRegion": row["region"] or _DEFAULT_REGION})


@operation("DeleteBucket")
def delete_bucket(call: Call) -> Reply:
    with call.store.database.write() as connection:
        blobs = buckets.delete(connection, call.bucket)
    call.store.blobs.remove(blobs)
    return Reply()


@operation("ListBuckets", "MaxBuckets ContinuationToken Prefix BucketRegion")
def list_buckets(call: Call) -> Reply:
    prefix, region = call.members.get("Prefix", ""), call.members.get("BucketRegion")
    start = call.members.get("ContinuationToken", "")
    limit = call.members.get("MaxBuckets", _MOST_BUCKETS)
    if not 1 <= limit <= _MOST_BUCKETS:
        raise S3Error("InvalidArgument", f"Argument max-buckets must be an integer between 1 and {_MOST_BUCKETS}")
    rows = [
        row
        for row in call.store.database.read().execute("SELECT * FROM buckets WHERE name >= ? ORDER BY name", (start,))
        if row["name"].startswith(prefix) and region in (None, row["region"] or _DEFAULT_REGION)
    ]
    found = [
        {
            "Name": row["name"],
            "CreationDate": from_milliseconds(row["created"]),
            "BucketRegion": row["region"] or _DEFAULT_REGION,
        }
        for row in rows[:limit]
    ]
    token = rows[limit]["name"] if len(rows) > limit else None
    return Reply({"Buckets": found, "Owner": OWNER, "Prefix": prefix or None, "ContinuationToken": token})


@operation("GetBucketLocation")
def get_bucket_location(call: Call) -> Reply:
    row = buckets.require(call.store.database.read(), call.bucket)
    return Reply(body=document("LocationConstraint", row["region"] or ""))


@operation("GetBucketVersioning")
def get_bucket_versioning(call: Call) -> Reply:
    return Reply({"Status": buckets.versioning(call.store.database.read(), call.bucket)})


@operation("PutBucketVersioning", "VersioningConfiguration")
def put_bucket_versioning(call: Call) -> Reply:
    configuration = call.members["VersioningConfiguration"]
    if configuration.get("MFADelete") == "Enabled":
        raise not_implemented("PutBucketVersioning with MFADelete is not implemented by Drydock's S3")
    if "Status" not in configuration:
        raise S3Error("IllegalVersioningConfigurationException")
    with call.store.database.write() as connection:
        buckets.set_versioning(connection, call.bucket, configuration["Status"])
    return Reply()


@operation("GetBucketAcl")
def get_bucket_acl(call: Call) -> Reply:
    buckets.require(call.store.database.read(), call.bucket)
    return Reply(owner_only_acl())


def owner_only_acl() -> dict[str, object]:
    """The only ACL there is where a bucket's owner owns all in it."""
    grantee = {**OWNER, "Type": "CanonicalUser"}
    return {"Owner": OWNER, "Grants": [{"Grantee": grantee, "Permission": "FULL_CONTROL"}]}


OPERATIONS = (
    create_bucket,
    head_bucket,
    delete_bucket,
    list_buckets,
    get_bucket_location,
    get_bucket_versioning,
    put_bucket_versioning,
    get_bucket_acl,
)
