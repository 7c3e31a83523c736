"""Where the emulator answers: one address from its start to its end, and others while jobs need them."""

import ipaddress
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cheroot import wsgi

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOOPBACK = "127.0.0.1"

_THREADS = 32
_MORE_THREADS = 8
_SHUTDOWN_S = 2


class Listening:
    """One application at one port, of an address or of all."""

    def __init__(self, host: str, port: int) -> None:
        """Take the port, any free one for 0, and let clients wait there; OSError if it cannot be had."""
        self._everywhere = _is_every_address(host)
        self._server = _bound(host, port, _THREADS)
        self._port: int = self._server.bind_addr[1]
        self._application: WSGIApplication | None = None
        self.url = _url(LOOPBACK if self._everywhere else host, self._port)
        """How this machine reaches it."""

    def serve(self, application: "WSGIApplication") -> None:
        """Begin to answer; returns at once."""
        self._application = application
        _serve(self._server, application)

    @contextmanager
    def also_at(self, host: str) -> Iterator[str]:
        """Answer at an address of this machine too until the block ends, with the same port if it is free there.

        Yields the URL; OSError if this machine has no such address.
        """
        if self._everywhere:
            yield _url(host, self._port)
            return
        server = self._another(host)
        try:
            assert self._application is not None
            _serve(server, self._application)
            yield _url(host, server.bind_addr[1])
        finally:
            server.stop()

    def close(self) -> None:
        self._server.stop()

    def _another(self, host: str) -> wsgi.Server:
        try:
            return _bound(host, self._port, _MORE_THREADS)
        except OSError:
            return _bound(host, 0, _MORE_THREADS)


def _bound(host: str, port: int, threads: int) -> wsgi.Server:
    server = wsgi.Server(
        (host, port),
        None,
        numthreads=threads,
        request_queue_size=128,
        timeout=60,
        shutdown_timeout=_SHUTDOWN_S,
        server_name="drydock",
    )
    server.prepare()
    return server


def _serve(server: wsgi.Server, application: "WSGIApplication") -> None:
    server.wsgi_app = application
    threading.Thread(target=server.serve, name="http", daemon=True).start()


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_every_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
