"""Renders a comparison as JSON. docs/compare.md lists the keys."""

from __future__ import annotations

from typing import Any

from ..lookup.wording import iso_time
from .record import Compared, Comparison, Difference, Failed, Pair, Part


def document_of(found: Comparison) -> dict[str, Any]:
    """Return the comparison as JSON-ready data. Times are in UTC, as ISO 8601."""
    slower = found.slower
    return {
        "run": _compared(found.run),
        "base": _compared(found.base),
        "note": found.note or None,
        "failed": [_failed(one) for one in found.failed],
        "new": [_part(one) for one in found.new],
        "gone": [_part(one) for one in found.gone],
        "not_reached": [_part(one) for one in found.not_reached],
        "slower": {
            name: [_pair(pair) for pair in pairs]
            for name, pairs in (
                ("stages", slower.stages),
                ("steps", slower.steps),
                ("tasks", slower.tasks),
                ("waits", slower.waits),
            )
        },
        "commits": [_difference(one) for one in found.commits],
        "same_commit": found.same_commit,
        "built_since": list(found.built),
        "parameters": [_difference(one) for one in found.parameters],
        "others": [_difference(one) for one in found.others],
    }


def _compared(one: Compared) -> dict[str, Any]:
    return {
        "name": one.name,
        "url": one.url or None,
        "state": one.state,
        "started": iso_time(one.start_ns),
        "took_ms": _ms(one.took_ns),
        "trace_id": one.trace_id,
        "span_id": one.span_id,
    }


def _part(one: Part) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "name": one.name,
        "path": list(one.path),
        "state": one.state,
        "took_ms": _ms(one.took_ns),
        "below": one.below,
        "trace_id": one.trace_id,
        "span_id": one.span_id,
    }


def _failed(one: Failed) -> dict[str, Any]:
    base = _part(one.base) if one.base else None
    return {"run": _part(one.run), "base": base, "hosts": list(one.hosts), "cause": one.cause or None}


def _pair(pair: Pair) -> dict[str, Any]:
    return {"run": _part(pair.run), "base": _part(pair.base), "more_ms": _ms(pair.more_ns)}


def _difference(one: Difference) -> dict[str, Any]:
    return {"name": one.name, "run": one.run or None, "base": one.base or None, "url": one.url or None}


def _ms(duration_ns: int | None) -> float | None:
    return None if duration_ns is None else round(duration_ns / 1e6, 3)
