"""Two streams of a container become one log."""

from __future__ import annotations

import pytest

from local.jobs.container import whole_lines


@pytest.mark.parametrize(
    ("pieces", "log"),
    [
        ([(b"a\nb", None), (None, b"x\n"), (b"c\n", None)], b"a\nx\nbc\n"),
        ([(b"10%\r20%", None), (b"\r30%\r\n", None)], b"10%\r20%\r30%\r\n"),
        ([(b"a\r", None), (None, b"x\n"), (b"\n", None)], b"x\na\r\n"),
        ([(b"out", None), (None, b"err")], b"out\nerr"),
        ([(b"no end", None)], b"no end"),
        ([], b""),
    ],
)
def test_a_line_is_never_cut_by_the_other_stream(pieces: list[tuple[bytes | None, bytes | None]], log: bytes) -> None:
    assert b"".join(whole_lines(iter(pieces))) == log


def test_a_line_without_end_is_not_kept_back_for_ever() -> None:
    flood = ((b"x" * 10_000, None) for _ in range(100))
    assert len(next(whole_lines(flood))) < 100_000
