"""What can be read by offset of a file that streams past once: small ones whole, of large ones the ends and one range.

Linkers put the tables of a shared object at its beginning, patchelf moves them to its end; the dynamic section lies
somewhere in between, and the head says where.
"""

from typing import IO

from local.doctor import elf

WHOLE_BYTES = 64 << 20
END_BYTES = 32 << 20
PIECE_BYTES = 1 << 20


def of_stream(stream: IO[bytes], size_bytes: int) -> elf.ReadAt:
    """Reads the stream to its end; ranges that were let go raise LookupError later."""
    if size_bytes <= WHOLE_BYTES:
        return _over([(0, stream.read(size_bytes))])
    head = stream.read(END_BYTES)
    dynamic = elf.dynamic_range(lambda at, size: head[at : at + size])
    middle: list[tuple[int, bytes]] = []
    tail: list[tuple[int, bytes]] = []
    at = len(head)
    while piece := stream.read(PIECE_BYTES):
        if at < dynamic.stop and dynamic.start < at + len(piece):
            middle.append((at, piece))
        tail.append((at, piece))
        del tail[: -END_BYTES // PIECE_BYTES]
        at += len(piece)
    return _over(_joined([(0, head), *middle]) + _joined(tail))


def of_file(file: IO[bytes]) -> elf.ReadAt:
    """Of a file that can be sought in."""

    def read_at(offset: int, size: int) -> bytes:
        file.seek(offset)
        return file.read(size)

    return read_at


def _over(pieces: list[tuple[int, bytes]]) -> elf.ReadAt:
    def read_at(offset: int, size: int) -> bytes:
        for start, data in reversed(pieces):
            if start <= offset < start + len(data):
                return data[offset - start : offset - start + size]
        raise LookupError(offset)

    return read_at


def _joined(pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Neighbours as one piece."""
    joined: list[tuple[int, bytearray]] = []
    for start, data in pieces:
        if joined and joined[-1][0] + len(joined[-1][1]) == start:
            joined[-1][1].extend(data)
        else:
            joined.append((start, bytearray(data)))
    return [(start, bytes(data)) for start, data in joined]
