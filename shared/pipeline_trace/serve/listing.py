"""Returns the current list of traces: the index, and the traces that run now."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ..delivery.home import Home
from ..lookup import states
from ..lookup.journals import Limits, parts, said_of_parts
from ..lookup.standing import Opened, standing
from ..trace.span import Span
from .backlog import Backlog
from .index import Filter, Index, save
from .running import RunningTraces
from .summary import Summary
from .writer import StoreWriter

# How long a page waits for what is new, in the index and in the journals. What it waits for goes on without it.
_PAGE_SECONDS = 0.4
_PIECE_SECONDS = 0.1
# Between two pieces while spans come in.
_PAUSE_SECONDS = 0.3


@dataclass(frozen=True)
class Page:
    """A page of the list. ``running``: traces that run now, only on page 1. ``behind``: how many are still to read.

    ``notice``: what is not in the list, "" for nothing.
    """

    running: Sequence[Summary]
    traces: Sequence[Summary]
    total: int
    environments: Sequence[str]
    behind: int
    notice: str


def with_told(page: Page, opened: Iterable[Opened]) -> Page:
    """Return a page on which traces run that their senders tell to be open, though only parts are here. ``opened``: all."""
    runs: dict[str, list[Span]] = {}
    for one in opened:
        if not one.heard_ns:
            runs.setdefault(one.span.trace_id, []).append(one.span)
    traces = [
        replace(line, name=standing(runs[line.trace_id])[0].name, result=states.RUNNING, end_ns=0)
        if line.trace_id in runs
        else line
        for line in page.traces
    ]
    return replace(page, traces=traces)


class TraceList:
    """Returns pages of the list. Call it from the event loop; it works in threads."""

    def __init__(self, home: Home, index: Index, writer: StoreWriter) -> None:
        self._home = home
        self._index = index
        self._writer = writer
        self._running = RunningTraces(home)
        self._has_old_ones = False
        self._pass: asyncio.Task[bool] | None = None

    async def refresh(self, most_seconds: float) -> bool:
        """Update the index, as far as the time allows. Return whether it has all traces from before the start.

        Raises SetupError, sqlite3.Error.
        """
        await asyncio.to_thread(self._running.look, _PIECE_SECONDS)
        task = self._passing()
        await asyncio.wait({task}, timeout=most_seconds)
        if task.done():
            task.result()
        return self._has_old_ones

    def open_spans(self) -> list[Opened]:
        """Return the spans that run now on this machine."""
        return [Opened(span) for span in self._running.open_spans(_PAGE_SECONDS)]

    def state_of(self, trace_ids: Collection[str]) -> object:
        """See RunningTraces.state_of. For threads."""
        return self._running.state_of(trace_ids, _PAGE_SECONDS)

    async def page(self, wanted: Filter, number: int) -> Page:
        """Return a page of the list. Raises SetupError, sqlite3.Error."""
        # First: the pass leaves out what runs, and a trace that ends in between must not be missing.
        running = await asyncio.to_thread(self._running.look, _PAGE_SECONDS)
        whole = await self._caught_up()
        return await asyncio.to_thread(self._page, wanted, number, running, whole)

    async def _caught_up(self) -> bool:
        """Wait a short time until the index has all that was stored before this call. Return whether it has."""
        deadline = asyncio.get_running_loop().time() + _PAGE_SECONDS
        # A pass that runs already may be beyond what was stored last: the next one has it.
        passes = 1 if self._pass is None or self._pass.done() else 2
        for _ in range(passes):
            task = self._passing()
            await asyncio.wait({task}, timeout=deadline - asyncio.get_running_loop().time())
            if not (task.done() and task.result()):
                return False
        return True

    def _passing(self) -> asyncio.Task[bool]:
        """Return the pass over changed traces that runs, else a new one."""
        if self._pass is None or self._pass.done():
            self._pass = asyncio.create_task(self._update())
            # Whoever waits for it gets the error. If nobody does, the next pass meets it again.
            self._pass.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._pass

    async def _update(self) -> bool:
        """Update the index. Return whether it has all now; not if another process holds the store."""
        # `RunningTraces` makes the line of a trace that runs. This reads the trace once, when it has ended.
        backlog = self._index.backlog(self._running.ids)
        try:
            while await self._update_piece(backlog):
                pass
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            return False
        while not self._running.whole:
            await asyncio.to_thread(self._running.read, _PIECE_SECONDS)
        return True

    async def _update_piece(self, backlog: Backlog) -> bool:
        """Make some lines. Return whether there were any."""
        clock, puts = asyncio.get_running_loop().time, self._writer.puts
        begun = clock()
        changes = await asyncio.to_thread(backlog.changes, _PIECE_SECONDS)
        long = clock() - begun > _PIECE_SECONDS / 2
        if changes:
            await self._writer.call(partial(save, changes=changes))
        self._has_old_ones = self._has_old_ones or not backlog.walking
        if long and self._writer.puts != puts:
            # Python runs one thread at a time: leave most of that to the spans that come in.
            await asyncio.sleep(_PAUSE_SECONDS)
        return bool(changes)

    def _page(self, wanted: Filter, number: int, found_running: Sequence[Summary], whole: bool) -> Page:
        running = [found for found in found_running if wanted.matches(found)]
        found = self._index.find(wanted, number, without=[summary.trace_id for summary in running])
        first = running if number == 1 else []
        behind = 0 if whole else self._index.waiting()
        said = said_of_parts(parts(self._home.journals, Limits()))
        notice = f"Journals {said}" if said else ""
        return Page(first, found.traces, found.total, self._index.environments(), behind, notice)
