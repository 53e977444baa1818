"""Keeps the spans that are told to be open, in memory: until they end, or nobody has told of them for a day."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Lock

from ..delivery import sizes
from ..trace.span import Span
from .records import Heard

# What stays away for longer than so many of its sender's intervals is not heard of. One may get lost on the way.
_SILENT_AFTER = 4
_FORGOTTEN_AFTER = 86_400.0
_OVERTAKEN_SECONDS = 60.0
# What is told is on its way for some seconds, perhaps through a Collector.
_CLOCKS_AGREE_NS = 15 * 10**9
_log = logging.getLogger(__name__)

# A trace id and a span id.
Key = tuple[str, str]


@dataclass(frozen=True)
class Bounds:
    """How much is kept at most. Beyond that, what was told longest ago goes."""

    spans: int = 10_000
    traces: int = 1_000
    size: int = 32 << 20


@dataclass(frozen=True)
class OpenSpan:
    """A span that has begun, and of whose end nothing is known.

    ``heard_ns``: when it was told last, by this machine's clock, in nanoseconds since the epoch. ``silent``: whether it is
    not heard of since then, although its sender would have told again. Nobody knows what became of it then. ``ahead_ns``:
    by how much its sender's clock is ahead of this machine's; negative if it is behind, 0 if they agree.
    """

    span: Span
    heard_ns: int
    silent: bool
    ahead_ns: int = 0


@dataclass(frozen=True)
class _Kept:
    heard: Heard
    at: float
    size: int
    # What came quickest tells most of the clocks.
    ahead_ns: int | None = None


@dataclass
class _Run:
    """A run of which all that is open is told at the same time: ``told_ns``, by the sender's clock; ``at``, by ours."""

    told_ns: int
    at: float
    keys: set[Key] = field(default_factory=set)


class OpenSpans:
    """The open spans of other machines. Every thread may use it."""

    def __init__(
        self,
        bounds: Bounds | None = None,
        clock: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """``bounds``: instead of the usual ones. ``clock``: seconds, which nobody sets. ``now_ns``: since the epoch."""
        self._now_ns = now_ns
        self._bounds = bounds or Bounds()
        self._clock = clock
        # What was told longest ago is first.
        self._kept: dict[Key, _Kept] = {}
        self._of_trace: Counter[str] = Counter()
        self._runs: dict[Key, _Run] = {}
        self._size = 0
        self._said_at: float | None = None
        self._lock = Lock()

    def put(self, records: Iterable[Heard]) -> None:
        """Keep what records tell, instead of what earlier ones told of the same spans."""
        with self._lock:
            now, now_ns = self._clock(), self._now_ns()
            for heard in records:
                known = self._kept.get(key_of(heard.span))
                if self._is_news(heard, now):
                    self._drop(key_of(heard.span))
                    ahead_ns = _ahead_ns(heard, now_ns, known.ahead_ns if known else None)
                    self._add(_Kept(heard, now, sizes.of_span(heard.span), ahead_ns))
            self._forget(now)
            dropped = 0
            while self._is_over():
                self._drop(next(iter(self._kept)))
                dropped += 1
            self._say(dropped, now)

    def ended(self, keys: Iterable[Key]) -> None:
        """Close spans, by trace id and span id, and what was told together with them."""
        with self._lock:
            for key in keys if self._kept else ():
                self._drop(key)
                self._close(key)

    def runs(self) -> list[Key]:
        """Return the runs of which all that is open is told at the same time, by trace id and span id."""
        with self._lock:
            return list(self._runs)

    def now(self) -> list[OpenSpan]:
        """Return all open spans, those that began first at the front."""
        with self._lock:
            now, now_ns = self._clock(), self._now_ns()
            self._forget(now)
            found = [_open_span(kept, now, now_ns) for kept in self._kept.values()]
        return sorted(found, key=lambda one: one.span.start_ns)

    def _is_news(self, heard: Heard, now: float) -> bool:
        """Return whether no later record has told what is open of the run. What is not told any more is closed."""
        key = run_of(heard)
        run = self._runs.get(key) if key else None
        if run is None or key is None:
            return True
        # A record is overtaken within seconds. What comes later is news, whatever a sender's clock said before.
        if heard.told_ns > run.told_ns or (heard.told_ns < run.told_ns and now - run.at > _OVERTAKEN_SECONDS):
            self._close(key)
            return True
        return heard.told_ns == run.told_ns

    def _close(self, run: Key) -> None:
        """Close all that was told with a run."""
        if run in self._runs:
            for key in tuple(self._runs[run].keys):
                self._drop(key)

    def _add(self, kept: _Kept) -> None:
        trace_id, span_id = key_of(kept.heard.span)
        self._kept[trace_id, span_id] = kept
        if run := run_of(kept.heard):
            self._runs.setdefault(run, _Run(kept.heard.told_ns, kept.at)).keys.add((trace_id, span_id))
        self._of_trace[trace_id] += 1
        self._size += kept.size

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept:
            if run := run_of(kept.heard):
                self._runs[run].keys.discard(key)
                if not self._runs[run].keys:
                    del self._runs[run]
            self._size -= kept.size
            self._of_trace[key[0]] -= 1
            if not self._of_trace[key[0]]:
                del self._of_trace[key[0]]

    def _forget(self, now: float) -> None:
        while self._kept:
            key, kept = next(iter(self._kept.items()))
            if now - kept.at <= _FORGOTTEN_AFTER:
                return
            self._drop(key)

    def _is_over(self) -> bool:
        most = self._bounds
        return len(self._kept) > most.spans or len(self._of_trace) > most.traces or self._size > most.size

    def _say(self, dropped: int, now: float) -> None:
        """Log that spans are left out: one line a day, however many they are."""
        if dropped and (self._said_at is None or now - self._said_at > _FORGOTTEN_AFTER):
            self._said_at = now
            most = self._bounds
            _log.warning(
                "more runs on other machines than are kept (%d open spans, %d traces or %d MB): "
                "those that were told longest ago are not shown as running",
                *(most.spans, most.traces, most.size >> 20),
            )


def key_of(span: Span) -> Key:
    """Return what tells a span from all others."""
    return span.trace_id, span.span_id


def run_of(heard: Heard) -> Key | None:
    """Return what tells the run with which a span is told from all other spans; None if it is told alone."""
    return (heard.span.trace_id, heard.told_with) if heard.told_with else None


def is_silent(seconds: float, interval: float) -> bool:
    """Return whether a span is not heard of any more. ``seconds``: since it was told last."""
    return seconds > _SILENT_AFTER * interval


def _open_span(kept: _Kept, now: float, now_ns: int) -> OpenSpan:
    quiet = now - kept.at
    ahead_ns = kept.ahead_ns if kept.ahead_ns and abs(kept.ahead_ns) > _CLOCKS_AGREE_NS else 0
    return OpenSpan(kept.heard.span, now_ns - int(quiet * 1e9), is_silent(quiet, kept.heard.interval), ahead_ns)


def _ahead_ns(heard: Heard, now_ns: int, known: int | None) -> int | None:
    """Return by how much the clock is ahead by which a span began; None if that is not known. ``known``: as told before."""
    if heard.told_with or heard.told_ns <= 0:
        # A build begins by Jenkins' clock, and the poller tells it by its own.
        return known
    ahead_ns = heard.told_ns - now_ns
    # What waited on its way comes quicker from one time to the next. A clock that is set goes further than that.
    quicker = known is None or known < ahead_ns <= known + int(heard.interval * 1e9)
    return ahead_ns if quicker else known
