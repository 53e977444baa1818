"""Gives deploys and builds that failed a verdict, where no poller wrote one: playbooks, and runs that other tools tell."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import NamedTuple

from ..change.board import board_of
from ..change.entries import Entry, named_kind
from ..lookup.lookup import Lookup
from ..ownership.failure import Trace
from ..ownership.judge import verdict_on_span
from ..ownership.log.rules import Rules, RulesError, load_rules
from ..trace import conventions as c
from ..trace.span import Span

# Traces that are read at once, and spans of what failed in them. Of a trace with more, nothing is said.
_TRACES_AT_ONCE = 20
_MOST_SPANS = 5000
# How long a verdict is remembered, in seconds. Spans may arrive late, of what ended just now often.
_REMEMBERED_SECONDS, _JUST_NOW_SECONDS = 300.0, 20.0
_JUST_NOW_NS = 600 * 10**9
_MOST_REMEMBERED = 20_000

# The trace and span id, by which a verdict is remembered.
_Key = tuple[str, str]
# Owner and kind, "" for what is not known.
_Verdict = tuple[str, str]
_NONE: _Verdict = "", ""


class _Remembered(NamedTuple):
    """A verdict, and until when it is remembered, by the clock of this process."""

    verdict: _Verdict
    until: float


class Verdicts:
    """Judges entries by their logs, without history, as the poller does, and remembers it. Every thread may use it."""

    def __init__(self, now_ns: Callable[[], int] = time.time_ns, clock: Callable[[], float] = time.monotonic) -> None:
        """``now_ns``: the time, in nanoseconds since the epoch. ``clock``: seconds that go on, whatever that time is."""
        self._now_ns = now_ns
        self._clock = clock
        self._known: dict[_Key, _Remembered] = {}
        self._lock = Lock()

    def on(self, lookup: Lookup, entries: Sequence[Entry]) -> list[Entry]:
        """Return the entries, those that failed with owner and kind as far as these are known. Raises SetupError.

        Without rules that can be read, nothing is judged: `why` says what is wrong with them.
        """
        now = self._clock()
        wanted = {_key(one): one for one in entries if _is_open(one)}
        with self._lock:
            found = {key: self._known[key].verdict for key in wanted if key in self._known and self._known[key].until > now}
        new = [one for key, one in wanted.items() if key not in found]
        if new:
            # What has no verdict is remembered, too: it would be read again each time.
            judged = {_key(one): _NONE for one in new} | dict(self._judged(lookup, new))
            self._remember({wanted[key]: verdict for key, verdict in judged.items()}, now)
            found |= judged
        return [_with(one, found[_key(one)]) if _is_open(one) else one for one in entries]

    def on_board(self, lookup: Lookup, deploys: Sequence[Entry]) -> list[Entry]:
        """Return the deploys of a board, those that its cells show as failed with owner and kind. Raises SetupError."""
        cells = [cell for row in board_of(deploys).rows for cell in row.cells.values()]
        # One that failed may have another one after it, which runs.
        failed = [cell.failing.newest for cell in cells if cell.failing]
        shown = list(dict.fromkeys([*failed, *(cell.newest for cell in cells)]))
        judged = dict(zip(shown, self.on(lookup, shown), strict=True))
        return [judged.get(one, one) for one in deploys]

    def _remember(self, judged: Mapping[Entry, _Verdict], now: float) -> None:
        old_ns = self._now_ns() - _JUST_NOW_NS
        with self._lock:
            for one, verdict in judged.items():
                seconds = _REMEMBERED_SECONDS if one.end_ns < old_ns else _JUST_NOW_SECONDS
                # At the end: what was judged longest ago goes first.
                self._known.pop(_key(one), None)
                self._known[_key(one)] = _Remembered(verdict, now + seconds)
            for key in list(self._known)[: max(len(self._known) - _MOST_REMEMBERED, 0)]:
                del self._known[key]

    def _judged(self, lookup: Lookup, entries: Sequence[Entry]) -> Iterator[tuple[_Key, _Verdict]]:
        try:
            rules = load_rules()
        except RulesError:
            return
        wanted = {_key(one) for one in entries}
        traces = sorted({one.trace_id for one in entries})
        for first in range(0, len(traces), _TRACES_AT_ONCE):
            for spans in _read(lookup, traces[first : first + _TRACES_AT_ONCE]):
                yield from _on_trace(spans, wanted, rules)


def _read(lookup: Lookup, traces: Sequence[str]) -> Iterator[Sequence[Span]]:
    """Yield the spans of each trace that is not too large."""
    spans = lookup.failures(traces, _MOST_SPANS)
    if len(spans) < _MOST_SPANS:
        of = defaultdict[str, list[Span]](list)
        for span in spans:
            of[span.trace_id].append(span)
        yield from of.values()
    elif len(traces) > 1:
        for trace_id in traces:
            yield from _read(lookup, [trace_id])


def _on_trace(spans: Sequence[Span], wanted: set[_Key], rules: Rules) -> Iterator[tuple[_Key, _Verdict]]:
    trace = Trace(spans)
    for span in spans:
        key = span.trace_id, span.span_id
        verdict = verdict_on_span(trace, span, rules) if key in wanted else None
        if verdict:
            yield key, (verdict.owner, named_kind(verdict.kind))


def _is_open(one: Entry) -> bool:
    return one.state in c.FAILED_RESULTS and not one.owner and bool(one.end_ns)


def _key(one: Entry) -> _Key:
    return one.trace_id, one.span_id


def _with(one: Entry, verdict: _Verdict) -> Entry:
    owner, kind = verdict
    return replace(one, owner=owner, kind=kind)
