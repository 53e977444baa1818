"""The Native format as a client of a newer protocol reads it: chdb writes that of revision 0."""

from __future__ import annotations

import re

from .errors import Refusal

# From this on, a byte after a column's type says how it is laid out; block information stands in front since long before.
LAID_OUT = 54454
# Field 1, is it overflow: no. Field 2, the bucket: -1. End.
_BLOCK = b"\x01\x00\x02\xff\xff\xff\xff\x00"
_NUMBER = re.compile(r"U?Int(8|16|32|64)")


def newer(data: bytes) -> bytes:
    """Return the same blocks for a client of LAID_OUT or newer. Raises Refusal for a type other than String and integers."""
    made, at = bytearray(), 0
    while at < len(data):
        columns, at = _varint(data, at)
        rows, at = _varint(data, at)
        made += _BLOCK + _encoded(columns) + _encoded(rows)
        for _ in range(columns):
            named = at
            at = _after_text(data, at)
            typed = at
            at = _after_text(data, at)
            _, start = _varint(data, typed)
            end = _after_column(data, at, data[start:at].decode(), rows)
            made += data[named:at] + b"\x00" + data[at:end]
            at = end
    return bytes(made)


def _after_column(data: bytes, at: int, kind: str, rows: int) -> int:
    if number := _NUMBER.fullmatch(kind):
        return at + rows * int(number[1]) // 8
    if kind != "String":
        raise Refusal(
            f"Code: 48. DB::Exception: The front of the tests writes no {kind} in Native of {LAID_OUT}. (NOT_IMPLEMENTED)"
        )
    for _ in range(rows):
        at = _after_text(data, at)
    return at


def _after_text(data: bytes, at: int) -> int:
    length, at = _varint(data, at)
    return at + length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _encoded(value: int) -> bytes:
    made = bytearray()
    while value >= 128:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)
