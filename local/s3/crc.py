"""CRC-32C and CRC-64/NVME, which the AWS CLI sends and the standard library lacks, without a loop over bytes.

A CRC is linear over GF(2), so long data is cut into lanes of equal length that are computed side by
side: one step takes the next byte of every lane at once with ``bytes.translate`` and XORs of whole
rows, which run at C speed. The lanes are then joined in pairs, again all pairs at once.
"""

from dataclasses import dataclass
from functools import cache

_LANE_BYTES = 256
_WORTH_IT_BYTES = 16 * _LANE_BYTES

Rows = list[bytes]


@dataclass(frozen=True)
class Polynomial:
    """A reflected CRC whose register starts as ones and is inverted at the end."""

    bits: int
    reflected: int


CRC32C = Polynomial(32, 0x82F63B78)
CRC64NVME = Polynomial(64, 0x9A6C9329AC4BC9B5)


def crc(polynomial: Polynomial, data: bytes, value: int = 0) -> int:
    """The CRC of ``data``, continuing from ``value``, the CRC of what came before (as ``zlib.crc32``)."""
    ones = (1 << polynomial.bits) - 1
    register = value ^ ones
    lanes = 1 << max(len(data) // _LANE_BYTES, 1).bit_length() - 1
    head = lanes * _LANE_BYTES
    if head >= _WORTH_IT_BYTES:
        register = _shift(polynomial, register, head) ^ _raw(polynomial, data[:head], lanes)
        data = data[head:]
    table = _table(polynomial)
    for byte in data:
        register = table[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register ^ ones


def _raw(polynomial: Polynomial, data: bytes, lanes: int) -> int:
    """The register after ``data``, starting from zero; ``lanes`` is a power of two that divides it."""
    tables = _byte_tables(polynomial, 1)[0]
    step, row_bits, low_row = len(data) // lanes, 8 * lanes, (1 << 8 * lanes) - 1
    registers = 0  # row i of `lanes` bytes holds byte i of every lane's register
    for offset in range(step):
        index = (int.from_bytes(data[offset::step], "little") ^ registers & low_row).to_bytes(lanes, "little")
        taken = b"".join([index.translate(table) for table in tables])
        registers = int.from_bytes(taken, "little") ^ registers >> row_bits
    rows = registers.to_bytes(lanes * len(tables), "little")
    planes = [rows[start : start + lanes] for start in range(0, len(rows), lanes)]
    while lanes > 1:
        shifted = _apply(_byte_tables(polynomial, step), [plane[0::2] for plane in planes])
        planes = [_xor(left, plane[1::2]) for left, plane in zip(shifted, planes, strict=True)]
        lanes, step = lanes // 2, step * 2
    return int.from_bytes(b"".join(planes), "little")


def _xor(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a, "little") ^ int.from_bytes(b, "little")).to_bytes(len(a), "little")


def _apply(tables: list[Rows], planes: Rows) -> Rows:
    """A linear map on registers that are stored plane by plane (plane i holds byte i of every register)."""
    result: list[bytes] = [bytes(len(planes[0]))] * len(planes)
    for plane, row in zip(planes, tables, strict=True):
        result = [_xor(old, plane.translate(table)) for old, table in zip(result, row, strict=True)]
    return result


def _shift(polynomial: Polynomial, register: int, size: int) -> int:
    """The register after ``size`` zero bytes, a power of two."""
    planes = [bytes([byte]) for byte in register.to_bytes(polynomial.bits // 8, "little")]
    return int.from_bytes(b"".join(_apply(_byte_tables(polynomial, size), planes)), "little")


@cache
def _table(polynomial: Polynomial) -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (polynomial.reflected if value & 1 else 0)  # noqa: PLW2901
        table.append(value)
    return tuple(table)


@cache
def _byte_tables(polynomial: Polynomial, size: int) -> list[Rows]:
    """``[i][j]``: what byte i of a register adds to byte j after ``size`` zero bytes, a power of two.

    For ``size`` 1 and byte 0 that is the usual table, which also takes in a data byte.
    """
    count = polynomial.bits // 8
    if size == 1:
        table = _table(polynomial)
        shifted = [[table[v] if i == 0 else v << 8 * (i - 1) for v in range(256)] for i in range(count)]
    else:
        half = _byte_tables(polynomial, size // 2)
        shifted = []
        for i in range(count):
            planes = [bytes(range(256)) if i == j else bytes(256) for j in range(count)]
            twice = _apply(half, _apply(half, planes))
            shifted.append([int.from_bytes(bytes(plane[v] for plane in twice), "little") for v in range(256)])
    return [[bytes(value >> 8 * j & 0xFF for value in row) for j in range(count)] for row in shifted]
