"""Stores the spans of request bodies, and keeps the open ones, for HTTP and gRPC. Limits what is in memory at once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event
from typing import Any, TypeVar

from ..delivery.destinations import DeliveryError
from . import bodies
from .budget import Budget, StoppingError
from .limits import Limits
from .opened import Key, OpenSpans, key_of, run_of
from .receiver import Received, receive
from .records import Records, receive_records
from .signals import LOGS, TRACES, Signal
from .wire import Batch
from .writer import StoreWriter

# Smaller bodies are read in the event loop: a thread would cost more.
_SMALL = 64 << 10
# The number of threads for large bodies. Each may need ten times the size of its body.
_LARGE_AT_ONCE = 2


T = TypeVar("T")


class BusyError(Exception):
    """Too much data waits to be stored. The client must try again later."""


class Intake:
    """Stores request bodies. When ``take`` returns, what they carry is committed, or kept in memory if it is still open."""

    def __init__(self, writer: StoreWriter, limits: Limits, opened: OpenSpans | None = None) -> None:
        """Set the limits. ``opened``: keeps the open spans. Call it in the event loop."""
        self._writer = writer
        self._opened = opened or OpenSpans()
        self._limits = limits
        self._in_hand = 0
        self._items = 0
        # For threads and for the event loop.
        self._stopping = Event()
        self._stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    @contextmanager
    def hold(self) -> Iterator[Hold]:
        """Count the bytes of one request until it ends."""
        hold = Hold(self)
        try:
            yield hold
        finally:
            self._in_hand -= hold.size
            self._items -= hold.items

    def stop(self) -> None:
        """Let requests that are being read end with StoppingError. What was read before is stored."""
        self._stopping.set()
        self._stopped.set_result(None)

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of work, such as to read a body. Raises StoppingError as soon as ``stop`` is called."""
        task: asyncio.Future[Any] = asyncio.ensure_future(work)
        try:
            await asyncio.wait((task, self._stopped), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise StoppingError()
            found: T = task.result()
            return found
        finally:
            task.cancel()

    def count(self, size: int, *, alone: bool) -> None:
        """Count bytes of a request. ``alone``: True accepts any size, for the only request. Raises BusyError."""
        if not alone and self._in_hand + size > self._limits.waiting_bytes:
            raise BusyError("too much data waits to be stored; send the request again later")
        self._in_hand += size

    def count_items(self, items: int) -> None:
        """Count the spans of a request that was read, in attributes. Raises BusyError, unless it is the only request."""
        if self._items and self._items + items > self._limits.waiting_items:
            raise BusyError("too many spans wait to be stored; send the request again later")
        self._items += items

    @property
    def in_hand(self) -> int:
        """Return the bytes of all current requests."""
        return self._in_hand

    async def take(self, body: bytes, kind: str, encoding: str, hold: Hold) -> Received:
        """Store the spans in a body, and return the result. Raises BodyError, BusyError, StoppingError, DeliveryError."""
        received = await self._read(body, kind, encoding, hold, TRACES, receive)
        await self._writer.put(received.spans)
        self._opened.ended(map(key_of, received.spans))
        return received

    async def hear(self, body: bytes, kind: str, encoding: str, hold: Hold) -> Records:
        """Keep the open spans that the log records in a body tell of, and return the result. Raises the errors of ``take``.

        Not those that have ended: a record can come late, such as from the queue of a Collector.
        """
        records = await self._read(body, kind, encoding, hold, LOGS, receive_records)
        if not records.heard:
            return records
        try:
            # The writer answers in the order in which it is asked, so no end of a span comes between this and the next line.
            keys = {key for heard in records.heard for key in (key_of(heard.span), run_of(heard)) if key}
            ended = await self._writer.call(partial(_stored, keys=keys))
        except sqlite3.Error as error:
            raise DeliveryError(f"the store cannot be read: {error}") from None
        self._opened.put(heard for heard in records.heard if not {key_of(heard.span), run_of(heard)} & ended)
        return records

    async def _read(
        self,
        body: bytes,
        kind: str,
        encoding: str,
        hold: Hold,
        signal: Signal,
        receive: Callable[[Iterable[Batch], Budget], T],
    ) -> T:
        budget = Budget(self._limits, self._stopping, signal)

        def read(plain: bytes) -> T:
            return receive(bodies.parse(plain, kind, budget), budget)

        if len(body) < _SMALL and not encoding:
            found = read(body)
        else:
            async with self._large:
                if encoding:
                    body = await self.unless_stopped(asyncio.to_thread(bodies.unpack, body, encoding, budget))
                    hold.add(len(body))
                found = await self.unless_stopped(asyncio.to_thread(read, body))
        hold.add_items(budget.weight)
        return found


class Hold:
    """The bytes of one request that are in memory."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.size = 0
        self.items = 0

    def add(self, size: int) -> None:
        """Count more bytes. Raises BusyError."""
        self._intake.count(size, alone=self._intake.in_hand == self.size)
        self.size += size

    def add_items(self, items: int) -> None:
        """Count the spans of the request. Raises BusyError."""
        self._intake.count_items(items)
        self.items += items


# Stores what is in a body: its bytes, content type and encoding.
Store = Callable[[bytes, str, str, Hold], Coroutine[Any, Any, Received | Records]]


def _stored(connection: sqlite3.Connection, keys: Iterable[Key]) -> set[Key]:
    """Return which of these spans are in the store, so have ended."""
    query = "SELECT 1 FROM spans WHERE trace_id = ? AND span_id = ?"
    return {key for key in keys if connection.execute(query, key).fetchone()}
