"""Answers questions from ClickHouse: asks for little, and judges each span that comes by its own traits."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from ...trace import conventions as c
from ...trace.clock import horizon_ns
from ...trace.span import Span
from ...trace.traits import DETAIL, FINE_HOST, NOTED, OUTLINE, Traits, tells_failure, traits_of
from ..source import ALWAYS, MOST_OF_A_TRACE, BuildKey, Counted, Figures, Newest, OnHost, Wanted, Window, fits_one
from . import opened
from .client import Client
from .opened import OpenRecord
from .queries import Key, Queries, Query
from .rows import spans_of
from .schema import Schema, question, schema_of
from .statistics import MOST_FIGURES, Each, statistics

_HOUR_NS = 3_600 * 10**9
_DAY_NS = 24 * _HOUR_NS
# What begins below a span may wait in a queue, and clocks differ.
_AFTER_NS, _BEFORE_NS = _DAY_NS, _HOUR_NS
# What is around a span began at most so much earlier, and so did what ended within a window: builds wait for people.
_LONGEST_NS = 7 * _DAY_NS
# How far back it looks where a question names no time, newest first: it stops where it has enough.
_SLICES_NS = tuple(days * _DAY_NS for days in (7, 90, 400))
# A server takes at most 128 KiB for a value: http_max_field_value_size.
_IDS_AT_ONCE, _KEYS_AT_ONCE, _TRACES_AT_ONCE = 4000, 2000, 3000
_OF_A_JOB = frozenset({c.TYPE_RUN, c.TYPE_STAGE, c.TYPE_BRANCH})


class ClickHouseSource:
    """See source.TraceSource."""

    def __init__(self, client: Client, now_ns: Callable[[], int] = time.time_ns) -> None:
        """``now_ns``: the time, in nanoseconds since the epoch."""
        self._client = client
        self._now_ns = now_ns
        self._queries: Queries | None = None
        self._schema: Schema | None = None
        self._said = ""

    @property
    def notice(self) -> str:
        """See source.TraceSource."""
        return self._said

    def close(self) -> None:
        """See source.TraceSource."""
        self._client.close()

    def check(self) -> None:
        """Ask whether the server answers. Raises SetupError."""
        self._client.ask("ready", f"SELECT 1 FROM {self.schema().spans} LIMIT 0", {})

    def schema(self) -> Schema:
        """Return which tables there are. Raises SetupError."""
        if self._schema is None:
            sql, bound = question(self._client.address)
            self._schema = schema_of(self._client.address, self._client.ask("tables", sql, bound.values))
        return self._schema

    def ask(self, name: str, query: Query) -> Sequence[Sequence[Any]]:
        """Return the rows of a query. ``name``: of the question. Raises SetupError."""
        return self._client.ask(name, query.sql, query.bound.values)

    def whole(self, name: str, query: Query) -> list[Span]:
        """Return the spans of a query in its order, also of one that gives their keys alone. Raises SetupError."""
        if not query.of_keys:
            return self._spans(name, query)
        # Two queries, not one within the other: servers that have a distributed table refuse that.
        keys = [Key(int(start_ns), str(trace), str(span)) for start_ns, trace, span in self.ask(name, query)]
        found: dict[tuple[str, str], Span] = {}
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = keys[start : start + _KEYS_AT_ONCE]
            windows = _merged(Window(key.start_ns, key.start_ns) for key in some)
            spans = self._spans(name, self._asking().by_keys(some, windows))
            found.update(((span.trace_id, span.span_id), span) for span in spans)
        return [found[key[1:]] for key in keys if key[1:] in found]

    def open_records(self, since_ns: int) -> list[OpenRecord]:
        """Return what senders of open spans told since then, of each span the newest. Raises SetupError.

        ``since_ns``: nanoseconds since the epoch. A server without a table of logs has none.
        """
        logs = self.schema().logs
        return list(opened.records_of(self.ask("open spans", opened.question(logs, since_ns)))) if logs else []

    def ended(self, spans: Collection[Key]) -> set[tuple[str, str]]:
        """Return the trace and span ids of those of some spans that have ended: they are here. Raises SetupError."""
        windows = self._near([Window(key.start_ns, key.start_ns) for key in spans], _BEFORE_NS, _BEFORE_NS)
        return set(self._traces("SpanId", {key.span_id for key in spans}, windows)) & {key[1:] for key in spans}

    def newest(self) -> Newest | None:
        """See source.TraceSource."""
        for within in self._slices(ALWAYS):
            rows = self.ask("newest", self._asking().newest(within, horizon_ns()))
            if rows:
                return Newest(str(rows[0][0]), int(rows[0][1]))
        return None

    def trace(self, trace_id: str) -> list[Span]:
        """See source.TraceSource."""
        found = self._spans("trace", self._asking().trace(trace_id, self.times([trace_id])))
        if len(found) >= MOST_OF_A_TRACE:
            self._said = f"trace {trace_id} has more than {MOST_OF_A_TRACE:,} spans; the others are left out"
        return found

    def outline(self, trace_ids: Sequence[str], most: int, *, failures: bool = False) -> list[Span]:
        """See source.TraceSource."""
        if most <= 0 or not trace_ids:
            return []
        spans = self._spans("outline", self._asking().outline(trace_ids, self.times(trace_ids), most, failures=failures))
        if failures:
            return [span for span in spans if tells_failure(traits_of(span))]
        return [span for span in spans if traits_of(span).level >= OUTLINE]

    def traces_with(self, span_ids: Iterable[str], around: Collection[Window] = ()) -> set[str]:
        """See source.TraceSource."""
        return {trace for trace, _span in self._holding(span_ids, around)}

    def known(self, span_ids: Iterable[str], around: Collection[Window]) -> set[str]:
        """Return those of some span ids that are of spans here. ``around``: see traces_with(). Raises SetupError."""
        return {span for _trace, span in self._holding(span_ids, around)}

    def traces_below(self, span_ids: Iterable[str], around: Collection[Window] = (), but: Collection[str] = ()) -> set[str]:
        """See source.TraceSource."""
        windows = self._near(around, _BEFORE_NS, _AFTER_NS)
        below = set(self._traces("ParentSpanId", span_ids, windows, sorted(but)[:_TRACES_AT_ONCE]))
        # Span ids of other tools may repeat: a parent in another trace counts only where the own trace has none.
        own = set(self._traces("SpanId", {span for _trace, span in below}, windows))
        return {trace for trace, _span in below - own} - set(but)

    def noted(self, wanted: Sequence[Sequence[Wanted]], most: int, within: Window = ALWAYS) -> list[Span]:
        """See source.TraceSource."""

        def fits(traits: Traits) -> bool:
            return traits.level == NOTED and fits_one(traits, wanted)

        found: list[Span] = []
        if not wanted:
            return found
        left, horizon = most, horizon_ns()
        for began in self._slices(self._began(within)):
            query = partial(self._asking().noted, wanted, began, within, horizon)
            found += self._fitting("noted", query, left, fits)
            # What ends in the future comes after all that is older.
            left = most - sum(span.end_ns <= horizon for span in found)
            if left <= 0:
                break
        return sorted(found, key=lambda span: (span.end_ns <= horizon, *_order(span)), reverse=True)[:most]

    def builds(self, keys: Collection[BuildKey], *, fine_hosts: bool = True, around: Collection[Window] = ()) -> list[Span]:
        """See source.TraceSource."""
        # Nobody calls a build by half of a name.
        wanted = {key for key in keys if all(key)}
        if not wanted:
            return []
        # By its name alone a build can only be looked for in the last days; `noted` finds older ones.
        windows = self._near(around, _BEFORE_NS, _AFTER_NS) if around else [next(self._slices(ALWAYS))]
        found = self._spans("builds", self._asking().builds(sorted(wanted), windows, fine_hosts=fine_hosts))
        level = FINE_HOST if fine_hosts else DETAIL
        return [span for span in found if (of := traits_of(span)).level >= level and (of.pipeline, of.run) in wanted]

    def runs(self, within: Window, most: int) -> list[Span]:
        """See source.TraceSource."""

        def fits(traits: Traits) -> bool:
            return traits.level == NOTED and traits.kind == c.TYPE_RUN

        return self._fitting("runs", partial(self._asking().runs, self._began(within), within), most, fits)

    def stages(self, pipeline: str, within: Window, most: int) -> list[Span]:
        """See source.TraceSource."""

        def fits(traits: Traits) -> bool:
            return traits.pipeline == pipeline and traits.kind in _OF_A_JOB

        def query(began: Window, asked: int) -> Query:
            return self._asking().stages(pipeline, began, within, asked)

        return self._in_slices("stages", query, within, most, fits)

    def on_host(self, host: str, within: Window, most: int) -> list[OnHost]:
        """See source.TraceSource."""

        def fits(traits: Traits) -> bool:
            return traits.kind == c.TYPE_HOST and traits.host == host

        def query(began: Window, asked: int) -> Query:
            return self._asking().on_host(host, began, within, asked)

        hosts = self._in_slices("hosts", query, within, most, fits)
        tasks = self._around(hosts)
        return [OnHost(span, tasks.get((span.trace_id, span.parent_id or ""))) for span in hosts]

    def ran_on(self, host: str, within: Window, most: int) -> list[Newest]:
        """See source.TraceSource."""
        found: dict[str, int] = {}
        if not host:
            return []
        for began in self._slices(self._began(within)):
            rows = self.ask("hosts", self._asking().ran_on(host, began, within, most))
            for trace_id, end_ns in rows:
                found[str(trace_id)] = max(found.get(str(trace_id), 0), int(end_ns))
            if len(found) >= most:
                break
        newest = (Newest(trace_id, end_ns) for trace_id, end_ns in found.items())
        return sorted(newest, key=lambda one: (one.end_ns, one.trace_id), reverse=True)[:most]

    def _around(self, spans: Sequence[Span]) -> dict[tuple[str, str], Span]:
        """Return the parents of some spans, in the same traces, by trace and span id."""
        keys = list({Key(0, span.trace_id, span.parent_id): None for span in spans if span.parent_id})
        windows = _merged(Window(max(span.start_ns - _DAY_NS, 0), span.start_ns) for span in spans)
        found: dict[tuple[str, str], Span] = {}
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            query = self._asking().by_keys(keys[start : start + _KEYS_AT_ONCE], windows)
            found.update(((span.trace_id, span.span_id), span) for span in self._spans("hosts", query))
        return found

    def figures(self, counted: Counted, within: Window, wanted: Sequence[Wanted] = (), *, days: int = 1) -> list[Figures]:
        """See source.TraceSource."""
        each = Each(days, within.from_ns)
        rows = self.ask("figures", statistics(self.schema(), counted, self._within(within), wanted, each))
        if len(rows) >= MOST_FIGURES:
            self._said = (
                f"there are more than {MOST_FIGURES:,} lines of statistics; the others are left out; ask for fewer days"
            )
        return [
            Figures(tuple(names), str(day), int(count), dict(sorted(results.items())), int(median), int(most), int(total))
            for *names, day, count, results, median, most, total in rows
        ]

    def _asking(self) -> Queries:
        if self._queries is None:
            self._queries = Queries(self.schema())
        return self._queries

    def _spans(self, name: str, query: Query) -> list[Span]:
        return list(spans_of(self.ask(name, query)))

    def _in_slices(
        self, name: str, query: Callable[[Window, int], Query], within: Window, most: int, fits: Callable[[Traits], bool]
    ) -> list[Span]:
        """Return the newest spans that ended within a window and fit, newest first, at most so many.

        ``query``: for a number of spans that began within a window.
        """
        found: list[Span] = []
        for began in self._slices(self._began(within)):
            found += self._fitting(name, partial(query, began), most - len(found), fits)
            if len(found) >= most:
                break
        return sorted(found, key=_order, reverse=True)[:most]

    def _fitting(self, name: str, query: Callable[[int], Query], most: int, fits: Callable[[Traits], bool]) -> list[Span]:
        """Return the newest spans that fit, at most so many. ``query``: for a number of spans, of which some may not fit."""
        asked = most
        while True:
            spans = self.whole(name, query(asked))
            found = [span for span in spans if fits(traits_of(span))]
            if len(found) >= most or len(spans) < asked or asked >= MOST_OF_A_TRACE:
                return found[:most]
            asked = min(asked * 8, MOST_OF_A_TRACE)

    def _holding(self, span_ids: Iterable[str], around: Collection[Window]) -> list[tuple[str, str]]:
        """Return the spans with some ids, each with its trace. ``around``: see traces_with()."""
        ids = set(span_ids)
        # Most of what is around something ran in the same hours.
        found = self._traces("SpanId", ids, self._near(around, _BEFORE_NS, _BEFORE_NS))
        left = ids - {span for _trace, span in found}
        return found + self._traces("SpanId", left, self._near(around, _LONGEST_NS, _AFTER_NS))

    def _traces(
        self, column: str, span_ids: Iterable[str], windows: Sequence[Window], but: Collection[str] = ()
    ) -> list[tuple[str, str]]:
        """Return the traces of spans with one of some ids in a column, each with that id. ``but``: traces to leave out."""
        ids, found = list(span_ids), list[tuple[str, str]]()
        for start in range(0, len(ids), _IDS_AT_ONCE):
            rows = self.ask("traces", self._asking().traces(column, ids[start : start + _IDS_AT_ONCE], windows, but))
            found += ((str(trace), str(span)) for trace, span in rows)
        return found

    def times(self, trace_ids: Collection[str]) -> list[Window]:
        """Return when the spans of traces began, as far as that is known. Raises SetupError."""
        queries = self._asking()
        if self.schema().times:
            rows = self.ask("times", queries.times(trace_ids))
            if len(rows) == len(set(trace_ids)):
                return _merged(Window(int(start), int(end)) for start, end in rows)
        return [self._within(ALWAYS)]

    def _near(self, around: Collection[Window], before_ns: int, after_ns: int) -> list[Window]:
        """Return windows that begin so much earlier and end so much later."""
        return _merged(
            self._within(Window(max(one.from_ns - before_ns, 0), one.wider(after_ns).to_ns)) for one in around or [ALWAYS]
        )

    def _began(self, ended: Window) -> Window:
        """Return when that may have begun which ended within a window."""
        return Window(max(ended.from_ns - _LONGEST_NS, 0), ended.to_ns)

    def _within(self, window: Window) -> Window:
        """Return a window without what lies too far back."""
        oldest = min(window.to_ns, self._now_ns()) - _SLICES_NS[-1]
        return Window(max(window.from_ns, oldest, 0), window.to_ns)

    def _slices(self, window: Window) -> Iterator[Window]:
        """Yield the parts of a window, the newest first."""
        newest, to_ns = min(window.to_ns, self._now_ns()), window.to_ns
        for back in _SLICES_NS:
            from_ns = max(newest - back, window.from_ns, 0)
            if from_ns <= to_ns:
                yield Window(from_ns, to_ns)
            if from_ns <= window.from_ns:
                return
            to_ns = from_ns - 1


def _order(span: Span) -> tuple[int, str, str]:
    return span.end_ns, span.trace_id, span.span_id


def _merged(windows: Iterable[Window]) -> list[Window]:
    """Return windows without those that lie within a day of another one: each costs the server some work."""
    found: list[Window] = []
    for window in sorted(windows):
        if found and window.from_ns <= found[-1].to_ns + _DAY_NS:
            found[-1] = Window(found[-1].from_ns, max(found[-1].to_ns, window.to_ns))
        else:
            found.append(window)
    return found
