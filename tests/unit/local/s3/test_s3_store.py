"""The object store as code in the same process uses it, its checksums, and what a start cleans up."""

import os
import random
import threading
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.errors import ServiceError
from local.s3.crc import CRC32C, CRC64NVME, Polynomial, crc
from local.s3.store import ObjectStore
from local.s3.versions import Attributes


@pytest.fixture
def store(tmp_path):
    store = ObjectStore(tmp_path / "s3")
    store.create_bucket("bucket")
    yield store
    store.close()


def files(tmp_path):
    return [path for folder in ("incoming", "objects") for path in (tmp_path / "s3" / folder).rglob("*")
            if path.is_file()]  # fmt: skip


def test_what_was_put_is_found_listed_and_deleted(store, tmp_path):
    (tmp_path / "file").write_bytes(b"from a file")
    put = store.put("bucket", "a/1", tmp_path / "file", content_type="text/plain")
    store.put("bucket", "a/2", b"bytes")
    store.put("bucket", "b", b"")
    found = store.head("bucket", "a/1")
    assert found == put
    assert (found.path.read_bytes(), found.size, found.version_id) == (b"from a file", 11, "null")
    assert [(each.key, each.size) for each in store.list("bucket", "a/")] == [("a/1", 11), ("a/2", 5)]
    store.delete("bucket", "a/1")
    store.delete("bucket", "a/1")
    assert store.head("bucket", "a/1") is None
    assert [each.key for each in store.list("bucket")] == ["a/2", "b"]
    assert len(files(tmp_path)) == 2


def test_a_bucket_that_is_not_there(store):
    assert store.has_bucket("bucket")
    assert not store.has_bucket("other-bucket")
    for call in (
        lambda: store.put("other-bucket", "k", b""),
        lambda: store.head("other-bucket", "k"),
        lambda: store.delete("other-bucket", "k"),
        lambda: list(store.list("other-bucket")),
    ):
        with pytest.raises(ServiceError, match="The specified bucket does not exist") as caught:
            call()
        assert caught.value.code == "NoSuchBucket"


def test_a_listing_may_be_changed_while_it_is_read(store):
    with store.database.write() as connection:  # rows without files: so many synced files would take long
        connection.executemany(
            "INSERT INTO versions (bucket, key, version_id, latest, modified, blob, size, etag, attributes)"
            " VALUES ('bucket', ?, 'null', 1, 0, 'none', 0, '', '{}')",
            [(f"{number:05d}".encode(),) for number in range(1100)],
        )
    seen = 0
    for each in store.list("bucket"):
        store.delete("bucket", each.key)
        seen += 1
    assert seen == 1100
    assert list(store.list("bucket")) == []


def test_a_write_that_fails_leaves_nothing(store, tmp_path):
    def chunks():
        yield b"some"
        raise OSError("disk on fire")

    store.put("bucket", "k", b"old")
    with pytest.raises(OSError, match="disk on fire"):
        store.write("bucket", "k", chunks(), Attributes())
    assert store.head("bucket", "k").path.read_bytes() == b"old"
    assert len(files(tmp_path)) == 1


def test_a_start_keeps_what_is_referred_to_and_removes_the_rest(store, tmp_path):
    store.put("bucket", "k", b"kept")
    kept = store.head("bucket", "k").path
    for path in (tmp_path / "s3" / "incoming" / "half", kept.with_name(kept.name[:-1] + "x")):
        path.write_bytes(b"left behind by a kill")
    store.close()
    again = ObjectStore(tmp_path / "s3")
    assert files(tmp_path) == [kept]
    assert again.head("bucket", "k").path.read_bytes() == b"kept"
    again.close()


def test_threads_write_and_read_one_key_without_seeing_halves(store, tmp_path):
    bodies = [os.urandom(50_000) for _ in range(4)]
    wrong, done = [], threading.Event()

    def write(body):
        for _ in range(10):
            store.put("bucket", "k", body)

    def read():
        while not done.is_set():
            found = store.head("bucket", "k")
            try:
                content = found.path.read_bytes() if found else bodies[0]
            except FileNotFoundError:  # overwritten since
                continue
            if content not in bodies:
                wrong.append(content)

    reader = threading.Thread(target=read)
    reader.start()
    writers = [threading.Thread(target=write, args=(body,)) for body in bodies]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert not wrong
    assert len(files(tmp_path)) == 1


def test_known_values_of_the_checksums():
    assert crc(CRC32C, b"123456789") == 0xE3069283
    assert crc(CRC64NVME, b"123456789") == 0xAE8B14860A799888


@given(size=st.integers(0, 20_000), cut=st.integers(0, 20_000), seed=st.integers(0, 9))
def test_the_fast_way_agrees_with_zlib(size, cut, seed):
    data = random.Random(seed).randbytes(size)
    ieee = Polynomial(32, 0xEDB88320)
    assert crc(ieee, data) == zlib.crc32(data)
    assert crc(ieee, data[cut:], crc(ieee, data[:cut])) == zlib.crc32(data)
