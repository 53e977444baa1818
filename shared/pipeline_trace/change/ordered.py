"""Sorts deploys and builds by their length or their begin. Reads a limited number of traces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..lookup.lookup import Lookup
from ..lookup.source import ALWAYS
from .entries import Entry
from .search import EVERY, Found, Search

LONGEST, SHORTEST, OLDEST = "longest", "shortest", "oldest"
Find = Callable[[Lookup, Search, int, int], Found]


class Ordered(NamedTuple):
    """A page. ``sorted_of``: how many were sorted. ``more``: whether there is another page.

    ``found``: what they are of. If it is not whole, there are older ones that were not read, and so are not sorted.
    """

    entries: Sequence[Entry]
    sorted_of: int
    more: bool
    found: Found


def find_ordered(find: Find, lookup: Lookup, search: Search, order: str, first: int, most: int) -> Ordered:
    """Return a page of what is found, sorted; the last one, if there are not so many.

    ``order``: one of ORDERS. ``first``: how many are on the pages before.
    """
    found = find(lookup, search, EVERY, ALWAYS.to_ns)
    entries = ORDERS[order](found.entries)
    first = min(first, max(len(entries) - 1, 0) // most * most)
    return Ordered(entries[first : first + most], len(entries), len(entries) > first + most, found)


def said_order(ordered: Ordered, what: str, extent: str) -> str:
    """Return what is to be said if not all are sorted; "" if all are.

    ``what``: one of them, in a word. ``extent``: see said_extent.
    """
    if ordered.found.whole or not ordered.sorted_of:
        return extent
    newest = "" if ordered.found.told else "the newest "
    return f"only {newest}{ordered.sorted_of} {what}s are sorted: {extent}"


def _by_length(entries: Sequence[Entry], *, longest: bool) -> list[Entry]:
    """Return entries by their length. What runs has none yet, and comes last."""
    sign = -1 if longest else 1
    return sorted(entries, key=lambda one: (not one.end_ns, sign * (one.end_ns - one.start_ns), -one.start_ns))


# How each order sorts.
ORDERS: Mapping[str, Callable[[Sequence[Entry]], list[Entry]]] = {
    LONGEST: lambda entries: _by_length(entries, longest=True),
    SHORTEST: lambda entries: _by_length(entries, longest=False),
    OLDEST: lambda entries: sorted(entries, key=lambda one: (one.start_ns, one.span_id)),
}
