"""Generated files are what their generators would write now: `make golden` after a change."""

from __future__ import annotations

import pytest

from containers.build import CannotBuildError
from tests import golden


def test_programs_json_is_what_the_programs_say() -> None:
    assert golden.PROGRAMS.read_text() == golden.programs()


def test_the_bake_file_builds_every_program() -> None:
    assert golden.BAKE_FILE.read_text() == golden.bake_file()


def test_bake_makes_of_its_file_what_was_recorded() -> None:
    try:
        plan = golden.plan()
    except CannotBuildError as error:
        pytest.skip(f"{error.message}: {error.hint}")
    assert golden.PLAN.read_text() == plan


def test_the_page_of_the_doctor_has_every_finding() -> None:
    assert golden.DOCTOR.read_text() == golden.doctor()


def test_the_page_of_names_has_what_every_program_understands() -> None:
    assert golden.NAMES.read_text() == golden.names()
