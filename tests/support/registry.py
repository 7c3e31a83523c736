"""A real image registry for a test: Debian's docker-registry on a free port, opened by the token of moto's ECR."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TOKEN_HASH = "AWS:$2b$05$hsL.29ImPurXp7b9.y.eH.y8bbJ4MgLmXo3TmboJaPDviZ4bKyMMi"
"""htpasswd's line for moto's token, ``AWS:123456789012-auth-token``."""
OTHER_HASH = "AWS:$2b$05$A0rumhDewsPOoxVT4a9oDeA2dtS.n7bmEVNxwn2WKq7HOM1FMcM8K"
"""And for another password."""
CONFIG = """
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}/images}}}}
http: {{addr: "127.0.0.1:0"}}
auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}
"""


@contextmanager
def running(folder: Path, login: str = TOKEN_HASH) -> Iterator[str]:
    """The URL of a registry that keeps its images in the folder; skips where none is installed."""
    if not shutil.which("docker-registry"):
        pytest.skip("docker-registry is not installed (Debian: apt install docker-registry)")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "htpasswd").write_text(f"{login}\n")
    (folder / "config.yml").write_text(CONFIG.format(folder=folder))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{_port(process, folder / 'log')}"
    finally:
        process.kill()
        process.wait()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    while process.poll() is None:
        if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", log.read_text()):
            return int(found[1])
    raise RuntimeError(f"docker-registry ended with {process.returncode}:\n{log.read_text()}")
