"""One application at one port, and at more addresses while somebody needs them."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from local.listening import Listening


@pytest.fixture
def make() -> Iterator[Any]:
    made: list[Listening] = []

    def make(host: str) -> Listening:
        made.append(Listening(host, 0))
        made[-1].serve(application)
        return made[-1]

    yield make
    for listening in made:
        listening.close()


def application(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def ask(url: str) -> bytes:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as reply:
        return bytes(reply.read())


def port(url: str) -> str:
    return url.rpartition(":")[2]


def test_another_address_answers_with_the_same_port_until_the_block_ends(make: Any) -> None:
    listening = make("127.0.0.1")
    with listening.also_at("127.0.0.2") as url:
        assert url == f"http://127.0.0.2:{port(listening.url)}"
        assert ask(url) == ask(listening.url) == b"ok"
    with pytest.raises(urllib.error.URLError):
        ask(url)
    assert ask(listening.url) == b"ok"


def test_where_the_port_is_taken_another_is_used(make: Any) -> None:
    listening = make("127.0.0.1")
    with socket.create_server(("127.0.0.2", int(port(listening.url)))), listening.also_at("127.0.0.2") as url:
        assert port(url) != port(listening.url)
        assert ask(url) == b"ok"


def test_one_that_answers_everywhere_needs_no_other(make: Any) -> None:
    listening = make("0.0.0.0")
    assert listening.url.startswith("http://127.0.0.1:")
    with listening.also_at("127.0.0.2") as url:
        assert ask(url) == ask(listening.url) == b"ok"


def test_an_address_of_another_machine_is_an_error(make: Any) -> None:
    with pytest.raises(OSError, match="assign"), make("127.0.0.1").also_at("192.0.2.250"):
        pass
