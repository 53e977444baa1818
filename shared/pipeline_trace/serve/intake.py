"""What HTTP and gRPC share: a body's spans into the store, with a bound on what is in hand at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from . import bodies
from .limits import Limits
from .receiver import Received, receive
from .writer import Writer

# Smaller bodies are read in the event loop: handing them to a thread costs more.
_SMALL = 64 << 10
# Large ones in so many threads: each may need ten times its bytes meanwhile.
_LARGE_AT_ONCE = 2


class BusyError(Exception):
    """So much waits to be stored that no more is taken now."""


class Intake:
    """Takes bodies in; what ``take`` has returned from is committed."""

    def __init__(self, writer: Writer, limits: Limits) -> None:
        self._writer = writer
        self._limits = limits
        self._in_hand = 0
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    @contextmanager
    def hold(self) -> Iterator[Hold]:
        """Count what is in hand of one request, until its end."""
        hold = Hold(self)
        try:
            yield hold
        finally:
            self._in_hand -= hold.size

    def count(self, size: int, *, alone: bool) -> None:
        """Count bytes as in hand; a request that is alone is always taken. Raises BusyError."""
        if not alone and self._in_hand + size > self._limits.waiting_bytes:
            raise BusyError("too much waits to be stored; send it again later")
        self._in_hand += size

    @property
    def in_hand(self) -> int:
        """Return the bytes of all requests that are in hand."""
        return self._in_hand

    async def take(self, body: bytes, kind: str, encoding: str, hold: Hold) -> Received:
        """Store a body's spans; return what became of them. Raises BodyError, BusyError, DeliveryError."""
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
    """The bytes of one request."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.size = 0

    def add(self, size: int) -> None:
        """Count more bytes. Raises BusyError."""
        self._intake.count(size, alone=self._intake.in_hand == self.size)
        self.size += size


def _read(body: bytes, kind: str) -> Received:
    return receive(bodies.parse(body, kind))
