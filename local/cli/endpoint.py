"""Finds the emulator of a home and makes boto3 clients for it, as any other client would."""

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from local.cli.refusal import FAILED, Refusal
from local.environments import CHECKOUT
from local.home import Home
from local.jobs.backend import BackendName

ACCESS_KEY = "drydock"  # any key will do; this one opens no account
DEFAULT_REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/drydock"


@dataclass(frozen=True)
class Endpoint:
    """An emulator that answers."""

    flag: ClassVar[str] = ""
    poll_s: ClassVar[float] = 0.4
    drain_s: ClassVar[float] = 0.1
    role: ClassVar[str] = ROLE

    url: str
    pid: int
    home: Home
    programs: tuple[Path, ...]
    """Its program folders."""
    backend: BackendName
    """What runs its jobs."""

    @property
    def bucket(self) -> str:
        return f"drydock-data-{region()}"

    def client(self, service: str, in_region: str = "") -> Any:
        """A boto3 client of one service, bound to this emulator whatever the environment says."""
        import boto3
        from botocore.config import Config

        make: Any = boto3.client
        return make(
            service,
            endpoint_url=self.url,
            region_name=in_region or region(),
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=ACCESS_KEY,
            config=Config(proxies={}, retries={"max_attempts": 2}, max_pool_connections=16),
        )

    def ensure_bucket(self) -> None:
        """Makes the bucket if it is not there."""
        from botocore.exceptions import ClientError

        s3 = self.client("s3")
        try:
            s3.head_bucket(Bucket=self.bucket)
        except ClientError:
            here = {} if region() == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region()}}
            s3.create_bucket(Bucket=self.bucket, **here)


def region() -> str:
    """The caller's region, else us-east-1."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION


def find(home: Home) -> Endpoint | None:
    """The emulator of this home, if one answers."""
    try:
        record = json.loads(home.server_file.read_text())
        health = _get_json(f"{record['url']}/_drydock/health")
    except (OSError, ValueError, KeyError, urllib.error.URLError):
        return None
    if health.get("pid") != record["pid"]:
        return None  # another server has this port now
    more = [Path(folder) for folder in record.get("programs", [])]
    programs = tuple(dict.fromkeys([CHECKOUT / "entrypoints", *more]))
    return Endpoint(record["url"], record["pid"], home, programs, BackendName(record.get("backend", "process")))


def require(home: Home | None = None) -> Endpoint:
    """The emulator of this home; raises Refusal if none answers."""
    home = home or Home.default()
    endpoint = find(home)
    if endpoint is None:
        refuse_silent(home)
        raise Refusal(f"no emulator is up for {home.root}", "drydock up", exit_code=FAILED)
    return endpoint


def silent(home: Home) -> int | None:
    """Id of the process of this home's emulator, for one that does not answer; None if it does not live."""
    try:
        pid = int(json.loads(home.server_file.read_text())["pid"])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return pid if {b"local.server", os.fsencode(home.root)} <= set(command) else None


def refuse_silent(home: Home) -> None:
    """Raises Refusal if an emulator of this home lives that does not answer."""
    pid = silent(home)
    if pid:
        raise Refusal(
            f"the emulator of {home.root} does not answer, but its process {pid} lives",
            "drydock down ends it; then drydock up",
            exit_code=FAILED,
        )


def _get_json(url: str) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as reply:
        return json.load(reply)
