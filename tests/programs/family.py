"""Starts a child and a grandchild in a session of its own, says their ids, and ends or (``then=wait``) waits."""

import subprocess
import sys
import time

from environment import hyperparameters

SLEEP = "import time; time.sleep(600)"
PARENT = (
    "import subprocess, sys, time;"
    f"child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True);"
    "print('grandchild', child.pid, flush=True); time.sleep(600)"
)
child = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
assert child.stdout is not None
print(child.stdout.readline(), end="", flush=True)
print("child", child.pid, flush=True)
if hyperparameters().get("then") == "wait":
    time.sleep(600)
