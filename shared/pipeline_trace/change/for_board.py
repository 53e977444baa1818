"""Finds the deploys of the board: the newest of each service and environment, however busy others are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from ..lookup.lookup import Lookup
from ..lookup.source import ALWAYS, Wanted
from ..trace import conventions as c
from ..trace.queries import attribute_text, is_run
from ..trace.span import Span
from ..trace.words import environment_name
from .entries import Entry, deploys_of
from .search import EVERY, Found, Search, groups_of, newest_first, page_of, parts_of, wanted_of
from .services import OfService
from .told import ANY

# Traces that are read: of what names its environment itself, and of all others.
_MOST_NAMED, _MOST_OTHERS = 150, 60
# Services, environments and jobs of a board that are looked for by their names, because none of theirs is among these.
_MOST_RARE, _MOST_ROUNDS = 60, 4
# Days that are more than any window has.
_EVER_DAYS = 1_000_000


def find_for_board(lookup: Lookup, search: Search) -> Found:
    """Return the newest deploys, for a board: of what names its environment itself from far back, of all else the newest.

    What is told by the name of a stage alone is found among all builds, of which most deploy nothing. Of services,
    environments and jobs that are not among these, the newest are found by their names: a busy job hides none.
    """
    jobs = dict[str, set[str]]()

    def entries_of(spans: Sequence[Span]) -> Sequence[Entry]:
        for one in filter(is_run, spans):
            jobs.setdefault(one.trace_id, set()).add(attribute_text(one, c.PIPELINE_NAME))
        return deploys_of(spans)

    def page(wanted: OfService, most_traces: int) -> Found:
        return page_of(parts_of(lookup, search, ALWAYS.to_ns, entries_of, wanted), EVERY, most_traces)

    named = page(OfService([[Wanted("environment")]], {}), _MOST_NAMED)
    others = page(wanted_of(lookup, search), _MOST_OTHERS)
    entries, traces = [*others.entries, *named.entries], named.traces | others.traces
    whole = named.whole and others.whole
    asked: list[list[Wanted]] = []
    for _ in range(0 if whole or groups_of(search) is not ANY else _MOST_ROUNDS):
        seen = {job for trace in traces for job in jobs.get(trace, ())}
        left = [one for one in _rare(lookup, search, entries, seen) if one not in asked]
        whole = not left
        if whole:
            break
        rest = page(OfService(left[:_MOST_RARE], {}), _MOST_OTHERS)
        entries, traces = [*rest.entries, *entries], traces | rest.traces
        # Of a page that is cut, some may still be found.
        asked += left[:_MOST_RARE] if rest.whole else []
    found = {(one.trace_id, one.span_id, one.service, one.environments): one for one in entries}
    return Found(newest_first(list(found.values())), whole=whole)


def _rare(lookup: Lookup, search: Search, found: Iterable[Entry], jobs: Collection[str]) -> Iterator[list[Wanted]]:
    """Yield what tells the deploys to each place of which none was found, and the builds of each job that was not read.

    Of a place where only failed ones were found, what succeeded is looked for. ``jobs``: those that were read.
    """
    green: dict[tuple[str, str], bool] = {}
    for entry in found:
        place = entry.service, entry.environments[0]
        green[place] = green.get(place, False) or entry.state == c.SUCCESS
    only = environment_name(search.environment)
    for told in lookup.figures("deploy", search.began, days=_EVER_DAYS):
        service, environment = told.names
        place = service, environment_name(environment)
        own = [Wanted("service", service), Wanted("environment", environment)]
        if not service or only not in ("", place[1]):
            continue
        if place not in green:
            yield own
        elif not green[place] and c.SUCCESS in told.results:
            yield [*own, Wanted("result", c.SUCCESS)]
    for told in lookup.figures("job", search.began, days=_EVER_DAYS):
        if told.names[0] and told.names[0] not in jobs:
            yield [Wanted("pipeline", told.names[0])]


def said_cut(found: Found) -> list[str]:
    """Return what is to be said of a board that is not all there is."""
    return (
        []
        if found.whole
        else ["not all traces of that time were read; name a service, a job, a commit or a version to see more"]
    )
