"""The SQL of each question, with a time window and a bound. Does no I/O.

Where few of many spans are wanted, they are found first, by as few columns as can be, and then read whole by their keys.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

from ...trace import conventions as c
from ...trace.traits import NOTED
from ..source import ALWAYS, MOST_OF_A_TRACE, BuildKey, Wanted, Window
from .columns import RESOURCE, SPAN, Attributes, Bound, listed
from .expressions import Expressions
from .narrowing import HOLDERS, Narrowing, Sought, sought_groups
from .rows import columns_of
from .schema import Schema

_SECOND = 10**9
ENDED = "toUnixTimestamp64Nano(Timestamp) + toInt64(Duration)"
# Delivered twice, read once.
ONCE = "LIMIT 1 BY TraceId, SpanId"
_NEWEST_FIRST = f"{ENDED} DESC, TraceId DESC, SpanId DESC"
_OF_A_JOB = (c.TYPE_RUN, c.TYPE_STAGE, c.TYPE_BRANCH)
_FOUND = "Timestamp, TraceId, SpanId, Duration"
# The columns that an inner query hands on, under their own names.
_PLAIN = (
    "Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ScopeName, ScopeVersion, Duration, StatusCode, "
    "StatusMessage, ResourceAttributes, SpanAttributes, Events.Timestamp, Events.Name, Events.Attributes, Links.TraceId, "
    "Links.SpanId, Links.Attributes"
)


class Query(NamedTuple):
    """A query: its SQL, and the values that the server puts in. ``of_keys``: it gives keys of spans, not whole ones."""

    sql: str
    bound: Bound
    of_keys: bool = False


class Key(NamedTuple):
    """By what a row is found again: its partition by the first, and in that by an index on the second."""

    start_ns: int
    trace_id: str
    span_id: str


class Queries:
    """Makes the queries for the tables of one server."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        attributes = Attributes(as_json=schema.as_json)
        self._of = Expressions(attributes)
        self._narrow = Narrowing(attributes)
        self._columns = columns_of(attributes)

    def newest(self, within: Window, horizon_ns: int) -> Query:
        """Ask for the trace in which something ended last. ``within``: when that began."""
        bound = Bound()
        sql = f"""SELECT TraceId, {ENDED} AS end_ns FROM {self._schema.spans} WHERE {began(within, bound)}
            ORDER BY end_ns > {bound.number(horizon_ns)}, end_ns DESC LIMIT 1"""
        return Query(sql, bound)

    def times(self, trace_ids: Collection[str]) -> Query:
        """Ask from when to when traces ran, in nanoseconds; the table of that must be there."""
        bound = Bound()
        sql = f"""SELECT toInt64(toUnixTimestamp(min(Start))) * {_SECOND},
                (toInt64(toUnixTimestamp(max(End))) + 1) * {_SECOND}
            FROM {self._schema.times} WHERE TraceId IN {bound.texts(trace_ids)} GROUP BY TraceId LIMIT {len(trace_ids)}"""
        return Query(sql, bound)

    def trace(self, trace_id: str, windows: Sequence[Window]) -> Query:
        """Ask for the spans of a trace. ``windows``: when they began."""
        bound = Bound()
        where = f"WHERE TraceId = {bound.text(trace_id)} AND {began_in(windows, bound)}"
        return self._whole(self._schema.spans, where, bound, MOST_OF_A_TRACE)

    def outline(self, trace_ids: Collection[str], windows: Sequence[Window], most: int, *, failures: bool = False) -> Query:
        """Ask for the outlines of traces, with ``failures`` for more than a verdict needs. ``windows``: when spans began."""
        bound = Bound()
        wanted = self._of.no_fine_part() if failures else self._of.outlined()
        where = f"WHERE TraceId IN {bound.texts(trace_ids)} AND {began_in(windows, bound)} AND {wanted}"
        return self._whole(self._schema.spans, where, bound, most)

    def by_keys(self, keys: Collection[Key], windows: Sequence[Window]) -> Query:
        """Ask for spans, perhaps for more than these. ``windows``: when they began."""
        bound = Bound()
        traces, spans = bound.texts({key.trace_id for key in keys}), bound.texts({key.span_id for key in keys})
        where = f"WHERE TraceId IN {traces} AND SpanId IN {spans} AND {began_in(windows, bound)}"
        return self._whole(self._schema.spans, where, bound, MOST_OF_A_TRACE)

    def traces(self, column: str, span_ids: Collection[str], windows: Sequence[Window], but: Collection[str] = ()) -> Query:
        """Ask for the traces of the spans with one of some ids in a column. ``windows``: when they began.

        ``but``: traces that are left out.
        """
        bound = Bound()
        where = f"{column} IN {bound.texts(span_ids)} AND {began_in(windows, bound)}"
        others = f" AND TraceId NOT IN {bound.texts(but)}" if but else ""
        sql = f"SELECT DISTINCT TraceId, {column} FROM {self._schema.spans} WHERE {where}{others} LIMIT {MOST_OF_A_TRACE}"
        return Query(sql, bound)

    def noted(self, wanted: Sequence[Sequence[Wanted]], when: Window, ended: Window, horizon_ns: int, most: int) -> Query:
        """Ask for the newest noted spans with all traits of one of the groups; what ends after the horizon comes last.

        ``when``: when they began.
        """
        bound = Bound()
        order, times = f"{ENDED} > {bound.number(horizon_ns)}, {_NEWEST_FIRST}", _times(when, ended, bound)
        groups = sought_groups(wanted)
        if self._schema.runs:
            where = f"WHERE Level = {NOTED} AND {_any(groups, lambda one: typed(one, bound))} AND {times}"
            return self._whole(self._schema.runs, where, bound, most, order)
        by_value = all(any(one.by_value for one in group) for group in groups)
        parts = self._noted_by_value if by_value else self._noted_by_name
        return self._keys(parts(groups, times, bound), bound, most, order)

    def builds(self, keys: Collection[BuildKey], windows: Sequence[Window], *, fine_hosts: bool) -> Query:
        """Ask for the spans of builds, perhaps of more than these. ``windows``: when they began."""
        bound = Bound()
        jobs, numbers = (bound.texts({key[at] for key in keys}) for at in (0, 1))
        more = began_in(windows, bound) + ("" if fine_hosts else f" AND {self._of.no_fine_host()}")
        ways = product(self._narrow.of_jobs(jobs), (self._narrow.one_of("run", numbers, holder) for holder in HOLDERS))
        parts = (f"SELECT {_PLAIN} FROM {self._schema.spans} WHERE {job} AND {run} AND {more}" for job, run in ways)
        return self._whole(f"({' UNION ALL '.join(parts)})", "", bound, MOST_OF_A_TRACE)

    def runs(self, when: Window, ended: Window, most: int) -> Query:
        """Ask for the newest runs. ``when``: when they began."""
        bound = Bound()
        times = _times(when, ended, bound)
        if self._schema.runs:
            where = f"WHERE Kind = '{c.TYPE_RUN}' AND Level = {NOTED} AND {times}"
            return self._whole(self._schema.runs, where, bound, most, _NEWEST_FIRST)
        return self._keys((self._found(f"{one} AND {times}") for one in self._narrow.runs()), bound, most)

    def stages(self, pipeline: str, when: Window, ended: Window, most: int) -> Query:
        """Ask for the newest runs, stages and branches of a job. ``when``: when they began."""
        bound, job = Bound(), Sought("pipeline", (pipeline,))
        times = _times(when, ended, bound)
        if self._schema.runs:
            where = f"WHERE Kind IN {listed(_OF_A_JOB)} AND {typed(job, bound)} AND {times}"
            return self._whole(self._schema.runs, where, bound, most, _NEWEST_FIRST)
        more = f"{self._of.perhaps(*_OF_A_JOB)} AND {times}"
        said = [*(self._narrow.says(job, holder, bound) for holder in HOLDERS), *self._narrow.elsewhere(job, bound)]
        return self._keys((self._found(f"{one} AND {more}") for one in said), bound, most)

    def on_host(self, host: str, when: Window, ended: Window, most: int) -> Query:
        """Ask for the newest spans of a host in tasks. ``when``: when they began."""
        bound = Bound()
        return self._keys(self._on_host(host, when, ended, bound), bound, most)

    def ran_on(self, host: str, when: Window, ended: Window, most: int) -> Query:
        """Ask for the newest traces with tasks on a host, each with when the newest ended. ``when``: when they began."""
        bound = Bound()
        found = " UNION ALL ".join(self._on_host(host, when, ended, bound))
        sql = f"""SELECT TraceId, max({ENDED}) AS ended FROM ({found})
            GROUP BY TraceId ORDER BY ended DESC, TraceId DESC LIMIT {most}"""
        return Query(sql, bound)

    def _on_host(self, host: str, when: Window, ended: Window, bound: Bound) -> Iterator[str]:
        """Yield queries for the spans of a host in tasks."""
        of_hosts = f"{self._narrow.told(c.TYPE_HOST)} AND {_times(when, ended, bound)}"
        named = self._narrow.says(Sought("host", (host,)), SPAN, bound)
        # Its name, where no attribute has it.
        unnamed = f"SpanName = {bound.text(host)} AND NOT {self._narrow.says(Sought('host'), SPAN, bound)}"
        yield from (self._found(f"{one} AND {of_hosts}") for one in (named, unnamed))

    def _noted_by_value(self, groups: Sequence[Sequence[Sought]], times: str, bound: Bound) -> Iterator[str]:
        """Yield queries for noted spans. Each group has traits whose values are in an index."""
        # Two values leave so little that what is noted needs no index.
        count = min(2, *(sum(one.by_value for one in group) for group in groups))
        any_noted = f"({' OR '.join(self._narrow.noted())})"
        for holders in product(HOLDERS, repeat=count):
            said = " OR ".join(self._said(group, holders, bound) for group in groups)
            for noted in self._narrow.noted() if count == 1 else [any_noted]:
                yield self._found(f"({said}) AND {noted} AND {times}")
        for group in groups:
            said = " AND ".join(self._narrow.anywhere(one, bound) for one in group)
            for elsewhere in (condition for one in group for condition in self._narrow.elsewhere(one, bound)):
                yield self._found(f"{elsewhere} AND {said} AND {any_noted} AND {times}")

    def _said(self, group: Sequence[Sought], holders: Sequence[str], bound: Bound) -> str:
        """Return whether the traits of a group are as sought, the first ones in certain holders of attributes."""
        first = [one for one in group if one.by_value][: len(holders)]
        there = [self._narrow.says(one, holder, bound) for one, holder in zip(first, holders, strict=True)]
        return " AND ".join([*there, *(self._narrow.anywhere(one, bound) for one in group if one not in first)])

    def _noted_by_name(self, groups: Sequence[Sequence[Sought]], times: str, bound: Bound) -> Iterator[str]:
        """Yield queries for noted spans, which are found by the names of their attributes."""
        by_span, *by_resource = self._narrow.noted()
        # A trait has many names. LIMIT BY keeps the server from looking for all of them in all spans.
        any_value = self._narrow.by_any_value(groups, bound)
        columns = f"{_FOUND}, StatusCode, {SPAN}"
        maybe = f"(SELECT {columns} FROM {self._schema.spans} WHERE {any_value} AND {by_span} AND {times} {ONCE})"
        yield f"SELECT {_FOUND} FROM {maybe} WHERE {_any(groups, lambda one: self._narrow.by_span(one, bound))}"
        # What the resource says instead: of few spans.
        said = _any(groups, lambda one: self._narrow.anywhere(one, bound))
        traits = sorted({one.trait for group in groups for one in group})
        names = (f"{self._narrow.names(trait, RESOURCE)} AND {by_span}" for trait in traits)
        for condition in (*by_resource, *names):
            yield self._found(f"{condition} AND {said} AND {times}")

    def _found(self, where: str) -> str:
        return f"SELECT {_FOUND} FROM {self._schema.spans} WHERE {where}"

    def _keys(self, found: Iterable[str], bound: Bound, most: int, order: str = _NEWEST_FIRST) -> Query:
        """Ask for the keys of the newest of the spans that queries find."""
        sql = f"""SELECT toUnixTimestamp64Nano(Timestamp), TraceId, SpanId FROM ({" UNION ALL ".join(found)})
            ORDER BY {order} {ONCE} LIMIT {most}"""
        return Query(sql, bound, of_keys=True)

    def _whole(self, table: str, where: str, bound: Bound, most: int, order: str = "") -> Query:
        sorted_ = f"ORDER BY {order}" if order else ""
        return Query(f"SELECT {self._columns} FROM {table} {where} {sorted_} {ONCE} LIMIT {most}", bound)


def typed(one: Sought, bound: Bound) -> str:
    """Return whether a trait is as sought, in the table of runs."""
    return one.holds(one.trait.capitalize(), bound)


def began(within: Window, bound: Bound) -> str:
    """Return whether a span began in a window: what the partitions of the table go by."""
    conditions = [f"Timestamp >= {bound.moment(within.from_ns)}"]
    if within.to_ns < ALWAYS.to_ns:
        conditions.append(f"Timestamp <= {bound.moment(within.to_ns)}")
    return " AND ".join(conditions)


def began_in(windows: Iterable[Window], bound: Bound) -> str:
    """Return whether a span began in one of some windows."""
    return f"({' OR '.join(f'({began(window, bound)})' for window in windows)})"


def _times(when: Window, ended: Window, bound: Bound) -> str:
    """Return whether a span began in one window and ended in another."""
    if ended == ALWAYS:
        return began(when, bound)
    return f"{began(when, bound)} AND {ENDED} BETWEEN {bound.number(ended.from_ns)} AND {bound.number(ended.to_ns)}"


def _any(groups: Sequence[Sequence[Sought]], condition: Callable[[Sought], str]) -> str:
    """Return whether all traits of one of the groups are as sought, by the condition for each."""
    return f"({' OR '.join(' AND '.join(map(condition, group)) or '1' for group in groups)})"
