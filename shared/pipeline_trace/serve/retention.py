"""Removes old traces, by age and by size. It always removes a whole trace."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

# Limits of one transaction, because other processes wait for the file: the number of traces and of spans.
_MOST_TRACES, _MOST_SPANS = 20, 5000


@dataclass(frozen=True)
class Keep:
    """What to keep. ``seconds``: since a trace's last span arrived. ``size``: the used space of the store, in bytes."""

    seconds: float
    size: int


def remove_some(connection: sqlite3.Connection, keep: Keep) -> int:
    """Remove a few of the oldest traces that exceed the limits, and return how many.

    The newest trace always stays. A trace that changed since its line in the list was written stays for now.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        removed = removed_spans = 0
        for trace_id, arrived_s, spans, newest in connection.execute(_OLDEST, (_MOST_TRACES,)).fetchall():
            too_old = arrived_s < time.time() - keep.seconds
            if not too_old and (newest or _used(connection) <= keep.size):
                break
            for table in ("spans", "traces"):
                connection.execute(f"DELETE FROM {table} WHERE trace_id = ?", (trace_id,))
            removed += 1
            removed_spans += spans
            if removed_spans > _MOST_SPANS:
                break
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return removed


# The last column marks the newest trace. The trace id decides between traces with equal times.
_OLDEST = """
SELECT trace_id, arrived_s, spans,
    trace_id = (SELECT trace_id FROM traces ORDER BY arrived_s DESC, start_ns DESC, trace_id DESC LIMIT 1)
FROM traces WHERE trace_id NOT IN (SELECT trace_id FROM changed_traces)
ORDER BY arrived_s, start_ns, trace_id LIMIT ?
"""


def _used(connection: sqlite3.Connection) -> int:
    """Return the used bytes. SQLite keeps the space of removed rows for later ones."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
