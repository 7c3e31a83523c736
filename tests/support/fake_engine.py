"""A small server that answers as a container engine does, from a table."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

VERSION = {"ApiVersion": "1.45", "MinAPIVersion": "1.24", "Version": "26.1.5", "Arch": "amd64", "Os": "linux"}
INFO = {
    "MemTotal": 16 << 30, "Runtimes": {"runc": {}}, "SecurityOptions": ["name=seccomp"],
    "KernelVersion": "6.1.0-18-amd64",
}  # fmt: skip


@contextmanager
def running(socket: Path, replies: Mapping[str, Any]) -> Iterator[None]:
    """Answers at the socket: how a path ends → what it is answered with; 404 to every other."""

    class Engine(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            found = [reply for end, reply in replies.items() if path.endswith(end)]
            body = json.dumps(found[0] if found else {"message": "no such thing"}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "unix"

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingUnixStreamServer(str(socket), Engine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
