"""Reads a request of OTLP in protobuf piece by piece, so that a small body cannot become a large one in memory.

The library makes an object of each message at once: 16 MiB of empty messages become gigabytes. So this module finds the
resources, scopes and items (spans, log records) in the bytes, and gives the library one of them at a time, if it is not too
large. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from .budget import BodyError, Budget

M = TypeVar("M", bound=Message)

# Wire types: https://protobuf.dev/programming-guides/encoding/
_VARINT, _FIXED_64, _BYTES, _GROUP, _GROUP_END, _FIXED_32 = range(6)
# Fields between two looks at the budget.
_COUNTED_TOGETHER = 100
# The library's own limit for groups in each other.
_DEEPEST = 100


class Batch(NamedTuple):
    """The items of one scope in one resource. ``size``: of the resource and the scope, in bytes.

    Each item comes with its own size. Instead of one that is too large to be stored with its resource and scope, None comes;
    instead of one that is malformed, a text that says why.
    """

    resource: Resource
    scope: InstrumentationScope
    items: Iterable[tuple[Any, int]]
    size: int


class _Field(NamedTuple):
    start: int
    end: int


def batches(body: bytes, budget: Budget) -> Iterator[Batch]:
    """Yield the batches of a request. Raises BodyError, StoppingError, also while the items of a batch are read."""
    most = budget.limits.span_bytes
    for of_resource in _fields(body, _Field(0, len(body)), budget, 1):
        budget.items(1)
        given = _joined(body, of_resource, budget)
        resource = _parsed(Resource, given if len(given) <= most else b"", budget)
        for of_scope in _fields(body, of_resource, budget, 2):
            budget.items(1)
            named = _joined(body, of_scope, budget)
            scope = _parsed(InstrumentationScope, named if len(named) <= most else b"", budget)
            size = len(given) + len(named)
            yield Batch(resource, scope, _items(body, of_scope, most - size, budget), size)


def _items(body: bytes, of_scope: _Field, most: int, budget: Budget) -> Iterator[tuple[Any, int]]:
    for start, end in _fields(body, of_scope, budget, 2):
        size = end - start
        yield (_parsed(budget.signal.item, body[start:end], budget) if size <= most else None), size


def _joined(body: bytes, whole: _Field, budget: Budget) -> bytes:
    """Return field 1 of a message. If it comes twice, protobuf merges both, which is the same as one after the other."""
    return b"".join(body[field.start : field.end] for field in _fields(body, whole, budget, 1))


def _parsed(kind: type[M], data: bytes, budget: Budget) -> M:
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError:
        deepest = budget.limits.depth
        raise BodyError(
            f"the body is not a valid {budget.signal.request_name} in protobuf, or has values nested deeper than {deepest}"
        ) from None
    return message


def _fields(data: bytes, whole: _Field, budget: Budget, wanted: int) -> Iterator[_Field]:
    """Yield the fields of a message that have this number and a length, and skip the others.

    Raises BodyError, StoppingError.
    """
    groups, at, end, seen = 0, whole.start, whole.end, 0
    while at < end:
        seen += 1
        if seen == _COUNTED_TOGETHER:
            budget.fields(seen)
            seen = 0
        tag = data[at]
        at += 1
        if tag >= 0x80:
            tag, at = _varint(data, at - 1, end, budget)
        wire, number = tag & 7, tag >> 3
        start = at
        if wire == _BYTES:
            size, start = _varint(data, at, end, budget)
            at = start + size
        elif wire == _VARINT:
            _, at = _varint(data, at, end, budget)
        elif wire in (_FIXED_64, _FIXED_32):
            at += 8 if wire == _FIXED_64 else 4
        elif wire in (_GROUP, _GROUP_END):
            groups += 1 if wire == _GROUP else -1
        if at > end or wire > _FIXED_32 or not number or not 0 <= groups <= _DEEPEST:
            raise _invalid(budget)
        if number == wanted and wire == _BYTES and not groups:
            yield _Field(start, at)
    budget.fields(seen)
    if groups:
        raise _invalid(budget)


def _varint(data: bytes, at: int, end: int, budget: Budget) -> tuple[int, int]:
    """Return the number at a position, and the position after it. Raises BodyError."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise _invalid(budget)


def _invalid(budget: Budget) -> BodyError:
    return BodyError(f"the body is not a valid {budget.signal.request_name} in protobuf")
