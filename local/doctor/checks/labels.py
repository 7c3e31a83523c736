"""DD5xx: what the image says of itself."""

from collections.abc import Iterator

from local.doctor.case import Case
from local.doctor.finding import SERVE, Finding, Rule, Severity

UNLABELLED = Rule(
    "DD501",
    Severity.note,
    "missing labels",
    "Nobody can tell from the image what it is, from which commit, and under which licence.",
    'LABEL org.opencontainers.image.title="…" org.opencontainers.image.version="…"',
)
NO_BIND_TO_PORT = Rule(
    "DD502",
    Severity.note,
    "not labelled for a chosen port",
    "Endpoints of several containers take only images that listen at $SAGEMAKER_BIND_TO_PORT and say so.",
    "if it does: LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true",
    SERVE,
)
RULES = (UNLABELLED, NO_BIND_TO_PORT)

_PREFIX = "org.opencontainers.image."
_WANTED = ("title", "version", "revision", "licenses")
_BIND_TO_PORT = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"


def check(case: Case) -> Iterator[Finding]:
    labels = case.image.labels
    missing = [name for name in _WANTED if f"{_PREFIX}{name}" not in labels]
    if missing:
        yield UNLABELLED.found(f"no label {_PREFIX}{{{','.join(missing)}}}", "LABEL")
    if labels.get(_BIND_TO_PORT) != "true":
        yield NO_BIND_TO_PORT.found("no label says that it listens at $SAGEMAKER_BIND_TO_PORT", "LABEL")
