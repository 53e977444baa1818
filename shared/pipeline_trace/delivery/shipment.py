"""Delivers one journal in batches, and saves the delivery state after each accepted batch.

Every span is delivered at least once, with the same ids each time. If the writer was killed, its open spans are closed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from ..trace import redact
from ..trace.span import Span
from . import refusal, schedule, sizes
from .closing import close
from .destinations import Accepted, DeliveryError, Destination, SetupError
from .locks import NoLocksError
from .progress import Progress, load_progress, save_progress
from .reader import Line, Opened, Reader

BATCH = 512
# Answers in a row that are not an OTLP receiver's. Each time, the spans may have arrived.
MOST_FOREIGN = 3
# Seconds before an early retry, if the receiver asks for no other time.
_SOON = 1.0


@dataclass
class Outcome:
    """The result of a journal's delivery.

    ``delivered``: spans. ``torn``: incomplete lines that were skipped. ``dropped``: spans that the writer could not write.
    ``rejected``: spans that the receiver will never accept; ``reason`` says why. ``problem``: why the delivery failed.
    ``blocked``: the problem is the destination's, so the next journal would fail too. ``done``: all of it is delivered.
    ``aside``: the journal was set aside (aside.py). ``wait``: the seconds after which an early retry may help, else None.
    ``journal``: its path.
    """

    delivered: int = 0
    torn: int = 0
    dropped: int = 0
    rejected: int = 0
    reason: str = ""
    blocked: bool = False
    problem: str = ""
    done: bool = False
    aside: bool = False
    wait: float | None = None
    journal: Path | None = field(default=None, compare=False)


class _Waiting(NamedTuple):
    """A span of the batch. ``end``: the offset in bytes after its line. ``size``: its bytes in a request."""

    span: Span
    end: int
    size: int


class Shipment:
    """Delivers one journal. The caller must hold its lock (Reader.claim)."""

    def __init__(self, reader: Reader, destination: Destination) -> None:
        self._reader = reader
        self._destination = destination
        self._state = load_progress(reader.path)
        self._open: dict[str, Opened] = {}
        self._batch: list[_Waiting] = []
        self._bytes = 0
        # Bytes of a batch. Fewer after the receiver said that a batch is too large.
        self._room = sizes.MOST
        self._end = 0
        self.end: Line | None = None
        self.problem = ""
        self._blocked = False
        self._wait: float | None = None
        self._done = False
        self._finishing = False
        self._latest_ns = 0

    @property
    def outcome(self) -> Outcome:
        """The result of the delivery so far."""
        return Outcome(
            delivered=self._state.delivered,
            torn=self._reader.torn,
            dropped=self.end.dropped if self.end else 0,
            rejected=self._state.rejected,
            reason=self._state.reason,
            blocked=self._blocked,
            problem=self.problem,
            done=self._done,
            wait=self._wait,
            journal=self._reader.path,
        )

    @property
    def opened(self) -> Mapping[str, Opened]:
        """The spans that have begun and not ended, by id, as far as the journal is read."""
        return self._open

    @property
    def foreign(self) -> bool:
        """Whether so many answers were not an OTLP receiver's that the journal is not sent again."""
        return self._state.foreign >= MOST_FOREIGN

    def step(self, timeout: float) -> None:
        """Deliver all lines that are in the journal now. ``timeout``: seconds for each batch.

        Raises DeliveryError, SetupError. The next call delivers the rest.
        """
        self._flush(timeout, only_full=True)
        for line in self._reader.lines():
            self._take(line)
            if self._is_full():
                self._flush(timeout, only_full=True)
        self._flush(timeout)

    def finish(self, timeout: float, died_ns: int) -> None:
        """Deliver the rest of a journal that no process writes, and delete it. ``timeout``: seconds for each batch.

        ``died_ns``: the end or the last write of the writer, nanoseconds since the epoch. Raises DeliveryError, SetupError.
        """
        self._finishing = True
        self.step(timeout)
        self._reader.count_torn_end()
        still_open = list(self._still_open())
        # This clock is less exact than those of spans, and no child may end after its parent.
        died_ns = max([died_ns, self._latest_ns, *(span.start_ns for span in still_open)])
        for span in still_open:
            closed = close(span, self.end, died_ns)
            self._add(closed, self._end, sizes.of_span(closed))
        self._open.clear()
        self._flush(timeout)
        lossy = self._state.rejected > 0 or self._reader.torn > 0
        if lossy:
            self._state = replace(self._state, torn=self._reader.torn)
            save_progress(self._reader.path, self._state)
        # The process that waits for us, or the next `ship`, reads from the state what was lost (losses.py).
        self._reader.delete(keep_state=lossy)
        self._done = True

    def failed(self, error: Exception, now: float) -> None:
        """Note that this delivery of the journal ended with an error. ``now``: seconds since the epoch.

        If the error is not the destination's, the journal has to wait for its next delivery.
        """
        self.problem = said(error)
        self._blocked = isinstance(error, SetupError) or (isinstance(error, DeliveryError) and error.refused)
        if self._blocked:
            self._save(problem=self.problem)
            return
        asked = error.wait if isinstance(error, DeliveryError) else None
        if isinstance(error, DeliveryError) and error.passing:
            self._wait = _SOON if asked is None else asked
        tries = self._state.tries + 1
        self._save(problem=self.problem, tries=tries, next_try=schedule.next_try(tries, asked, now))

    def _still_open(self) -> Iterator[Span]:
        for opened in self._open.values():
            span = opened.span()
            if span:
                yield span
            else:
                self._reader.torn += 1

    def _take(self, line: Line) -> None:
        if line.opened:
            self._open[line.opened.span_id] = line.opened
        elif line.span:
            self._latest_ns = max(self._latest_ns, line.span.end_ns)
            self._open.pop(line.span.span_id, None)
            if line.end > self._state.offset:
                self._add(line.span, line.end, sizes.of_line(line.end - self._end, line.span))
        else:
            self.end = line
        self._end = line.end

    def _add(self, span: Span, end: int, size: int) -> None:
        self._batch.append(_Waiting(span, end, size))
        self._bytes += self._batch[-1].size

    def _is_full(self) -> bool:
        return len(self._batch) >= BATCH or self._bytes >= self._room

    def _flush(self, timeout: float, *, only_full: bool = False) -> None:
        while self._batch and (self._is_full() or not only_full):
            self._send(self._batch[: self._fitting()], timeout)

    def _fitting(self) -> int:
        """Return how many of the waiting spans make one request: at least one."""
        room = self._room
        for count, waiting in enumerate(self._batch[:BATCH]):
            room -= waiting.size
            if room < 0:
                return max(count, 1)
        return min(len(self._batch), BATCH)

    def _send(self, some: Sequence[_Waiting], timeout: float) -> None:
        """Deliver the first spans that wait, and save the state. If they are too large, only set a lower limit."""
        try:
            accepted, refused = self._deliver([waiting.span for waiting in some], timeout)
        except (DeliveryError, SetupError) as error:
            if isinstance(error, DeliveryError) and error.too_large and len(some) > 1:
                self._room = sum(waiting.size for waiting in some) // 2
                return
            self._note(error)
            raise
        lost = accepted.rejected + len(refused)
        self._state = Progress(
            offset=max(some[-1].end, self._state.offset),
            delivered=self._state.delivered + len(some) - lost,
            rejected=self._state.rejected + lost,
            reason=accepted.reason or self._state.reason,
        )
        self.problem, self._blocked, self._wait = "", False, None
        save_progress(self._reader.path, self._state)
        del self._batch[: len(some)]
        self._bytes -= sum(waiting.size for waiting in some)

    def _deliver(self, spans: Sequence[Span], timeout: float) -> tuple[Accepted, list[Span]]:
        """Deliver a batch. Return the answer, and the spans that the receiver refuses while it accepts others."""
        try:
            return self._destination.deliver(spans, timeout), []
        except DeliveryError as error:
            if error.too_large and len(spans) == 1:
                return self._cut(spans[0], timeout, error)
            # An invalid span must not block the others. We search for it only at the end, when there is time.
            if not error.unfit or error.too_large or not self._finishing or len(spans) == 1:
                raise
            refused = refusal.sift(self._destination, spans, timeout, error)
            return Accepted(reason=refusal.keep(self._reader.path, refused) if refused else ""), refused

    def _cut(self, span: Span, timeout: float, whole: DeliveryError) -> tuple[Accepted, list[Span]]:
        """Deliver a span that is too large without a part of it. ``whole``: the error for all of it."""
        accepted = refusal.deliver_cut(self._destination, span, timeout)
        if accepted:
            return accepted, []
        # Only if the receiver accepts others, the span itself is to blame.
        if not self._finishing or not (self._state.delivered or self._takes_last(timeout)):
            raise whole
        return Accepted(reason=refusal.keep(self._reader.path, [span])), [span]

    def _takes_last(self, timeout: float) -> bool:
        return len(self._batch) > 1 and refusal.takes(self._destination, [self._batch[-1].span], timeout)

    def _note(self, error: DeliveryError | SetupError) -> None:
        """Save the problem, if it is a new one, and how many answers in a row were not an OTLP receiver's."""
        foreign = self._state.foreign
        if isinstance(error, DeliveryError) and not error.refused:
            foreign = foreign + 1 if error.foreign else 0
        if str(error) != self.problem or foreign != self._state.foreign:
            self.problem = str(error)
            self._save(problem=self.problem, foreign=foreign)

    def _save(self, **changes: Any) -> None:
        self._state = replace(self._state, **changes)
        save_progress(self._reader.path, self._state)


def said(error: Exception) -> str:
    """Return an error for a message. Errors of other types than ours are nobody's intention, so their type is named."""
    if isinstance(error, (DeliveryError, SetupError, NoLocksError)):
        return str(error)
    return redact.masked(f"{type(error).__name__}: {error}"[:300])
