"""Sends parts of a page again when they change, as server-sent events. They are made once for all who look."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping

from ..delivery.destinations import SetupError

_LOOK_SECONDS = 2.0
# Each holds a connection: limits.connections are for senders, too.
_MOST_READERS = 100
_log = logging.getLogger(__name__)


class Watch:
    """Watches parts of a page. Use it in one event loop. ``make``: returns them by their ids; it runs in a thread."""

    def __init__(self, make: Callable[[], Mapping[str, str]], look_seconds: float = _LOOK_SECONDS) -> None:
        """``look_seconds``: between two looks."""
        self._make = make
        self._look_seconds = look_seconds
        self._parts: Mapping[str, str] = {}
        # Whether the last look found them.
        self._read = False
        self._looked = asyncio.Event()
        self._readers = 0
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def is_full(self) -> bool:
        """Return whether there are as many readers as there may be."""
        return self._readers >= _MOST_READERS

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._looked.set()

    async def events(self) -> AsyncIterator[str]:
        """Yield an event with each part, and again when it has changed, until the reader goes or this is closed.

        After each look in which all could be read, it yields the time in microseconds since the epoch.
        """
        if self.is_full():
            # Many came at once. The browser asks again, and is told.
            return
        self._readers += 1
        if self._task is None:
            self._task = asyncio.create_task(self._look())
        known: dict[str, str] = {}
        try:
            yield "retry: 2000\n\n"
            while not self._closed:
                # Before the parts: what changes while an event is sent is not missed.
                looked = self._looked
                new = {name: text for name, text in self._parts.items() if known.get(name) != text}
                known.update(new)
                events = [f"event: {name}\ndata: {json.dumps(text)}\n\n" for name, text in new.items()]
                # It finds out, too, whether the reader is still there. Where nothing can be read, that is what is said.
                yield "".join([*events, f"event: time\ndata: {time.time_ns() // 1000}\n\n" if self._read else ":\n\n"])
                await looked.wait()
        finally:
            self._readers -= 1
            if not self._readers and self._task:
                self._task.cancel()
                # Whoever comes next has newer ones on the page.
                self._task, self._parts, self._read = None, {}, False

    async def _look(self) -> None:
        said = False
        while not self._closed:
            try:
                self._parts = await asyncio.to_thread(self._make)
                self._read, said = True, False
            except (SetupError, sqlite3.Error):
                # It is read again; whoever loads the page is told.
                self._read = False
            except Exception as error:
                if not said:
                    _log.warning("what runs now cannot be shown: %s: %s", type(error).__name__, error)
                self._read, said = False, True
            looked, self._looked = self._looked, asyncio.Event()
            looked.set()
            await asyncio.sleep(self._look_seconds)
