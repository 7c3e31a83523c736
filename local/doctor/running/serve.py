"""DD8xx: ``docker run IMAGE serve``, with a model that it cannot write."""

import http.client
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.doctor.case import Case
from local.doctor.finding import SERVE, Finding, Rule, Severity
from local.doctor.running.bench import Bench
from local.doctor.running.patient import (
    AS_IS,
    AS_USER,
    LOOK_S,
    READ_ONLY,
    NotStartedError,
    Patient,
    Way,
    closed_network,
    started,
)

PORT = 8080
PING_S = 2.0
STOP_S = 30.0
"""What SageMaker leaves a server between SIGTERM and SIGKILL."""

NOT_STARTED = Rule(
    "DD801",
    Severity.error,
    "`serve` does not start",
    "An endpoint fails at once.",
    "docker run --rm IMAGE serve must start the server",
    SERVE,
)
NOT_HEALTHY = Rule(
    "DD802",
    Severity.error,
    "/ping does not answer 200",
    "After 8 minutes without a 200 the endpoint is Failed.",
    "answer GET /ping on port 8080 of all addresses (0.0.0.0) with 200 once the model is loaded",
    SERVE,
)
UNTRIED = Rule(
    "DD803",
    Severity.note,
    "serving was not tried",
    "Without a model the server did not come up, which says nothing about it.",
    "drydock doctor IMAGE --model FOLDER, an unpacked model.tar.gz",
    SERVE,
)
SLOW = Rule(
    "DD804",
    Severity.error,
    "/ping is slower than 2 s",
    "SageMaker gives up on a ping after 2 s, and replaces the instance when that goes on.",
    "answer /ping from memory, in a thread that predictions do not block",
    SERVE,
)
IGNORES_SIGTERM = Rule(
    "DD805",
    Severity.warning,
    "SIGTERM does not end `serve`",
    "Scaling in and updates end in SIGKILL after 30 s: requests under way are lost.",
    "handle SIGTERM in the server, which must be process 1 (exec): answer what is under way, then exit",
    SERVE,
)
USER = Rule(
    "DD806",
    Severity.warning,
    "serves as one user only",
    "Engines that run containers as their caller, and devices, cannot use it.",
    "write to /tmp only, set HOME=/tmp, and let all users read and execute the program",
    SERVE,
)
ROOT_FILES = Rule(
    "DD807",
    Severity.note,
    "writes outside /tmp",
    "It cannot run on a read-only root file system, which hardened engines and devices use.",
    "send caches, sockets and pid files to /tmp",
    SERVE,
)
RULES = (NOT_STARTED, NOT_HEALTHY, UNTRIED, SLOW, IGNORES_SIGTERM, USER, ROOT_FILES)

_WHERE = "docker run IMAGE serve"
_PINGS = 3
_PATIENCE_S = 10.0


def check(case: Case, bench: Bench) -> Iterator[Finding]:
    try:
        with _running(case, bench, AS_IS) as (patient, address):
            problem = _healthy(patient, address, bench.timeout_s)
            if problem:
                rule = NOT_HEALTHY if bench.model else UNTRIED
                yield rule.found(problem, _WHERE)
                return
            slowest = max(_ping(address)[1] for _ in range(_PINGS))
            if slowest >= PING_S:
                yield SLOW.found(f"a ping took more than {PING_S:.0f} s", f"{_WHERE}, GET /ping")
                return
            if patient.hears_sigterm is False or patient.stop(STOP_S) is None:
                yield IGNORES_SIGTERM.found(f"it still ran {STOP_S:.0f} s after SIGTERM, or has no handler", _WHERE)
    except NotStartedError as error:
        yield NOT_STARTED.found(str(error), _WHERE)
        return
    for way, rule in ((AS_USER, USER), (READ_ONLY, ROOT_FILES)):
        try:
            with _running(case, bench, way) as (patient, address):
                problem = _healthy(patient, address, bench.timeout_s)
        except NotStartedError as error:
            problem = f"does not start: {error}"
        if problem:
            yield rule.found(f"{way.name} {problem}", f"{_WHERE}, {way.name}")


@contextmanager
def _running(case: Case, bench: Bench, way: Way) -> Iterator[tuple[Patient, str]]:
    """A started server and its address, its model read-only, on a network that leads nowhere."""
    with tempfile.TemporaryDirectory(prefix="drydock-doctor-") as empty, closed_network(bench.engine) as network:
        Path(empty).chmod(0o755)
        mounts = {"/opt/ml/model": (bench.model or Path(empty), True)}
        with started(bench.engine, case.image.reference, ["serve"], way, mounts, network) as patient:
            yield patient, patient.address(network)


def _healthy(patient: Patient, address: str, seconds: float) -> str:
    """Wait for the first 200; what happened if there is none, else nothing."""
    last = "it refused every connection"
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        code = patient.wait(0)
        if code is not None:
            return f"it exited with {code}: {patient.last_words()}"
        status, took_s = _ping(address)
        if status == 200:
            return ""
        if status:
            last = f"/ping answered {status}"
        elif took_s >= PING_S:
            last = f"/ping took more than {PING_S:.0f} s"
        time.sleep(LOOK_S)
    if _ping(address, _PATIENCE_S)[0] == 200:
        return ""  # it is slow, which the caller finds too
    return f"it was not healthy after {seconds:.0f} s: {last} ({patient.last_words()})"


def _ping(address: str, timeout_s: float = PING_S) -> tuple[int | None, float]:
    """(status, seconds); None if there was no answer in time."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(address, PORT, timeout=timeout_s)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status, time.monotonic() - began
    except (OSError, http.client.HTTPException):
        return None, time.monotonic() - began
    finally:
        connection.close()
