"""Stores the spans of request bodies, for HTTP and gRPC. Limits the bytes that are in memory at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from . import bodies
from .limits import Limits
from .receiver import Received, receive
from .writer import StoreWriter

# Smaller bodies are read in the event loop: a thread would cost more.
_SMALL = 64 << 10
# The number of threads for large bodies. Each may need ten times the size of its body.
_LARGE_AT_ONCE = 2


class BusyError(Exception):
    """Too much data waits to be stored. The client must try again later."""


class Intake:
    """Stores request bodies. When ``take`` returns, the spans are committed."""

    def __init__(self, writer: StoreWriter, limits: Limits) -> None:
        self._writer = writer
        self._limits = limits
        self._in_hand = 0
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    @contextmanager
    def hold(self) -> Iterator[Hold]:
        """Count the bytes of one request until it ends."""
        hold = Hold(self)
        try:
            yield hold
        finally:
            self._in_hand -= hold.size

    def count(self, size: int, *, alone: bool) -> None:
        """Count bytes of a request. ``alone``: True accepts any size, for the only request. Raises BusyError."""
        if not alone and self._in_hand + size > self._limits.waiting_bytes:
            raise BusyError("too much data waits to be stored; send the request again later")
        self._in_hand += size

    @property
    def in_hand(self) -> int:
        """Return the bytes of all current requests."""
        return self._in_hand

    async def take(self, body: bytes, kind: str, encoding: str, hold: Hold) -> Received:
        """Store the spans in a body, and return the result. Raises BodyError, BusyError, DeliveryError."""
        packed = encoding not in ("", "identity", "none")
        if len(body) < _SMALL and not packed:
            received = _read(body, kind)
        else:
            async with self._large:
                if packed:
                    body = await asyncio.to_thread(bodies.unpack, body, encoding, self._limits.body_bytes)
                    hold.add(len(body))
                received = await asyncio.to_thread(_read, body, kind)
        await self._writer.put(received.spans)
        return received


class Hold:
    """The bytes of one request that are in memory."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.size = 0

    def add(self, size: int) -> None:
        """Count more bytes. Raises BusyError."""
        self._intake.count(size, alone=self._intake.in_hand == self.size)
        self.size += size


def _read(body: bytes, kind: str) -> Received:
    return receive(bodies.parse(body, kind))
