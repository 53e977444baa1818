"""Asks for what is open: log records that senders of open spans sent, in the exporter's table of logs. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ...trace import conventions as c
from .columns import LOG, Attributes, Bound, quoted
from .queries import Query
from .rows import attributes_of
from .schema import Logs

# More than run at once anywhere. Beyond it the newest are told.
_MOST = 10_000


class OpenRecord(NamedTuple):
    """A log record of an open span, as it was sent last. ``told_ns``: when, by its sender's clock, in ns since the epoch."""

    trace_id: str
    span_id: str
    told_ns: int
    resource: dict[str, Any]
    attributes: dict[str, Any]


def question(logs: Logs, since_ns: int) -> Query:
    """Ask for the newest record of each span. ``since_ns``: told since then, in nanoseconds since the epoch."""
    bound, attributes = Bound(), Attributes(as_json=logs.as_json)
    ours = attributes.has(c.OPEN_NAME, LOG)
    if logs.has_events:
        # The column EventName has an index.
        ours = f"EventName = {quoted(c.SPAN_OPEN)} AND {ours}"
    sql = f"""SELECT TraceId, SpanId, toUnixTimestamp64Nano(Timestamp),
            {attributes.whole("ResourceAttributes")}, {attributes.whole(LOG)}
        FROM {logs.table} WHERE Timestamp >= {bound.moment(since_ns)} AND {ours}
        ORDER BY Timestamp DESC LIMIT 1 BY TraceId, SpanId LIMIT {_MOST}"""
    return Query(sql, bound)


def records_of(rows: Iterable[Sequence[Any]]) -> Iterator[OpenRecord]:
    """Yield the records of rows. One that is odd is left out."""
    for trace_id, span_id, told_ns, resource, attributes in rows:
        try:
            yield OpenRecord(str(trace_id), str(span_id), int(told_ns), attributes_of(resource), attributes_of(attributes))
        except (ValueError, TypeError):
            continue
