"""Delivers one journal in batches, and saves the delivery state after each accepted batch.

Every span is delivered at least once, with the same ids each time. If the writer was killed, its open spans are closed here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..trace import conventions as c
from ..trace.span import Event, Span, encode
from .destinations import Accepted, DeliveryError, Destination, SetupError
from .progress import Progress, load_progress, save_progress
from .reader import Line, Opened, Reader

BATCH = 512
_CANCELLED = frozenset({"SIGTERM", "SIGINT"})


@dataclass
class Outcome:
    """The result of a journal's delivery.

    ``delivered``: spans. ``torn``: incomplete lines that were skipped. ``dropped``: spans that the writer could not write.
    ``rejected``: spans that the receiver will never accept; ``reason`` says why. ``problem``: why the delivery failed.
    ``blocked``: the problem is the destination's, so the next journal would fail too. ``done``: all of it is delivered.
    """

    delivered: int = 0
    torn: int = 0
    dropped: int = 0
    rejected: int = 0
    reason: str = ""
    blocked: bool = False
    problem: str = ""
    done: bool = False


class Shipment:
    """Delivers one journal. The caller must hold its lock (Reader.claim)."""

    def __init__(self, reader: Reader, destination: Destination) -> None:
        self._reader = reader
        self._destination = destination
        self._state = load_progress(reader.path)
        self._open: dict[str, Opened] = {}
        self._batch: list[Span] = []
        self._batch_end = 0
        self.end: Line | None = None
        self.problem = ""
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
            blocked=bool(self.problem),
            problem=self.problem,
            done=self._done,
        )

    def step(self, timeout: float) -> None:
        """Deliver all lines that are in the journal now. ``timeout``: seconds for each batch.

        Raises DeliveryError, SetupError. The next call delivers the rest.
        """
        if len(self._batch) >= BATCH:
            self._flush(timeout)
        for line in self._reader.lines():
            self._take(line)
            if len(self._batch) >= BATCH:
                self._flush(timeout)
        self._flush(timeout)

    def finish(self, timeout: float, died_ns: int) -> None:
        """Deliver the rest of a journal that no process writes, and delete it. ``timeout``: seconds for each batch.

        ``died_ns``: the end or the last write of the writer, nanoseconds since the epoch. Raises DeliveryError, SetupError.
        """
        self._finishing = True
        self.step(timeout)
        self._reader.count_torn_end()
        reason = self.end.reason if self.end else "SIGKILL or a crash"
        lost = self.end is not None and self.end.dropped > 0 and not reason
        still_open = list(self._still_open())
        # A file's time is less exact than those of spans, and no child may end after its parent.
        died_ns = max([died_ns, self._latest_ns, *(span.start_ns for span in still_open)])
        for span in still_open:
            self._batch.append(_unknown(span, died_ns) if lost else _closed(span, reason, died_ns))
        self._open.clear()
        self._flush(timeout)
        # The process that waits for us reads from the state how many spans were rejected.
        self._reader.delete(keep_state=self._state.rejected > 0)
        self._done = True

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
            self._open.pop(line.span.span_id, None)
            self._latest_ns = max(self._latest_ns, line.span.end_ns)
            if line.end > self._state.offset:
                self._batch.append(line.span)
        else:
            self.end = line
        self._batch_end = line.end

    def _flush(self, timeout: float) -> None:
        if not self._batch:
            return
        try:
            accepted, refused = self._deliver(timeout)
        except (DeliveryError, SetupError) as error:
            self._problem(str(error))
            raise
        lost = accepted.rejected + len(refused)
        self._state = Progress(
            offset=max(self._batch_end, self._state.offset),
            delivered=self._state.delivered + len(self._batch) - lost,
            rejected=self._state.rejected + lost,
            reason=accepted.reason or self._state.reason,
        )
        self.problem = ""
        save_progress(self._reader.path, self._state)
        self._batch = []

    def _deliver(self, timeout: float) -> tuple[Accepted, list[Span]]:
        """Deliver the batch. Return the answer, and the spans that the receiver refuses while it accepts others."""
        try:
            return self._destination.deliver(self._batch, timeout), []
        except DeliveryError as error:
            # An invalid span must not block the others. We search for it only at the end, when there is time.
            if not error.unfit or not self._finishing or len(self._batch) == 1:
                raise
            refused = sift(self._destination, self._batch, timeout, error)
            return Accepted(reason=f"kept in {self._keep(refused)}" if refused else ""), refused

    def _keep(self, spans: Sequence[Span]) -> Path:
        """Append spans that the receiver will never accept to a ``.refused`` file. Return its path."""
        path = self._reader.path.with_suffix(".refused")
        with open(path, "a", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.writelines(encode(span.to_dict()) + "\n" for span in spans)
        return path

    def _problem(self, text: str) -> None:
        if text != self.problem:
            self.problem = text
            save_progress(self._reader.path, replace(self._state, problem=text))


def sift(destination: Destination, spans: Sequence[Span], timeout: float, whole: DeliveryError) -> list[Span]:
    """Deliver all spans of a batch except those that the receiver refuses as invalid. Return the refused spans.

    ``whole``: the error for the whole batch. This raises it if the receiver refuses the first, the middle and the last span,
    because then the cause is not a single span. Raises DeliveryError.
    """
    probes = sorted({0, len(spans) // 2, len(spans) - 1})
    refused = [spans[i] for i in probes if not _takes(destination, [spans[i]], timeout)]
    if len(refused) == len(probes):
        raise whole
    todo = [[span for i, span in enumerate(spans) if i not in probes]]
    while todo:
        some = todo.pop()
        if not some or _takes(destination, some, timeout):
            continue
        if len(some) == 1:
            refused += some
        else:
            todo += [some[: len(some) // 2], some[len(some) // 2 :]]
    return refused


def _takes(destination: Destination, spans: Sequence[Span], timeout: float) -> bool:
    try:
        destination.deliver(spans, timeout)
    except DeliveryError as error:
        if not error.unfit:
            raise
        return False
    return True


def _closed(span: Span, reason: str, died_ns: int) -> Span:
    """Close a span of a dead writer: the result is error after a kill, cancellation after SIGTERM or SIGINT."""
    span.end_ns = max(died_ns, span.start_ns)
    if reason in _CANCELLED:
        span.cancel(reason, span.end_ns)
        return span
    reason = reason or "never ended"
    span.attributes[c.TASK_RUN_RESULT] = c.ERROR
    span.attributes[c.ERROR_TYPE] = "interrupted"
    span.events = [*span.events, Event("interrupted", span.end_ns, {"reason": reason})]
    span.fail(f"still open when its process ended ({reason})")
    return span


def _unknown(span: Span, died_ns: int) -> Span:
    """Close a span whose end could not be written, though its writer ended normally. Its result is unknown."""
    span.end_ns = max(died_ns, span.start_ns)
    span.events = [*span.events, Event("interrupted", span.end_ns, {"reason": "its end could not be written"})]
    return span
