"""Input channels in File mode, from a real object store."""

import json

import pytest

from local.errors import ValidationException
from local.jobs import channels
from local.jobs.job import JobError
from local.s3.store import ObjectStore
from tests.support.emulator import ROLE


@pytest.fixture
def objects(tmp_path):
    store = ObjectStore(tmp_path / "s3")
    store.create_bucket("bucket")
    yield store
    store.close()


def source(uri, kind="S3Prefix"):
    return {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3DataType": kind, "S3Uri": uri}}}


def download(objects, folder, uri, kind="S3Prefix"):
    folder.mkdir()
    (count,) = channels.download(source(uri, kind), ROLE, [folder], objects, lambda: None)
    files = {str(p.relative_to(folder / "train")): p.read_bytes() for p in (folder / "train").rglob("*") if p.is_file()}
    assert count >= len(files)
    return files


@pytest.mark.parametrize(
    ("uri", "names"),
    [
        ("s3://bucket/data/train", {"a.jpg", "sub/b.jpg"}),
        ("s3://bucket/data/train/", {"a.jpg", "sub/b.jpg"}),
        ("s3://bucket/data/train/a.jpg", {"a.jpg"}),
        ("s3://bucket/data/tr", {"train/a.jpg", "train/sub/b.jpg", "truth.csv"}),
        ("s3://bucket/data/train/sub/b", {"b.jpg"}),
        ("s3://bucket", {"data/train/a.jpg", "data/train/sub/b.jpg", "data/truth.csv"}),
    ],
)
def test_the_prefix_is_stripped_from_the_names(objects, tmp_path, uri, names):
    for key in ("data/train/a.jpg", "data/train/sub/b.jpg", "data/truth.csv"):
        objects.put("bucket", key, key.encode())
    files = download(objects, tmp_path / "data", uri)
    assert files.keys() == names
    assert all(content.decode().endswith(name) for name, content in files.items())


def test_a_manifest_of_what_was_fetched_lies_beside_the_channel(objects, tmp_path):
    objects.put("bucket", "data/a", b"1")
    objects.put("bucket", "data/b", b"2")
    download(objects, tmp_path / "data", "s3://bucket/data/")
    listed = (tmp_path / "data" / "train-manifest").read_text().splitlines()
    assert listed == ["data/", "s3://bucket/data/a", "s3://bucket/data/b"]


def test_a_program_can_change_its_copy_without_changing_the_object(objects, tmp_path):
    objects.put("bucket", "data/a", b"stored")
    download(objects, tmp_path / "data", "s3://bucket/data/")
    with (tmp_path / "data/train/a").open("r+b") as file:
        file.write(b"broken")
    stored = objects.head("bucket", "data/a")
    assert stored.path.read_bytes() == b"stored"


def test_a_folder_marker_is_a_folder(objects, tmp_path):
    objects.put("bucket", "data/", b"")
    objects.put("bucket", "data/empty/", b"")
    assert download(objects, tmp_path / "data", "s3://bucket/data/") == {}
    assert (tmp_path / "data/train/empty").is_dir()


@pytest.mark.parametrize("uri", ["s3://bucket/none", "s3://missing/data", "s3://missing"])
def test_an_address_that_matches_nothing_is_refused_in_awss_words(objects, tmp_path, uri):
    wording = f'No S3 objects found under S3 URL "{uri}" given in input data source'
    with pytest.raises(ValidationException, match=wording):
        channels.check(source(uri), ROLE, objects)
    with pytest.raises(JobError, match=f"^ClientError: {wording}"):
        download(objects, tmp_path / "data", uri)


def test_an_address_that_matches_is_accepted(objects):
    objects.put("bucket", "data/a", b"1")
    channels.check(source("s3://bucket/da"), ROLE, objects)


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        (["data/../../escape"], "would leave its folder"),
        (["data/a", "data/a/b"], "need the same path"),
        (["data/a/b/c", "data/a"], "need the same path"),
        (["data/a", "data//a"], "need the same path"),
        (["data/a/"], "ends in a slash but has content"),
        (["data/" + "x" * 300], f"the key of s3://bucket/data/{'x' * 300} is too long"),
        (["data/" + "x" * 300 + "/a"], f"the key of s3://bucket/data/{'x' * 300}/a is too long"),
    ],
)
def test_keys_that_cannot_be_files_fail_the_download(objects, tmp_path, keys, complaint):
    for key in keys:
        objects.put("bucket", key, b"content")
    with pytest.raises(JobError, match=complaint):
        download(objects, tmp_path / "data", "s3://bucket/data/")
    assert not (tmp_path / "escape").exists()


def test_a_download_ends_when_it_is_told_to(objects, tmp_path):
    objects.put("bucket", "data/a", b"1")

    def stop():
        raise KeyboardInterrupt

    (tmp_path / "data").mkdir()
    with pytest.raises(KeyboardInterrupt):
        channels.download(source("s3://bucket/data/"), ROLE, [tmp_path / "data"], objects, stop)
    assert not (tmp_path / "data/train/a").exists()


def manifest(objects, content):
    objects.put("bucket", "m.json", content if isinstance(content, bytes) else json.dumps(content).encode())


def test_a_manifest_file_names_the_objects(objects, tmp_path):
    for key in ("some/a", "some/sub/b", "some/not-this"):
        objects.put("bucket", key, key.encode())
    manifest(objects, [{"prefix": "s3://bucket/some/"}, "a", "sub/b"])
    files = download(objects, tmp_path / "data", "s3://bucket/m.json", "ManifestFile")
    assert files == {"a": b"some/a", "sub/b": b"some/sub/b"}
    assert (tmp_path / "data/train-manifest").read_text().splitlines()[0] == "some/"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"not json", "must read"),
        ([], "must read"),
        (["a"], "must read"),
        ([{"prefix": "bucket/some"}, "a"], "must read"),
        ({"prefix": "s3://bucket/some/"}, "must read"),
        ([{"prefix": ["x"]}, "a"], "an object with a prefix"),
        (b"[" * 100_000, "must read"),
        (b'[{"prefix": "s3://bucket/some/"}, "\\ud800"]', "must read"),
        (b'[{"prefix": "s3://bucket/\\ud800/"}, "a"]', "must read"),
        ([{"prefix": "s3://bucket/some/"}, {"a": 1}], "must be strings"),
        ([{"prefix": "s3://bucket/some/"}, "missing"], "s3://bucket/some/missing, which s3://bucket/m.json names"),
        ([{"prefix": "s3://elsewhere/"}, "a"], "s3://elsewhere/a"),
        ([{"prefix": "s3://bucket/some/"}], "No S3 objects found"),
    ],
)
def test_a_manifest_that_is_wrong_fails_by_name(objects, tmp_path, content, complaint):
    manifest(objects, content)
    with pytest.raises(JobError, match=complaint) as refused:
        download(objects, tmp_path / "data", "s3://bucket/m.json", "ManifestFile")
    assert str(refused.value).startswith("ClientError: ")
    assert "s3://bucket/m.json" in str(refused.value)
    assert str(refused.value).encode()  # it goes into a database and over HTTP
