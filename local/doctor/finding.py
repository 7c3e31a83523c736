"""What the doctor says: a rule has a code and a remedy, a finding is a rule that an image breaks at one place."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    error = "error"
    """It will fail, or gives a secret away."""
    warning = "warning"
    """It fails in some circumstances, or costs something."""
    note = "note"
    """Worth knowing; also what could not be looked at."""


class Purpose(StrEnum):
    """What an image is for: which rules count."""

    train = "train"
    """SageMaker training: ``docker run IMAGE train``."""
    serve = "serve"
    """SageMaker hosting: ``docker run IMAGE serve``."""
    device = "device"
    """A container on a machine of one's own."""
    other = "other"
    """Whatever else: only what holds for any image is looked at."""


ANY = frozenset(Purpose)
SAGEMAKER = frozenset({Purpose.train, Purpose.serve})
TRAIN = frozenset({Purpose.train})
SERVE = frozenset({Purpose.serve})
DEVICE = frozenset({Purpose.device})


@dataclass(frozen=True)
class Rule:
    """One thing that can be wrong with an image."""

    code: str
    severity: Severity
    title: str
    why: str
    """What happens to an image that breaks it, one sentence."""
    remedy: str
    """What to change, with the line to write where there is one."""
    purposes: frozenset[Purpose] = ANY
    """For which it matters."""

    def found(self, what: str, where: str, remedy: str = "") -> "Finding":
        """This rule is broken; ``remedy`` if there is a better one than the rule's own."""
        return Finding(self, what, where, remedy or self.remedy)


@dataclass(frozen=True)
class Finding:
    """A rule that an image breaks."""

    rule: Rule
    what: str
    where: str
    """A path in the image, a field of its configuration, a layer, or the run that showed it."""
    remedy: str

    def as_json(self, purposes: frozenset[Purpose]) -> dict[str, object]:
        return {
            "code": self.rule.code,
            "severity": self.rule.severity.value,
            "what": self.what,
            "where": self.where,
            "why": self.rule.why,
            "remedy": self.remedy,
            "matters_for": sorted(purpose.value for purpose in self.rule.purposes & purposes),
        }
