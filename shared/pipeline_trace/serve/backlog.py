"""Makes the lines of traces that changed, in pieces: what has just come first, then the others, the newest first."""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..delivery.destinations.resources import Resources
from ..delivery.destinations.rows import COLUMNS, spans_of
from ..delivery.destinations.store import open_existing
from ..lookup.states import INCOMPLETE
from ..trace.span import Span
from .summary import Summary, missing_parents, summarise

# Changed traces that are looked up at once. Of more than these, the newest are found by a walk through the spans.
_AT_ONCE = 500
# Spans that one step of the walk passes.
_SPANS = 5000
_BUSY_SECONDS = 5.0
# Where the walk begins: an end and a trace id that are beyond all others.
_NEWEST = ((1 << 63) - 1, "g")
_CAME = "SELECT trace_id, changes, arrived_s FROM changed_traces WHERE arrived_s > ? ORDER BY arrived_s DESC LIMIT ?"
_ENDED = "SELECT end_ns, trace_id FROM spans WHERE (end_ns, trace_id) < (?, ?) ORDER BY end_ns DESC, trace_id DESC LIMIT ?"
_SPANS_OF = f"SELECT {COLUMNS} FROM spans WHERE trace_id = ?"
_NOTE = "SELECT trace_id, changes, arrived_s FROM changed_traces WHERE trace_id = ?"


class _Note(NamedTuple):
    """The store's note of a changed trace."""

    trace_id: str
    changes: int
    arrived_s: int


@dataclass(frozen=True)
class Change:
    """A trace's new line; None if it has no span that can be read.

    ``changes`` and ``arrived_s``: the store's note, from before the spans were read. ``below``: ids of traces that say
    "incomplete", and whose missing parent is in this trace.
    """

    trace_id: str
    summary: Summary | None
    changes: int
    arrived_s: int
    below: tuple[str, ...] = ()


class Backlog:
    """One pass over the changed traces of a store. It ends even if traces keep changing. Not for several threads at once."""

    def __init__(self, path: Path, without: Collection[str] = ()) -> None:
        """``path``: the store. ``without``: ids of traces to leave out."""
        self._path = path
        self._without = without
        # Each of these is read once in a pass: one that keeps growing must not hold up the others.
        self._read: set[str] = set()
        # When the walk began (seconds since the epoch, -1: not yet), how far it is, and the traces it has met.
        self._begun = False
        self._since = -1
        self._at: tuple[int, str] | None = None
        self._found: deque[str] = deque()

    @property
    def walking(self) -> bool:
        """Tell whether traces that had changed before this pass may still be unread."""
        return not self._begun or self._at is not None or bool(self._found)

    def changes(self, most_seconds: float) -> list[Change]:
        """Return new lines, as many as the time allows but at least one; none at the end of the pass.

        Save them before the next call. Raises sqlite3.Error.
        """
        with closing(open_existing(self._path, _BUSY_SECONDS)) as database:
            self._begun = True
            found = _changes(database, self._newly_come(database), most_seconds / 2)
            self._read.update(change.trace_id for change in found)
            return found + _changes(database, self._older(database), most_seconds / 2)

    def _newly_come(self, database: sqlite3.Connection) -> Iterator[_Note]:
        """Yield the changes that came since the walk began; without a walk all of them, if there are few."""
        came = database.execute(_CAME, (self._since, _AT_ONCE + 1)).fetchall()
        if self._since < 0 and len(came) > _AT_ONCE:
            self._since, self._at = int(came[0][2]), _NEWEST
        else:
            yield from (_Note(*row) for row in came if row[0] not in self._read and row[0] not in self._without)

    def _older(self, database: sqlite3.Connection) -> Iterator[_Note]:
        """Yield the changes that came before the walk began, on the way to older spans."""
        while self._found or self._at:
            if not self._found and self._at:
                rows = database.execute(_ENDED, (*self._at, _SPANS)).fetchall()
                self._found.extend(dict.fromkeys(str(row[1]) for row in rows if row[1] not in self._without))
                self._at = (int(rows[-1][0]), str(rows[-1][1])) if rows else None
                continue
            row = database.execute(_NOTE, (self._found.popleft(),)).fetchone()
            if row and row[2] <= self._since:
                yield _Note(*row)


def _changes(database: sqlite3.Connection, notes: Iterable[_Note], most_seconds: float) -> list[Change]:
    """Return the new lines of changed traces, as many as the time allows but at least one."""
    deadline = time.monotonic() + most_seconds
    resources = Resources(database)
    found: list[Change] = []
    for note in notes:
        spans = list(spans_of(database.execute(_SPANS_OF, (note.trace_id,)), resources))
        summary = summarise(note.trace_id, spans, _elsewhere(database, spans)) if spans else None
        below = _incomplete_below(database, note.trace_id, spans)
        found.append(Change(note.trace_id, summary, note.changes, note.arrived_s, below))
        if time.monotonic() > deadline:
            break
    return found


def _elsewhere(database: sqlite3.Connection, spans: Sequence[Span]) -> set[str]:
    """Return those parents missing among the spans of a trace that are in another one: an agent did not find its trace."""
    known = "SELECT DISTINCT span_id FROM spans WHERE span_id IN ({})"
    return {row[0] for row in _asked(database, known, sorted(missing_parents(spans)))}


def _incomplete_below(database: sqlite3.Connection, trace_id: str, spans: Iterable[Span]) -> tuple[str, ...]:
    below = (
        "SELECT DISTINCT trace_id FROM spans JOIN traces USING (trace_id)"
        f" WHERE result = '{INCOMPLETE}' AND parent_id IN ({{}})"
    )
    found = {row[0] for row in _asked(database, below, [span.span_id for span in spans])}
    return tuple(sorted(found - {trace_id}))


def _asked(database: sqlite3.Connection, query: str, values: Sequence[str]) -> Iterator[tuple[str]]:
    """Yield the rows of a query whose ``{}`` stands for values, some of them at a time: SQLite limits their number."""
    for start in range(0, len(values), _AT_ONCE):
        some = values[start : start + _AT_ONCE]
        yield from database.execute(query.format(",".join("?" * len(some))), some)
