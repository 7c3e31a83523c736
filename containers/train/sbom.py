"""Writes what an image holds: `sbom.spdx.json` (SPDX 2.3) and `licences.txt`, from the metadata of the installed
packages. Runs inside the image, at its build; for an image in which nothing can be run, beside its parts.

    python sbom.py NAME FOLDER [ROOT…]         roots are unpacked parts of the image

Standard library only. The same packages give the same bytes: the date is SOURCE_DATE_EPOCH, by default 0.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
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
    if len(arguments) < 2:
        print("usage: sbom.py NAME FOLDER [ROOT…]", file=sys.stderr)
        return 2
    roots = [Path(root) for root in arguments[2:]]
    found = [*debian_packages(roots or [Path("/")]), *python_packages(roots)]
    packages = sorted(found, key=lambda package: package.url)
    folder = Path(arguments[1])
    folder.mkdir(parents=True, exist_ok=True)
    created = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH") or 0), UTC)
    document = json.dumps(spdx(arguments[0], packages, created), indent=1)
    (folder / "sbom.spdx.json").write_text(document + "\n", encoding="utf-8")
    (folder / "licences.txt").write_text("".join(map(licence_line, packages)), encoding="utf-8")
    return 0


def debian_packages(roots: Iterable[Path]) -> Iterator[Package]:
    """What dpkg has installed; a licence is the package's copyright file, which SPDX has no expression for."""
    for root in roots:
        for name, version in _unpacked(root) or (_installed() if root == Path("/") else []):
            text = Path("/usr/share/doc", name, "copyright")
            texts = (text,) if (root / text.relative_to("/")).exists() else ()
            yield Package("deb", name, version, UNKNOWN, "see its copyright file", texts)


def _installed() -> list[tuple[str, str]]:
    """Names and versions in dpkg's database."""
    listing = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package}\t${Version}\n"], capture_output=True, text=True, check=True
    )
    return [(name, version) for name, version in (line.split("\t") for line in listing.stdout.splitlines())]


def _unpacked(root: Path) -> list[tuple[str, str]]:
    """Those of a root without dpkg, which has one file a package instead (as Distroless images have)."""
    files = sorted((root / "var/lib/dpkg/status.d").glob("*"))
    texts = [file.read_text(encoding="utf-8") for file in files if file.suffix != ".md5sums"]
    fields = [dict(re.findall(r"^(Package|Version): (.+)$", text, re.MULTILINE)) for text in texts]
    return [(field["Package"], field["Version"]) for field in fields]


def python_packages(roots: Sequence[Path]) -> Iterator[Package]:
    """What the interpreter of the roots can import; without roots, the running one."""
    places = {str(root): sorted(map(str, root.glob("usr/local/lib/python3.*/dist-packages"))) for root in roots}
    found = {"": metadata.distributions()} if not roots else {
        root: metadata.distributions(path=paths) for root, paths in places.items()
    }  # fmt: skip
    for root, distributions in found.items():
        for distribution in distributions:
            fields = distribution.metadata
            stated = fields["License-Expression"] or _of_classifiers(fields.get_all("Classifier") or []) or ""
            prose = " ".join((stated or fields["License"] or UNKNOWN).split())[:200]
            paths = [
                str(file.locate()).removeprefix(root) for file in distribution.files or [] if _TEXT.search(str(file))
            ]
            name = re.sub(r"[-_.]+", "-", fields["Name"]).lower()
            texts = tuple(map(Path, paths))
            yield Package("pypi", name, distribution.version, _expression(stated or prose), prose, texts)


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
