"""Answers questions from this machine's store, by the traits that stand beside each span."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date
from functools import cache
from typing import Any

from ..delivery.destinations import DeliveryError
from ..delivery.destinations.rows import attributes_of
from ..delivery.destinations.store import VALUES, Store
from ..delivery.destinations.tables import INDEXED
from ..trace import conventions as c
from ..trace.clock import horizon_ns
from ..trace.span import Span
from ..trace.traits import DETAIL, NEEDED, NOTED, OUTLINE
from .held import Block, Build, held_of
from .source import ALWAYS, MOST_OF_A_TRACE, BuildKey, Counted, Figures, Newest, OnHost, Remembered, Wanted, Window
from .usual import percentile

# Span ids of other tools may repeat, so a parent in another trace counts only if the span's own trace has no such parent.
_ORPHAN = "NOT EXISTS (SELECT 1 FROM spans p WHERE p.trace_id = spans.trace_id AND p.span_id = spans.parent_id)"
_DAY_NS = 86_400 * 10**9
_EPOCH = date(1970, 1, 1).toordinal()
_JOINED = "FROM traits t CROSS JOIN spans USING (trace_id, span_id)"
_NEWEST_FIRST = "t.end_ns DESC, t.trace_id DESC, t.span_id DESC"
_KINDS_NEEDED, _FAILED = (", ".join(f"'{one}'" for one in sorted(some)) for some in (NEEDED, c.FAILED_RESULTS))
# See traits.tells_failure.
_TELLS_FAILURE = f"level >= {DETAIL} AND (level > {DETAIL} OR t.kind IN ({_KINDS_NEEDED}) OR t.result IN ({_FAILED}))"
_STAGES = f"kind IN ('{c.TYPE_RUN}', '{c.TYPE_STAGE}', '{c.TYPE_BRANCH}')"
# What is counted: the spans, and the columns of their names.
_COUNTED: dict[Counted, tuple[str, str]] = {
    # SQLite uses the index of stages only if the query repeats the condition of the index.
    "job": (f"{_STAGES} AND kind = '{c.TYPE_RUN}'", "pipeline"),
    "stage": (f"{_STAGES} AND kind IN ('{c.TYPE_STAGE}', '{c.TYPE_BRANCH}')", "pipeline, name"),
    "task": (f"kind = '{c.TYPE_TASK}'", "name"),
    "host": (f"kind = '{c.TYPE_HOST}'", "host"),
    "deploy": (f"level = {NOTED} AND environment IS NOT NULL", "service, environment"),
    # The label of an agent is in the span alone.
    "wait": (f"kind IN ('{c.TYPE_QUEUE}', '{c.TYPE_AGENT}')", ""),
    "held": (f"{_STAGES} AND kind = '{c.TYPE_RUN}'", ""),
}
_OF_HELD = (c.JENKINS_HELD_MS, c.PLUGIN_JOB)
_BODY = "(SELECT body FROM spans WHERE spans.trace_id = t.trace_id AND spans.span_id = t.span_id)"


class LocalSource:
    """See source.TraceSource."""

    def __init__(
        self, store: Store, told: Callable[[float], None] = lambda done: None, remembered: Remembered | None = None
    ) -> None:
        """``told``: called with the part that is done while spans of older programs are read once.

        ``remembered``: whole traces that were read are kept in it, and of them only new spans are read again. Spans in the
        store never change.
        """
        self._remembered = remembered
        self._store = store
        self._told = told
        self._caught_up = False
        self._behind = ""

    @property
    def notice(self) -> str:
        """See source.TraceSource."""
        return self._behind

    def close(self) -> None:
        """See source.TraceSource."""
        self._store.close()

    def newest(self) -> Newest | None:
        """See source.TraceSource."""
        query = "SELECT trace_id, end_ns FROM spans WHERE end_ns {} ? ORDER BY end_ns DESC LIMIT 1"
        horizon = horizon_ns()
        rows = self._store.rows(query.format("<="), horizon) or self._store.rows(query.format(">"), horizon)
        return Newest(str(rows[0][0]), int(rows[0][1])) if rows else None

    def trace(self, trace_id: str) -> list[Span]:
        """See source.TraceSource."""
        if self._remembered is None:
            return self._store.spans(f"FROM spans WHERE trace_id = ? LIMIT {MOST_OF_A_TRACE}", trace_id)
        ids = self._store.span_ids(trace_id)[:MOST_OF_A_TRACE]
        known = self._remembered.get(trace_id, {})
        new = self._store.some_spans(trace_id, [span_id for span_id in ids if span_id not in known])
        read = {**known, **{span.span_id: span for span in new}}
        self._remembered[trace_id] = {span_id: read[span_id] for span_id in ids if span_id in read}
        return list(self._remembered[trace_id].values())

    def outline(self, trace_ids: Sequence[str], most: int, *, failures: bool = False) -> list[Span]:
        """See source.TraceSource."""
        self._catch_up()
        wanted = _TELLS_FAILURE if failures else f"level >= {OUTLINE}"
        found: list[Span] = []
        for trace_id in trace_ids:
            found += self._store.spans(f"{_JOINED} WHERE trace_id = ? AND {wanted} LIMIT {most - len(found)}", trace_id)
        return found

    def traces_with(self, span_ids: Iterable[str], around: Collection[Window] = ()) -> set[str]:
        """See source.TraceSource."""
        return self._traces("span_id", span_ids)

    def traces_below(self, span_ids: Iterable[str], around: Collection[Window] = (), but: Collection[str] = ()) -> set[str]:
        """See source.TraceSource."""
        return self._traces("parent_id", span_ids, _ORPHAN) - set(but)

    def noted(self, wanted: Sequence[Sequence[Wanted]], most: int, within: Window = ALWAYS) -> list[Span]:
        """See source.TraceSource."""
        self._catch_up()
        past = Window(within.from_ns, min(within.to_ns, horizon_ns()))
        future = Window(max(within.from_ns, past.to_ns + 1), within.to_ns)
        found = self._noted(wanted, most, past)
        return found + (self._noted(wanted, most - len(found), future) if len(found) < most else [])

    def builds(self, keys: Collection[BuildKey], *, fine_hosts: bool = True, around: Collection[Window] = ()) -> list[Span]:
        """See source.TraceSource."""
        where = "FROM spans WHERE spans.pipeline = ? AND spans.run = ?"
        if not fine_hosts:
            self._catch_up()
            where = f"""FROM spans CROSS JOIN traits t USING (trace_id, span_id)
                WHERE spans.pipeline = ? AND spans.run = ? AND level >= {DETAIL}"""
        found = (self._store.spans(f"{where} LIMIT {MOST_OF_A_TRACE}", *key) for key in keys)
        return [span for spans in found for span in spans]

    def runs(self, within: Window, most: int) -> list[Span]:
        """See source.TraceSource."""
        self._catch_up()
        return self._newest_first(f"level = {NOTED} AND kind = '{c.TYPE_RUN}'", [], within, most)

    def stages(self, pipeline: str, within: Window, most: int) -> list[Span]:
        """See source.TraceSource."""
        self._catch_up()
        return self._newest_first(f"t.pipeline = ? AND {_STAGES}", [pipeline], within, most)

    def on_host(self, host: str, within: Window, most: int) -> list[OnHost]:
        """See source.TraceSource."""
        self._catch_up()
        # Found first and read then: most of them are not wanted.
        newest = f"""SELECT trace_id, span_id, end_ns FROM traits t WHERE t.host = ? AND t.end_ns BETWEEN ? AND ?
            ORDER BY {_NEWEST_FIRST} LIMIT ?"""
        where = f"FROM ({newest}) t CROSS JOIN spans USING (trace_id, span_id) ORDER BY {_NEWEST_FIRST}"
        hosts = self._store.spans(where, host, *within, most)
        around: dict[str, dict[str, None]] = defaultdict(dict)
        for span in hosts:
            around[span.trace_id][span.parent_id or ""] = None
        tasks = {
            (span.trace_id, span.span_id): span
            for trace_id, ids in around.items()
            for span in self._store.some_spans(trace_id, list(ids))
        }
        return [OnHost(span, tasks.get((span.trace_id, span.parent_id or ""))) for span in hosts]

    def ran_on(self, host: str, within: Window, most: int) -> list[Newest]:
        """See source.TraceSource."""
        self._catch_up()
        query = """SELECT trace_id, max(end_ns) AS ended FROM traits WHERE host = ? AND end_ns BETWEEN ? AND ?
            GROUP BY trace_id ORDER BY ended DESC, trace_id DESC LIMIT ?"""
        return [Newest(str(trace_id), int(end_ns)) for trace_id, end_ns in self._store.rows(query, host, *within, most)]

    def figures(self, counted: Counted, within: Window, wanted: Sequence[Wanted] = (), *, days: int = 1) -> list[Figures]:
        """See source.TraceSource."""
        self._catch_up()
        which, names = _COUNTED[counted]
        conditions, values = [f"{which} AND start_ns BETWEEN ? AND ?"], list[str | int](within)
        for one in wanted:
            condition, more = _condition(one)
            conditions.append(condition)
            values += more
        first, where = within.from_ns // _DAY_NS, " AND ".join(conditions)
        query = f"SELECT start_ns / {_DAY_NS}, result, end_ns - start_ns, {names} FROM traits t WHERE {where}"
        others = {"wait": self._waits, "held": self._held}
        rows = others[counted](where, values) if counted in others else self._store.rows(query, *values)
        results: dict[tuple[Any, ...], list[tuple[str, int]]] = defaultdict(list)
        for day, result, took, *named in rows:
            results[(*named, day - (day - first) % days)].append((result or "", max(took, 0)))
        figures = (_figures(key, found) for key, found in results.items())
        return sorted(figures, key=lambda one: (one.names, one.day))

    def _waits(self, where: str, values: Sequence[str | int]) -> Iterator[tuple[Any, ...]]:
        """Yield of each wait the day, the result, how long it was, the kind, and the job or the label."""
        query = f"""SELECT start_ns / {_DAY_NS}, result, end_ns - start_ns, kind,
            CASE kind WHEN '{c.TYPE_QUEUE}' THEN pipeline ELSE {_BODY} END FROM traits t WHERE {where}"""
        for *told, kind, what in self._store.rows(query, *values):
            yield *told, kind, what if kind == c.TYPE_QUEUE else _label(what)

    def _held(self, where: str, values: Sequence[str | int]) -> Iterator[tuple[Any, ...]]:
        """Yield of each build and of what it held the day, the result, for how long, the job, the label and the agent."""
        query = f"SELECT start_ns / {_DAY_NS}, pipeline, run, trace_id, {_BODY} FROM traits t WHERE {where}"
        builds = [
            Build(day, job or "", number or "", trace, attributes_of(body, *_OF_HELD) if body else {})
            for day, job, number, trace, body in self._store.rows(query, *values)
        ]
        for build, held in held_of(builds, lambda trace: self._blocks(trace, values[:2])):
            yield build.day, held.result, held.length_ns, build.job, held.label, held.worker

    def _blocks(self, trace_id: str, times: Sequence[str | int]) -> list[Block]:
        """Return the blocks of a trace that hold executors; none if it has several builds, or a label is not told.

        ``times``: from when to when something begins that counts.
        """
        began = "start_ns BETWEEN ? AND ?"
        query = f"SELECT {_BODY} FROM traits t WHERE trace_id = ? AND kind = '{c.TYPE_RUN}' AND {began}"
        if sum(c.PLUGIN_JOB in attributes_of(body) for (body,) in self._store.rows(query, trace_id, *times)) != 1:
            return []
        # An agent is given at the end of the wait for it; around that is the block.
        query = f"""SELECT t.end_ns, around.end_ns, spans.body FROM traits t CROSS JOIN spans USING (trace_id, span_id)
            CROSS JOIN traits around ON around.trace_id = t.trace_id AND around.span_id = spans.parent_id
            WHERE t.trace_id = ? AND t.kind = '{c.TYPE_AGENT}' AND t.{began}
            AND around.kind = '{c.TYPE_BLOCK}' AND around.{began}"""
        rows = self._store.rows(query, trace_id, *times, *times)
        found = [Block(_label(body), max(over - given, 0)) for given, over, body in rows]
        return found if all(one.label for one in found) else []

    def _noted(self, wanted: Sequence[Sequence[Wanted]], most: int, within: Window) -> list[Span]:
        """Return the newest noted spans with wanted traits. Each group is asked for alone: traits have own indexes."""
        found: dict[tuple[str, str], Span] = {}
        for group in wanted:
            conditions = [_condition(one) for one in group]
            where = " AND ".join([f"level = {NOTED}", *(text for text, _values in conditions)])
            values = [value for _text, more in conditions for value in more]
            spans = self._newest_first(where, values, within, most, _index_of(group))
            found.update(((span.trace_id, span.span_id), span) for span in spans)
        return sorted(found.values(), key=lambda one: (one.end_ns, one.trace_id, one.span_id), reverse=True)[:most]

    def _newest_first(self, condition: str, values: Sequence[str], within: Window, most: int, index: str = "") -> list[Span]:
        """Return the newest spans. ``index``: to use, where SQLite would choose another one for the order alone."""
        table = f"traits t INDEXED BY {index}" if index else "traits t"
        where = f"""FROM {table} CROSS JOIN spans USING (trace_id, span_id)
            WHERE {condition} AND t.end_ns BETWEEN ? AND ? ORDER BY {_NEWEST_FIRST} LIMIT ?"""
        return self._store.spans(where, *values, *within, most)

    def _traces(self, column: str, span_ids: Iterable[str], condition: str = "1") -> set[str]:
        ids = list(span_ids)
        found: set[str] = set()
        for start in range(0, len(ids), VALUES):
            some = ids[start : start + VALUES]
            marks = ",".join("?" * len(some))
            query = f"SELECT DISTINCT trace_id FROM spans WHERE {column} IN ({marks}) AND {condition}"
            found.update(str(row[0]) for row in self._store.rows(query, *some))
        return found

    def _catch_up(self) -> None:
        """Read the spans of older programs, once. If another process holds the file, the answers are without them."""
        if self._caught_up:
            return
        self._caught_up = True
        try:
            self._store.catch_up(self._told)
        except DeliveryError as error:
            self._behind = f"spans of an earlier version are not in the answer yet: {error}"


def _index_of(group: Sequence[Wanted]) -> str:
    """Return the index that finds the first trait best. Most noted spans have any value: then by their end."""
    first = next(iter(group), None)
    return f"traits_{first.trait}" if first and first.value and first.trait in INDEXED else "traits_noted"


def _condition(wanted: Wanted) -> tuple[str, list[str]]:
    """Return a trait as SQL with its values."""
    column = f"t.{wanted.trait}"
    if not wanted.value:
        return f"{column} IS NOT NULL", []
    if wanted.begins:
        # What begins with a text lies between it and the text with the greatest character behind it.
        return f"{column} >= ? AND {column} < ?", [wanted.value, f"{wanted.value}\U0010ffff"]
    return f"{column} = ?", [wanted.value]


def _label(body: str | bytes | None) -> str:
    """Return the label of an agent from the body of the span that waits for it."""
    told = attributes_of(body) if body else {}
    return str(told.get(c.JENKINS_AGENT_LABEL) or told.get(c.PLUGIN_STEP_LABEL) or "")


def _figures(key: tuple[Any, ...], found: Sequence[tuple[str, int]]) -> Figures:
    *names, number = key
    took = sorted(length for _result, length in found)
    results: dict[str, int] = {}
    for result, _length in found:
        results[result] = results.get(result, 0) + 1
    named, ordered = tuple(str(name or "") for name in names), dict(sorted(results.items()))
    return Figures(named, _day(number), len(found), ordered, percentile(took, 50), percentile(took, 95), sum(took))


@cache
def _day(number: int) -> str:
    """Return a day, by its number since the epoch, such as 2026-11-30."""
    return str(date.fromordinal(_EPOCH + number))
