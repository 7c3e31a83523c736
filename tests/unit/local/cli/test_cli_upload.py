from pathlib import Path

from local.cli.upload import Member, digest, split_uri


def member(key: str, sha256: str) -> Member:
    return Member(key, Path("anywhere") / key, 1, sha256)


def test_the_address_depends_on_names_and_contents_and_not_on_their_order() -> None:
    one, two = member("a.jpg", "1"), member("b.jpg", "2")

    assert digest([one, two]) == digest([two, one])
    assert digest([one, two]) != digest([one])
    assert digest([one]) != digest([member("c.jpg", "1")])
    assert digest([one]) != digest([member("a.jpg", "2")])


def test_an_address_has_a_bucket_and_a_key() -> None:
    assert split_uri("s3://bucket/a/b") == ("bucket", "a/b")
    assert split_uri("s3://bucket") == ("bucket", "")
