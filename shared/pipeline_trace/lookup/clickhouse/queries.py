"""The SQL of each question, with a time window and a bound. Does no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from ...trace import conventions as c
from ...trace.traits import NOTED
from ..source import ALWAYS, MOST_OF_A_TRACE, Counted, Wanted, Window
from .expressions import Attributes, Bound, Expressions, listed
from .rows import columns_of
from .schema import Schema

_SECOND = 10**9
ENDED = "toUnixTimestamp64Nano(Timestamp) + toInt64(Duration)"
# Delivered twice, read once.
_ONCE = "LIMIT 1 BY TraceId, SpanId"
_NEWEST_FIRST = f"ORDER BY {ENDED} DESC, TraceId DESC, SpanId DESC"
_OF_A_JOB = (c.TYPE_RUN, c.TYPE_STAGE, c.TYPE_BRANCH)


class Query(NamedTuple):
    """A query: its SQL, and the values that the server puts in."""

    sql: str
    bound: Bound


class Queries:
    """Makes the queries for the tables of one server."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        attributes = Attributes(as_json=schema.as_json)
        self._of = Expressions(attributes)
        self._columns = columns_of(attributes)

    def newest(self, within: Window, horizon_ns: int) -> Query:
        """Ask for the trace in which something ended last. ``within``: when that began."""
        bound = Bound()
        sql = f"""SELECT TraceId, {ENDED} AS end_ns FROM {self._schema.spans} WHERE {_began(within, bound)}
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
        where = f"TraceId = {bound.text(trace_id)} AND {began_in(windows, bound)}"
        return self._spans(where, bound, MOST_OF_A_TRACE)

    def outline(self, trace_ids: Collection[str], windows: Sequence[Window], most: int) -> Query:
        """Ask for the outlines of traces. ``windows``: when their spans began."""
        bound = Bound()
        where = f"TraceId IN {bound.texts(trace_ids)} AND {began_in(windows, bound)} AND {self._of.outlined()}"
        return self._spans(where, bound, most)

    def traces(self, column: str, span_ids: Collection[str], within: Window) -> Query:
        """Ask for the traces of the spans with one of some ids in a column. ``within``: when they began."""
        bound = Bound()
        sql = f"""SELECT DISTINCT TraceId, {column} FROM {self._schema.spans}
            WHERE {column} IN {bound.texts(span_ids)} AND {_began(within, bound)} LIMIT {MOST_OF_A_TRACE}"""
        return Query(sql, bound)

    def noted(self, wanted: Sequence[Sequence[Wanted]], began: Window, ended: Window, most: int, horizon_ns: int) -> Query:
        """Ask for the newest noted spans with all traits of one of the groups; what ends after the horizon comes last."""
        bound = Bound()
        order = _NEWEST_FIRST.replace("ORDER BY", f"ORDER BY {ENDED} > {bound.number(horizon_ns)},")
        groups = [" AND ".join(self._holds(one, bound) for one in group) for group in wanted]
        which = f"({' OR '.join(groups)}) AND {_began(began, bound)} AND {_ended(ended, bound)}"
        if self._schema.runs:
            return self._spans(f"Level = {NOTED} AND {which}", bound, most, self._schema.runs, order)
        # Each condition alone leaves most of the table out; joined by OR they would not.
        parts = (
            f"(SELECT {_PLAIN} FROM {self._schema.spans} WHERE {one} AND {which} {order} {_ONCE} LIMIT {most})"
            for one in self._of.noted()
        )
        sql = f"SELECT {self._columns} FROM ({' UNION ALL '.join(parts)}) {order} {_ONCE} LIMIT {most}"
        return Query(sql, bound)

    def builds(self, names: Collection[str], within: Window, *, fine_hosts: bool) -> Query:
        """Ask for the spans of builds. ``names``: JOB#N of each. ``within``: when the spans began."""
        bound = Bound()
        where = f"{self._of.of_build(bound.texts(names))} AND {_began(within, bound)}"
        if not fine_hosts:
            where += f" AND {self._of.no_fine_host()}"
        return self._spans(where, bound, MOST_OF_A_TRACE)

    def runs(self, began: Window, ended: Window, most: int, pipeline: str = "") -> Query:
        """Ask for the newest runs, of one job or of all."""
        bound = Bound()
        where = f"{_began(began, bound)} AND {_ended(ended, bound)} AND {self._kinds(c.TYPE_RUN)}"
        if pipeline:
            where += f" AND {self._holds(Wanted('pipeline', pipeline), bound)}"
        return self._spans(where, bound, most, self._schema.runs, _NEWEST_FIRST)

    def stages(self, pipeline: str, began: Window, ended: Window, most: int) -> Query:
        """Ask for the newest runs, stages and branches of a job, in the table of runs."""
        bound = Bound()
        kinds = f"Kind IN {listed(_OF_A_JOB)} AND {self._holds(Wanted('pipeline', pipeline), bound)}"
        where = f"{kinds} AND {_began(began, bound)} AND {_ended(ended, bound)}"
        return self._spans(where, bound, most, self._schema.runs, _NEWEST_FIRST)

    def stages_of(self, pipeline: str, trace_ids: Collection[str], windows: Sequence[Window], ended: Window) -> Query:
        """Ask for the stages and branches of a job in some traces."""
        bound = Bound()
        where = f"""TraceId IN {bound.texts(trace_ids)} AND {began_in(windows, bound)} AND {_ended(ended, bound)}
            AND {self._of.kinds(c.TYPE_STAGE, c.TYPE_BRANCH)} AND {self._of.wanted(Wanted("pipeline", pipeline), bound)}"""
        return self._spans(where, bound, MOST_OF_A_TRACE)

    def figures(self, counted: Counted, began: Window, wanted: Sequence[Wanted]) -> Query:
        """Ask for statistics by names and day. The same rules as `usual.percentile`."""
        bound = Bound()
        runs = self._schema.runs and counted in ("job", "stage", "deploy")
        trait = (lambda name: name.capitalize()) if runs else (lambda name: self._of.trait(name))
        which, names = self._counted(counted, bool(runs))
        named = [trait(name) if name != "name" else "SpanName" for name in names]
        holds = [self._holds(one, bound, runs=bool(runs)) for one in wanted]
        where = " AND ".join([which, _began(began, bound), *holds])
        columns = ", ".join(f"{found} AS name_{at}" for at, found in enumerate(named))
        keys = ", ".join(f"name_{at}" for at in range(len(named)))
        sql = f"""SELECT {keys}, toString(day), count() AS found, sumMap(map(result, 1)),
                arraySort(groupArray(took)) AS sorted,
                sorted[greatest(intDiv(found * 50 + 99, 100), 1)], sorted[greatest(intDiv(found * 95 + 99, 100), 1)]
            FROM (SELECT {columns}, toDate(Timestamp, 'UTC') AS day, {trait("result")} AS result,
                greatest(toInt64(Duration), 0) AS took
                FROM {self._schema.runs if runs else self._schema.spans} WHERE {where}
                LIMIT 1 BY cityHash64(TraceId, SpanId))
            GROUP BY {keys}, day ORDER BY {keys}, day LIMIT {MOST_FIGURES}"""
        return Query(sql, bound)

    def _counted(self, counted: Counted, runs: bool) -> tuple[str, tuple[str, ...]]:
        """Return which spans are counted, and the traits of their names."""
        kinds = {
            "job": (c.TYPE_RUN,),
            "stage": (c.TYPE_STAGE, c.TYPE_BRANCH),
            "task": (c.TYPE_TASK,),
            "host": (c.TYPE_HOST,),
        }
        names = {"job": ("pipeline",), "stage": ("pipeline", "name"), "task": ("name",), "host": ("host",)}
        if counted == "deploy":
            noted = f"Level = {NOTED}" if runs else f"({' OR '.join(self._of.noted())})"
            environment = "Environment" if runs else self._of.trait("environment")
            return f"{noted} AND {environment} != ''", ("service", "environment")
        return f"Kind IN {listed(kinds[counted])}" if runs else self._of.kinds(*kinds[counted]), names[counted]

    def _kinds(self, *kinds: str) -> str:
        return f"Kind IN {listed(kinds)}" if self._schema.runs else self._of.kinds(*kinds)

    def _holds(self, wanted: Wanted, bound: Bound, *, runs: bool | None = None) -> str:
        """Return whether a trait is as wanted, in the table that is asked."""
        if not (self._schema.runs if runs is None else runs):
            return self._of.wanted(wanted, bound)
        column = wanted.trait.capitalize()
        if not wanted.value:
            return f"{column} != ''"
        value = bound.text(wanted.value)
        return f"startsWith({column}, {value})" if wanted.begins else f"{column} = {value}"

    def _spans(self, where: str, bound: Bound, most: int, table: str = "", order: str = "") -> Query:
        sql = f"SELECT {self._columns} FROM {table or self._schema.spans} WHERE {where} {order} {_ONCE} LIMIT {most}"
        return Query(sql, bound)


# Rows of statistics: a job or host for each day.
MOST_FIGURES = 200_000
# The columns that an inner query hands on, under their own names.
_PLAIN = (
    "Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ScopeName, ScopeVersion, Duration, StatusCode, "
    "StatusMessage, ResourceAttributes, SpanAttributes, Events.Timestamp, Events.Name, Events.Attributes, Links.TraceId, "
    "Links.SpanId, Links.Attributes"
)


def _began(within: Window, bound: Bound) -> str:
    """Return whether a span began in a window: what the partitions of the table go by."""
    conditions = [f"Timestamp >= {bound.moment(within.from_ns)}"]
    if within.to_ns < ALWAYS.to_ns:
        conditions.append(f"Timestamp <= {bound.moment(within.to_ns)}")
    return " AND ".join(conditions)


def began_in(windows: Iterable[Window], bound: Bound) -> str:
    """Return whether a span began in one of some windows."""
    return f"({' OR '.join(f'({_began(window, bound)})' for window in windows)})"


def _ended(within: Window, bound: Bound) -> str:
    if within == ALWAYS:
        return "1"
    return f"{ENDED} BETWEEN {bound.number(within.from_ns)} AND {bound.number(within.to_ns)}"
