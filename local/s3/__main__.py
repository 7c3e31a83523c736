"""The object store on its own: ``python -m local.s3 --root DIR --port N`` prints its URL and answers until killed."""

import argparse
import logging
import sys
import threading
from contextlib import suppress
from pathlib import Path

from local.s3.alone import serving


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.s3")
    parser.add_argument("--root", type=Path, required=True, help="folder that holds all objects")
    parser.add_argument("--port", type=int, default=0, help="port of the loopback address; 0 chooses a free one")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    with suppress(KeyboardInterrupt), serving(arguments.root, arguments.port) as url:
        print(url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
