"""Puts an account into words: rows with a label each, in their order, for every format but JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ...lookup.wording import utc_time
from ..verdict import UNKNOWN
from .record import Account, Build, Others, Streak

# How many other jobs a row names.
_MOST_NAMED = 4
_COMMIT = 12


@dataclass(frozen=True)
class Name:
    """The name of a build, a commit or a page. ``url``: where a click on it leads, "" for nowhere.

    ``written``: text without clicks shows the address too.
    """

    text: str
    url: str = ""
    written: bool = False


@dataclass(frozen=True)
class Quote:
    """A line as a log has it."""

    text: str


@dataclass(frozen=True)
class Command:
    """A command to run."""

    text: str


# Strings are plain words. Times in them are those of ``utc_time``.
Part: TypeAlias = str | Name | Quote | Command
Line: TypeAlias = Sequence[Part]


@dataclass(frozen=True)
class Row:
    """A label, and lines beside it."""

    label: str
    lines: Sequence[Line]


def sure(account: Account) -> str:
    """Return how sure the verdict is, its kind, and whether it is over: "85% sure, host_unreachable, green again in app#7".

    If no owner is known, nothing is said of how sure that is.
    """
    verdict, streak = account.verdict, account.streak
    kind = "cause not known" if verdict.kind == UNKNOWN else verdict.kind
    said = kind if verdict.owner == UNKNOWN else f"{verdict.confidence:.0%} sure, {kind}"
    return f"{said}, green again in {streak.green_again.name}" if streak and streak.green_again else said


def rows(account: Account) -> list[Row]:
    """Return what is known, in the order in which people ask for it. What is not known has no row."""
    streak = account.streak
    found: list[tuple[str, Sequence[Line]]] = [
        ("Because", [[line] for line in account.because]),
        ("Since", list(_since(streak, account.build)) if streak else []),
        ("Last green", list(_green(streak)) if streak else []),
        ("Started", list(_started(account))),
        ("Where", list(_where(account))),
        ("Evidence", [*([[Quote(account.line)]] if account.line else []), *([Quote(line)] for line in account.seen)]),
        ("Fails alike", list(_others(account.alike))),
        ("Passes", list(_others(account.fine))),
        ("Next", list(_next(account))),
    ]
    return [Row(label, lines) for label, lines in found if lines]


def _since(streak: Streak, build: Build | None) -> Iterator[Line]:
    first = streak.first
    if first == build:
        yield [f"{utc_time(first.at_ns)}, with this build"]
    else:
        yield [f"{utc_time(first.at_ns)}, first in ", Name(first.name, first.url, written=True)]
    if streak.builds > 1:
        yield [f"{streak.alike} of the last {streak.builds} builds of {streak.job} failed so"]
    if streak.green_again:
        yield ["green again since ", _name(streak.green_again), f", {utc_time(streak.green_again.at_ns)}"]


def _green(streak: Streak) -> Iterator[Line]:
    green = streak.green
    if green is None:
        return
    commit: list[Part] = [", commit ", Name(green.commit[:_COMMIT])] if green.commit else []
    yield [_name(green), f", {utc_time(green.at_ns)}", *commit]
    if streak.commits:
        named: list[Part] = []
        for one in streak.commits:
            named += [", ", Name(one[:_COMMIT])] if named else [Name(one[:_COMMIT])]
        people = f" ({streak.authors} author{'s' if streak.authors != 1 else ''})" if streak.authors else ""
        yield ["built since: ", *named, people]
    elif green.commit and green.commit == streak.first.commit:
        yield ["the same commit fails now"]
    if streak.compare:
        yield [Name("compare the commits", streak.compare, written=True)]


def _started(account: Account) -> Iterator[Line]:
    start = account.start
    if start is None:
        return
    way: list[Part] = []
    for build in start.way:
        way += [" > ", _name(build)] if way else [_name(build)]
    yield [f"by {start.by}: " if start.by else "", *way]


def _where(account: Account) -> Iterator[Line]:
    place, build = account.place, account.build
    hosts = ", ".join(place.hosts)
    known = {
        "agent": place.agent,
        "hosts" if place.hosts[1:] else "host": hosts,
        "environment": place.environment,
        "commit": build.commit[:_COMMIT] if build else "",
        "phase": account.verdict.phase,
    }
    said = ", ".join(f"{name} {value}" for name, value in known.items() if value)
    if said:
        yield [said]
    if place.steps[1:]:
        yield [" > ".join(place.steps)]


def _others(others: Sequence[Others]) -> Iterator[Line]:
    for one in others[:_MOST_NAMED]:
        where = f" on {one.agent}" if one.agent else ""
        times = f"{one.count} builds, the last " if one.count > 1 else ""
        yield [f"{one.job}{where}: {times}", _name(one.last), f", {utc_time(one.last.at_ns)}"]
    if others[_MOST_NAMED:]:
        yield [f"and {len(others) - _MOST_NAMED} more"]


def _next(account: Account) -> Iterator[Line]:
    if account.then:
        yield [account.then]
    yield from ([Command(command)] for command in account.commands)
    yield from _pages(account.build, account.page)


def _pages(build: Build | None, page: str) -> Iterable[Line]:
    if build and build.url:
        yield [Name("the build's page", build.url, written=True)]
    if page:
        yield [Name("the trace's page", page, written=True)]


def _name(build: Build) -> Name:
    return Name(build.name, build.url)
