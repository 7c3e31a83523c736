"""Checkpoints restored from S3 and synced back to it, with a real object store."""

import errno
import os
import shutil
import subprocess
import threading
import time
from contextlib import suppress

import pytest

from local.errors import ServiceError
from local.jobs import checkpoints
from local.jobs.checkpoints import CheckpointSync
from local.s3.store import ObjectStore


@pytest.fixture
def objects(tmp_path):
    store = ObjectStore(tmp_path / "s3")
    store.create_bucket("bucket")
    yield store
    store.close()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def sync(objects, folder, uri="s3://bucket/ckpt", complain=lambda line: None):
    return CheckpointSync(folder, uri, objects, complain)


def stored(objects):
    """Content by key, or None when a file was replaced meanwhile."""
    try:
        return {found.key: found.path.read_bytes() for found in objects.list("bucket")}
    except FileNotFoundError:
        return None


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


@pytest.mark.parametrize("uri", ["s3://bucket/ckpt", "s3://bucket/ckpt/"])
def test_what_s3_holds_is_restored(objects, folder, tmp_path, uri):
    objects.put("bucket", "ckpt/000/weights", b"w")
    objects.put("bucket", "ckpt-of-another/x", b"x")
    assert sync(objects, folder, uri).restore(tmp_path / "checkpoints-manifest", lambda: None) == 1
    assert (folder / "000/weights").read_bytes() == b"w"
    assert [path.name for path in folder.iterdir()] == ["000"]
    assert (tmp_path / "checkpoints-manifest").read_text() == "ckpt/\ns3://bucket/ckpt/000/weights\n"


def test_files_are_uploaded_while_the_job_runs(objects, folder, monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.02)
    running = sync(objects, folder)
    running.start()
    (folder / "000").mkdir()
    (folder / "000" / "weights").write_bytes(b"one")
    until(lambda: stored(objects) == {"ckpt/000/weights": b"one"})
    (folder / "000" / "weights").write_bytes(b"longer")
    until(lambda: stored(objects) == {"ckpt/000/weights": b"longer"})
    (folder / "001").write_bytes(b"new")
    shutil.rmtree(folder / "000")
    until(lambda: stored(objects) == {"ckpt/001": b"new"})
    running.finish()


def test_the_end_brings_everything_up_to_date(objects, folder):
    running = sync(objects, folder, "s3://bucket")
    running.start()
    (folder / "late").write_bytes(b"just written")
    running.finish()
    assert stored(objects) == {"late": b"just written"}


def test_hidden_and_temporary_files_stay(objects, folder):
    (folder / ".hidden").mkdir()
    for name in (".hidden/a", ".b", "c.tmp", "d.sagemaker-uploaded", "e.pt"):
        (folder / name).write_bytes(b"x")
    sync(objects, folder).finish()
    assert stored(objects).keys() == {"ckpt/e.pt"}


def test_only_what_was_restored_or_uploaded_is_ever_deleted(objects, folder, tmp_path):
    objects.put("bucket", "ckpt/restored", b"r")
    running = sync(objects, folder)
    running.restore(tmp_path / "manifest", lambda: None)
    objects.put("bucket", "ckpt/of-somebody-else", b"s")
    (folder / "restored").unlink()
    running.finish()
    assert stored(objects).keys() == {"ckpt/of-somebody-else"}


def test_a_restored_file_that_did_not_change_is_not_uploaded_again(objects, folder, tmp_path):
    before = objects.put("bucket", "ckpt/a", b"a")
    running = sync(objects, folder)
    running.restore(tmp_path / "manifest", lambda: None)
    running.finish()
    assert objects.head("bucket", "ckpt/a").path == before.path


def test_a_bucket_that_is_gone_is_complained_of_once_and_fails_the_end(objects, folder, monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.01)
    complaints = []
    running = sync(objects, folder, "s3://gone/ckpt", complaints.append)
    running.start()
    (folder / "a").write_bytes(b"a")
    until(lambda: complaints)
    with pytest.raises(ServiceError, match="bucket does not exist"):
        running.finish()
    assert len(complaints) == 1
    assert "s3://gone/ckpt/" in complaints[0]


def test_a_complaint_that_finds_no_room_does_not_end_the_sync(objects, folder, monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.01)
    complaints = []

    def complain(line):
        complaints.append(line)
        if len(complaints) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    running = sync(objects, folder, "s3://later/ckpt", complain)
    running.start()
    (folder / "a").write_bytes(b"a")
    until(lambda: len(complaints) == 2)
    objects.create_bucket("later")
    until(lambda: [found.key for found in objects.list("later")] == ["ckpt/a"])
    running.finish()
    assert len(complaints) == 2


def test_an_index_without_room_is_complained_of_until_there_is_some(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.01)
    place = tmp_path / "s3"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        store, complaints = ObjectStore(place), []
        store.create_bucket("bucket")
        running = sync(store, folder, complain=complaints.append)
        with (place / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while filler.write(bytes(4096)):
                pass
        running.start()
        (folder / "empty").write_bytes(b"")  # its bytes need no room, the row in SQLite does
        until(lambda: complaints)
        assert "No space left on device" in complaints[0]
        (place / "filler").unlink()
        until(lambda: [found.key for found in store.list("bucket")] == ["ckpt/empty"])
        running.finish()
        assert len(complaints) == 1
        store.close()
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_folders_that_vanish_during_a_look_do_not_end_the_sync(objects, folder, monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.0001)
    over = threading.Event()

    def churn():
        while not over.is_set():
            for number in range(20):
                (folder / f"old-{number}").mkdir()
            for number in range(20):
                (folder / f"old-{number}").rmdir()

    churning = threading.Thread(target=churn)
    running = sync(objects, folder)
    churning.start()
    running.start()
    try:
        for number in range(30):
            (folder / "newest").write_bytes(bytes(number + 1))
            until(lambda size=number + 1: stored(objects) == {"ckpt/newest": bytes(size)})
    finally:
        over.set()
        churning.join()
    running.finish()
