"""Says ``ready`` and waits; on SIGTERM it leaves a file in the model folder and exits with 143."""

import signal
import sys
import time

from environment import BASE


def leave(*_: object) -> None:
    (BASE / "model" / "last.txt").write_text("saved on SIGTERM")
    print("leaving", flush=True)
    sys.exit(143)


signal.signal(signal.SIGTERM, leave)
print("ready", flush=True)
while True:
    time.sleep(0.1)
