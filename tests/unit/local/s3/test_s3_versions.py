"""Versions and delete markers in buckets that keep them."""

import pytest


@pytest.fixture
def versioned(s3, bucket):
    _set(s3, bucket, "Enabled")
    return bucket


def _set(s3, bucket, status):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def _put(s3, bucket, body, key="k"):
    return s3.put_object(Bucket=bucket, Key=key, Body=body).get("VersionId")


def _read(s3, bucket, **arguments):
    return s3.get_object(Bucket=bucket, Key="k", **arguments)["Body"].read()


def _history(s3, bucket):
    reply = s3.list_object_versions(Bucket=bucket)
    assert not reply["IsTruncated"]
    return [(each["VersionId"], each["IsLatest"]) for each in reply.get("Versions", [])], [
        (each["VersionId"], each["IsLatest"]) for each in reply.get("DeleteMarkers", [])
    ]


def test_the_state_of_a_bucket(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert _put(s3, bucket, b"1") is None
    for status in ("Enabled", "Suspended"):
        _set(s3, bucket, status)
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status


def test_every_write_is_kept(s3, versioned):
    ids = [_put(s3, versioned, str(number).encode()) for number in range(3)]
    assert len(set(ids)) == 3
    assert _read(s3, versioned) == b"2"
    assert [_read(s3, versioned, VersionId=each) for each in ids] == [b"0", b"1", b"2"]
    assert _history(s3, versioned) == ([(ids[2], True), (ids[1], False), (ids[0], False)], [])
    assert s3.get_object(Bucket=versioned, Key="k")["VersionId"] == ids[2]


def test_a_delete_hides_and_removing_its_marker_shows_again(s3, versioned, refused):
    first = _put(s3, versioned, b"1")
    deleted = s3.delete_object(Bucket=versioned, Key="k")
    assert deleted["DeleteMarker"]
    marker = deleted["VersionId"]
    headers = refused("NoSuchKey", s3.get_object, Bucket=versioned, Key="k")["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", marker)
    assert s3.list_objects_v2(Bucket=versioned)["KeyCount"] == 0
    assert _history(s3, versioned) == ([(first, False)], [(marker, True)])
    refused("MethodNotAllowed", s3.get_object, Bucket=versioned, Key="k", VersionId=marker)
    removed = s3.delete_object(Bucket=versioned, Key="k", VersionId=marker)
    assert (removed["DeleteMarker"], removed["VersionId"]) == (True, marker)
    assert _read(s3, versioned) == b"1"


def test_removing_the_newest_version_shows_the_one_before(s3, versioned, refused, blobs):
    before = blobs()
    first, second = _put(s3, versioned, b"1"), _put(s3, versioned, b"2")
    s3.delete_object(Bucket=versioned, Key="k", VersionId=second)
    assert _read(s3, versioned) == b"1"
    refused("NoSuchVersion", s3.get_object, Bucket=versioned, Key="k", VersionId=second)
    s3.delete_object(Bucket=versioned, Key="k", VersionId=first)
    refused("NoSuchKey", s3.get_object, Bucket=versioned, Key="k")
    assert blobs() == before


def test_what_was_written_before_versions_is_the_null_version(s3, bucket):
    _put(s3, bucket, b"old")
    _set(s3, bucket, "Enabled")
    new = _put(s3, bucket, b"new")
    assert _history(s3, bucket)[0] == [(new, True), ("null", False)]
    assert _read(s3, bucket, VersionId="null") == b"old"


def test_suspended_writes_and_deletes_replace_the_null_version_only(s3, versioned):
    kept = _put(s3, versioned, b"kept")
    _set(s3, versioned, "Suspended")
    assert [_put(s3, versioned, b"1"), _put(s3, versioned, b"2")] == ["null", "null"]
    assert _history(s3, versioned)[0] == [("null", True), (kept, False)]
    assert s3.delete_object(Bucket=versioned, Key="k")["VersionId"] == "null"
    assert _history(s3, versioned) == ([(kept, False)], [("null", True)])
    assert _read(s3, versioned, VersionId=kept) == b"kept"


def test_an_old_version_is_restored_by_copying_it(s3, versioned):
    old = _put(s3, versioned, b"old")
    _put(s3, versioned, b"new")
    source = {"Bucket": versioned, "Key": "k", "VersionId": old}
    reply = s3.copy_object(Bucket=versioned, Key="k", CopySource=source)
    assert reply["CopySourceVersionId"] == old
    assert _read(s3, versioned) == b"old"
    assert len(_history(s3, versioned)[0]) == 3


def test_delete_objects_with_versions(s3, versioned):
    first = _put(s3, versioned, b"1")
    hidden = s3.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": "k"}]})["Deleted"][0]
    assert hidden["DeleteMarker"]
    marker = hidden["DeleteMarkerVersionId"]
    both = [{"Key": "k", "VersionId": first}, {"Key": "k", "VersionId": marker}]
    gone = s3.delete_objects(Bucket=versioned, Delete={"Objects": both})["Deleted"]
    assert gone == [both[0], {**both[1], "DeleteMarker": True, "DeleteMarkerVersionId": marker}]
    assert _history(s3, versioned) == ([], [])


def test_versions_are_listed_in_pages(s3, versioned):
    expected = []
    for key in ("a", "b/1", "b/2", "c"):
        ids = [_put(s3, versioned, b"", key) for _ in range(3)]
        expected += [(key, each) for each in reversed(ids)]
    paginator = s3.get_paginator("list_object_versions")
    for size in (1, 2, 5, 12):
        pages = list(paginator.paginate(Bucket=versioned, PaginationConfig={"PageSize": size}))
        listed = [[(each["Key"], each["VersionId"]) for each in page.get("Versions", [])] for page in pages]
        assert [each for page in listed for each in page] == expected
        assert {len(page) for page in listed[:-1]} <= {size}
    grouped = list(paginator.paginate(Bucket=versioned, Delimiter="/", PaginationConfig={"PageSize": 2}))
    assert [each["Key"] for page in grouped for each in page.get("Versions", [])] == ["a"] * 3 + ["c"] * 3
    assert [each["Prefix"] for page in grouped for each in page.get("CommonPrefixes", [])] == ["b/"]


def test_deleting_while_paging_misses_nothing(s3, versioned):
    for key in ("a", "b"):
        for _ in range(5):
            _put(s3, versioned, b"", key)
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=versioned, PaginationConfig={"PageSize": 3}):
        found = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in page["Versions"]]
        s3.delete_objects(Bucket=versioned, Delete={"Objects": found})
    assert _history(s3, versioned) == ([], [])


def test_a_tag_belongs_to_one_version(s3, versioned):
    first, second = _put(s3, versioned, b"1"), _put(s3, versioned, b"2")
    tags = [{"Key": "a", "Value": "b"}]
    s3.put_object_tagging(Bucket=versioned, Key="k", VersionId=first, Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket=versioned, Key="k", VersionId=first)["TagSet"] == tags
    assert s3.get_object_tagging(Bucket=versioned, Key="k")["TagSet"] == []
    assert s3.get_object_tagging(Bucket=versioned, Key="k")["VersionId"] == second
