"""Removes old traces from the store, piece by piece: other processes wait for the file only while one piece is removed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import NamedTuple

# Spans in one transaction: some tens of milliseconds.
PIECE = 1000
# Pages that are given back to the disk in one transaction.
_PAGES = 1000


class Removed(NamedTuple):
    """What was removed, or would be. ``traces``: whole ones. ``size``: of the spans, in bytes."""

    traces: int = 0
    spans: int = 0
    size: int = 0

    def __add__(self, other: object) -> Removed:
        return Removed(*map(sum, zip(self, other, strict=True))) if isinstance(other, Removed) else NotImplemented


def remove_piece(connection: sqlite3.Connection, before_s: float) -> Removed:
    """Remove a piece of the traces whose last span arrived before a time (seconds since the epoch); an empty one at the end.

    A trace of more than PIECE spans takes several pieces. The connection must be in autocommit mode. Raises sqlite3.Error.
    """
    return remove(connection, lambda: old_traces(connection, before_s, PIECE))


def remove(connection: sqlite3.Connection, choose: Callable[[], Iterable[str]]) -> Removed:
    """Remove traces until a piece is full, in one transaction. ``choose``: gives their ids, within the transaction.

    It is asked for the next id when the one before is removed. Raises sqlite3.Error.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        removed = Removed()
        for trace_id in choose():
            removed += _delete_spans(connection, trace_id, PIECE - removed.spans)
            if removed.spans >= PIECE:
                break
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    return removed


def would_remove(connection: sqlite3.Connection, before_s: float) -> Removed:
    """Return what all pieces would remove. Raises sqlite3.Error."""
    removed = Removed()
    for trace_id in old_traces(connection, before_s, -1):
        removed += Removed(1, *connection.execute(_COUNT.format("trace_id = ?"), (trace_id,)).fetchone())
    return removed


def old_traces(connection: sqlite3.Connection, before_s: float, most: int) -> list[str]:
    """Return the ids of traces whose last span arrived before a time, oldest first. ``most``: of them; -1: all."""
    queries = [_CHANGED]
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'traces'").fetchone():
        queries.append(_LISTED)
    found: list[tuple[int, str]] = []
    for query in queries:
        found += connection.execute(query, (before_s, most)).fetchall()
    return [trace_id for _arrived, trace_id in sorted(found)]


def _delete_spans(connection: sqlite3.Connection, trace_id: str, most: int) -> Removed:
    """Delete at most so many spans of a trace, and with the last of them the trace."""
    some = _SOME.format(most=max(most, 1))
    spans, size = connection.execute(_COUNT.format(some), (trace_id,)).fetchone()
    connection.execute(f"DELETE FROM spans WHERE {some}", (trace_id,))
    if connection.execute("SELECT 1 FROM spans WHERE trace_id = ? LIMIT 1", (trace_id,)).fetchone():
        return Removed(0, spans, size)
    connection.execute("DELETE FROM changed_traces WHERE trace_id = ?", (trace_id,))
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'traces'").fetchone():
        connection.execute("DELETE FROM traces WHERE trace_id = ?", (trace_id,))
    return Removed(1, spans, size)


def give_back(connection: sqlite3.Connection) -> bool:
    """Give some free pages of the file back to the disk. Return whether there are more.

    Only a store that was made by a version since 5 can do that; others use the space for new spans. Raises sqlite3.Error.
    """
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    # Each row that is read is a page that is given back.
    connection.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
    left = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return bool(0 < left < free)


# The table `traces` has the time of arrival of those that `serve` has in its list, changed_traces that of the others.
_CHANGED = "SELECT arrived_s, trace_id FROM changed_traces WHERE arrived_s < ? ORDER BY arrived_s LIMIT ?"
_LISTED = """
SELECT arrived_s, trace_id FROM traces
WHERE arrived_s < ? AND NOT EXISTS (SELECT 1 FROM changed_traces c WHERE c.trace_id = traces.trace_id)
ORDER BY arrived_s, start_ns, trace_id LIMIT ?
"""
_SOME = "(trace_id, span_id) IN (SELECT trace_id, span_id FROM spans WHERE trace_id = ? ORDER BY span_id LIMIT {most})"
_COUNT = "SELECT count(*), ifnull(sum(length(body)), 0) FROM spans WHERE {}"
