"""Writes what an image holds: `sbom.spdx.json` (SPDX 2.3) and `licences.txt`, from the metadata of the installed
packages. Runs inside the image, at its build.

    python sbom.py NAME FOLDER

Standard library only. The same packages give the same bytes: the date is SOURCE_DATE_EPOCH, by default 0.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

UNKNOWN = "NOASSERTION"
CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Zope Public License": "ZPL-2.1",
}
"""Trove's names of licences that say which one it is, and SPDX's."""
_EXPRESSION = re.compile(r"[\w.+-]+(?: WITH [\w.+-]+)?(?: (?:AND|OR) [\w.+-]+)*")
_TEXT = re.compile(r"(?:licen[cs]e|copying|notice)[^/]*$", re.IGNORECASE)


@dataclass(frozen=True)
class Package:
    kind: str
    """`pypi` or `deb`, as in a package URL."""
    name: str
    version: str
    licence: str
    """SPDX expression, or NOASSERTION where the package only tells in prose."""
    declared: str
    """What the package says itself, one line."""
    texts: tuple[Path, ...]
    """Where its licence lies in the image."""

    @property
    def url(self) -> str:
        return f"pkg:{'deb/debian' if self.kind == 'deb' else self.kind}/{self.name}@{self.version}"


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        print("usage: sbom.py NAME FOLDER", file=sys.stderr)
        return 2
    packages = sorted([*debian_packages(), *python_packages()], key=lambda package: package.url)
    folder = Path(arguments[1])
    folder.mkdir(parents=True, exist_ok=True)
    created = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH") or 0), UTC)
    document = json.dumps(spdx(arguments[0], packages, created), indent=1)
    (folder / "sbom.spdx.json").write_text(document + "\n", encoding="utf-8")
    (folder / "licences.txt").write_text("".join(map(licence_line, packages)), encoding="utf-8")
    return 0


def debian_packages() -> Iterator[Package]:
    """What dpkg has installed; a licence is the package's copyright file, which SPDX has no expression for."""
    listing = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package}\t${Version}\n"], capture_output=True, text=True, check=True
    )
    for line in listing.stdout.splitlines():
        name, version = line.split("\t")
        text = Path("/usr/share/doc", name, "copyright")
        yield Package("deb", name, version, UNKNOWN, "see its copyright file", (text,) if text.exists() else ())


def python_packages() -> Iterator[Package]:
    """What the running interpreter can import."""
    for distribution in metadata.distributions():
        fields = distribution.metadata
        stated = fields["License-Expression"] or _of_classifiers(fields.get_all("Classifier") or []) or ""
        prose = " ".join((stated or fields["License"] or UNKNOWN).split())[:200]
        texts = [Path(str(file.locate())) for file in distribution.files or [] if _TEXT.search(str(file))]
        name = re.sub(r"[-_.]+", "-", fields["Name"]).lower()
        yield Package("pypi", name, distribution.version, _expression(stated or prose), prose, tuple(texts))


def spdx(name: str, packages: Sequence[Package], created: datetime) -> dict[str, Any]:
    """The document as SPDX 2.3 has it in JSON."""
    digest = hashlib.sha256("\n".join(package.url for package in packages).encode()).hexdigest()
    image = {"SPDXID": "SPDXRef-image", "name": name, "downloadLocation": UNKNOWN, "filesAnalyzed": False}
    entries = [_entry(package) for package in packages]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"https://spdx.org/spdxdocs/{name}-{digest}",
        "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: drydock-sbom"]},
        "packages": [image, *entries],
        "relationships": [
            _related("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-image"),
            *(_related("SPDXRef-image", "CONTAINS", entry["SPDXID"]) for entry in entries),
        ],
        "hasExtractedLicensingInfos": [
            {"licenseId": reference, "extractedText": "The text is in the package; see licences.txt."}
            for reference in sorted({word for p in packages for word in re.findall(r"LicenseRef-[\w.-]+", p.licence)})
        ],
    }


def licence_line(package: Package) -> str:
    texts = "".join(f"    {path}\n" for path in package.texts) or "    (the package holds no licence text)\n"
    return f"{package.kind} {package.name} {package.version}: {package.declared}\n{texts}"


def _entry(package: Package) -> dict[str, Any]:
    return {
        "SPDXID": "SPDXRef-" + re.sub(r"[^\w.-]", "-", f"{package.kind}-{package.name}").replace("_", "-"),
        "name": package.name,
        "versionInfo": package.version,
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": package.licence,
        "copyrightText": UNKNOWN,
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": package.url}
        ],
    }


def _related(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _of_classifiers(classifiers: Sequence[str]) -> str | None:
    names = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::")]
    known = sorted({CLASSIFIERS[name] for name in names if name in CLASSIFIERS})
    return " OR ".join(known) if known else None


def _expression(text: str) -> str:
    """The text where it reads as an SPDX expression of identifiers, else NOASSERTION."""
    identifiers = re.findall(r"[\w.+-]+", text)
    known = {*CLASSIFIERS.values(), "AND", "OR", "WITH"}
    looks_right = all(word in known or "-" in word or word in {"MIT", "ISC", "Zlib", "HPND"} for word in identifiers)
    return text if identifiers and looks_right and _EXPRESSION.fullmatch(text) else UNKNOWN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
