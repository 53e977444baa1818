"""Asks for a service over time: finds its deploys and what is known of their commits, and counts its figures from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..change.board import environments_in_order
from ..change.entries import Entry, Judge, deploys_and_runs, not_judged, short
from ..change.environments import environment_of_stage
from ..change.services import of_service
from ..lookup.lookup import Lookup
from ..lookup.source import ALWAYS, Wanted, Window
from ..lookup.states import state
from ..trace import conventions as c
from ..trace.queries import attribute_text, build_name_of, environment_of, is_run, revision_of
from ..trace.span import Span
from ..trace.words import PRODUCTION, environment_name, usual_environment
from .delivery import NOTHING_KNOWN, Delivery, Known, deliveries, first_of_changes
from .periods import DAY_NS, Periods

# Limits of one answer.
_MOST_TRACES = 300
_TRACES_AT_ONCE = 100
_MOST_SPANS = 20_000
_MOST_NOTED = 2000
_MOST_CHANGES = 200
# A commit that has all its digits.
_WHOLE = 40


@dataclass(frozen=True)
class Place:
    """An environment of a service: its deploys of both periods, in order of their begin, and their figures.

    ``before``: None where not all deploys of the period before are here, or were read.
    """

    environment: str
    deploys: Sequence[Entry]
    now: Delivery
    before: Delivery | None


@dataclass(frozen=True)
class ServiceOverTime:
    """A service. ``places``: in the order in which a change reaches them; ``chosen`` is the one of which all is known.

    ``from_ns``: since when deploys were read; later than the period before if there are too many.
    """

    service: str
    periods: Periods
    places: Sequence[Place]
    chosen: Place | None
    from_ns: int


class ServiceDeploys(NamedTuple):
    """The deploys of a service that were read, in order of their begin: all that began at ``from_ns`` or later.

    ``runs``: the ids of the spans of builds that do nothing but deploy.
    """

    entries: list[Entry]
    from_ns: int
    runs: frozenset[str]


def service_over_time(
    lookup: Lookup, service: str, environment: str, periods: Periods, judge: Judge = not_judged
) -> ServiceOverTime:
    """Return a service over time. ``environment``: of which all is asked; "" for production, else the last that it has.

    ``judge``: gives the deploys to it that failed their verdicts.
    """
    read = deploys_of_service(lookup, service, periods.both)
    places: dict[str, list[Entry]] = {}
    for one in read.entries:
        places.setdefault(one.environments[0], []).append(one)
    order = environments_in_order(places)
    chosen = environment_name(environment) or next(
        (name for name in order[::-1] if usual_environment(name) == PRODUCTION), ""
    )
    chosen = chosen or (order[-1] if order else "")
    if chosen in places:
        places[chosen] = list(judge(lookup, places[chosen]))
    known = known_of(lookup, places.get(chosen, ()), read.runs)
    found = {
        name: _place(name, places[name], periods, read.from_ns, known if name == chosen else NOTHING_KNOWN) for name in order
    }
    return ServiceOverTime(service, periods, list(found.values()), found.get(chosen), read.from_ns)


def deploys_of_service(lookup: Lookup, service: str, within: Window) -> ServiceDeploys:
    """Return the deploys of a service that began within a time, the newest ones if there are many."""
    wanted = of_service(lookup, service, within)
    noted = lookup.noted(wanted.groups, _MOST_NOTED, Window(within.from_ns))
    # What runs ends last.
    noted = sorted([*noted, *wanted.alone.values()], key=lambda span: span.end_ns or ALWAYS.to_ns, reverse=True)
    ended: dict[str, int] = {}
    for span in noted:
        ended.setdefault(span.trace_id, span.end_ns)
    traces = list(ended)[:_MOST_TRACES]
    from_ns = within.from_ns
    if len(ended) > len(traces) or len(noted) >= _MOST_NOTED:
        from_ns = max(from_ns, ended[traces[-1]] + 1)
    found: dict[tuple[str, str], Entry] = {}
    runs: set[str] = set()
    for first in range(0, len(traces), _TRACES_AT_ONCE):
        told = deploys_and_runs(lookup.outlines(traces[first : first + _TRACES_AT_ONCE], _MOST_SPANS))
        runs |= told.runs
        own = (one for one in told.entries if one.service == service and from_ns <= one.start_ns <= within.to_ns)
        found.update(((one.trace_id, one.span_id), one) for one in own)
    entries = sorted(found.values(), key=lambda one: (one.start_ns, one.span_id))
    return ServiceDeploys(entries, from_ns, frozenset(runs))


def _place(name: str, deploys: Sequence[Entry], periods: Periods, from_ns: int, known: Known) -> Place:
    """Return an environment. ``from_ns``: since when all deploys were read."""
    since_ns = max(periods.recorded.from_ns, from_ns)
    days = (periods.now.to_ns + 1 - since_ns) / DAY_NS
    now, before = deliveries(deploys, [Window(since_ns, periods.now.to_ns), periods.before], days, known)
    return Place(name, deploys, now, before if periods.knows_before and from_ns <= periods.before.from_ns else None)


def known_of(lookup: Lookup, deploys: Sequence[Entry], runs: frozenset[str]) -> Known:
    """Return what is known of the commits of some deploys to one environment: of the newest ones, if there are many.

    ``runs``: the ids of the spans of builds that do nothing but deploy, as far as that is known.
    """
    commits = {one.commit for one in first_of_changes(deploys)[-_MOST_CHANGES:]}
    if not commits:
        return Known()
    place = deploys[0].environments[0]
    built: dict[str, Entry] = {}
    deployed_ns: dict[str, int] = {}
    groups = [[Wanted("revision", commit, begins=len(commit) < _WHOLE)] for commit in sorted(commits)]
    for span in lookup.noted(groups, _MOST_NOTED):
        commit = short(revision_of(span))
        if environment_of(span) == place and state(span) == c.SUCCESS:
            deployed_ns[commit] = min(deployed_ns.get(commit, span.start_ns), span.start_ns)
        if _builds(span, runs) and (commit not in built or span.start_ns < built[commit].start_ns):
            built[commit] = _entry(span)
    return Known(built, deployed_ns)


def _builds(span: Span, runs: Iterable[str]) -> bool:
    """Return whether a span is a build that does more than deploy."""
    if not is_run(span) or span.span_id in runs or environment_of(span):
        return False
    return not environment_of_stage(attribute_text(span, c.PIPELINE_NAME).rpartition("/")[2], False)


def _entry(span: Span) -> Entry:
    commit, run = revision_of(span), build_name_of(span)
    return Entry(span.trace_id, span.span_id, state(span), span.start_ns, span.end_ns, commit=commit, run=run)
