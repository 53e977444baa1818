"""Turns rows into the JSON that report-model.js reads. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..lookup.states import SPAN_TYPES, STATES, state
from ..lookup.states import STATE_WORDS as STATE_WORDS
from ..lookup.tree import Node
from ..lookup.usual import OtherBuilds, stage_key
from ..trace import conventions as c
from ..trace.queries import has_times, is_stage
from .critical import Segment, own_times
from .retries import later_attempts
from .rowdata import Rows
from .sides import BOTH, DEV, OPS, side

_SIDES = {BOTH: "b", DEV: "d", OPS: "o"}
# The attributes that the page's script asks for, by its words for them.
_NAMES = {
    "strategy": c.ANSIBLE_PLAY_STRATEGY,
    "serial": f"{c.ANSIBLE_PLAY_PREFIX}serial",
    "counts": c.ANSIBLE_HOSTS_PREFIX,
    "host": c.ANSIBLE_HOST_NAME,
    "error": c.ERROR_TYPE,
}


class PageData:
    """The rows in a short form, so that a browser can open a page with 10,000 spans.

    ``rows``: see Rows. ``sides``: a letter for each row. ``keys``: the trace and span id of each row. ``around``: values
    that only few rows have, in separate flat lists with the position of the row, and the axis.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        start_ns: int,
        end_ns: int,
        path: Sequence[Segment],
        history: OtherBuilds,
        *,
        silent: Mapping[str, int] | None = None,
        made: Rows | None = None,
    ) -> None:
        """``silent``: when open spans were heard of last, by their ids. ``made``: what keeps rows between two pages."""
        silent = silent or {}
        self.tables = made or Rows()
        self.rows = self.tables.of(nodes, start_ns, silent)
        self.sides = "".join(_SIDES[side(node.span)] for node in nodes)
        self.keys = [(node.span.trace_id, node.span.span_id) for node in nodes]
        flaky = {(one.job, one.name) for one in history.flaky if not one.test}
        self.around: dict[str, Any] = {
            "origin": start_ns // 1000,
            "extent": (end_ns - start_ns) // 1000,
            "critical": [value for at, own in own_times(path, nodes).items() for value in (at, own // 1000)],
            "usual": list(_usual(nodes, history)),
            "attempts": [value for one in later_attempts(nodes) for value in one],
            "flaky": [at for at, node in enumerate(nodes) if is_stage(node.span) and stage_key(node.span) in flaky],
            "untimed": [at for at, node in enumerate(nodes) if not has_times(node.span)],
            "silent": list(_silent(nodes, silent, start_ns)) if silent else [],
        }

    def as_json(self) -> dict[str, Any]:
        """Return the data to embed in the page."""
        return {
            "types": SPAN_TYPES,
            "states": STATES,
            "words": [STATE_WORDS[word].lower() for word in STATES],
            "names": _NAMES,
            "texts": self.tables.texts(),
            "resources": self.tables.resources(),
            "rows": self.rows,
            "sides": self.sides,
            **self.around,
        }


def _usual(rows: Sequence[Node], history: OtherBuilds) -> Iterator[int]:
    for at, node in enumerate(rows):
        ran = is_stage(node.span) and state(node.span) != c.SKIP and has_times(node.span)
        usual = history.usual.get(stage_key(node.span)) if ran else None
        if usual:
            yield from (at, usual.median_ns // 1000, usual.p95_ns // 1000, usual.count)


def _silent(rows: Sequence[Node], silent: Mapping[str, int], start_ns: int) -> Iterator[int]:
    for at, node in enumerate(rows):
        if node.span.span_id in silent:
            yield from (at, (silent[node.span.span_id] - start_ns) // 1000)
