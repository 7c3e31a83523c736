"""kill -9 of the object store while clients write: what was acknowledged is there, what was not is whole or absent."""

import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

CHECKOUT = Path(__file__).parents[2]
PART = 5 << 20
WORKERS = 4
GONE = (BotoCoreError, OSError)  # what a client sees of a server that was killed


@contextmanager
def running(root):
    """A server process and a client of it that does not retry; killed at the end if it still runs."""
    command = [sys.executable, "-m", "local.s3", "--root", str(root)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, _client(process.stdout.readline().strip())
        finally:
            process.kill()


def _client(url):
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=2 * WORKERS),
    )


@dataclass
class Worker:
    """A client with keys of its own, and what the server has acknowledged to it.

    ``pending`` is what a request in flight would change: the server may have done it or not.
    """

    name: str
    random: random.Random
    objects: dict[str, bytes | None] = field(default_factory=dict)
    versions: dict[str, dict[str, bytes | None]] = field(default_factory=dict)
    upload: dict[str, str] | None = None
    parts: dict[int, bytes] = field(default_factory=dict)
    pending: tuple = ()
    acknowledged: int = 0

    def work(self, s3):
        actions = [self.put, self.put, self.delete, self.put_version, self.delete_version, self.multipart]
        while True:
            try:
                self.random.choice(actions)(s3)
            except GONE:
                return
            self.pending = ()
            self.acknowledged += 1

    def put(self, s3):
        key, body = self.key(), self.random.randbytes(self.random.randrange(200_000))
        self.pending = ("object", key, body)
        s3.put_object(Bucket="plain", Key=key, Body=body)
        self.objects[key] = body

    def delete(self, s3):
        key = self.key()
        self.pending = ("object", key, None)
        s3.delete_object(Bucket="plain", Key=key)
        self.objects[key] = None

    def put_version(self, s3):
        key, body = self.key(), self.random.randbytes(self.random.randrange(5_000))
        self.pending = ("version", key, body)
        version = s3.put_object(Bucket="versioned", Key=key, Body=body)["VersionId"]
        self.versions.setdefault(key, {})[version] = body

    def delete_version(self, s3):
        key = self.key()
        self.pending = ("version", key, None)
        marker = s3.delete_object(Bucket="versioned", Key=key)["VersionId"]
        self.versions.setdefault(key, {})[marker] = None

    def multipart(self, s3):
        """The next step of an upload: begin it, send its parts, complete it."""
        if self.upload is None:
            key = self.key()
            upload = s3.create_multipart_upload(Bucket="plain", Key=key)["UploadId"]
            self.upload = {"Bucket": "plain", "Key": key, "UploadId": upload}
        elif len(self.parts) < 2:
            number = len(self.parts) + 1
            body = self.random.randbytes(PART if number == 1 else 1000)
            self.pending = ("part", number, body)
            s3.upload_part(**self.upload, PartNumber=number, Body=body)
            self.parts[number] = body
        else:
            key, body = self.upload["Key"], b"".join(self.parts.values())
            self.pending = ("object", key, body)
            sent = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in _parts(s3, self.upload)]
            s3.complete_multipart_upload(**self.upload, MultipartUpload={"Parts": sent})
            self.objects[key], self.upload, self.parts = body, None, {}

    def key(self):
        return f"{self.name}/{self.random.randrange(6)}"

    def check(self, s3):
        """Compare with the server, then believe what it has: a pending request is decided now."""
        kind, name, wanted = self.pending or ("", "", None)
        for key in {*self.objects, *([name] if kind == "object" else [])}:
            found, allowed = _read(s3, "plain", key), [self.objects.get(key)]
            assert found in [*allowed, *([wanted] if (kind, name) == ("object", key) else [])]
            self.objects[key] = found
        for key in {*self.versions, *([name] if kind == "version" else [])}:
            found, newest = _history(s3, key)
            known = self.versions.get(key, {})
            assert found.items() >= known.items()
            extra = {version: body for version, body in found.items() if version not in known}
            assert list(extra.values()) in ([[], [wanted]] if (kind, name) == ("version", key) else [[]])
            self.versions[key] = known | extra
            assert newest == (list(self.versions[key])[-1] if found else None)
        self.check_upload(s3, {name: wanted} if kind == "part" else {})
        self.pending = ()

    def check_upload(self, s3, pending):
        if self.upload is None:
            return
        try:
            found = {part["PartNumber"]: part["Size"] for part in _parts(s3, self.upload)}
        except s3.exceptions.NoSuchUpload:  # it was completed: its object has been checked
            assert self.objects[self.upload["Key"]] == b"".join(self.parts.values())
            self.upload, self.parts = None, {}
            return
        self.parts |= {number: body for number, body in pending.items() if number in found}
        assert found == {number: len(body) for number, body in self.parts.items()}


def _read(s3, bucket, key, **version):
    try:
        return s3.get_object(Bucket=bucket, Key=key, **version)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None


def _history(s3, key):
    """The body of each version of a key by its id, None for a delete marker; and the id of the newest."""
    reply = s3.list_object_versions(Bucket="versioned", Prefix=key)
    assert not reply["IsTruncated"]
    bodies = {each["VersionId"]: _read(s3, "versioned", key, VersionId=each["VersionId"])
              for each in reply.get("Versions", [])}  # fmt: skip
    markers = reply.get("DeleteMarkers", [])
    newest = [each["VersionId"] for each in [*reply.get("Versions", []), *markers] if each["IsLatest"]]
    assert len(newest) == (1 if bodies or markers else 0)
    return bodies | {each["VersionId"]: None for each in markers}, newest[0] if newest else None


def _parts(s3, upload):
    return s3.list_parts(**upload).get("Parts", [])


def _check_files(root, s3):
    """One file for each version and part that S3 tells of, and no other."""
    known = 0
    for bucket in ("plain", "versioned"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            known += len(page.get("Versions", []))
        for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
            known += len(_parts(s3, {"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}))
    assert list((root / "incoming").iterdir()) == []
    assert len([path for path in (root / "objects").rglob("*") if path.is_file()]) == known


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_every_acknowledged_write_survives(tmp_path, kills):
    moments = random.Random(kills)
    workers = [Worker(f"w{number}", random.Random(f"{kills}/{number}")) for number in range(WORKERS)]
    with running(tmp_path) as (_, s3):
        s3.create_bucket(Bucket="plain")
        s3.create_bucket(Bucket="versioned")
        s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    for _ in range(kills):
        with running(tmp_path) as (process, s3):
            threads = [threading.Thread(target=worker.work, args=(s3,)) for worker in workers]
            for thread in threads:
                thread.start()
            time.sleep(moments.uniform(0.05, 1))
            process.send_signal(signal.SIGKILL)
            for thread in threads:
                thread.join()
        with running(tmp_path) as (_, s3):
            for worker in workers:
                worker.check(s3)
            _check_files(tmp_path, s3)
    assert all(worker.acknowledged for worker in workers)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
def test_large_objects_are_never_whole_in_memory(tmp_path):
    size = 96 << 20
    with running(tmp_path) as (process, s3):
        s3.create_bucket(Bucket="plain")
        s3.put_object(Bucket="plain", Key="k", Body=b"")
        before = _peak_bytes(process.pid)
        s3.put_object(Bucket="plain", Key="k", Body=bytes(size))
        body = s3.get_object(Bucket="plain", Key="k")["Body"]
        assert sum(len(piece) for piece in body.iter_chunks(1 << 20)) == size
        assert _peak_bytes(process.pid) - before < size / 4


def _peak_bytes(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])
