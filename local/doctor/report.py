"""The report of an examination: as a document for programs, as lines for people."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from local.doctor.case import Case
from local.doctor.checks.size import megabytes
from local.doctor.finding import Finding, Severity
from local.doctor.layer import Layer

_LONGEST_STEP = 88
"""Characters of a layer's command that are shown."""


@dataclass(frozen=True)
class Report:
    case: Case
    findings: Sequence[Finding]
    not_run: str = ""
    """Why the image was not run; empty if it was."""

    def worst(self, strict: bool) -> bool:
        """Whether something is found that CI must fail on."""
        failing = {Severity.error, Severity.warning} if strict else {Severity.error}
        return any(finding.rule.severity in failing for finding in self.findings)

    def summary(self) -> str:
        counts = [sum(finding.rule.severity is severity for finding in self.findings) for severity in Severity]
        told = [f"{count} {name}{'s' * (count > 1)}" for count, name in zip(counts, Severity, strict=True) if count]
        return ", ".join(told) or "clean"

    def document(self) -> dict[str, Any]:
        image = self.case.image
        return {
            "image": image.name,
            "platform": image.platform,
            "checked_for": sorted(purpose.value for purpose in self.case.purposes),
            "device": self.case.device.name if self.case.device else None,
            "not_run": self.not_run or None,
            "size_bytes": image.size_bytes,
            "layers": [{"size_bytes": layer.size_bytes, "created_by": layer.created_by} for layer in image.layers],
            "findings": [finding.as_json(self.case.purposes) for finding in self.findings],
        }

    def head(self) -> str:
        image, device = self.case.image, self.case.device
        target = ", ".join(sorted(self.case.purposes)) + (f" ({device.name})" if device else "")
        return f"{image.name}  {image.platform}  {megabytes(image.size_bytes)}  looked at for: {target}"

    def layers(self) -> list[list[str]]:
        """Rows of number, megabytes and the command that made the layer; empty layers have none."""
        numbered = enumerate(self.case.image.layers, 1)
        return [[f"{n}", f"{layer.size_bytes / 1e6:,.1f}", _step(layer)] for n, layer in numbered if layer.size_bytes]

    def lines(self) -> Iterator[str]:
        """The findings, each a paragraph."""
        for finding in self.findings:
            yield ""
            yield f"{finding.rule.severity:<8} {finding.rule.code}  {finding.what}"
            yield f"{'':<15} {finding.where}"
            yield f"{'':<15} {finding.rule.why}"
            yield f"{'':<13} → {finding.remedy}"


def _step(layer: Layer) -> str:
    """The command that made a layer, on one line."""
    line = " ".join(layer.created_by.replace("/bin/sh -c #(nop) ", "").replace("/bin/sh -c ", "").split())
    return line if len(line) <= _LONGEST_STEP else f"{line[: _LONGEST_STEP - 1]}…"
