"""The board: what is where. A row a service, a column an environment, from the newest deploys. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..lookup.journals import rank
from ..trace import conventions as c
from ..trace.words import environment_order, is_environment, usual_environment
from .entries import Entry


@dataclass(frozen=True)
class Behind:
    """How far an environment is behind the one before. ``changes``: how many others that one got since, each counted once.

    What was there earlier, and came back, is no change. ``since_ns``: when it got the first of them, in nanoseconds since
    the epoch.
    """

    changes: int
    since_ns: int


@dataclass(frozen=True)
class Failing:
    """The deploys that failed since the last one that succeeded, ``newest`` last. ``since_ns``: when the first one began."""

    times: int
    since_ns: int
    newest: Entry


@dataclass(frozen=True)
class Cell:
    """A service in an environment. ``newest``: the last deploy. ``there``: the last that succeeded, None if none is known.

    ``behind``: None where that is not known, or there is no environment before. ``before``: that one; "" for none.
    ``failing``: None if nothing failed since.
    """

    newest: Entry
    there: Entry | None = None
    behind: Behind | None = None
    failing: Failing | None = None
    before: str = ""

    @property
    def state(self) -> str:
        """Return the state of the newest deploy."""
        return self.newest.state


@dataclass(frozen=True)
class Row:
    """A service. ``cells``: by environment; none where nothing was deployed in the time that was looked at."""

    service: str
    cells: Mapping[str, Cell]

    @property
    def newest(self) -> tuple[bool, int]:
        """Return when its newest deploy began, in the order of lookup.journals.rank."""
        return max(rank(cell.newest.start_ns) for cell in self.cells.values())


@dataclass(frozen=True)
class Board:
    """What is where. ``environments``: in the order in which a change reaches them. ``rows``: the newest deploy first."""

    environments: Sequence[str]
    rows: Sequence[Row]


def board_of(deploys: Iterable[Entry]) -> Board:
    """Return the board of some deploys."""
    found: dict[str, dict[str, list[Entry]]] = {}
    # What ended last is there now. By a clock that is ahead, a deploy would be the newest one until that time: it comes
    # before all others.
    for one in sorted(deploys, key=lambda one: (not one.end_ns, *rank(one.end_ns or one.start_ns), one.span_id)):
        found.setdefault(one.service, {}).setdefault(one.environments[0], []).append(one)
    order = environments_in_order({name for cells in found.values() for name in cells})
    rows = [Row(service, _cells(order, of)) for service, of in found.items()]
    # What runs or failed is not hidden by names: the newest comes first.
    by_name = sorted(rows, key=lambda row: row.service)
    return Board(order, sorted(by_name, key=lambda row: row.newest, reverse=True))


def environments_in_order(names: Iterable[str]) -> list[str]:
    """Return environments in the order in which a change reaches them; those that no word tells come last, by name."""
    # What is named after another one comes before it: prod-eu before production.
    return sorted(names, key=lambda name: (environment_order(name), is_environment(name), name))


def _cells(order: Sequence[str], of: Mapping[str, Sequence[Entry]]) -> dict[str, Cell]:
    cells: dict[str, Cell] = {}
    before: tuple[str, Sequence[Entry]] = "", ()
    for name in order:
        deploys = of.get(name)
        if not deploys:
            continue
        green = [one for one in deploys if one.state == c.SUCCESS]
        there = green[-1] if green else None
        # Nobody knows what comes before an environment whose name no word tells.
        ordered = usual_environment(name) != ""
        behind = _behind(there, before[1]) if ordered else None
        cells[name] = Cell(deploys[-1], there, behind, _failing(deploys), before[0] if behind else "")
        before = (name, green) if ordered else before
    return cells


def _failing(deploys: Sequence[Entry]) -> Failing | None:
    """Return how often deploys failed since the last one that succeeded, in order of their begin."""
    last = max((at for at, one in enumerate(deploys) if one.state == c.SUCCESS), default=-1)
    failed = [one for one in deploys[last + 1 :] if one.state in c.FAILED_RESULTS]
    return Failing(len(failed), failed[0].start_ns, failed[-1]) if failed else None


def _behind(there: Entry | None, before: Sequence[Entry]) -> Behind | None:
    """Return how far a deploy is behind those that succeeded in the column before."""
    if there is None or not there.what or not before:
        return None
    same = [at for at, one in enumerate(before) if is_same(one, there)]
    if not same:
        return None
    since: list[Entry] = []
    for one in before[same[-1] + 1 :]:
        if one.what and not any(is_same(one, other) for other in (*before[: same[-1] + 1], *since)):
            since.append(one)
    return Behind(len(since), since[0].end_ns if since else 0)


def is_same(one: Entry, other: Entry) -> bool:
    """Return whether two deploys are of the same: the commit, else the version."""
    if one.commit and other.commit:
        shortest = min(len(one.commit), len(other.commit))
        return one.commit[:shortest] == other.commit[:shortest]
    return bool(one.version) and one.version == other.version
