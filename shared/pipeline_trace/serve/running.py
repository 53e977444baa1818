"""Follows the journals that are being written: the traces that run now. Reads only what is new since the last look."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from ..delivery.destinations.store import Store
from ..delivery.home import Home
from ..delivery.journal import find_journals
from ..delivery.reader import Mark, Reader
from ..lookup.journals import entries
from ..trace.span import Span
from .sketch import Sketch, line
from .summary import Summary

# The clock is read once for so many lines.
_LINES = 256


@dataclass
class _Followed:
    """A journal. ``mark``: how far it is read. ``written``: whether a process writes it."""

    mark: Mark | None = None
    written: bool = True
    sketches: dict[str, Sketch] = field(default_factory=dict)


@dataclass
class _Stored:
    """A running trace's spans in the store that are in no journal. ``read_at``: what it depends on, when it was read."""

    read_at: object = None
    sketch: Sketch = field(default_factory=Sketch)


class RunningTraces:
    """The traces in which a span runs now. Every thread may use it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._journals: dict[Path, _Followed] = {}
        self._stored: dict[str, _Stored] = {}
        # The lines, each with what it was made of.
        self._known: dict[str, tuple[list[tuple[Sketch, int]], Summary | None]] = {}
        self._lock = Lock()
        self.ids: frozenset[str] = frozenset()
        # Whether the last look or `read` came to the end of all journals.
        self.whole = True

    def look(self, most_seconds: float) -> list[Summary]:
        """Read what is new, as far as the time allows, and return the traces that run now, newest first.

        A trace whose journal is not read to its end yet is there with what is known. Raises SetupError.
        """
        with self._lock:
            self._follow(time.monotonic() + most_seconds)
            found = self._running_lines()
            self.ids = frozenset(summary.trace_id for summary in found)
            self._forget()
        return found

    def read(self, most_seconds: float) -> None:
        """Read what is new, as far as the time allows."""
        with self._lock:
            self._follow(time.monotonic() + most_seconds)

    def open_spans(self, most_seconds: float) -> list[Span]:
        """Read what is new, as far as the time allows, and return the spans that run now."""
        with self._lock:
            self._follow(time.monotonic() + most_seconds)
            written = [journal for journal in self._journals.values() if journal.written]
            found = [
                entry for journal in written for sketch in journal.sketches.values() for entry in sketch.opened.values()
            ]
        return [span for entry in found if (span := entry.span())]

    def state_of(self, trace_ids: Collection[str], most_seconds: float) -> object:
        """Read what is new, as far as the time allows, and return what differs if these traces have other spans than before.

        Spans in the store never change: their number is enough. Raises SetupError.
        """
        with self._lock:
            self._follow(time.monotonic() + most_seconds)
            here = [
                (path, journal.written, trace_id, journal.sketches[trace_id].added)
                for path, journal in sorted(self._journals.items())
                for trace_id in sorted(journal.sketches.keys() & set(trace_ids))
            ]
        store = Store(self._home.store)
        try:
            return here, [store.count(trace_id) for trace_id in sorted(trace_ids)]
        finally:
            store.close()

    def _follow(self, deadline: float) -> None:
        paths = find_journals(self._home.journals)
        for gone in self._journals.keys() - set(paths):
            del self._journals[gone]
        self.whole = True
        for path in reversed(paths):
            try:
                reader = Reader(path)
            except OSError:
                # Deleted after its delivery, or a file of another user.
                self._journals.pop(path, None)
                continue
            try:
                self.whole = self._read(path, reader, deadline) and self.whole
            finally:
                reader.close()

    def _read(self, path: Path, reader: Reader, deadline: float) -> bool:
        """Read a journal. Return whether that is all that it has."""
        written = reader.written()
        journal = self._journals.get(path)
        if journal is None and not written:
            # It waits for its delivery. Nothing of it runs.
            return True
        if journal is None or (journal.mark and not reader.resume(journal.mark)):
            journal = self._journals[path] = _Followed()
        journal.written = written
        whole = True
        for number, entry in enumerate(entries(reader), 1):
            sketch = journal.sketches.get(entry.trace_id)
            # The poller writes builds that have ended: nothing of such a trace runs here.
            if sketch is None and entry.opened:
                sketch = journal.sketches[entry.trace_id] = Sketch()
            if sketch:
                sketch.add(entry)
            if number % _LINES == 0 and time.monotonic() > deadline:
                whole = False
                break
        journal.mark = reader.mark()
        return whole

    def _running_lines(self) -> list[Summary]:
        sketches: dict[str, list[Sketch]] = defaultdict(list)
        live: dict[str, int] = {}
        for path in sorted(self._journals):
            for trace_id, sketch in self._journals[path].sketches.items():
                sketches[trace_id].append(sketch)
                if self._journals[path].written and sketch.opened:
                    live[trace_id] = max(live.get(trace_id, 0), sketch.newest_ns())
        newest_first = sorted(live, key=lambda trace_id: live[trace_id], reverse=True)
        store = Store(self._home.store)
        try:
            found = [self._line(store, trace_id, sketches[trace_id]) for trace_id in newest_first]
        finally:
            store.close()
        return [summary for summary in found if summary]

    def _line(self, store: Store, trace_id: str, journals: Sequence[Sketch]) -> Summary | None:
        sketches = [*journals, self._from_store(store, trace_id, journals)]
        made_of = [(sketch, sketch.added) for sketch in sketches]
        known = self._known.get(trace_id)
        if known is None or known[0] != made_of:
            known = self._known[trace_id] = made_of, line(trace_id, sketches)
        return known[1]

    def _from_store(self, store: Store, trace_id: str, journals: Sequence[Sketch]) -> Sketch:
        known = self._stored.setdefault(trace_id, _Stored())
        read_at = store.change_of(trace_id), list(journals)
        if read_at != known.read_at:
            ids = {int(span_id, 16): span_id for span_id in store.span_ids(trace_id)}
            if known.sketch.ids - ids.keys():
                # The trace was removed, and began anew.
                known.sketch = Sketch()
            new = [
                span_id
                for own, span_id in ids.items()
                if own not in known.sketch.ids and not any(sketch.has_ended(own) for sketch in journals)
            ]
            known.sketch.add_ended(store.some_spans(trace_id, new))
            known.read_at = read_at
        return known.sketch

    def _forget(self) -> None:
        """Forget what is of no running trace."""
        for trace_id in self._known.keys() - self.ids:
            del self._stored[trace_id], self._known[trace_id]
        for path, journal in list(self._journals.items()):
            if not journal.written and not self.ids & journal.sketches.keys():
                del self._journals[path]
