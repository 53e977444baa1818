"""Tells what of a page is new since a reader had it: rows, texts in them, and parts of the page. Does no I/O."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .pagedata import PageData

Key = tuple[str, str]


class _Mark(NamedTuple):
    """What a reader has: the state of a page by its number, and so many texts and resources."""

    page: str
    number: int
    texts: int
    resources: int


class Changes:
    """The states of one page, one after the other. A reader names what it has by a mark, and gets what is new."""

    def __init__(self) -> None:
        # Marks of a page that was made before, by this process or another one, mean nothing here.
        self._page = secrets.token_hex(6)
        self._number = 0
        self._data: PageData | None = None
        # By row: the state in which it became what it is. Removed rows: the state in which they went.
        self._changed: dict[Key, int] = {}
        self._removed: dict[Key, int] = {}
        # The parts, each with the state in which it became so.
        self._parts: dict[str, tuple[Any, int]] = {}

    @property
    def mark(self) -> str:
        """Return the mark of a reader who has all of it."""
        counts = self._data.tables.counts if self._data else (0, 0)
        return ".".join(map(str, (self._page, self._number, *counts)))

    def take(self, data: PageData, parts: Mapping[str, Any]) -> bool:
        """Take a new state of the page. Return whether it differs. ``data``: its tables go on. ``parts``: by their names."""
        number, before = self._number + 1, self._data
        changed = _changed(before, data)
        gone = set(before.keys) - set(data.keys) if before else set()
        new = {name for name, value in parts.items() if name not in self._parts or self._parts[name][0] != value}
        if not (before is None or changed or gone or new):
            return False
        self._number, self._data = number, data
        for key in gone:
            del self._changed[key]
            self._removed[key] = number
        for key in changed:
            self._changed[key] = number
            self._removed.pop(key, None)
        self._parts.update((name, (parts[name], number)) for name in new)
        return True

    def since(self, mark: str) -> dict[str, Any] | None:
        """Return what is new for a reader, with its new mark; all, if the mark is not one of this page; None for nothing.

        ``rows``: place, row and side of each new one, in order. ``gone``: trace and span ids of rows that are no more.
        """
        data, known = self._data, self._read(mark)
        if data is None or (known and known.number == self._number):
            return None
        number, texts, resources = (known.number, known.texts, known.resources) if known else (0, 0, 0)
        changed = (at for at, key in enumerate(data.keys) if self._changed[key] > number)
        return {
            "mark": self.mark,
            "whole": known is None,
            "texts": data.tables.texts(texts),
            "resources": data.tables.resources(resources),
            "rows": [[at, data.rows[at], data.sides[at]] for at in changed],
            "gone": [one for key, at in self._removed.items() if at > number for one in key] if known else [],
            "parts": {name: value for name, (value, at) in self._parts.items() if at > number},
        }

    def _read(self, mark: str) -> _Mark | None:
        """Return a mark; None if it is not one of this page."""
        page, *counts = mark.split(".")
        if page != self._page or len(counts) != 3 or not all(one.isdecimal() and len(one) < 10 for one in counts):
            return None
        found = _Mark(page, *map(int, counts))
        return found if found.number <= self._number else None


def _changed(before: PageData | None, data: PageData) -> list[Key]:
    """Return the keys of rows that are new, not as they were, or at another place among those that are."""
    if before is None:
        return list(data.keys)
    places = {key: at for at, key in enumerate(before.keys)}
    found: list[Key] = []
    last = -1
    for at, key in enumerate(data.keys):
        place = places.get(key, -1)
        if place > last and _alike(before, place, data, at):
            last = place
        else:
            found.append(key)
    return found


def _alike(before: PageData, place: int, data: PageData, at: int) -> bool:
    one: Sequence[Any] = before.rows[place]
    other = data.rows[at]
    return (one is other or one == other) and before.sides[place] == data.sides[at]
