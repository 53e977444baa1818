"""Turns rows into the JSON that report-model.js reads. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from json import JSONEncoder, loads
from typing import Any

from ..lookup.states import SPAN_TYPES, STATES, message, remark, span_type, state
from ..lookup.states import STATE_WORDS as STATE_WORDS
from ..lookup.tree import Node
from ..lookup.usual import OtherBuilds, stage_key
from ..lookup.wording import visible
from ..trace import conventions as c
from ..trace.queries import has_times, is_stage
from ..trace.span import Event, Link
from .critical import Segment, own_times
from .retries import later_attempts
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
_JSON = JSONEncoder(separators=(",", ":"), ensure_ascii=False)


class PageData:
    """The rows in a short form, so that a browser can open a page with 10,000 spans.

    A text is a position in one table; 0 is the empty text. Times are microseconds; in a row, from the start of the axis.
    Empty values at the end of a row are left out. Values that only few rows have are in separate flat lists, with the
    position of the row.
    """

    def __init__(
        self, rows: Sequence[Node], start_ns: int, end_ns: int, path: Sequence[Segment], history: OtherBuilds
    ) -> None:
        self._start_ns = start_ns
        self._texts: dict[str, int] = {"": 0}
        # By what a text is without and with lines. These and the resources are looked up for each value of each row.
        self._known: tuple[dict[str, int], dict[str, int]] = {}, {}
        self._resources: dict[str, int] = {}
        self._known_resources: dict[str, int] = {}
        self._rows = [self._row(node) for node in rows]
        self._extent_ns = end_ns - start_ns
        self._sides = "".join(_SIDES[side(node.span)] for node in rows)
        self._critical = [value for at, own in own_times(path, rows).items() for value in (at, own // 1000)]
        self._usual = list(_usual(rows, history))
        self._attempts = [value for one in later_attempts(rows) for value in one]
        flaky = {(one.job, one.name) for one in history.flaky if not one.test}
        self._flaky = [at for at, node in enumerate(rows) if is_stage(node.span) and stage_key(node.span) in flaky]
        self._untimed = [at for at, node in enumerate(rows) if not has_times(node.span)]

    def as_json(self) -> dict[str, Any]:
        """Return the data to embed in the page."""
        return {
            "origin": self._start_ns // 1000,
            "extent": self._extent_ns // 1000,
            "types": SPAN_TYPES,
            "states": STATES,
            "words": [STATE_WORDS[word].lower() for word in STATES],
            "names": _NAMES,
            "texts": list(self._texts),
            "resources": [loads(resource) for resource in self._resources],
            "rows": self._rows,
            "sides": self._sides,
            "critical": self._critical,
            "usual": self._usual,
            "attempts": self._attempts,
            "flaky": self._flaky,
            "untimed": self._untimed,
        }

    def _row(self, node: Node) -> list[Any]:
        span = node.span
        row: list[Any] = [
            node.depth,
            self._text(span.name),
            SPAN_TYPES.index(span_type(span)),
            STATES.index(state(span)),
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


def _usual(rows: Sequence[Node], history: OtherBuilds) -> Iterator[int]:
    for at, node in enumerate(rows):
        ran = is_stage(node.span) and state(node.span) != c.SKIP and has_times(node.span)
        usual = history.usual.get(stage_key(node.span)) if ran else None
        if usual:
            yield from (at, usual.median_ns // 1000, usual.p95_ns // 1000, usual.count)
