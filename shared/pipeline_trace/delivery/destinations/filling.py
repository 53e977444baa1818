"""Reads spans that an older program wrote into the table of traits, piece by piece: others may write in between."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

from ...trace.traits import traits_of
from .rows import COLUMNS, FindResource, Row, spans_of, traits_row

# Spans in one transaction: a tenth of a second.
_PIECE = 2000
_FIRST = "SELECT trace_id, span_id FROM unread_from LIMIT 1"
_NEXT = f"SELECT {COLUMNS} FROM spans WHERE (trace_id, span_id) > (?, ?) ORDER BY trace_id, span_id LIMIT ?"
_SINGLE = f"SELECT {COLUMNS} FROM unread CROSS JOIN spans USING (trace_id, span_id) LIMIT ?"
INSERT_TRAITS = f"INSERT INTO traits VALUES ({','.join('?' * 17)}) ON CONFLICT (trace_id, span_id) DO NOTHING"
# Trace ids are even over all their values, so the first digits say how much is read.
_DIGITS = 8


def is_behind(connection: sqlite3.Connection) -> bool:
    """Return whether there are spans without traits. Raises sqlite3.Error."""
    query = "SELECT EXISTS (SELECT 1 FROM unread_from) OR EXISTS (SELECT 1 FROM unread)"
    return bool(connection.execute(query).fetchone()[0])


def fill(connection: sqlite3.Connection, find_resource: FindResource, told: Callable[[float], None]) -> None:
    """Read all spans that have no traits. ``told``: called with the part that is done, from 0 to 1, after each piece.

    An interrupted call loses no piece; two processes at once share the work. Raises sqlite3.Error.
    """
    done = 0.0
    while is_behind(connection):
        told(done)
        connection.execute("BEGIN IMMEDIATE")
        try:
            done = _fill_piece(connection, find_resource)
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise


def _fill_piece(connection: sqlite3.Connection, find_resource: FindResource) -> float:
    """Read a piece. Return the part that is done."""
    place = connection.execute(_FIRST).fetchone()
    if place is None:
        rows = connection.execute(_SINGLE, (_PIECE,)).fetchall()
        connection.executemany(INSERT_TRAITS, _read(rows, find_resource))
        connection.executemany("DELETE FROM unread WHERE trace_id = ? AND span_id = ?", (row[:2] for row in rows))
        if not rows:
            # Their spans are gone.
            connection.execute("DELETE FROM unread")
        return 1.0
    rows = connection.execute(_NEXT, (*place, _PIECE)).fetchall()
    connection.executemany(INSERT_TRAITS, _read(rows, find_resource))
    if len(rows) < _PIECE:
        connection.execute("DELETE FROM unread_from")
        return 1.0
    connection.execute("UPDATE unread_from SET trace_id = ?, span_id = ?", rows[-1][:2])
    return int(rows[-1][0][:_DIGITS], 16) / float(16**_DIGITS)


def _read(rows: Iterable[Row], find_resource: FindResource) -> list[tuple[object, ...]]:
    return [traits_row(span, traits_of(span)) for span in spans_of(rows, find_resource)]
