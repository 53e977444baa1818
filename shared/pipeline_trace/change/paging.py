"""Pages of what is found in two ways: by what noted spans tell, from far back, and by looking at all. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import NamedTuple

from ..lookup.journals import rank
from ..lookup.source import ALWAYS
from .entries import Entry

# Instead of the time until when something ended: nothing is left.
NOTHING_NS = 1


class Part(NamedTuple):
    """What is found in traces that hang together. ``ended_ns``: when the newest of the spans ended that are looked for."""

    traces: frozenset[str]
    ended_ns: int
    entries: Sequence[Entry]


class Both(NamedTuple):
    """A page of both. ``older_ns``, ``rest_ns``: from where the next page goes on with each; 0 if there is none.

    ``looked_ns``: how far back the second way came, if the page has older ones of the first, or could have; else 0.
    """

    entries: list[Entry]
    older_ns: int
    rest_ns: int
    looked_ns: int


def place_of(part: Part) -> tuple[bool, bool, int]:
    """Return a key that sorts parts in reverse: what runs comes first, what ends in the future last."""
    return _place(part.ended_ns)


def page_of_both(first: Iterable[Part], rest: Iterable[Part], until: tuple[int, int], most: int, most_read: int) -> Both:
    """Return a page of parts, in the order of their ends. No part has entries in both ways.

    ``until``: from where each way goes on. ``most``: about how many entries. ``most_read``: the highest number of parts that
    the second way reads; the first one reads as many, at least.
    """
    limited = _Limited(rest, most_read)
    found: list[Entry] = []
    last_ns = 0
    for read, part in enumerate(merge(first, limited, key=place_of, reverse=True)):
        # Those that ended at the same time stay together: the next page begins before it.
        if (len(found) >= most or read >= 2 * most_read) and _place(part.ended_ns) < _place(last_ns):
            older_ns, rest_ns = (_further(one, last_ns - 1) for one in until)
            stopped = limited.stopped_ns if _place(limited.stopped_ns or last_ns) > _place(last_ns) else 0
            looked_ns = stopped or (0 if len(found) >= most else last_ns)
            return Both(found, older_ns, stopped - 1 if stopped else rest_ns, looked_ns)
        found += part.entries
        last_ns = part.ended_ns
    if limited.stopped_ns:
        return Both(found, NOTHING_NS, limited.stopped_ns - 1, limited.stopped_ns)
    return Both(found, 0, 0, 0)


class _Limited:
    """So many of some parts. ``stopped_ns``: when the last one ended, if there are more; else 0."""

    def __init__(self, parts: Iterable[Part], most: int) -> None:
        self._parts = parts
        self._most = most
        self.stopped_ns = 0

    def __iter__(self) -> Iterator[Part]:
        last_ns = 0
        for read, part in enumerate(self._parts):
            if read >= self._most and _place(part.ended_ns) < _place(last_ns):
                self.stopped_ns = last_ns
                return
            yield part
            last_ns = part.ended_ns


def _place(time_ns: int) -> tuple[bool, bool, int]:
    return time_ns >= ALWAYS.to_ns - 1, *rank(time_ns)


def _further(one_ns: int, other_ns: int) -> int:
    """Return which of two times comes later on pages."""
    return min(one_ns, other_ns, key=_place)
