"""`make bench`: measures, beside a floor or a peer in the same run, and prints a table for docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench import cold, cross, precision, rebuild, starts
from tests.support import emulator as emulators
from tests.support.emulator import ROOT, Emulator

ROUNDS = 15


def main() -> int:
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}, load {os.getloadavg()[0]:.1f}")
    print(f"{'what':58} {'median':>9} {'worst':>9}")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        _show("floor: python -c pass", floor := [_seconds(_python_pass) for _ in range(ROUNDS)])
        _show("emulator: start to first answer", [_seconds(lambda: _start_and_stop(Path(folder))) for _ in range(3)])
        running = emulators.start(Path(folder) / "home", programs=[ROOT / "tests" / "programs", ROOT / "entrypoints"])
        try:
            _bench_jobs(running, statistics.median(floor))
            _bench_s3(running)
        finally:
            running.stop()
        starts.main(Path(folder))
    precision.main()
    rebuild.main()
    cold.main()
    cross.main()
    return 0


def _bench_jobs(running: Emulator, floor_s: float) -> None:
    starts.fill(running)
    hello, yolo = "drydock/train-cpu:hello", "drydock/train-cpu:yolo"
    starts.first_line(running, "warm-up", hello)
    latencies = [starts.first_line(running, f"hello-{number}", hello) for number in range(ROUNDS)]
    _show("CreateTrainingJob to a one-line program's first line", latencies)
    _show("  the same, less python -c pass (aim: 0.200)", [seconds - floor_s for seconds in latencies])
    _show("CreateTrainingJob to YOLO's first line", [starts.first_line(running, f"yolo-{n}", yolo) for n in range(5)])


def _bench_s3(running: Emulator) -> None:
    s3 = running.client("s3")
    small, large = os.urandom(1_000), os.urandom(64_000_000)
    _show("S3: put 1 kB, on disk when answered", [_seconds(lambda: _put(s3, "small", small)) for _ in range(50)])
    _show("S3: get 1 kB", [_seconds(lambda: _get(s3, "small")) for _ in range(50)])
    _show("S3: put 64 MB", [_seconds(lambda: _put(s3, "large", large)) for _ in range(3)])
    _show("S3: get 64 MB", [_seconds(lambda: _get(s3, "large")) for _ in range(3)])


def _get(s3: Any, key: str) -> None:
    s3.get_object(Bucket=starts.BUCKET, Key=key)["Body"].read()


def _put(s3: Any, key: str, body: bytes) -> None:
    s3.put_object(Bucket=starts.BUCKET, Key=key, Body=body)


def _python_pass() -> None:
    subprocess.run([sys.executable, "-c", "pass"], check=True)


def _start_and_stop(folder: Path) -> None:
    running = emulators.start(folder / f"start-{time.time_ns()}")
    running.kill()


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _show(what: str, seconds: list[float]) -> None:
    print(f"{what:58} {statistics.median(seconds):7.3f} s {max(seconds):7.3f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
