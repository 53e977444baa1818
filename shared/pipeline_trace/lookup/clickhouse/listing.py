"""Lists the newest traces: their roots, with what is needed for a line of a list."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...trace import conventions as c
from ...trace.span import Span
from ..source import Wanted, Window
from .columns import Attributes, Bound
from .expressions import Expressions
from .queries import ENDED, Query, began_in
from .rows import columns_of, spans_of
from .schema import Schema
from .source import ClickHouseSource


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
        schema, bound = self._source.schema(), Bound()
        where = _where(wanted, schema, bound)
        columns = columns_of(Attributes(as_json=schema.as_json))
        sql = f"""SELECT {columns} FROM {schema.spans} WHERE {where}
            ORDER BY Timestamp DESC, TraceId DESC LIMIT 1 BY TraceId LIMIT {int(most)} OFFSET {int(first)}"""
        return list(spans_of(self._source.ask("list", Query(sql, bound))))

    def count(self, wanted: ListWanted) -> int:
        """Return how many traces there are."""
        schema, bound = self._source.schema(), Bound()
        sql = f"SELECT uniqExact(TraceId) FROM {schema.spans} WHERE {_where(wanted, schema, bound)} LIMIT 1"
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


def _where(wanted: ListWanted, schema: Schema, bound: Bound) -> str:
    attributes = Attributes(as_json=schema.as_json)
    traits = Expressions(attributes)
    began = began_in([wanted.began], bound)
    conditions = ["ParentSpanId = ''", began]
    if wanted.ended_from_ns:
        conditions.append(f"{ENDED} >= {bound.number(wanted.ended_from_ns)}")
    if wanted.result:
        conditions.append(f"{traits.trait('result')} = {bound.text(wanted.result)}")
    inside = []
    if wanted.environment:
        inside.append(traits.wanted(Wanted("environment", wanted.environment), bound))
    if wanted.commit:
        inside.append(traits.wanted(Wanted("revision", wanted.commit, begins=True), bound))
    for word in wanted.words:
        text = bound.text(word)
        places = ("SpanName", "ServiceName", "StatusMessage", attributes.resource(c.PIPELINE_NAME))
        found = " OR ".join(f"positionCaseInsensitiveUTF8({place}, {text}) > 0" for place in places)
        inside.append(f"(TraceId = lower({text}) OR {found})")
    for one in inside:
        conditions.append(f"TraceId IN (SELECT TraceId FROM {schema.spans} WHERE {began} AND {one})")
    return " AND ".join(conditions)
