"""Writes the spans of the store into journals, piece by piece, as they were sent.

The order is that of their ids, so a place in it means the same whatever others write and prune meanwhile.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .destinations.resources import Resources
from .destinations.rows import COLUMNS, Row, sent_spans
from .journal import JournalError, Writer

# A piece has as many spans, or bytes, and the last span whole.
SPANS = 10_000
BYTES = 10_000_000
# Somebody may set the clock back by so many seconds.
_SLACK = 120
# Traces of a mark. Each has some 45 bytes in the state.
_MOST_COUNTED = 10_000


class Place(NamedTuple):
    """The ids of a span."""

    trace_id: str = ""
    span_id: str = ""

    @property
    def part(self) -> float:
        """Which part of all ids is before it, from 0 to 1: trace ids are even over all their values."""
        try:
            return int(self.trace_id[:8] or "0", 16) / 16**8
        except ValueError:
            return 0.0


START = Place()


class Mark(NamedTuple):
    """A time, to tell what arrived in the store later: whatever did has an arrival of at least ``from_s``, in seconds.

    ``counts``: of the traces that had such an arrival already, how many spans they had.
    """

    from_s: int
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Piece:
    """Spans that follow each other. ``writer``: of their journal, which is not ended; None if there are no more spans.

    ``last``: the last of them. ``traces``: how many begin in it. ``unreadable``: rows that are left out.
    ``is_last``: whether no span follows.
    """

    writer: Writer | None
    last: Place
    traces: int
    unreadable: int
    is_last: bool


def set_mark(connection: sqlite3.Connection) -> Mark:
    """Return a mark of now. Raises sqlite3.Error."""
    # While nobody else writes: each transaction notes its time, so those that follow note a later one.
    connection.execute("BEGIN IMMEDIATE")
    try:
        now = int(time.time())
        from_s = now - _SLACK
        found = connection.execute(_newest(connection), {"from_s": from_s, "most": _MOST_COUNTED + 1}).fetchall()
        if len(found) > _MOST_COUNTED:
            from_s = min(found[-1][1] + 1, now)
        return Mark(from_s, {trace_id: _count(connection, trace_id) for trace_id, at in found if at >= from_s})
    finally:
        connection.rollback()


def write_piece(connection: sqlite3.Connection, folder: Path, since: Mark | None, after: Place) -> Piece:
    """Write the spans that follow a place into a new journal of the folder. ``since``: only traces that changed since.

    The caller ends the journal, or discards it. Raises JournalError, sqlite3.Error: then there is no journal.
    """
    find_resource = Resources(connection)
    writer, last, traces, unreadable, is_last = None, after, 0, 0, True
    try:
        with closing(_rows(connection, since, after)) as rows:
            for row in rows:
                spans = list(sent_spans([row], find_resource))
                if not spans:
                    unreadable += 1
                    continue
                writer = writer or Writer(folder)
                writer.span(spans[0])
                if writer.problem:
                    raise JournalError(f"cannot write {writer.path} ({writer.problem})")
                traces += row[0] != last.trace_id
                last = Place(row[0], row[1])
                if writer.spans >= SPANS or writer.size >= BYTES:
                    is_last = False
                    break
    except BaseException:
        if writer:
            writer.discard()
        raise
    return Piece(writer, last, traces, unreadable, is_last)


def _rows(connection: sqlite3.Connection, since: Mark | None, after: Place) -> Generator[Row]:
    if since is None:
        yield from connection.execute(_ALL, after)
        return
    for (trace_id,) in connection.execute(_changed(connection), {"from_s": since.from_s, "trace_id": after.trace_id}):
        if since.counts.get(trace_id) != _count(connection, trace_id):
            after_span = after.span_id if trace_id == after.trace_id else ""
            yield from connection.execute(_OF_TRACE, (trace_id, after_span))


def _count(connection: sqlite3.Connection, trace_id: str) -> int:
    return int(connection.execute("SELECT count(*) FROM spans WHERE trace_id = ?", (trace_id,)).fetchone()[0])


def _newest(connection: sqlite3.Connection) -> str:
    some = (f"SELECT trace_id, arrived_s FROM {table} WHERE arrived_s >= :from_s" for table in _tables(connection))
    return " UNION ".join(some) + " ORDER BY arrived_s DESC LIMIT :most"


def _changed(connection: sqlite3.Connection) -> str:
    condition = "arrived_s >= :from_s AND trace_id >= :trace_id"
    return " UNION ".join(f"SELECT trace_id FROM {table} WHERE {condition}" for table in _tables(connection)) + " ORDER BY 1"


def _tables(connection: sqlite3.Connection) -> list[str]:
    """Return the tables that tell when traces arrived: ``traces`` has those that are in the list of `serve`."""
    query = "SELECT name FROM sqlite_master WHERE name IN ('changed_traces', 'traces')"
    return [name for (name,) in connection.execute(query)]


_ALL = f"SELECT {COLUMNS} FROM spans WHERE (trace_id, span_id) > (?, ?) ORDER BY trace_id, span_id"
_OF_TRACE = f"SELECT {COLUMNS} FROM spans WHERE trace_id = ? AND span_id > ? ORDER BY span_id"
