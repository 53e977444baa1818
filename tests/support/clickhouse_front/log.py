"""The log of statements, a line of JSON each: what was asked, by whom, and what it cost the engine."""

from __future__ import annotations

import json
import threading
from pathlib import Path


class Log:
    """Lines in a file, from any thread."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()

    def add(self, entry: dict[str, object]) -> None:
        """Add a line. It is in the file before the client has its answer."""
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
