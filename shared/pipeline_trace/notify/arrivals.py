"""Finds the traces that have arrived in the store since `serve` looked last."""

from __future__ import annotations

import sqlite3

from ..delivery.destinations.store import Store
from ..delivery.home import Home

# Traces that one look returns. Each is read.
_MOST = 200
# A transaction may end this much later than its rows say, seconds.
_LATE = 30
_ARRIVED = "SELECT trace_id, arrived_s FROM {} WHERE arrived_s >= ?"


class Arrivals:
    """Remembers which traces were looked at. For one thread."""

    def __init__(self, home: Home) -> None:
        self._store = Store(home.store)
        self._seen: dict[str, int] = {}
        self._new: dict[str, int] = {}

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def looked(self) -> None:
        """Remember the traces that were returned last as looked at."""
        self._seen.update(self._new)

    def since(self, seen_s: int) -> tuple[list[str], int]:
        """Return the traces to look at, the oldest first, and when the last of them arrived. Raises SetupError.

        They are returned again until ``looked`` is called. ``seen_s``: when the last trace arrived that was looked at,
        seconds since the epoch.
        """
        arrived = self._store.run(lambda connection: _arrived(connection, seen_s - _LATE))
        self._seen = {trace_id: at for trace_id, at in self._seen.items() if at >= seen_s - _LATE}
        new = sorted((at, trace_id) for trace_id, at in arrived.items() if self._seen.get(trace_id) != at)[:_MOST]
        self._new = {trace_id: at for at, trace_id in new}
        return [trace_id for _at, trace_id in new], max([seen_s, *(at for at, _trace_id in new)])


def _arrived(connection: sqlite3.Connection, from_s: int) -> dict[str, int]:
    """Return when traces arrived: those that `serve` has in its list, and those that have changed since."""
    tables = [
        name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE name IN ('changed_traces', 'traces')")
    ]
    found: dict[str, int] = {}
    for table in sorted(tables, reverse=True):
        found.update(connection.execute(_ARRIVED.format(table), (from_s,)).fetchall())
    return found
