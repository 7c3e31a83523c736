"""All rules in one table, and all checks in their order: those that need no engine, and those that run the image."""

from collections.abc import Iterable

from local.doctor.case import Case
from local.doctor.checks import entry, labels, libraries, secrets, size, users
from local.doctor.finding import Finding, Purpose, Rule, Severity
from local.doctor.running import serve, train
from local.doctor.running.bench import Bench

_STILL = (entry, users, size, secrets, labels, libraries)
_RUNNING = {Purpose.train: train, Purpose.serve: serve}
RULES: dict[str, Rule] = {rule.code: rule for module in (*_STILL, train, serve) for rule in module.RULES}
_ORDER = list(Severity)


def still(case: Case) -> list[Finding]:
    """What can be seen without running the image."""
    return ordered((finding for module in _STILL for finding in module.check(case)), case)


def running(case: Case, bench: Bench) -> list[Finding]:
    """What shows when the image is run for each of its purposes; JobError if the engine fails."""
    checks = [module for purpose, module in _RUNNING.items() if purpose in case.purposes]
    return ordered((finding for module in checks for finding in module.check(case, bench)), case)


def ordered(findings: Iterable[Finding], case: Case) -> list[Finding]:
    """Those that matter for what the image is for, each once, the worst first."""
    mattering = dict.fromkeys(finding for finding in findings if finding.rule.purposes & case.purposes)
    return sorted(mattering, key=lambda finding: (_ORDER.index(finding.rule.severity), finding.rule.code))
