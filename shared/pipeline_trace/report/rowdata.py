"""Writes spans as rows for report-model.js, with tables of the texts and resources in them. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from json import JSONEncoder, loads
from typing import Any

from ..lookup.states import INCOMPLETE, SPAN_TYPES, STATES, message, remark, span_type, state
from ..lookup.tree import Node
from ..lookup.wording import visible
from ..trace.span import Event, Link, Span

_JSON = JSONEncoder(separators=(",", ":"), ensure_ascii=False)


class Rows:
    """Makes rows. It keeps them with its tables: those of a page that is made again have the same places.

    A text is a position in one table; 0 is the empty text. Times are microseconds from the start of the axis. Empty values
    at the end of a row are left out.
    """

    def __init__(self) -> None:
        self._texts: dict[str, int] = {"": 0}
        # By what a text is without and with lines. These and the resources are looked up for each value of each row.
        self._known: tuple[dict[str, int], dict[str, int]] = {}, {}
        self._resources: dict[str, int] = {}
        self._known_resources: dict[str, int] = {}
        self._start_ns = 0
        # Rows with what they were made of.
        self._made: dict[tuple[str, str], tuple[tuple[Span, object], list[Any]]] = {}

    def of(self, nodes: Sequence[Node], start_ns: int, silent: Mapping[str, int]) -> list[list[Any]]:
        """Return the rows of nodes. ``start_ns``: of the axis. ``silent``: see html.Known."""
        self._start_ns = start_ns
        before, self._made = self._made, {}
        return [self._row(node, node.span.span_id in silent, before) for node in nodes]

    @property
    def counts(self) -> tuple[int, int]:
        """Return how many texts and resources there are."""
        return len(self._texts), len(self._resources)

    def texts(self, first: int = 0) -> list[str]:
        """Return the texts from a place on."""
        return list(self._texts)[first:]

    def resources(self, first: int = 0) -> list[Any]:
        """Return the resources from a place on, each as attributes."""
        return [loads(resource) for resource in list(self._resources)[first:]]

    def _row(
        self, node: Node, silent: bool, before: Mapping[tuple[str, str], tuple[tuple[Span, object], list[Any]]]
    ) -> list[Any]:
        key = node.span.trace_id, node.span.span_id
        made_of = node.span, (node.depth, node.skewed, silent, self._start_ns)
        known = before.get(key)
        row = known[1] if known and known[0] == made_of else self._new(node, silent=silent)
        self._made[key] = made_of, row
        return row

    def _new(self, node: Node, *, silent: bool) -> list[Any]:
        span = node.span
        row: list[Any] = [
            node.depth,
            self._text(span.name),
            SPAN_TYPES.index(span_type(span)),
            STATES.index(INCOMPLETE if silent else state(span)),
            self._offset(span.start_ns),
            (span.end_ns - span.start_ns) // 1000 if span.end_ns else None,
            self._text(span.span_id),
            self._text(span.trace_id),
            self._text(span.kind),
            self._text(span.status_code),
            self._resource(span.resource),
            int(node.skewed),
            # The depth of a row already tells a parent that is in the page.
            self._text(span.parent_id or "") if node.depth == 0 else 0,
            self._text(remark(span)),
            self._text(message(span).strip(), lines=True),
            self._attributes(span.attributes),
            [self._event(event) for event in span.events],
            [self._link(link) for link in span.links],
        ]
        while len(row) > 1 and not row[-1]:
            row.pop()
        return row

    def _text(self, raw: str, *, lines: bool = False) -> int:
        known = self._known[lines]
        found = known.get(raw)
        if found is None:
            found = known[raw] = self._texts.setdefault(visible(raw, lines=lines), len(self._texts))
        return found

    def _offset(self, time_ns: int) -> int:
        return (time_ns - self._start_ns) // 1000

    def _attributes(self, attributes: Mapping[str, Any]) -> list[Any]:
        flat: list[Any] = []
        for key in sorted(attributes):
            flat += [self._text(key), self._value(attributes[key])]
        return flat

    def _value(self, value: Any) -> Any:
        if type(value) is str:
            return self._text(value, lines=True)
        if isinstance(value, (list, tuple)):
            return [self._text(_value_text(item), lines=True) for item in value]
        return self._text(_value_text(value), lines=True)

    def _event(self, event: Event) -> list[Any]:
        return [self._text(event.name), self._offset(event.time_ns), self._attributes(event.attributes)]

    def _link(self, link: Link) -> list[Any]:
        return [self._text(link.trace_id), self._text(link.span_id), self._attributes(link.attributes)]

    def _resource(self, resource: Mapping[str, Any]) -> int:
        raw = repr(resource)
        found = self._known_resources.get(raw)
        if found is None:
            encoded = _JSON.encode(self._attributes(resource))
            found = self._known_resources[raw] = self._resources.setdefault(encoded, len(self._resources))
        return found


def _value_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
