"""The SQL of statistics: how often something ran on each day, how it ended, how long it took. Does no I/O.

They rest on what the SQL says of a span alone; no span comes here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

from ...trace import conventions as c
from ...trace.traits import NOTED, Trait
from ..source import Counted, Wanted, Window
from . import held
from .columns import RESOURCE, SPAN, Attributes, Bound, listed
from .expressions import Expressions
from .narrowing import Narrowing, sought
from .queries import ONCE, Query, began, typed
from .schema import Schema

# Rows of statistics: a job or host for each day.
MOST_FIGURES = 200_000
_KINDS: dict[Counted, tuple[str, ...]] = {
    "job": (c.TYPE_RUN,),
    "stage": (c.TYPE_STAGE, c.TYPE_BRANCH),
    "task": (c.TYPE_TASK,),
    "host": (c.TYPE_HOST,),
    "wait": (c.TYPE_QUEUE, c.TYPE_AGENT),
    "held": (c.TYPE_RUN,),
}
# What is no trait: the span's own name, what kind of wait it is, and for what.
_Other = Literal["name", "wait", "waited"]
# The traits by which something is counted, or others.
_NAMES: dict[Counted, tuple[Trait | _Other, ...]] = {
    "job": ("pipeline",),
    "stage": ("pipeline", "name"),
    "task": ("name",),
    "host": ("host",),
    "deploy": ("service", "environment"),
    "wait": ("wait", "waited"),
    # A run has several labels and agents: see held.py.
    "held": ("pipeline",),
}
_OTHERS: frozenset[str] = frozenset(get_args(_Other))
_IN_RUNS = frozenset({"job", "stage", "deploy", "held"})
# What the traits of a span are made of, and when it ran.
_RAW = f"Timestamp, Duration, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, StatusCode, {SPAN}, {RESOURCE}"
_DAY = "toDate(Timestamp, 'UTC')"
_DAY_NS = 86_400 * 10**9
_SAME = "LIMIT 1 BY cityHash64(TraceId, SpanId)"


class Each(NamedTuple):
    """Of how many days a line is, counted from the day of a time in nanoseconds since the epoch."""

    days: int
    since_ns: int


def statistics(schema: Schema, counted: Counted, within: Window, wanted: Sequence[Wanted], each: Each) -> Query:
    """Ask for statistics by names and so many days. The same rules as `usual.percentile`."""
    bound = Bound()
    when, first = began(within, bound), bound.number(each.since_ns // _DAY_NS)
    day = f"{_DAY} - (toInt64({_DAY}) - {first}) % {bound.number(each.days)}"
    took = f"{day} AS day, greatest(toInt64(Duration), 0) AS took"
    if schema.runs and counted in _IN_RUNS:
        spans = _of_runs(schema, counted, when, took, wanted, bound)
    else:
        spans = _Spans(schema, took, bound).counted(counted, when, wanted)
    keys = ", ".join(f"name_{at}" for at in range(len(_NAMES[counted])))
    found = f"SELECT {keys}, day, result, took FROM ({spans}) {_SAME}"
    if counted == "held":
        found = held.parts(f"SELECT TraceId, {keys}, day, {held.COLUMNS} FROM ({spans}) {_SAME}", schema, when)
        keys = held.NAMES
    sql = f"""SELECT {keys}, toString(day), sum(some) AS many,
            CAST((groupArray(result), groupArray(some)), 'Map(String, UInt64)'),
            (arraySort(arrayFlatten(groupArray(lengths))) AS sorted)[greatest(intDiv(many * 50 + 99, 100), 1)],
            sorted[greatest(intDiv(many * 95 + 99, 100), 1)], arraySum(sorted)
        FROM (SELECT {keys}, day, result, count() AS some, groupArray(took) AS lengths
            FROM ({found}) GROUP BY {keys}, day, result)
        GROUP BY {keys}, day ORDER BY {keys}, day LIMIT {MOST_FIGURES}"""
    return Query(sql, bound)


def _of_runs(schema: Schema, counted: Counted, when: str, took: str, wanted: Sequence[Wanted], bound: Bound) -> str:
    """Return the query for the spans that are counted, in the table of runs. ``took``: their day and length."""
    columns = ", ".join(f"{name.capitalize()} AS name_{at}" for at, name in enumerate(_NAMES[counted]))
    columns += held.columns(Attributes(as_json=schema.as_json), "Run") if counted == "held" else ""
    which = f"Kind IN {listed(_KINDS[counted])}" if counted in _KINDS else f"Level = {NOTED} AND Environment != ''"
    where = " AND ".join([which, when, *(typed(sought(one), bound) for one in wanted)])
    return f"SELECT TraceId, SpanId, {columns}, Result AS result, {took} FROM {schema.runs} WHERE {where}"


class _Spans:
    """Queries in the table of spans. ``took``: the day and the length of a span."""

    def __init__(self, schema: Schema, took: str, bound: Bound) -> None:
        self._took = took
        attributes = Attributes(as_json=schema.as_json)
        self._attributes = attributes
        self._table, self._bound = schema.spans, bound
        self._of, self._narrow = Expressions(attributes, lists=True), Narrowing(attributes)

    def counted(self, counted: Counted, when: str, wanted: Sequence[Wanted]) -> str:
        """Return the query for the spans that are counted."""
        parts = [] if counted == "deploy" else list(self._own(counted, when, wanted))
        return " UNION ALL ".join([*parts, *self._others(counted, when, wanted)])

    def _own(self, counted: Counted, when: str, wanted: Sequence[Wanted]) -> Iterator[str]:
        """Yield queries for spans whose kind the poller or the callback told."""
        which = [f"{self._narrow.told(*_KINDS[counted])} AND {when}"]
        names = self._traits(counted)
        job = next((one for one in wanted if one.trait == "pipeline" and one.value and not one.begins), None)
        if job:
            # What a span says of itself counts, else its resource. The name is known, and does not have to be read.
            named = sought(job)
            by_resource = f"{self._narrow.says(named, RESOURCE, self._bound)} AND NOT {self._narrow.names('pipeline', SPAN)}"
            which = [f"{one} AND {which[0]}" for one in (self._narrow.says(named, SPAN, self._bound), by_resource)]
            if "pipeline" in names:
                names["pipeline"] = self._bound.text(job.value)
        more = "".join(f" AND {self._of.wanted(one, self._bound)}" for one in wanted if one != job)
        for one in which:
            yield self._select(counted, names, self._of.own_result(), self._table, f"{one}{more}")

    def _others(self, counted: Counted, when: str, wanted: Sequence[Wanted]) -> Iterator[str]:
        """Yield queries for deploys, and for spans of other tools, whose kind is told by the names that they have."""
        names = self._traits(counted)
        result = self._of.trait("result")
        if counted == "wait":
            # A receiver says the result of the job beside its queue.
            result = f"if({self._of.wait()} = '{c.TYPE_QUEUE}', '', {result})"
        if counted == "deploy":
            noted = self._of.noted(self._of.kind(), result, self._of.trait("revision"))
            narrow, which = self._narrow.noted(), f"{noted} AND {names['environment']} != ''"
        else:
            narrow, which = self._narrow.untold(counted), f"{self._of.kind()} IN {listed(_KINDS[counted])}"
        more = "".join(f" AND {self._of.wanted(one, self._bound)}" for one in wanted)
        for one in narrow:
            # LIMIT BY keeps the server from looking for many names in all spans.
            table = f"(SELECT {_RAW} FROM {self._table} WHERE {one} AND {when} {ONCE})"
            yield self._select(counted, names, result, table, f"{which}{more}")

    def _traits(self, counted: Counted) -> dict[str, str]:
        return {name: self._of.trait(name) for name in _NAMES[counted] if name not in _OTHERS}  # type: ignore[arg-type]

    def _select(self, counted: Counted, names: Mapping[str, str], result: str, table: str, where: str) -> str:
        named = (names[name] if name in names else self._other(name) for name in _NAMES[counted])
        columns = ", ".join(f"{column} AS name_{at}" for at, column in enumerate(named))
        columns += held.columns(self._attributes, self._of.trait("run")) if counted == "held" else ""
        return f"SELECT TraceId, SpanId, {columns}, {result} AS result, {self._took} FROM {table} WHERE {where}"

    def _other(self, name: str) -> str:
        return {"name": self._of.name, "wait": self._of.wait, "waited": self._of.waited}[name]()
