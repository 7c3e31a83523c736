"""All rules in one table, and the checks that need no engine."""

from collections.abc import Iterable

from local.doctor.case import Case
from local.doctor.checks import entry, labels, libraries, secrets, size, users
from local.doctor.finding import Finding, Rule, Severity

_CHECKS = (entry, users, size, secrets, labels, libraries)
RULES: dict[str, Rule] = {rule.code: rule for module in _CHECKS for rule in module.RULES}
_ORDER = list(Severity)


def still(case: Case) -> list[Finding]:
    """What can be seen without running the image."""
    return ordered((finding for module in _CHECKS for finding in module.check(case)), case)


def ordered(findings: Iterable[Finding], case: Case) -> list[Finding]:
    """Those that matter for what the image is for, each once, the worst first."""
    mattering = dict.fromkeys(finding for finding in findings if finding.rule.purposes & case.purposes)
    return sorted(mattering, key=lambda finding: (_ORDER.index(finding.rule.severity), finding.rule.code))
