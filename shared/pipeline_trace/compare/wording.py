"""Puts a comparison into words: rows with a label each, for the terminal and for text. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from ..lookup.states import STATE_WORDS
from ..lookup.wording import UNKNOWN, human_duration, utc_time
from ..ownership.account.wording import Line, Name, Part, Quote, Row
from . import record
from .record import Comparison, Difference, Failed, Pair

_COMMIT = 12
# Of each list, and of the commits that were built.
_MOST = 10
_MOST_BUILT = 6
_LONGEST_WAY = 4
Listed = TypeVar("Listed")


def rows(found: Comparison) -> list[Row]:
    """Return what is not alike, in the order in which people ask for it. What is alike has no row."""
    told: list[tuple[str, Sequence[Line]]] = [
        ("Compared", list(_compared(found))),
        ("Failed", [line for one in _first(found.failed) for line in _failed(one)] + _more(found.failed)),
        ("Commits", [*map(_commit, found.commits), *_built(found.built)]),
        ("Parameters", [*map(_difference, _first(found.parameters)), *_more(found.parameters)]),
        ("Differs", [*map(_difference, found.others)]),
        ("New", [*map(_part, _first(found.new)), *_more(found.new)]),
        ("Gone", [*map(_part, _first(found.gone)), *_more(found.gone)]),
        ("Not reached", [*map(_part, _first(found.not_reached)), *_more(found.not_reached)]),
        ("Slower", list(_slower(found.slower))),
    ]
    return [Row(label, lines) for label, lines in told if lines]


def heading(found: Comparison) -> str:
    """Return the one sentence that says most."""
    return f"{found.run.name} against {found.base.name}: {summary(found)}."


def summary(found: Comparison) -> str:
    """Return how much differs, in words: "1 failed, 2 slower, another commit"."""
    count = sum(map(len, (found.slower.stages, found.slower.steps, found.slower.tasks, found.slower.waits)))
    told = [
        f"{len(found.failed)} failed" if found.failed else "",
        f"{len(found.new)} new" if found.new else "",
        f"{len(found.gone)} gone" if found.gone else "",
        f"{count} slower" if count else "",
        "another commit" if any(one.name == "commit" for one in found.commits) else "",
        "other parameters" if found.parameters else "",
    ]
    differs = ", ".join(filter(None, told)) or "nothing is new, gone, slower or failed"
    return f"{differs}, the same commit" if found.same_commit else differs


def more(pair: Pair) -> str:
    """Return how much longer a part took: +8.1 s."""
    return f"+{human_duration(pair.more_ns)}"


def took(part: record.Part | record.Compared) -> str:
    """Return how long a part or a run took; a dash if that is not known."""
    return UNKNOWN if part.took_ns is None else human_duration(part.took_ns)


def _compared(found: Comparison) -> Iterator[Line]:
    for one in (found.run, found.base):
        yield [Name(one.name, one.url), f", {_state(one)}, {utc_time(one.start_ns)}, took {took(one)}"]
    if found.note:
        yield [found.note]


def _failed(one: Failed) -> Iterator[Line]:
    hosts = f" on {', '.join(one.hosts)}" if one.hosts else ""
    before = f", {_state(one.base)} before" if one.base else ""
    yield [f"{one.run.title}{hosts}{before}"]
    if one.cause:
        yield [Quote(one.cause)]
    if one.run.path:
        yield [_way(one.run.path)]


def _commit(one: Difference) -> Line:
    line: list[Part] = [f"{one.name}: {one.run[:_COMMIT] or UNKNOWN}, before {one.base[:_COMMIT] or UNKNOWN}"]
    return [*line, ", ", Name("compare them", one.url, written=True)] if one.url else line


def _built(commits: Sequence[str]) -> Iterator[Line]:
    if commits[1:]:
        shown = ", ".join(commit[:_COMMIT] for commit in commits[-_MOST_BUILT:])
        yield [f"built since: {'… ' if commits[_MOST_BUILT:] else ''}{shown}"]


def _difference(one: Difference) -> Line:
    return [f"{one.name}: {one.run or UNKNOWN}, before {one.base or UNKNOWN}"]


def _part(one: record.Part) -> Line:
    inside = f", {one.below} in it" if one.below else ""
    place = f", in {_way(one.path)}" if one.path else ""
    return [f"{one.title}, {took(one)}{inside}{place}"]


def _slower(slower: record.Slower) -> Iterator[Line]:
    for pairs in (slower.stages, slower.steps, slower.tasks, slower.waits):
        for pair in _first(pairs):
            place = f", in {_way(pair.run.path)}" if pair.run.path else ""
            yield [f"{more(pair)}: {pair.run.title}, {took(pair.run)}, before {took(pair.base)}{place}"]
        yield from _more(pairs)


def _way(path: Sequence[str]) -> str:
    """Return what a part is in. Of a long way, what is nearest and farthest tells most."""
    return " > ".join(path if len(path) <= _LONGEST_WAY else [path[0], "…", *path[2 - _LONGEST_WAY :]])


def _state(one: record.Part | record.Compared) -> str:
    return STATE_WORDS[one.state].lower()


def _first(listed: Sequence[Listed]) -> Sequence[Listed]:
    return listed[:_MOST]


def _more(listed: Sequence[object]) -> list[Line]:
    return [[f"and {len(listed) - _MOST} more"]] if listed[_MOST:] else []
