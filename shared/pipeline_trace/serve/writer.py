"""Writes to the store, in one thread. Spans that arrive during a commit go into the next transaction together."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from ..delivery.destinations.store import Store, open_existing
from ..trace.span import Span

# Spans in one transaction. It takes some tens of milliseconds, in which other processes wait for the file.
_MOST_SPANS = 5000
_BUSY_SECONDS = 5.0
_IDLE_SECONDS = 1.0

Job = Callable[[sqlite3.Connection], Any]


class StoreWriter:
    """Takes spans and other changes from the event loop. When ``put`` returns, the spans are committed.

    While none come, it sees to it that the file alone is whole, whoever moves it.
    """

    def __init__(self, store: Path) -> None:
        """Start the thread. Call it in the event loop."""
        # How many times spans were put.
        self.puts = 0
        self._path = store
        self._store = Store(store, busy_seconds=_BUSY_SECONDS)
        self._loop = asyncio.get_running_loop()
        # Spans, a job, or None to end.
        self._queue: queue.SimpleQueue[tuple[Sequence[Span] | Job | None, asyncio.Future[Any]]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    async def put(self, spans: Sequence[Span]) -> None:
        """Commit spans. Raises DeliveryError."""
        if spans:
            self.puts += 1
            await self._ask(spans)

    async def call(self, job: Job) -> Any:
        """Run a job in the thread, and return its result. Its connection is in autocommit mode. Raises sqlite3.Error."""
        return await self._ask(job)

    async def close(self) -> None:
        """Commit the remaining spans, and end the thread."""
        await self._ask(None)
        await asyncio.to_thread(self._thread.join)

    def _ask(self, wanted: Sequence[Span] | Job | None) -> asyncio.Future[Any]:
        done: asyncio.Future[Any] = self._loop.create_future()
        self._queue.put((wanted, done))
        return done

    def _run(self) -> None:
        while True:
            try:
                wanted, done = self._queue.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                self._store.settle()
                continue
            batch: list[Span] = []
            waiting: list[asyncio.Future[Any]] = []
            while isinstance(wanted, Sequence):
                batch += wanted
                waiting.append(done)
                if len(batch) >= _MOST_SPANS or self._queue.empty():
                    break
                wanted, done = self._queue.get()
            if waiting:
                self._tell(waiting, *_outcome(partial(self._store.deliver, batch, _BUSY_SECONDS)))
            if callable(wanted):
                self._tell([done], *_outcome(partial(self._do, wanted)))
            elif wanted is None:
                break
        self._store.close()
        self._tell([done], None, None)

    def _do(self, job: Job) -> Any:
        with closing(open_existing(self._path, _BUSY_SECONDS)) as connection:
            return job(connection)

    def _tell(self, waiting: Sequence[asyncio.Future[Any]], result: Any, error: Exception | None) -> None:
        self._loop.call_soon_threadsafe(_settle, waiting, result, error)


def _outcome(job: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return job(), None
    except Exception as error:
        return None, error


def _settle(waiting: Sequence[asyncio.Future[Any]], result: Any, error: Exception | None) -> None:
    for future in waiting:
        # The caller may have given up.
        if future.done():
            continue
        if error:
            future.set_exception(error)
        else:
            future.set_result(result)
