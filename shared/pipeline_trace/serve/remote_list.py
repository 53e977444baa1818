"""Returns the current list of the traces of a source. Keeps nothing but the names of environments, for some minutes."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from ..lookup.clickhouse.listing import ListWanted, Size, TraceLister
from ..lookup.clickhouse.source import ClickHouseSource
from ..lookup.source import Window
from ..lookup.states import INCOMPLETE, NO_STATE, RUNNING
from ..trace.span import Span
from .index import PAGE, Filter
from .listing import Page
from .summary import Summary, missing_parents, summarise

_DAY_NS = 86_400 * 10**9
# Without a time to begin with, so much is searched.
_DAYS = 30
_LONGEST_NS = 7 * _DAY_NS
_MOST_SPANS = 20_000
_ENVIRONMENTS_SECONDS = 300.0
_SEARCHED = f"The list has the traces of the last {_DAYS} days. To see older ones, set From."
# Results that no ended span has.
_NEVER = frozenset({RUNNING, INCOMPLETE})


class RemoteList:
    """Returns pages of the list. Call it from the event loop; it works in threads."""

    def __init__(self, source: ClickHouseSource, now_ns: Callable[[], int] = time.time_ns) -> None:
        """``now_ns``: the time, in nanoseconds since the epoch."""
        self._source = source
        self._lister = TraceLister(source)
        self._now_ns = now_ns
        self._environments: tuple[float, Sequence[str]] = (0.0, ())

    async def page(self, wanted: Filter, number: int) -> Page:
        """Return a page of the list, the newest traces first. Raises SetupError."""
        return await asyncio.to_thread(self._page, wanted, number)

    def _page(self, wanted: Filter, number: int) -> Page:
        notice = "" if wanted.since_ns is not None else _SEARCHED
        if wanted.result in _NEVER:
            return Page((), (), 0, self._named(), 0, notice)
        asked = self._asked(wanted)
        roots = self._lister.roots(asked, (number - 1) * PAGE, PAGE)
        total = self._lister.count(asked)
        return Page((), self._summaries(roots), total, self._named(), 0, notice)

    def _asked(self, wanted: Filter) -> ListWanted:
        """Return what is asked of the source."""
        until = wanted.until_ns if wanted.until_ns is not None else Window().to_ns
        newest = min(until, self._now_ns())
        since = wanted.since_ns if wanted.since_ns is not None else newest - _DAYS * _DAY_NS
        began = Window(max(since - (_LONGEST_NS if wanted.since_ns is not None else 0), 0), until)
        result = "" if wanted.result == NO_STATE else wanted.result
        return ListWanted(began, wanted.since_ns or 0, wanted.words, result, wanted.environment, wanted.commit)

    def _summaries(self, roots: Sequence[Span]) -> list[Summary]:
        """Return the lines of some traces, by their roots."""
        ids = [root.trace_id for root in roots]
        sizes = self._lister.sizes(ids)
        spans: dict[str, dict[str, Span]] = defaultdict(dict)
        for span in (*roots, *self._source.outline(ids, _MOST_SPANS)):
            spans[span.trace_id][span.span_id] = span
        known = self._elsewhere([span for found in spans.values() for span in found.values()])
        return [_summary(trace_id, list(spans[trace_id].values()), sizes.get(trace_id), known) for trace_id in ids]

    def _elsewhere(self, spans: Sequence[Span]) -> set[str]:
        """Return those missing parents that are in other traces."""
        missing = missing_parents(spans)
        return self._source.known(missing, [Window(span.start_ns, span.end_ns) for span in spans]) if missing else set()

    def _named(self) -> Sequence[str]:
        """Return the names of environments of the last days, sorted."""
        read_at, found = self._environments
        if not found or time.monotonic() - read_at > _ENVIRONMENTS_SECONDS:
            now = self._now_ns()
            figures = self._source.figures("deploy", Window(now - _DAYS * _DAY_NS, now))
            found = sorted({one.names[1] for one in figures})
            self._environments = time.monotonic(), found
        return found


def _summary(trace_id: str, spans: Sequence[Span], size: Size | None, elsewhere: Collection[str]) -> Summary:
    """Return the line of a trace. Its outline tells what it is, ``size`` how large."""
    found = summarise(trace_id, sorted(spans, key=lambda span: (span.start_ns, span.span_id)), elsewhere)
    return replace(found, start_ns=size.start_ns, end_ns=size.end_ns, spans=size.spans) if size else found
