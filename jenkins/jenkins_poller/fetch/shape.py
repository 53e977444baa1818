"""The shape of a build's document: one description makes the query for it and checks the answer.

A part of an answer that has another shape is left out. So whoever reads the document finds what is described, or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .times import LATEST_MS

# The kinds of a value. IDENTIFIER: a text; Jenkins' numbers become texts. VALUE: any value but a list or an object.
TEXT, WHOLE, FLAG, IDENTIFIER, VALUE = "text", "whole", "flag", "identifier", "value"
# A kind, the fields of an object, or a list with the shape of its items and the most items that are asked for.
Shape = str | Mapping[str, Any] | tuple[Any, int | None]


def listed(items: Shape, most: int | None = None) -> Shape:
    """Return the shape of a list. ``most``: how many items to ask for; None for all."""
    return (items, most)


def query(shape: Mapping[str, Shape]) -> str:
    """Return Jenkins' ``tree`` query for an object."""
    return ",".join(f"{name}{_inner(part)}" for name, part in shape.items())


def _inner(shape: Shape) -> str:
    items, most = shape if isinstance(shape, tuple) else (shape, None)
    inner = f"[{query(items)}]" if isinstance(items, Mapping) else ""
    return inner if most is None else f"{inner}{{0,{most}}}"


def shaped(value: object, shape: Shape) -> Any:
    """Return the part of an answer that has the shape; None if the value itself has another one."""
    if isinstance(shape, str):
        return _simple(value, shape)
    if isinstance(shape, tuple):
        items = value if isinstance(value, list) else ()
        return [part for item in items if (part := shaped(item, shape[0])) is not None]
    if not isinstance(value, Mapping):
        return None
    return {
        name: part for name, inner in shape.items() if name in value and (part := shaped(value[name], inner)) is not None
    }


def _simple(value: object, kind: str) -> object:
    if kind == TEXT:
        return value if isinstance(value, str) else None
    if kind == FLAG:
        return value if isinstance(value, bool) else None
    if kind == VALUE:
        return value if isinstance(value, str | int | float | bool) else None
    if isinstance(value, bool):
        return None
    if kind == IDENTIFIER:
        return str(value) if isinstance(value, str | int) else None
    # No clock shows more, and no count is as high. NaN and infinity are not below it either.
    known = isinstance(value, int | float) and abs(value) < LATEST_MS
    return int(value) if known else None  # type: ignore[call-overload]
