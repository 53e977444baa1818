"""Counts what one request costs while it is read, and stops the reading when that is too much. Does no I/O."""

from __future__ import annotations

from threading import Event

from .limits import Limits
from .signals import TRACES, Signal

# A span in memory takes about as much as this many attributes.
_SPAN_WEIGHT = 8
# A request has few fields outside its spans besides the spans themselves, and they are looked at twice.
_FIELDS_OF_SPAN = 10


class BodyError(Exception):
    """A body is not an OTLP request. ``too_large``: it is one, but over a limit."""

    def __init__(self, message: str, *, too_large: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large


class StoppingError(Exception):
    """The server ends. The client must send the request again later."""

    def __init__(self) -> None:
        super().__init__("the server ends; send the request again later")


class Budget:
    """What one request may still cost. Each method raises BodyError over a limit, and StoppingError if the server ends."""

    def __init__(self, limits: Limits, stopping: Event | None = None, signal: Signal = TRACES) -> None:
        """Set the limits. ``stopping``: set when the server ends. ``signal``: of the request."""
        self.limits = limits
        self.signal = signal
        self._smaller = f"send smaller batches (Collector: send_batch_max_size, SDKs: {signal.batch_variable})"
        self._stopping = stopping or Event()
        self._spans = 0
        self._items = 0
        self._fields = 0
        self._row_bytes = 0

    @property
    def weight(self) -> int:
        """Return how much memory the request's spans take, in attributes."""
        return self._spans * _SPAN_WEIGHT + self._items

    @property
    def counted(self) -> int:
        """Return the number of items so far."""
        return self._items

    def proceed(self) -> None:
        """Check only whether the server ends."""
        if self._stopping.is_set():
            raise StoppingError()

    def span(self, row_bytes: int) -> None:
        """Count a span, or a log record. ``row_bytes``: its size with its resource and scope, if it is stored so."""
        self.proceed()
        self._spans += 1
        self._row_bytes += row_bytes
        if self._spans > self.limits.spans:
            raise _over(f"has more than {self.limits.spans} {self.signal.items}; {self._smaller}")
        if self._row_bytes > self.limits.row_bytes:
            raise _over(
                f"takes more than {self.limits.row_bytes} bytes when each span is stored with its resource; "
                f"leave out large resource attributes, or {self._smaller}"
            )

    def items(self, count: int) -> None:
        """Count attributes, events, links, values, scopes or resources."""
        self._items += count
        if self._items > self.limits.items:
            raise _over(f"has more than {self.limits.items} attributes, events, links and values; {self._smaller}")

    def fields(self, count: int) -> None:
        """Count fields in protobuf that are outside the items of the signal, or items."""
        self.proceed()
        self._fields += count
        most = _FIELDS_OF_SPAN * self.limits.spans
        if self._fields > most:
            items = self.signal.items
            raise _over(f"has more than {most} {items} and other fields outside {items}; {self._smaller}")

    def depth(self, depth: int) -> None:
        """Check how deep lists and maps are in each other."""
        if depth > self.limits.depth:
            raise too_deep(self.limits)

    def json_marks(self, count: int) -> None:
        """Check the number of brackets and commas outside the texts of a JSON body."""
        if count > self.limits.json_marks:
            raise _over(f"has more than {self.limits.json_marks} values in JSON; {self._smaller}")


def too_deep(limits: Limits) -> BodyError:
    """Return the error for lists and maps that are too deep in each other."""
    return BodyError(f"the request has values nested deeper than {limits.depth}; send flat attributes")


def _over(said: str) -> BodyError:
    return BodyError(f"the request {said}", too_large=True)
