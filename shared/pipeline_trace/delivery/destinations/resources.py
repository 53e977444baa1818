"""Finds the resources of spans, which the store keeps once a trace."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

# Builds have one each.
_MOST_KEPT = 2000


class Resources:
    """Finds resources by trace id and the resource's id; call it for one. Keeps those that it found last."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._found: dict[int, Mapping[str, Any]] = {}

    def __call__(self, trace_id: str, resource_id: int) -> Mapping[str, Any]:
        """Return a resource; an empty one if it is not there. Raises sqlite3.Error."""
        # The id says what is in it, so that one serves many traces.
        found = self._found.get(resource_id)
        if found is None:
            query = "SELECT body FROM resources WHERE trace_id = ? AND id = ?"
            row = self._connection.execute(query, (trace_id, resource_id)).fetchone()
            if len(self._found) >= _MOST_KEPT:
                self._found.clear()
            found = self._found[resource_id] = json.loads(row[0]) if row else {}
        return found
