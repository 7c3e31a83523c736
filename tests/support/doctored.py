"""``drydock doctor`` on an image that a test has written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from local.cli.app import main
from tests.support import layouts


@dataclass(frozen=True)
class Doctor:
    """Runs the command and keeps what it printed."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, image: layouts.Made | Path | str, *arguments: str) -> dict[str, Any]:
        """The report; the exit code is beside it as ``exit_code``."""
        code, out, err = self.run(image, *arguments, "--json")
        assert out, err
        report: dict[str, Any] = json.loads(out)
        return report | {"exit_code": code}

    def codes(self, image: layouts.Made | Path | str, *arguments: str) -> list[str]:
        return [finding["code"] for finding in self(image, *arguments)["findings"]]

    def run(self, image: layouts.Made | Path | str, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        place = layouts.oci(Path(mkdtemp(dir=self.folder)), image) if isinstance(image, layouts.Made) else image
        code = main(["doctor", str(place), *arguments])
        printed = self.capture.readouterr()
        return code, printed.out, printed.err
