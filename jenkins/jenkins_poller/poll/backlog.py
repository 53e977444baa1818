"""Counts the journals and spans that wait for delivery. A journal that did not change is not counted again."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pipeline_trace.delivery import aside, journal, progress, reader


class Backlog:
    """Counts what waits for delivery in a folder of journals."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counted: dict[Path, tuple[tuple[int, int], int]] = {}

    def journals(self) -> int:
        """Return the number of journals."""
        return len(journal.find_journals(self._folder))

    def aside(self) -> int:
        """Return the number of journals that are set aside."""
        return aside.count_aside(self._folder)

    def spans(self) -> int:
        """Return the number of spans that are not delivered yet."""
        counted = {}
        for path in journal.find_journals(self._folder):
            # The journal may have been delivered meanwhile, or belong to another user.
            with suppress(OSError):
                mark = (path.stat().st_size, progress.load_progress(path).offset)
                known = self._counted.get(path)
                counted[path] = known if known and known[0] == mark else (mark, reader.count_waiting(path))
        self._counted = counted
        return sum(count for _, count in counted.values())
