"""Sends parts of a page again when they change, as server-sent events. They are made once for all who look."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress

from ..delivery.destinations import SetupError

# Between two looks, and until a reader that is gone is noticed.
_LOOK_SECONDS, _QUIET_SECONDS = 2.0, 15.0
# Each holds a connection: limits.connections are for senders, too.
_MOST_READERS = 100


class Watch:
    """Watches parts of a page. Use it in one event loop. ``make``: returns them by their ids; it runs in a thread."""

    def __init__(self, make: Callable[[], Mapping[str, str]], look_seconds: float = _LOOK_SECONDS) -> None:
        self._make = make
        self._look_seconds = look_seconds
        self._parts: Mapping[str, str] = {}
        self._changed = asyncio.Event()
        self._readers = 0
        self._task: asyncio.Task[None] | None = None

    def is_full(self) -> bool:
        """Return whether there are as many readers as there may be."""
        return self._readers >= _MOST_READERS

    async def events(self) -> AsyncIterator[str]:
        """Yield an event with each part, and again when it has changed, until the reader goes."""
        self._readers += 1
        if self._task is None:
            self._task = asyncio.create_task(self._look())
        known: dict[str, str] = {}
        try:
            yield "retry: 2000\n\n"
            while True:
                new = {name: text for name, text in self._parts.items() if known.get(name) != text}
                known.update(new)
                # A comment, where nothing is new, finds out whether the reader is still there.
                yield "".join(f"event: {name}\ndata: {json.dumps(text)}\n\n" for name, text in new.items()) or ":\n\n"
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _QUIET_SECONDS)
        finally:
            self._readers -= 1
            if not self._readers and self._task:
                self._task.cancel()
                self._task = None

    async def _look(self) -> None:
        while True:
            # What cannot be read now is looked at again; whoever loads the page is told.
            with suppress(SetupError, sqlite3.Error):
                parts = await asyncio.to_thread(self._make)
                if parts != self._parts:
                    self._parts, changed = parts, self._changed
                    self._changed = asyncio.Event()
                    changed.set()
            await asyncio.sleep(self._look_seconds)
