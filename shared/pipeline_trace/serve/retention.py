"""How long traces are kept: by age and by size. A trace is removed whole, never a part of it."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

# In a transaction, others wait for the file meanwhile: so many traces, and no more after so many spans.
_MOST_TRACES, _MOST_SPANS = 20, 5000


@dataclass(frozen=True)
class Keep:
    """``seconds``: since a trace's last span arrived. ``size``: bytes of the store that are in use."""

    seconds: float
    size: int


def remove_some(connection: sqlite3.Connection, keep: Keep) -> int:
    """Remove a few of the oldest traces that are beyond the limits; return how many.

    The newest is kept whatever its size, and so is one that changed since its line in the list was written.
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


# The last column tells the newest of all. Trace ids decide between those that came and began together.
_OLDEST = """
SELECT trace_id, arrived_s, spans,
    trace_id = (SELECT trace_id FROM traces ORDER BY arrived_s DESC, start_ns DESC, trace_id DESC LIMIT 1)
FROM traces WHERE trace_id NOT IN (SELECT trace_id FROM changed_traces)
ORDER BY arrived_s, start_ns, trace_id LIMIT ?
"""


def _used(connection: sqlite3.Connection) -> int:
    """Return the bytes in use: SQLite keeps the space of what was removed for what comes next."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
