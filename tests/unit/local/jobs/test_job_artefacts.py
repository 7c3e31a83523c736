"""model.tar.gz and output.tar.gz."""

import os
import tarfile

import pytest

from local.jobs import artefacts
from local.jobs.backend import Host
from local.s3.store import ObjectStore


@pytest.fixture
def objects(tmp_path):
    store = ObjectStore(tmp_path / "s3")
    store.create_bucket("bucket")
    yield store
    store.close()


@pytest.fixture
def base(tmp_path):
    for folder in ("model", "output/data"):
        (tmp_path / "ml" / folder).mkdir(parents=True)
    return tmp_path / "ml"


def test_both_folders_are_stored_with_their_content_at_the_top(objects, base, tmp_path):
    (base / "model" / "code").mkdir()
    (base / "model" / "code" / "run.py").write_text("pass")
    (base / "model" / "weights").write_bytes(b"w" * 100_000)
    (base / "output" / "data" / "metrics.json").write_text("{}")
    (base / "output" / "failure").write_text("not part of it")
    said = []
    artefacts.upload([Host("algo-1", base)], tmp_path / "staging", "s3://bucket/out/job/output", objects, said.append)
    assert said == [
        "stored s3://bucket/out/job/output/model.tar.gz",
        "stored s3://bucket/out/job/output/output.tar.gz",
    ]
    with tarfile.open(objects.head("bucket", "out/job/output/model.tar.gz").path) as model:
        assert model.getnames() == ["code", "code/run.py", "weights"]
        model.extractall(tmp_path / "back", filter="data")
    assert (tmp_path / "back/weights").read_bytes() == b"w" * 100_000
    with tarfile.open(objects.head("bucket", "out/job/output/output.tar.gz").path) as output:
        assert output.getnames() == ["metrics.json"]
    assert [*(tmp_path / "staging").iterdir()] == []


def test_an_empty_folder_makes_no_archive(objects, base, tmp_path):
    artefacts.upload([Host("algo-1", base)], tmp_path / "staging", "s3://bucket/out", objects, pytest.fail)
    assert [*objects.list("bucket")] == []


def test_the_same_files_give_the_same_bytes_whoever_made_them_in_whatever_order(tmp_path):
    packed = []
    for order, fraction_s in (("abc", 0.25), ("cab", 0.75)):
        folder, archive = tmp_path / order, tmp_path / f"{order}.tar.gz"
        folder.mkdir()
        for name in order:
            (folder / name).write_text(name)
            os.utime(folder / name, (0, 1_000_000 + fraction_s))
            if os.geteuid() == 0:
                os.chown(folder / name, len(packed), len(packed))
        artefacts.pack([folder], archive)
        packed.append(archive.read_bytes())
    assert packed[0] == packed[1]
    assert packed[0][4:8] == bytes(4), "the header of a gzip file holds the time when it was packed"


def test_links_stay_links_and_pipes_stay_out(base, tmp_path):
    (base / "model" / "weights").write_text("w")
    (base / "model" / "latest").symlink_to("weights")
    os.mkfifo(base / "model" / "pipe")
    artefacts.pack([base / "model"], tmp_path / "model.tar.gz")
    with tarfile.open(tmp_path / "model.tar.gz") as model:
        assert model.getnames() == ["latest", "weights"]
        assert model.getmember("latest").linkname == "weights"


def test_the_hosts_of_a_job_make_one_archive_in_which_the_first_host_wins(objects, tmp_path):
    content = {
        "algo-1": {"weights": "1", "logs/a": "1", "place": "a file"},
        "algo-2": {"weights": "2", "logs/b": "2", "place/of/files": "2", "own": "2"},
    }
    hosts = [Host(name, tmp_path / name) for name in content]
    for host in hosts:
        for path, text in content[host.name].items():
            (host.base / "model" / path).parent.mkdir(parents=True, exist_ok=True)
            (host.base / "model" / path).write_text(text)
    said = []
    artefacts.upload(hosts, tmp_path / "staging", "s3://bucket/out", objects, said.append)
    with tarfile.open(objects.head("bucket", "out/model.tar.gz").path) as model:
        assert model.getnames() == ["logs", "logs/a", "logs/b", "own", "place", "weights"]
        assert model.extractfile("weights").read() == b"1"
    left_out = [line.split()[1] for line in said if "of algo-2 is left out" in line]
    assert left_out == ["place", "place/of", "place/of/files", "weights"]
