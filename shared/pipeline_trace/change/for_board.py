"""Finds the deploys of the board: the newest of each service and environment, however busy others are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from ..lookup.lookup import Lookup
from ..lookup.source import ALWAYS, EVER_DAYS, Figures, Wanted, Window, fits_one
from ..trace import conventions as c
from ..trace.queries import attribute_text, is_run
from ..trace.span import Span
from ..trace.traits import traits_of
from ..trace.words import environment_name
from .entries import Entry, deploys_of
from .search import EVERY, Found, Search, groups_of, newest_first, page_of, parts_of, read_parts, wanted_of
from .services import OfService
from .told import ANY

# Traces that are read: of what names its environment itself, and of all others.
_MOST_NAMED, _MOST_OTHERS = 150, 60
# Services, environments and jobs of a board that are looked for by their names, because none of theirs is among these.
_MOST_RARE, _MOST_ROUNDS = 80, 3
# Spans of these among which the newest of each are looked for.
_MOST_NOTED = 400


def find_for_board(lookup: Lookup, search: Search) -> Found:
    """Return the newest deploys, for a board: of what names its environment itself from far back, of all else the newest.

    What is told by the name of a stage alone is found among all builds, of which most deploy nothing. Of services,
    environments and jobs that are not among these, the newest are found by their names: a busy job hides none.
    """
    read = _Read(lookup, search)
    named = read.page(OfService([[Wanted("environment")]], {}), _MOST_NAMED)
    others = read.page(wanted_of(lookup, search), _MOST_OTHERS)
    whole = named and others
    if not whole and groups_of(search) is ANY:
        whole = _read_rare(lookup, search, read)
    return Found(newest_first(list(read.entries.values())), whole=whole)


class _Read:
    """What was read for a board. ``entries``: each deploy once. ``jobs``: those of the builds that were read."""

    def __init__(self, lookup: Lookup, search: Search) -> None:
        self._lookup, self._search = lookup, search
        self.entries: dict[tuple[object, ...], Entry] = {}
        self.jobs = set[str]()
        self._jobs_of: dict[str, set[str]] = {}

    def page(self, wanted: OfService, most_traces: int) -> bool:
        """Read the newest traces of what is wanted. Return whether these are all."""
        parts = parts_of(self._lookup, self._search, ALWAYS.to_ns, self._entries_of, wanted)
        found = page_of(parts, EVERY, most_traces)
        self._add(found.entries, found.traces)
        return found.whole

    def some(self, traces: Sequence[str], wanted: OfService) -> None:
        """Read these traces."""
        for part in read_parts(self._lookup, self._search, traces, self._entries_of, wanted):
            self._add(part.entries, part.traces)

    def _entries_of(self, spans: Sequence[Span]) -> Sequence[Entry]:
        for one in filter(is_run, spans):
            self._jobs_of.setdefault(one.trace_id, set()).add(attribute_text(one, c.PIPELINE_NAME))
        return deploys_of(spans)

    def _add(self, entries: Iterable[Entry], traces: Iterable[str]) -> None:
        for one in entries:
            # Who was read first had most around it, by which a service is known.
            self.entries.setdefault((one.trace_id, one.span_id, one.service, one.environments), one)
        # More is read than a page takes.
        self.jobs.update(job for trace in traces for job in self._jobs_of.get(trace, ()))


def _read_rare(lookup: Lookup, search: Search, read: _Read) -> bool:
    """Read the newest deploys of services, environments and jobs of which none was read. Return whether these are all."""
    there, ran = (lookup.figures(counted, search.began, days=EVER_DAYS) for counted in ("deploy", "job"))
    asked: list[list[Wanted]] = []
    for _ in range(_MOST_ROUNDS):
        rare = [*_rare_places(there, read.entries.values(), search), *_rare_jobs(ran, read.jobs)]
        left = [one for one in rare if one not in asked]
        if not left:
            return True
        some = left[:_MOST_RARE]
        newest, done = _newest(lookup, search, some)
        read.some(newest, OfService(some, {}))
        asked += done
    return False


def _newest(lookup: Lookup, search: Search, groups: Sequence[list[Wanted]]) -> tuple[Sequence[str], Sequence[list[Wanted]]]:
    """Return the newest trace of each group, and the groups of which that is known: some may be behind too many others."""
    noted = lookup.noted(groups, _MOST_NOTED, Window(search.began.from_ns))
    found: dict[int, str] = {}
    for span in noted:
        traits = traits_of(span)
        for at, group in enumerate(groups):
            if at not in found and fits_one(traits, [group]):
                found[at] = span.trace_id
    done = groups if len(noted) < _MOST_NOTED else [groups[at] for at in found]
    return list(dict.fromkeys(found.values())), done


def _rare_places(there: Iterable[Figures], found: Iterable[Entry], search: Search) -> Iterator[list[Wanted]]:
    """Yield what tells the deploys to each place of which none was found, and those that succeeded if none of these was.

    ``there``: how often something was deployed, by service and environment.
    """
    green: dict[tuple[str, str], bool] = {}
    for entry in found:
        place = entry.service, entry.environments[0]
        green[place] = green.get(place, False) or entry.state == c.SUCCESS
    only = environment_name(search.environment)
    for told in there:
        service, environment = told.names
        place = service, environment_name(environment)
        own = [Wanted("service", service), Wanted("environment", environment)]
        if not service or only not in ("", place[1]):
            continue
        if place not in green:
            yield own
        if not green.get(place) and c.SUCCESS in told.results:
            yield [*own, Wanted("result", c.SUCCESS)]


def _rare_jobs(ran: Iterable[Figures], seen: Collection[str]) -> Iterator[list[Wanted]]:
    """Yield what tells the builds of each job that was not read. ``ran``: how often jobs ran. ``seen``: those that were."""
    return ([Wanted("pipeline", told.names[0])] for told in ran if told.names[0] and told.names[0] not in seen)


def said_cut(found: Found) -> list[str]:
    """Return what is to be said of a board that is not all there is."""
    note = "not all traces of that time were read; name a service, a job, a commit or a version to see more"
    return [] if found.whole else [note]
