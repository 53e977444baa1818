"""What becomes of attributes on their way through a table in which all values are texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline_trace.lookup.clickhouse.types import typed
from support.clickhouse_schema import as_text


def changed(spans: Iterable[Mapping[str, Any]]) -> dict[str, tuple[object, object]]:
    """Return the attributes of spans that come back as something else: their names, before and after.

    ``spans``: in the form of ``show --format json``.
    """
    found = {}
    for span in spans:
        of = [span["attributes"], span["resource"], *(one["attributes"] for one in (*span["events"], *span["links"]))]
        for attributes in of:
            back = typed({name: as_text(value) for name, value in attributes.items()})
            found |= {name: (was, back[name]) for name, was in attributes.items() if not _same(was, back[name])}
    return found


def _same(one: object, other: object) -> bool:
    return (type(one), one) == (type(other), other)
