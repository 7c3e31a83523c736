"""moto's services on an inherited socket, run as a child process by ``local/neighbours.py``.

Run as ``python -P moto_server.py FD``: serves on the listening socket FD until standard input ends,
which happens when the parent closes it or dies, however it dies.
"""

import logging
import os
import socket
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask
    from moto.backends import SERVICE_NAMES


def main(fd: int) -> None:
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler
    from werkzeug.serving import make_server

    with socket.socket(fileno=os.dup(fd)) as listening:
        host, port = listening.getsockname()
    application = DomainDispatcherApplication(_backend)
    make_server(host, port, application, threaded=True, request_handler=MotoRequestHandler, fd=fd).serve_forever()


def _backend(service: "SERVICE_NAMES") -> "Flask":
    from moto.moto_server.werkzeug_app import create_backend_app

    application = create_backend_app(service)
    application.debug = False
    return application


def _exit_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
