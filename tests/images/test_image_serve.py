"""The train images serve what they trained: /ping, /invocations, a clean end, and a health check that follows."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.images.container import Job, wait_until


@pytest.fixture
def served(train_image: Any, trained: Job) -> Iterator[Any]:
    limits = {
        "network_mode": "bridge",
        "ports": {"8080/tcp": ("127.0.0.1", None)},
        "read_only": True,
        "tmpfs": {"/tmp": "mode=1777"},
        "healthcheck": {"interval": 1_000_000_000},
    }
    container = trained.start(train_image, "serve", 54321, limits)
    yield container
    container.stop(timeout=0)


def test_answers_ping_and_invocations(served: Any, cookies: Path) -> None:
    wait_until(lambda: ping(served) == 200, served)
    picture = next((cookies / "training-images").glob("*.jpg"))
    request = urllib.request.Request(
        f"{address(served)}/invocations", picture.read_bytes(), {"Content-Type": "image/jpeg"}
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        answer = json.loads(reply.read())
    assert {"width", "height", "predictions"} <= set(answer)


def test_is_healthy_once_it_answers_and_ends_on_sigterm(served: Any) -> None:
    wait_until(lambda: health(served) == "healthy", served)
    assert ping(served) == 200
    served.stop(timeout=30)
    assert served.wait()["StatusCode"] == 0, served.logs().decode()


def address(container: Any) -> str:
    container.reload()
    bound = container.attrs["NetworkSettings"]["Ports"].get("8080/tcp") or [{"HostPort": "0"}]
    return f"http://127.0.0.1:{bound[0]['HostPort']}"


def ping(container: Any) -> int:
    """Status of GET /ping; 0 while nothing answers."""
    try:
        with urllib.request.urlopen(f"{address(container)}/ping", timeout=5) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def health(container: Any) -> str:
    container.reload()
    return str(container.attrs["State"].get("Health", {}).get("Status"))
