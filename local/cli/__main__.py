"""``python -m local.cli``: what the ``drydock`` launcher runs."""

import sys

from local.cli.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
