"""Cutting a program's output into lines, and the file that keeps them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.jobs import logs
from local.jobs.logs import PIECE_BYTES, JobLog, split_lines


def lines(*chunks: bytes) -> list[str]:
    return [line for batch in split_lines(chunks) for line in batch]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\n\ntwo", ["one", "", "two"]),
        (b"one\r\ntwo\r\n", ["one", "two"]),
        (b"\r 10%\r 20%\r100%\ndone\n", [" 10%", " 20%", "100%", "done"]),
        (b"10%\r", ["10%"]),
        (b"caf\xc3\xa9 \xff\xfe\n", ["café \\xff\\xfe"]),
        (b"\n", [""]),
        (b"", []),
    ],
)
def test_lines(output, expected):
    assert lines(output) == expected


def test_a_long_line_comes_in_pieces_that_join_to_the_whole():
    text = "é" * PIECE_BYTES + "x"
    pieces = lines(text.encode())
    assert "".join(pieces) == text
    assert all(len(piece.encode()) <= PIECE_BYTES for piece in pieces)


@given(
    st.lists(
        st.sampled_from([b"a", b"\n", b"\r", b"\r\n", b"\xc3\xa9", b"\xff", b"x" * (PIECE_BYTES - 1)]), max_size=12
    ),
    st.data(),
)
def test_chunks_make_no_difference(parts, data):
    output = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(output)), max_size=5)))
    chunks = [output[start:end] for start, end in zip([0, *cuts], [*cuts, len(output)], strict=True)]
    assert lines(*chunks) == lines(output)


def test_a_line_is_given_as_soon_as_it_is_complete():
    batches = split_lines(iter([b"one\ntw", b"o\n"]))
    assert next(batches) == ["one"]
    assert next(batches) == ["two"]


def test_the_file_brings_back_every_line_in_order_with_times_that_never_fall(tmp_path):
    log = JobLog(tmp_path / "logs" / "algo-1.jsonl")
    events = [*log.append(["one", "zwei ü"]), *log.append(["\x00 odd"])]
    log.close()
    assert [*logs.read(tmp_path / "logs" / "algo-1.jsonl")] == events
    assert [event.m for event in events] == ["one", "zwei ü", "\x00 odd"]
    assert sorted(event.t for event in events) == [event.t for event in events]


def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path):
    path = tmp_path / "log.jsonl"
    log = JobLog(path)
    log.append(["whole"])
    log.close()
    with path.open("ab") as file:
        file.write(b'{"t": 1, "m": "cut sho')
    assert [event.m for event in logs.read(path)] == ["whole"]


def test_a_log_that_does_not_exist_has_no_lines(tmp_path):
    assert [*logs.read(tmp_path / "none.jsonl")] == []
