"""Stores the spans of request bodies, for HTTP and gRPC. Limits what is in memory at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any, TypeVar

from . import bodies
from .budget import Budget, StoppingError
from .limits import Limits
from .receiver import Received, receive
from .writer import StoreWriter

# Smaller bodies are read in the event loop: a thread would cost more.
_SMALL = 64 << 10
# The number of threads for large bodies. Each may need ten times the size of its body.
_LARGE_AT_ONCE = 2


T = TypeVar("T")


class BusyError(Exception):
    """Too much data waits to be stored. The client must try again later."""


class Intake:
    """Stores request bodies. When ``take`` returns, the spans are committed."""

    def __init__(self, writer: StoreWriter, limits: Limits) -> None:
        """Set the limits. Call it in the event loop."""
        self._writer = writer
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
        budget = Budget(self._limits, self._stopping)
        packed = bool(encoding)
        if len(body) < _SMALL and not packed:
            received = _read(body, kind, budget)
        else:
            async with self._large:
                if packed:
                    body = await self.unless_stopped(asyncio.to_thread(bodies.unpack, body, encoding, budget))
                    hold.add(len(body))
                received = await self.unless_stopped(asyncio.to_thread(_read, body, kind, budget))
        hold.add_items(budget.weight)
        await self._writer.put(received.spans)
        return received


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


def _read(body: bytes, kind: str, budget: Budget) -> Received:
    return receive(bodies.parse(body, kind, budget), budget)
