"""A WSGI application on a port of its own, for a test that puts something of its own before a real neighbour."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cheroot import wsgi


@contextmanager
def served(application: Any) -> Iterator[str]:
    """The URL at which the application answers until the block ends."""
    server = wsgi.Server(("127.0.0.1", 0), application, shutdown_timeout=1)
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.bind_addr[1]}"
    finally:
        server.stop()
        thread.join()
