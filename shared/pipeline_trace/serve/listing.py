"""Returns the current list of traces: the index, and the traces that run now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ..delivery.home import Home
from ..lookup.lookup import Lookup
from .index import Filter, Index, save
from .summary import Summary, summarise
from .writer import StoreWriter

RUNNING = "running"


@dataclass(frozen=True)
class Page:
    """A page of the list. ``running``: traces that run now, only on page 1. ``behind``: how many are still to read."""

    running: Sequence[Summary]
    traces: Sequence[Summary]
    total: int
    environments: Sequence[str]
    behind: int


class TraceList:
    """Returns pages of the list. Call it from the event loop; it works in threads."""

    def __init__(self, home: Home, index: Index, writer: StoreWriter) -> None:
        self._home = home
        self._index = index
        self._writer = writer
        self._refreshing = asyncio.Lock()

    async def refresh(self, most_seconds: float) -> None:
        """Update the index, as far as the time allows. Raises DeliveryError, sqlite3.Error."""
        async with self._refreshing:
            left = await asyncio.to_thread(self._index.waiting)
            deadline = asyncio.get_running_loop().time() + most_seconds
            # Count down, so that a trace that keeps growing cannot keep this loop running.
            while left > 0:
                changes = await asyncio.to_thread(self._index.changes, min(most_seconds, 0.5))
                await self._writer.call(partial(save, changes=changes))
                left -= max(len(changes), 1)
                if asyncio.get_running_loop().time() > deadline:
                    break

    async def page(self, wanted: Filter, number: int) -> Page:
        """Return a page of the list. Raises SetupError, sqlite3.Error."""
        await self.refresh(1.0)
        return await asyncio.to_thread(self._page, wanted, number)

    def _page(self, wanted: Filter, number: int) -> Page:
        running = [found for found in self._running() if wanted.matches(found)]
        found = self._index.find(wanted, number, without=[summary.trace_id for summary in running])
        first = running if number == 1 else []
        return Page(first, found.traces, found.total, self._index.environments(), self._index.waiting())

    def _running(self) -> list[Summary]:
        lookup = Lookup(self._home)
        try:
            return [summarise(trace_id, lookup.spans(trace_id)) for trace_id in lookup.running_traces()]
        finally:
            lookup.close()
