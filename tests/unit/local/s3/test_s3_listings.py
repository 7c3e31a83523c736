"""Listings of objects against a model of S3's rules, on keys of every kind."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CHARACTERS = "aab/// %+&?#=\\\"'<é日😀\u0080\ue000\ud7ff"
KEYS = st.text(st.sampled_from(CHARACTERS) | st.characters(min_codepoint=32, exclude_categories=("Cs",)), min_size=1,
               max_size=6)  # fmt: skip


def expected(keys, prefix, delimiter, after=""):
    """Keys and groups as S3 lists them, one list in bytewise order."""
    found = []
    for key in sorted(set(keys), key=str.encode):
        if not key.startswith(prefix) or key.encode() <= after.encode():
            continue
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = ("group", key[: end + len(delimiter)]) if end >= 0 else ("key", key)
        if entry not in found:
            found.append(entry)
    return found


def in_order(page):
    entries = [("key", each["Key"]) for each in page.get("Contents", [])]
    entries += [("group", each["Prefix"]) for each in page.get("CommonPrefixes", [])]
    return sorted(entries, key=lambda entry: entry[1].encode())


def merged(pages):
    return [entry for page in pages for entry in in_order(page)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.lists(KEYS, min_size=1, max_size=12),
    scope=st.tuples(
        st.sampled_from(["", "a", "a/", "/", " ", "é", "%"]), st.sampled_from(["", "/", "a", "//", "é", "%"])
    ),
    size=st.integers(1, 4),
    after=st.just("") | KEYS,
)
def test_listings_agree_with_the_model(s3, keys, scope, size, after):
    prefix, delimiter = scope
    bucket = "p" + hashlib.sha256(repr((keys, prefix, delimiter, size, after)).encode()).hexdigest()[:20]
    s3.create_bucket(Bucket=bucket)
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    scope = {"Bucket": bucket, "Prefix": prefix, "Delimiter": delimiter}
    pages = s3.get_paginator("list_objects_v2").paginate(
        **scope, **({"StartAfter": after} if after else {}), PaginationConfig={"PageSize": size}
    )
    pages = list(pages)
    assert merged(pages) == expected(keys, prefix, delimiter, after)
    assert all(page["KeyCount"] == size for page in pages[:-1])
    old = s3.get_paginator("list_objects").paginate(**scope, PaginationConfig={"PageSize": size})
    assert merged(old) == expected(keys, prefix, delimiter)
    versions = s3.get_paginator("list_object_versions").paginate(**scope, PaginationConfig={"PageSize": size})
    renamed = ({"Contents": page.get("Versions", []), **page} for page in versions)
    assert merged(renamed) == expected(keys, prefix, delimiter)


def test_a_marker_in_a_group_is_behind_the_group(s3, bucket):
    for key in ("a/1", "a/2", "b"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    old = s3.list_objects(Bucket=bucket, Delimiter="/", Marker="a/1")
    assert in_order(old) == [("key", "b")]
    new = s3.list_objects_v2(Bucket=bucket, Delimiter="/", StartAfter="a/1")
    assert in_order(new) == [("group", "a/"), ("key", "b")]


def test_one_page_of_a_listing(s3, bucket):
    for number in range(3):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"123")
    page = s3.list_objects_v2(Bucket=bucket, MaxKeys=2, FetchOwner=True, StartAfter="k")
    assert (page["KeyCount"], page["MaxKeys"], page["IsTruncated"], page["StartAfter"]) == (2, 2, True, "k")
    first = page["Contents"][0]
    assert (first["Key"], first["Size"], first["StorageClass"]) == ("k0", 3, "STANDARD")
    assert first["ETag"] == f'"{hashlib.md5(b"123").hexdigest()}"'
    assert first["Owner"]["ID"]
    rest = s3.list_objects_v2(Bucket=bucket, ContinuationToken=page["NextContinuationToken"])
    assert ([each["Key"] for each in rest["Contents"]], rest["IsTruncated"]) == (["k2"], False)
    assert "Owner" not in rest["Contents"][0]
    none = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
    assert (none["KeyCount"], none["IsTruncated"]) == (0, False)


def test_listings_that_are_refused(s3, bucket, refused):
    refused("InvalidArgument", s3.list_objects_v2, Bucket=bucket, ContinuationToken="no token!")
    refused("InvalidArgument", s3.list_objects_v2, Bucket=bucket, MaxKeys=-1)
    refused("InvalidArgument", s3.list_object_versions, Bucket=bucket, VersionIdMarker="x")


def test_a_group_of_many_keys_is_one_entry_among_a_thousand(s3, bucket):
    keys = [f"many/{number:04d}" for number in range(1020)] + ["other/1"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=b""), keys))
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert (in_order(page), page["IsTruncated"]) == ([("group", "many/"), ("group", "other/")], False)
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket))
    assert [page["KeyCount"] for page in pages] == [1000, 21]


@pytest.mark.parametrize("size", [1, 2, 10])
def test_uploads_are_listed_in_pages(s3, bucket, size):
    made = [
        (key, s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]) for key in ("a", "a", "b/1", "c", "a")
    ]
    made.sort(key=lambda upload: upload[0])
    paginator = s3.get_paginator("list_multipart_uploads")
    pages = list(paginator.paginate(Bucket=bucket, PaginationConfig={"PageSize": size}))
    assert [(each["Key"], each["UploadId"]) for page in pages for each in page["Uploads"]] == made
    grouped = list(paginator.paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size}))
    assert [each["Prefix"] for page in grouped for each in page.get("CommonPrefixes", [])] == ["b/"]
    assert [each["Key"] for page in grouped for each in page.get("Uploads", [])] == ["a", "a", "a", "c"]
