"""Counts to ``steps`` (default 3), one checkpoint a step, from where the newest checkpoint left off.

With ``then=wait`` it says ``waiting`` and does not end by itself. Checkpoints are made whole in a hidden folder and
renamed into place, and the two newest are kept.
"""

import os
import shutil
import time

from environment import BASE, hyperparameters

settings = hyperparameters()
folder = BASE / "checkpoints"
done = max((int(path.name) for path in folder.iterdir() if path.name.isdigit()), default=0)
print(f"starting after step {done}", flush=True)
for step in range(done + 1, int(settings.get("steps", "3")) + 1):
    new = folder / ".unfinished"
    new.mkdir()
    (new / "weights.bin").write_bytes(os.urandom(1000))
    (new / "manifest.json").write_text(f'{{"step": {step}}}')
    new.rename(folder / f"{step:012d}")
    for old in sorted(folder.iterdir())[:-2]:
        shutil.rmtree(old)
    print(f"step {step}", flush=True)
    time.sleep(0.01)
if settings.get("then") == "wait":
    print("waiting", flush=True)
    while True:
        time.sleep(0.1)
