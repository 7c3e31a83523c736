"""DD4xx: what the image gives away. Every layer is looked at: what a later one deletes can still be pulled."""

import re
from collections import defaultdict
from collections.abc import Iterator

from local.doctor import traces
from local.doctor.case import Case, some
from local.doctor.finding import Finding, Rule, Severity
from local.doctor.image import Image
from local.doctor.traces import Kind

_ROTATE = "revoke it, and build without it: RUN --mount=type=secret reads a secret that no layer keeps"

PRIVATE_KEY = Rule(
    "DD401",
    Severity.error,
    "private key",
    "Whoever can pull the image has it.",
    "make a new key, and build without it: RUN --mount=type=ssh, or make keys when the container starts",
)
HOST_KEY = Rule(
    "DD402",
    Severity.error,
    "SSH host key",
    "Every container has the same key, and whoever can pull the image can pose as any of them.",
    "rm /etc/ssh/ssh_host_* in the RUN that installs the server; ssh-keygen -A when the container starts",
)
AUTHORIZED_KEYS = Rule(
    "DD403",
    Severity.warning,
    "SSH keys that may log in",
    "Their owners can log in to every container that runs an SSH server.",
    "bring them when the container starts",
)
CREDENTIALS = Rule("DD404", Severity.error, "credentials file", "Whoever can pull the image has them.", _ROTATE)
TOKEN = Rule("DD405", Severity.error, "access token in a file", "Whoever can pull the image has it.", _ROTATE)
TOKEN_IN_CONFIG = Rule(
    "DD406",
    Severity.error,
    "access token in the configuration",
    "`docker history` and `docker inspect` show it.",
    _ROTATE,
)
NAMED_SECRET = Rule(
    "DD407",
    Severity.warning,
    "variable that is named like a secret",
    "`docker history` and `docker inspect` show its value.",
    "give it to the container when it starts (a job's Environment), or to a build as RUN --mount=type=secret",
)
RULES = (PRIVATE_KEY, HOST_KEY, AUTHORIZED_KEYS, CREDENTIALS, TOKEN, TOKEN_IN_CONFIG, NAMED_SECRET)

_BY_KIND = {
    Kind.private_key: PRIVATE_KEY,
    Kind.host_key: HOST_KEY,
    Kind.authorized_keys: AUTHORIZED_KEYS,
    Kind.credentials: CREDENTIALS,
    Kind.token: TOKEN,
}
_ASSIGNMENT = re.compile(r"(\w+)=('[^']*'|\"[^\"]*\"|\S*)")
_NO_SECRET = re.compile(r"|[$/].*|\d{1,6}|true|false|yes|no|none|null", re.IGNORECASE)


def check(case: Case) -> Iterator[Finding]:
    yield from _files(case.image)
    yield from _configuration(case.image)


def _files(image: Image) -> Iterator[Finding]:
    found: defaultdict[tuple[Kind, str], list[str]] = defaultdict(list)
    for index, layer in enumerate(image.layers):
        for path, entry in layer.entries.items():
            if entry.trace:
                gone = "" if image.files.has(path, index) else ", deleted or replaced later"
                found[entry.trace.kind, entry.trace.what].append(f"/{path} (layer {index + 1}{gone})")
    for (kind, what), places in found.items():
        yield _BY_KIND[kind].found(f"the image has {what}", some(places))


def _configuration(image: Image) -> Iterator[Finding]:
    places = [("ENV", name, value) for name, value in image.environment.items()]
    places += [("LABEL", name, value) for name, value in image.labels.items()]
    for step in image.history:
        arguments = _arguments(step)
        places += [("history", name, value.strip("'\"")) for name, value in _ASSIGNMENT.findall(arguments)]
    told: set[str] = set()
    for place, name, value in places:
        if name in told:
            continue
        token = traces.token(value.encode())
        if token:
            told.add(name)
            yield TOKEN_IN_CONFIG.found(f"{name} holds what looks like a {token}", place)
        elif traces.NAMED.search(name) and not _NO_SECRET.fullmatch(value):
            told.add(name)
            yield NAMED_SECRET.found(f"{name} has a value", place)


def _arguments(step: str) -> str:
    """The build arguments in a step of the history: ``ARG A=1``, or ``RUN |2 A=1 B=2 /bin/sh -c …``."""
    if step.startswith("ARG "):
        return step[4:]
    given = re.match(r"(?:RUN )?\|\d+ (.*?)(?: /bin/\w*sh |$)", step, re.DOTALL)
    return given[1] if given else ""
