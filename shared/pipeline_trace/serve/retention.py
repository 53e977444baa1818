"""Removes old traces, by age and by size, in small pieces. It always removes a whole trace in the end."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ..delivery.pruning import Removed, remove

_MOST_TRACES = 20


@dataclass(frozen=True)
class Keep:
    """What to keep. ``seconds``: since a trace's last span arrived. ``size``: the used space of the store, in bytes."""

    seconds: float
    size: int


def remove_some(connection: sqlite3.Connection, keep: Keep) -> Removed:
    """Remove a few of the oldest traces that exceed the limits, and return what was removed.

    The newest trace always stays. A trace that changed since its line in the list was written stays for now.
    """
    return remove(connection, lambda: _exceeding(connection, keep))


def _exceeding(connection: sqlite3.Connection, keep: Keep) -> Iterator[str]:
    for trace_id, arrived_s, newest in connection.execute(_OLDEST, (_MOST_TRACES,)).fetchall():
        too_old = arrived_s < time.time() - keep.seconds
        if not too_old and (newest or _used(connection) <= keep.size):
            break
        yield trace_id


# The last column marks the newest trace. The trace id decides between traces with equal times.
_OLDEST = """
SELECT trace_id, arrived_s,
    trace_id = (SELECT trace_id FROM traces ORDER BY arrived_s DESC, start_ns DESC, trace_id DESC LIMIT 1)
FROM traces WHERE NOT EXISTS (SELECT 1 FROM changed_traces c WHERE c.trace_id = traces.trace_id)
ORDER BY arrived_s, start_ns, trace_id LIMIT ?
"""


def _used(connection: sqlite3.Connection) -> int:
    """Return the used bytes. SQLite keeps the space of removed rows for later ones."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
