"""Lists the newest traces: their roots, with what is needed for a line of a list."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...trace import conventions as c
from ...trace.span import Span
from ..source import Wanted, Window
from .columns import Attributes, Bound
from .expressions import Expressions
from .queries import ENDED, Query, began_in
from .source import ClickHouseSource

# Before all spans.
_NEVER = "fromUnixTimestamp64Nano(toInt64(0))"


@dataclass(frozen=True)
class ListWanted:
    """Which traces are listed; an empty text wants nothing.

    ``words``: each is in a name, a job, a service, a message or is the trace id. ``result``: of the root. ``began``: when
    the root began; ``ended_from_ns``: when it ended at the earliest, in nanoseconds since the epoch.
    """

    began: Window
    ended_from_ns: int = 0
    words: Sequence[str] = ()
    result: str = ""
    environment: str = ""
    commit: str = ""


class Size(NamedTuple):
    """How large a trace is. Times are nanoseconds since the epoch."""

    start_ns: int
    end_ns: int
    spans: int


class TraceLister:
    """Lists the traces of a source."""

    def __init__(self, source: ClickHouseSource) -> None:
        self._source = source

    def roots(self, wanted: ListWanted, first: int, most: int) -> list[Span]:
        """Return the roots of traces, the newest first, one a trace. ``first``: how many are passed over."""
        bound = Bound()
        sql = f"""SELECT toUnixTimestamp64Nano(began), TraceId, root FROM ({self._traces(wanted, bound)})
            ORDER BY began DESC, TraceId DESC LIMIT {int(most)} OFFSET {int(first)}"""
        return self._source.whole("list", Query(sql, bound, of_keys=True))

    def count(self, wanted: ListWanted) -> int:
        """Return how many traces there are."""
        bound = Bound()
        sql = f"SELECT count() FROM ({self._traces(wanted, bound)})"
        return int(self._source.ask("count", Query(sql, bound))[0][0])

    def sizes(self, trace_ids: Collection[str]) -> dict[str, Size]:
        """Return how large traces are, by their ids."""
        if not trace_ids:
            return {}
        schema, bound = self._source.schema(), Bound()
        windows = began_in(self._source.times(trace_ids), bound)
        sql = f"""SELECT TraceId, toUnixTimestamp64Nano(min(Timestamp)), max({ENDED}), uniqExact(SpanId) FROM {schema.spans}
            WHERE TraceId IN {bound.texts(trace_ids)} AND {windows} GROUP BY TraceId LIMIT {len(trace_ids)}"""
        rows = self._source.ask("sizes", Query(sql, bound))
        return {str(trace): Size(int(start), int(end), int(spans)) for trace, start, end, spans in rows}

    def _traces(self, wanted: ListWanted, bound: Bound) -> str:
        """Return the query for the traces that are wanted, each with its newest root and when that began."""
        schema, began = self._source.schema(), began_in([wanted.began], bound)
        attributes = Attributes(as_json=schema.as_json)
        where = " AND ".join(["ParentSpanId = ''", began, *_of_root(wanted, attributes, bound)])
        parts = [f"SELECT TraceId, Timestamp AS start, SpanId AS root, 0 AS part FROM {schema.spans} WHERE {where}"]
        # Not one query within another's condition: a table that is distributed over servers forbids that.
        for part, inside in enumerate(_inside(wanted, attributes, bound), start=1):
            named = f"TraceId, {_NEVER} AS start, '' AS root, {part} AS part"
            parts.append(f"SELECT DISTINCT {named} FROM {schema.spans} WHERE {began} AND {inside}")
        return f"""SELECT TraceId, max(start) AS began, argMax(root, start) AS root FROM ({" UNION ALL ".join(parts)})
            GROUP BY TraceId HAVING uniqExact(part) = {len(parts)}"""


def _of_root(wanted: ListWanted, attributes: Attributes, bound: Bound) -> Iterator[str]:
    """Yield the conditions that the root of a trace must fulfil."""
    if wanted.ended_from_ns:
        yield f"{ENDED} >= {bound.number(wanted.ended_from_ns)}"
    if wanted.result:
        yield f"{Expressions(attributes).trait('result')} = {bound.text(wanted.result)}"


def _inside(wanted: ListWanted, attributes: Attributes, bound: Bound) -> Iterator[str]:
    """Yield the conditions of which some span of a trace must fulfil each."""
    traits = Expressions(attributes)
    if wanted.environment:
        yield traits.wanted(Wanted("environment", wanted.environment), bound)
    if wanted.commit:
        yield traits.wanted(Wanted("revision", wanted.commit, begins=True), bound)
    for word in wanted.words:
        text = bound.text(word)
        places = ("SpanName", "ServiceName", "StatusMessage", attributes.resource(c.PIPELINE_NAME))
        found = " OR ".join(f"positionCaseInsensitiveUTF8({place}, {text}) > 0" for place in places)
        yield f"(TraceId = lower({text}) OR {found})"
