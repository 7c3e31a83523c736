"""DD7xx: ``docker run IMAGE train``, with nothing to train on and, if the user gives it, with data."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.doctor.case import Case
from local.doctor.finding import TRAIN, Finding, Rule, Severity
from local.doctor.running.bench import Bench
from local.doctor.running.patient import AS_IS, AS_USER, READ_ONLY, NotStartedError, Patient, Way, started
from local.jobs import workdir

NOT_STARTED = Rule(
    "DD701",
    Severity.error,
    "`train` does not start",
    "A training job fails at once.",
    "docker run --rm IMAGE train must start the program",
    TRAIN,
)
NO_FAILURE_FILE = Rule(
    "DD702",
    Severity.warning,
    "failed without output/failure",
    "FailureReason then says the exit code only, and nobody can tell why from DescribeTrainingJob.",
    "write the error's text to /opt/ml/output/failure before the program exits with another code than 0",
    TRAIN,
)
DISAGREE = Rule(
    "DD703",
    Severity.error,
    "output/failure and exit code 0",
    "SageMaker goes by the exit code: a failed job is Completed.",
    "exit with another code than 0 when the failure file is written",
    TRAIN,
)
USER = Rule(
    "DD704",
    Severity.warning,
    "trains as one user only",
    "Engines that run containers as their caller, the emulator's for instance, cannot use it.",
    "write below /opt/ml and /tmp only, set HOME=/tmp, and let all users read and execute the program",
    TRAIN,
)
ROOT_FILES = Rule(
    "DD705",
    Severity.note,
    "writes outside /opt/ml and /tmp",
    "It cannot run on a read-only root file system, which hardened engines and devices use.",
    "send caches to /tmp (HOME, TORCH_HOME, MPLCONFIGDIR …), and make bytecode while building",
    TRAIN,
)
IGNORES_SIGTERM = Rule(
    "DD706",
    Severity.error,
    "SIGTERM does not end `train`",
    "StopTrainingJob, a spot interruption and the time limit end in SIGKILL: nothing of the run is saved.",
    "handle SIGTERM in the program, which must be process 1 (exec): save a checkpoint, then exit",
    TRAIN,
)
SIGTERM_UNTRIED = Rule(
    "DD707",
    Severity.note,
    "SIGTERM and read-only channels were not tried",
    "Without data the program ended by itself; only one that trains can be stopped.",
    "drydock doctor IMAGE --data train=FOLDER --hp epochs=100",
    TRAIN,
)
WRITES_CHANNEL = Rule(
    "DD708",
    Severity.error,
    "writes into its channel",
    "In FastFile mode channels are read-only.",
    "write caches and results below /tmp or /opt/ml/output",
    TRAIN,
)
DATA_FAILED = Rule(
    "DD709",
    Severity.warning,
    "failed on the data that was given",
    "SIGTERM could not be tried either.",
    "see what it says; correct --data and --hp, or the program",
    TRAIN,
)
RULES = (
    NOT_STARTED, NO_FAILURE_FILE, DISAGREE, USER, ROOT_FILES, IGNORES_SIGTERM, SIGTERM_UNTRIED, WRITES_CHANNEL,
    DATA_FAILED,
)  # fmt: skip

_WHERE = "docker run IMAGE train"
_ALIKE_S = 10.0
"""How long a run is watched whose like did not end by itself."""
_SETTLE_S = 3.0
_READ_ONLY = "Read-only file system"


@dataclass(frozen=True)
class Ending:
    """How a run without data ended; code None if it did not."""

    code: int | None
    failure: str
    said: str

    def is_like(self, other: "Ending") -> bool:
        return (self.code, bool(self.failure)) == (other.code, bool(other.failure))


def check(case: Case, bench: Bench) -> Iterator[Finding]:
    try:
        yield from _without_data(case, bench)
        if bench.data:
            yield from _with_data(case, bench)
    except NotStartedError as error:
        yield NOT_STARTED.found(str(error), _WHERE)


def _without_data(case: Case, bench: Bench) -> Iterator[Finding]:
    with _running(case, bench, AS_IS) as (patient, base):
        first = _ending(patient, base, bench.timeout_s)
        if first.code is None:
            yield from _stop(patient, bench)
        elif first.code and not first.failure:
            yield NO_FAILURE_FILE.found(f"it exited with {first.code} and wrote no failure file: {first.said}", _WHERE)
        elif first.code == 0 and first.failure:
            yield DISAGREE.found(f"it exited with 0 and wrote {first.failure!r} to output/failure", _WHERE)
        if first.code is not None and not bench.data:
            yield SIGTERM_UNTRIED.found(f"it exited with {first.code} before it could be stopped", _WHERE)
    for way, rule in ((AS_USER, USER), (READ_ONLY, ROOT_FILES)):
        try:
            with _running(case, bench, way) as (patient, base):
                other = _ending(
                    patient, base, min(_ALIKE_S, bench.timeout_s) if first.code is None else bench.timeout_s
                )
        except NotStartedError as error:
            yield rule.found(f"{way.name} it does not start: {error}", f"{_WHERE}, {way.name}")
            continue
        if not other.is_like(first):
            yield rule.found(f"{way.name} {_told(other)}, else {_told(first)}", f"{_WHERE}, {way.name}")


def _with_data(case: Case, bench: Bench) -> Iterator[Finding]:
    """A job whose channels are read-only, stopped once it trains."""
    with _running(case, bench, AS_IS, with_data=True) as (patient, base):
        code = patient.wait(bench.timeout_s, lambda: patient.hears_sigterm is True)
        if code is None:
            code = patient.wait(_SETTLE_S)
        if code is None:
            yield from _stop(patient, bench)
        elif code:
            ending = _ending(patient, base, 0)
            rule = WRITES_CHANNEL if _READ_ONLY in ending.failure + ending.said else DATA_FAILED
            yield rule.found(_told(ending), f"{_WHERE}, with data")
        else:
            yield SIGTERM_UNTRIED.found(
                "it had finished before it could be stopped", _WHERE, "give more data, or --hp for more epochs"
            )


def _stop(patient: Patient, bench: Bench) -> Iterator[Finding]:
    if patient.hears_sigterm is False:
        yield IGNORES_SIGTERM.found("its first process has no handler for SIGTERM, so the kernel drops it", _WHERE)
    elif patient.stop(bench.grace_s) is None:
        yield IGNORES_SIGTERM.found(f"it still ran {bench.grace} after SIGTERM", _WHERE)


def _ending(patient: Patient, base: Path, seconds: float) -> Ending:
    code = patient.wait(seconds)
    failure = base / "output" / "failure"
    text = failure.read_text(encoding="utf-8", errors="replace") if failure.is_file() else ""
    return Ending(code, text, patient.last_words())


def _told(ending: Ending) -> str:
    if ending.code is None:
        return "it kept running"
    words = ending.failure.strip().splitlines()[0] if ending.failure.strip() else ending.said
    return f"it exited with {ending.code} ({words})"


@contextmanager
def _running(case: Case, bench: Bench, way: Way, with_data: bool = False) -> Iterator[tuple[Patient, Path]]:
    """A started job and its /opt/ml."""
    data = bench.data if with_data else {}
    with tempfile.TemporaryDirectory(prefix="drydock-doctor-", ignore_cleanup_errors=True) as folder:
        base = Path(folder) / "ml"
        workdir.build(base, _request(bench, list(data)))
        _give(base, way)
        mounts = {f"/opt/ml/{name}": (base / name, False) for name in ("input", "model", "output", "checkpoints")}
        mounts |= {f"/opt/ml/input/data/{name}": (source, True) for name, source in data.items()}
        with started(bench.engine, case.image.reference, ["train"], way, mounts, "none") as patient:
            yield patient, base


def _request(bench: Bench, channels: list[str]) -> dict[str, Any]:
    """A CreateTrainingJob request as far as /opt/ml shows it."""
    return {
        "AlgorithmSpecification": {"TrainingInputMode": "FastFile"},
        "HyperParameters": dict(bench.hyperparameters),
        "InputDataConfig": [{"ChannelName": name, "DataSource": {}} for name in channels],
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        "CheckpointConfig": {},
    }


def _give(base: Path, way: Way) -> None:
    """Let the container's user write below ``base``: SageMaker gives it to root, the emulator to its own user."""
    number = int(way.user.split(":")[0]) if way.user else 0
    for path in (base, *base.rglob("*")):
        if os.getuid() == 0:
            os.chown(path, number, number)
        elif path.is_dir():
            path.chmod(0o777)
