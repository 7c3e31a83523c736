"""Generated files are what their generators would write now: `make golden` after a change."""

from __future__ import annotations

from tests import golden


def test_programs_json_is_what_the_programs_say() -> None:
    assert golden.PROGRAMS.read_text() == golden.programs()
