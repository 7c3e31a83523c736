"""The object store served on its own, for tests and ``python -m local.s3``."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cheroot.wsgi import Server

from local.s3.app import S3Application
from local.s3.store import ObjectStore


@contextmanager
def serving(root: Path, port: int = 0) -> Iterator[str]:
    """The URL of a server on the loopback address, answering from a thread; port 0 chooses a free one."""
    store = ObjectStore(root)
    server = Server(("127.0.0.1", port), S3Application(store))
    server.prepare()
    thread = threading.Thread(target=server.serve, name="s3", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.bind_addr[1]}"
    finally:
        server.stop()
        thread.join()
        store.close()
