import json
from pathlib import Path

import pytest

from local.cli.refusal import Refusal
from local.cli.upload import Member, Source, digest, find, split_uri


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


def sent(source: Source) -> set[str]:
    return {member.key for member in source.members}


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def test_linked_folders_are_sent_like_others(tmp_path: Path) -> None:
    touch(
        tmp_path / "elsewhere/a.jpg", tmp_path / "elsewhere/sub/b.jpg", tmp_path / "c.jpg", tmp_path / "set/.hidden/d"
    )
    (tmp_path / "set/images").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set/c.jpg").symlink_to(tmp_path / "c.jpg")

    assert sent(find(None, str(tmp_path / "set"), "b")) == {"images/a.jpg", "images/sub/b.jpg", "c.jpg"}


def test_a_link_that_leads_back_or_nowhere_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    touch(tmp_path / "set/sub/a.jpg")
    (tmp_path / "set/sub/again").symlink_to(tmp_path / "set")
    (tmp_path / "set/gone.jpg").symlink_to(tmp_path / "gone.jpg")

    assert sent(find(None, str(tmp_path / "set"), "b")) == {"sub/a.jpg"}
    told = "".join(capsys.readouterr().err.split())
    assert f"{tmp_path}/set/sub/againisleftout" in told
    assert f"{tmp_path}/set/gone.jpgisleftout" in told


def test_an_annotation_file_is_sent_with_what_it_names_and_the_program_is_told_which(tmp_path: Path) -> None:
    touch(tmp_path / "set/images/a.jpg", tmp_path / "set/images/b.jpg")
    coco = tmp_path / "set/c.json"
    coco.write_text(json.dumps({"images": [{"id": 1, "file_name": "images/a.jpg"}], "annotations": []}))

    source = find(None, str(coco), "b")

    assert source.manifest == "c.json"
    assert sent(source) == {"c.json", "images/a.jpg"}


def test_a_file_of_another_kind_is_refused_with_the_kinds(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")

    with pytest.raises(
        Refusal, match=r"a\.jpg is neither a folder nor an annotation file \(\*\.manifest, .*data\.yaml"
    ):
        find(None, str(tmp_path / "a.jpg"), "b")
