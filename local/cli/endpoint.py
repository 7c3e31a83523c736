"""Finds the emulator of a home and makes boto3 clients for it, as any other client would."""

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.cli.refusal import FAILED, Refusal
from local.environments import CHECKOUT
from local.home import Home

ACCESS_KEY = "drydock"  # any key will do; this one opens no account
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class Endpoint:
    """An emulator that answers."""

    url: str
    pid: int
    home: Home
    programs: tuple[Path, ...]
    """Its program folders."""

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
    return Endpoint(record["url"], record["pid"], home, tuple(dict.fromkeys([CHECKOUT / "entrypoints", *more])))


def require(home: Home | None = None) -> Endpoint:
    """The emulator of this home; raises Refusal if none answers."""
    home = home or Home.default()
    endpoint = find(home)
    if endpoint is None:
        raise Refusal(f"no emulator is up for {home.root}", "drydock up", exit_code=FAILED)
    return endpoint


def _get_json(url: str) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as reply:
        return json.load(reply)
