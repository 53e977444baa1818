"""How well a service is delivered to an environment: the four figures of DORA, from its deploys. Does no I/O.

The rules are those of https://dora.dev/guides/dora-metrics/ (as of January 2026), and where it leaves a choice, those of
DORA's own dashboard (https://github.com/dora-team/fourkeys, METRICS.md): medians, and deploys that are counted, not changes.
What a rule needs and is not known is None, never a guess. docs/over-time.md says the same to readers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from ..change.board import is_same
from ..change.entries import Entry, short
from ..lookup.source import Window
from ..trace import conventions as c

_ENDED = frozenset({c.SUCCESS, *c.FAILED_RESULTS})


@dataclass(frozen=True)
class Lead:
    """A change that reached the environment. ``built``: its first build.

    ``took_ns``: from the begin of that to the end of the deploy; None where it is not known, or clocks differ too much.
    """

    deploy: Entry
    built: Entry | None
    took_ns: int | None


@dataclass(frozen=True)
class Failure:
    """A deploy that failed, or that succeeded and was replaced by an older version: ``rolled_back``.

    ``restored_by``: the next green deploy, None if there is none yet. ``took_ns``: from the end of the failed one to the end
    of that; None if there is none, if clocks differ too much, or if it is counted with the failure before: ``again``.
    """

    deploy: Entry
    rolled_back: bool
    restored_by: Entry | None
    took_ns: int | None
    again: bool = False


@dataclass(frozen=True)
class Delivery:
    """The deploys of a service to an environment that began in some days, and their figures.

    ``succeeded``: all green ones. ``ended``: these and the failed ones, not those that run or were cancelled.
    """

    days: float
    succeeded: Sequence[Entry] = ()
    ended: Sequence[Entry] = ()
    failures: Sequence[Failure] = ()
    leads: Sequence[Lead] = ()

    @property
    def per_day(self) -> float:
        """Return the deployment frequency: successful deploys a day.

        DORA: "the number of deployments over a given period"; its dashboard counts the successful ones.
        """
        return len(self.succeeded) / self.days

    @property
    def lead_ns(self) -> int | None:
        """Return the lead time for changes: the median, in nanoseconds; None if that of no change is known.

        DORA: "the amount of time it takes for a change to go from committed to version control to deployed in production".
        Of the commit, the begin of its first build is known. Only the first success of a commit counts.
        """
        return _median(lead.took_ns for lead in self.leads)

    @property
    def failure_rate(self) -> float | None:
        """Return the change failure rate, from 0 to 1; None if no deploy ended.

        DORA: "the ratio of deployments that require immediate intervention following a deployment. Likely resulting in a
        rollback of the changes or a hotfix". So a deploy counts that failed, and one that was rolled back.
        """
        return len(self.failures) / len(self.ended) if self.ended else None

    @property
    def restore_ns(self) -> int | None:
        """Return the time to restore: the median, in nanoseconds; None if nothing failed and was restored.

        DORA: "the time it takes to recover from a deployment that fails and requires immediate intervention", its failed
        deployment recovery time. Failures in a row are one failure: it begins with the first of them.
        """
        return _median(failure.took_ns for failure in self.failures)

    @property
    def open_failures(self) -> list[Failure]:
        """Return the failures after which nothing was green yet."""
        return [one for one in self.failures if one.restored_by is None and not one.again]


@dataclass(frozen=True)
class Known:
    """What is known of commits beside the deploys that were read, by their short ids.

    ``built``: the first build of each. ``deployed_ns``: when each was deployed first, in nanoseconds since the epoch.
    """

    built: Mapping[str, Entry] = field(default_factory=dict)
    deployed_ns: Mapping[str, int] = field(default_factory=dict)


NOTHING_KNOWN = Known()


def deliveries(
    deploys: Iterable[Entry], windows: Iterable[Window], days: float, known: Known = NOTHING_KNOWN
) -> list[Delivery]:
    """Return the figures of the deploys of one service to one environment, for each of some windows of so many days.

    ``deploys``: all of both windows, and of the time between: what restored a deploy may be later than its window.
    """
    ordered = sorted(deploys, key=lambda one: (one.start_ns, one.span_id))
    ended = [one for one in ordered if one.state in _ENDED and one.end_ns]
    failures, leads = list(_failures(ended)), list(_leads(ended, known))
    return [
        Delivery(
            days,
            [one for one in ended if one.state == c.SUCCESS and _began(one, window)],
            [one for one in ended if _began(one, window)],
            [one for one in failures if _began(one.deploy, window)],
            [one for one in leads if _began(one.deploy, window)],
        )
        for window in windows
    ]


def first_of_changes(deploys: Iterable[Entry]) -> list[Entry]:
    """Return of each commit the deploy that succeeded first, in order of their begin."""
    found: dict[str, Entry] = {}
    for one in sorted(deploys, key=lambda one: (one.start_ns, one.span_id)):
        if one.state == c.SUCCESS and one.end_ns and one.commit:
            found.setdefault(short(one.commit), one)
    return list(found.values())


def _leads(ended: Sequence[Entry], known: Known) -> Iterator[Lead]:
    for deploy in first_of_changes(ended):
        earlier_ns = known.deployed_ns.get(short(deploy.commit))
        if earlier_ns is not None and earlier_ns < deploy.start_ns:
            # It was there before, and is there again.
            continue
        built = known.built.get(short(deploy.commit))
        took_ns = deploy.end_ns - built.start_ns if built else -1
        yield Lead(deploy, built, took_ns if took_ns >= 0 else None)


def _failures(ended: Sequence[Entry]) -> Iterator[Failure]:
    """Yield the failures among deploys in the order of their begin, each with the next green deploy."""
    rolled_back = _rolled_back(ended)
    broken = False
    for at, one in enumerate(ended):
        failed = one.state in c.FAILED_RESULTS
        if not failed and at not in rolled_back:
            broken = False
            continue
        green = next((later for later in ended[at + 1 :] if later.state == c.SUCCESS and later.end_ns >= one.end_ns), None)
        again = failed and broken
        took_ns = green.end_ns - one.end_ns if green and not again else None
        yield Failure(one, not failed, green, took_ns, again)
        broken = True


def _rolled_back(ended: Sequence[Entry]) -> set[int]:
    """Return the places of the green deploys after which one came that had been there before."""
    green = [(at, one) for at, one in enumerate(ended) if one.state == c.SUCCESS]
    # Which is older: what was there first.
    first = [
        next(place for place, (_at, other) in enumerate(green) if other is one or is_same(other, one)) for _at, one in green
    ]
    return {green[place][0] for place in range(len(green) - 1) if first[place + 1] < first[place]}


def _began(one: Entry, window: Window) -> bool:
    return window.from_ns <= one.start_ns <= window.to_ns


def _median(lengths: Iterable[int | None]) -> int | None:
    known = [length for length in lengths if length is not None]
    return round(median(known)) if known else None
