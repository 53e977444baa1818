"""Finds deploys and builds, the newest first. Reads a limited number of traces for each page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..lookup.journals import rank
from ..lookup.lookup import Lookup
from ..lookup.source import ALWAYS, Wanted, Window, fits_one
from ..trace import conventions as c
from ..trace.clock import horizon_ns
from ..trace.queries import build_name_parts
from ..trace.span import Span
from ..trace.traits import NOTED, traits_of
from ..trace.words import environment_name
from .entries import Entry, Judge, builds_of, deploys_of, not_judged
from .hosts import on_host, ran_there
from .paging import NOTHING_NS, Part, page_of_both, place_of
from .services import OfService, of_service
from .told import ANY, FAILED, Told, told_of

# Limits of one page. Most deploys and builds have one or two noted spans: a run, a playbook.
_MOST_NOTED = 200
# Most pages need no more: far back, each one costs much.
_FIRST_NOTED = 75
_TRACES_AT_ONCE = 60
MOST_TRACES = 300
# All that is found within these limits.
EVERY = 1 << 62
_MOST_SPANS = 20_000
_SHORTEST = 7
_DAY_NS = 86_400 * 10**9
# What began in a time may have ended so much later: builds wait for people.
_LONGEST_NS = 7 * _DAY_NS


@dataclass(frozen=True)
class Search:
    """What is looked for; an empty field wants nothing. Names are as they are written; an environment by its one name.

    ``began``: when it began. ``result``: one of lookup.states.STATES, or ``failed`` for all that failed. ``words``: each is
    in some text of it, whatever its case. ``host``: on which Ansible ran, by its name in inventories; matches() leaves it
    out, because an entry does not tell it.
    """

    service: str = ""
    job: str = ""
    environment: str = ""
    branch: str = ""
    agent: str = ""
    commit: str = ""
    version: str = ""
    result: str = ""
    owner: str = ""
    kind: str = ""
    words: tuple[str, ...] = ()
    began: Window = ALWAYS
    host: str = ""

    def matches(self, entry: Entry) -> bool:
        """Return whether a deploy or a build is looked for."""
        return (
            self.began.from_ns <= entry.start_ns <= self.began.to_ns
            and all(
                wanted in ("", found)
                for wanted, found in (
                    (self.service, entry.service),
                    (self.job, entry.job),
                    (self.branch, entry.branch),
                    (self.version, entry.version),
                    (self.owner, entry.owner),
                    (self.kind, entry.kind),
                )
            )
            and (not self.environment or environment_name(self.environment) in entry.environments)
            and (not self.agent or self.agent in entry.agents)
            and entry.commit.startswith(self.commit.lower())
            and (self.result in ("", entry.state) or (self.result == FAILED and entry.state in c.FAILED_RESULTS))
            and all(word.casefold() in _text(entry) for word in self.words)
        )


class Found(NamedTuple):
    """A page. ``older_ns``: the ``until_ns`` of the next page; 0 if there is none.

    ``whole``: False if not all that is as new as the page has been looked at: it ends at the limit of traces. ``looked_ns``:
    then how far back all was looked at; 0 if that is not known. ``told``: what the entries tell themselves that are here
    from before that time, too; "" for none. ``rest_ns``: the one of the next page, see find_deploys. ``traces``: those that
    are on a page of the board.
    """

    entries: Sequence[Entry]
    older_ns: int = 0
    whole: bool = True
    looked_ns: int = 0
    told: str = ""
    rest_ns: int = 0
    traces: frozenset[str] = frozenset()


_EntriesOf = Callable[[Sequence[Span]], Sequence[Entry]]


def find_deploys(
    lookup: Lookup, search: Search, most: int, until_ns: int = ALWAYS.to_ns, judge: Judge = not_judged, rest_ns: int = 0
) -> Found:
    """Return the newest deploys, about so many. ``until_ns``: see Found.older_ns.

    ``judge``: used where a verdict is looked for. The entries may have none else. ``rest_ns``: until when those ended that
    do not tell themselves what is looked for, where the pages before have not come so far with them; 0 for ``until_ns``.
    """
    until = until_ns, rest_ns or until_ns
    return _found(lookup, search, most, until, _judging(lookup, search, deploys_of, judge), _told(search, deploys=True))


def find_builds(
    lookup: Lookup, search: Search, most: int, until_ns: int = ALWAYS.to_ns, judge: Judge = not_judged, rest_ns: int = 0
) -> Found:
    """Return the newest builds, about so many. See find_deploys."""
    until = until_ns, rest_ns or until_ns
    return _found(lookup, search, most, until, _judging(lookup, search, builds_of, judge), _told(search, deploys=False))


def _judging(lookup: Lookup, search: Search, entries_of: _EntriesOf, judge: Judge) -> _EntriesOf:
    """Return what gives entries with verdicts, if these are looked for. Only what a verdict may make fit is judged."""
    if not (search.owner or search.kind or search.words):
        return entries_of
    without = replace(search, owner="", kind="", words=())

    def judged(spans: Sequence[Span]) -> Sequence[Entry]:
        entries = [one for one in entries_of(spans) if without.matches(one)]
        fitting = [one for one in entries if search.matches(one)]
        return [*fitting, *judge(lookup, [one for one in entries if not search.matches(one)])]

    return judged


def _found(
    lookup: Lookup, search: Search, most: int, until: tuple[int, int], entries_of: _EntriesOf, told: Told | None
) -> Found:
    """Return a page. ``until``: of what tells itself what is looked for, and of all else. ``told``: by what it tells it."""
    if told and told.alone:
        return page_of(parts_of(lookup, search, until[0], entries_of, OfService(told.groups, {})), most, MOST_TRACES)
    wanted = wanted_of(lookup, search)
    if told is None:
        found = page_of(parts_of(lookup, search, until[0], entries_of, wanted), most, MOST_TRACES)
        cut = wanted.on_host and not (found.older_ns or wanted.on_host.whole)
        return found._replace(whole=False) if cut else found
    read = set[str]()
    first = parts_of(lookup, search, until[0], entries_of, OfService(told.groups, {}), seen=read)
    rest = parts_of(lookup, search, until[1], entries_of, wanted, but=(told.groups, read))
    page = page_of_both(first, rest, until, most, MOST_TRACES)
    entries = newest_first(page.entries)
    if page.looked_ns:
        return Found(entries, page.older_ns, False, page.looked_ns, told.what, page.rest_ns)
    return Found(entries, page.older_ns, rest_ns=page.rest_ns)


def page_of(parts: Iterable[Part], most: int, most_traces: int) -> Found:
    """Return a page of whole parts."""
    found: list[Entry] = []
    traces = set[str]()
    last_ns = 0
    for read, part in enumerate(parts):
        # Those that ended at the same time stay together: the next page begins before it.
        if (len(found) >= most or read >= most_traces) and part.ended_ns < last_ns:
            full = len(found) >= most
            looked_ns = 0 if full else last_ns
            return Found(newest_first(found), last_ns - 1, full, looked_ns, traces=frozenset(traces))
        found += part.entries
        traces |= part.traces
        last_ns = part.ended_ns
    return Found(newest_first(found), traces=frozenset(traces))


def parts_of(
    lookup: Lookup,
    search: Search,
    until_ns: int,
    entries_of: _EntriesOf,
    wanted: OfService,
    seen: set[str] | None = None,
    but: tuple[Sequence[Sequence[Wanted]], Collection[str]] = ((), ()),
) -> Iterator[Part]:
    """Yield what is found, in the order of when it ended, the newest first; what ends in the future comes last.

    ``wanted``: what noted spans have by which traces are found. ``seen``: takes the traces that were read. ``but``: what
    noted spans of parts have that come without entries, because they are found otherwise, and traces of which this is known.
    """
    seen = set() if seen is None else seen
    groups, known = but
    for ended in _traces(lookup, search, until_ns, wanted):
        todo = [trace for trace in ended if trace not in seen]
        for first in range(0, len(todo), _TRACES_AT_ONCE):
            some = todo[first : first + _TRACES_AT_ONCE]
            parts = [Part(frozenset([trace]), ended[trace], ()) for trace in some if trace in known]
            parts += read_parts(lookup, search, [trace for trace in some if trace not in known], entries_of, wanted, groups)
            for part in sorted(parts, key=place_of, reverse=True) if known else parts:
                if not part.traces & seen and _is_due(part.ended_ns, until_ns):
                    yield part
                seen |= part.traces


def _is_due(ended_ns: int, until_ns: int) -> bool:
    """Return whether what ended at a time is on the page that begins with another one, or on one after it."""
    if _is_future(until_ns):
        return horizon_ns() < ended_ns <= until_ns
    # What ended later, or runs, is on a page before, but for the future.
    return ended_ns <= until_ns or horizon_ns() < ended_ns < ALWAYS.to_ns


def _is_future(until_ns: int) -> bool:
    """Return whether only what ends in the future is left: that comes last. After what runs, all is left."""
    return horizon_ns() < until_ns < ALWAYS.to_ns - 1


def read_parts(
    lookup: Lookup,
    search: Search,
    traces: Sequence[str],
    entries_of: _EntriesOf,
    wanted: OfService,
    but: Sequence[Sequence[Wanted]] = (),
) -> list[Part]:
    """Return what is found in traces and in those that hang together with them, in their order.

    ``but``: what noted spans of parts have that come without entries.
    """
    outlines = lookup.outlines(traces, _MOST_SPANS)
    first = _together(outlines)
    ended = _ends(outlines, wanted, first)
    empty = _ends(outlines, OfService(but, {}), first) if but else {}
    inside, entries = defaultdict[str, set[str]](set), defaultdict[str, list[Entry]](list)
    for trace, of in first.items():
        inside[of].add(trace)
    there = ran_there(wanted.on_host, outlines) if wanted.on_host else None
    for one in entries_of(outlines):
        if first[one.trace_id] not in empty and search.matches(one) and (there is None or there(one)):
            entries[first[one.trace_id]].append(one)
    # Without an end, the limit of spans has cut it off.
    parts = dict.fromkeys(first[trace] for trace in traces if trace in first and first[trace] in ended)
    return [Part(frozenset(inside[part]), ended[part], entries[part]) for part in parts]


def _traces(lookup: Lookup, search: Search, until_ns: int, wanted: OfService) -> Iterator[dict[str, int]]:
    """Yield traces with what is looked for, some at a time, the newest first, those that end in the future last.

    Each has the time when what is looked for ended; what runs ends later than all.
    """
    if wanted.on_host:
        ended = {trace: end for trace, end in wanted.on_host.ended_ns.items() if _is_due(end, until_ns)}
        order = sorted(ended, key=lambda trace: (ended[trace] == ALWAYS.to_ns, *rank(ended[trace]), trace), reverse=True)
        yield {trace: ended[trace] for trace in order}
        return
    newest_ns, groups, horizon = _newest_ns(search, until_ns), wanted.groups, horizon_ns()
    most = _FIRST_NOTED
    if until_ns == NOTHING_NS:
        return
    while not _is_future(until_ns):
        noted = lookup.noted(groups, most, Window(search.began.from_ns, newest_ns))
        last = len(noted) < most or noted[-1].end_ns > horizon
        oldest_ns = 0 if last else noted[-1].end_ns
        alone = [one for one in wanted.alone.values() if oldest_ns <= (one.end_ns or newest_ns) <= newest_ns]
        yield _ended(_newest_ended([*noted, *alone]))
        if last:
            break
        # All of these may have ended at the same time.
        newest_ns, most = min(noted[-1].end_ns, newest_ns - 1), _MOST_NOTED
    if newest_ns <= horizon or _is_future(until_ns):
        future = Window(horizon + 1, min(until_ns, ALWAYS.to_ns - 1) if _is_future(until_ns) else ALWAYS.to_ns - 1)
        yield _ended(lookup.noted(groups, _MOST_NOTED, future))


def _ended(spans: Iterable[Span]) -> dict[str, int]:
    """Return the traces of spans in their order, each with the end of its first one."""
    found: dict[str, int] = {}
    for span in spans:
        found.setdefault(span.trace_id, span.end_ns or ALWAYS.to_ns)
    return found


def _newest_ended(spans: Iterable[Span]) -> list[Span]:
    """Return spans as `noted` does: what runs comes first, what ends in the future last."""
    return sorted(spans, key=lambda one: (not one.end_ns, *rank(one.end_ns or one.start_ns)), reverse=True)


def _newest_ns(search: Search, until_ns: int) -> int:
    """Return when what is looked for ended at the latest. What runs ends later than all."""
    newest_ns = min(search.began.to_ns + _LONGEST_NS, until_ns)
    return until_ns if newest_ns > horizon_ns() else newest_ns


def _together(spans: Sequence[Span]) -> dict[str, str]:
    """Return for each trace the first of those that hang together with it, by the parents of their spans and by links."""
    trace_of = {span.span_id: span.trace_id for span in spans}
    first: dict[str, str] = {span.trace_id: span.trace_id for span in spans}

    def found(trace: str) -> str:
        while first[trace] != trace:
            trace = first[trace]
        return trace

    for span in spans:
        for other in (span.parent_id, *(link.span_id for link in span.links)):
            if other in trace_of:
                one, two = sorted((found(span.trace_id), found(trace_of[other])))
                first[two] = one
    return {trace: found(trace) for trace in first}


def _ends(spans: Iterable[Span], wanted: OfService, together: Mapping[str, str]) -> dict[str, int]:
    """Return when the newest noted span ended that is looked for, of traces that hang together."""
    found: dict[str, int] = {}
    if wanted.on_host:
        for trace, part in together.items():
            found[part] = max(found.get(part, 0), wanted.on_host.ended_ns.get(trace, 0))
        return {part: end for part, end in found.items() if end}
    for span in spans:
        traits = traits_of(span)
        alone = (span.trace_id, span.span_id) in wanted.alone
        if traits.level == NOTED and (alone or fits_one(traits, wanted.groups)):
            part = together[span.trace_id]
            found[part] = max(found.get(part, 0), span.end_ns or ALWAYS.to_ns)
    return found


def wanted_of(lookup: Lookup, search: Search) -> OfService:
    """Return what a noted span of such a deploy or build has, as far as one span tells it: the rest is looked at here."""
    if search.host:
        within = Window(search.began.from_ns, _newest_ns(search, ALWAYS.to_ns))
        return OfService([], {}, on_host(lookup, search.host, within))
    groups = groups_of(search)
    if groups is ANY and search.service:
        return of_service(lookup, search.service, Window(search.began.from_ns, _newest_ns(search, ALWAYS.to_ns)))
    return OfService(groups, {})


def _told(search: Search, *, deploys: bool) -> Told | None:
    """Return what noted spans tell of what is looked for, besides what `wanted_of` says; None if that is enough."""
    groups = groups_of(search)
    if search.host or (search.service and groups is ANY and not search.version) or (search.commit and groups is not ANY):
        return None
    judged = bool(search.owner or search.kind)
    asked = {"version": search.version, "environment": search.environment, "result": search.result}
    return told_of(**asked, judged=judged, base=groups, deploys=deploys)


def groups_of(search: Search) -> Sequence[Sequence[Wanted]]:
    """Return what one noted span of such a deploy or build has, in groups; ANY where one span does not tell it."""
    if len(search.commit) >= _SHORTEST:
        # A playbook may know only the short id.
        return [[Wanted("revision", search.commit[:_SHORTEST].lower(), begins=True)]]
    if search.job:
        return [[Wanted("pipeline", search.job)]]
    builds = [parts for word in search.words if (parts := build_name_parts(word))]
    if builds:
        job, number = builds[0]
        return [[Wanted("pipeline", job), Wanted("run", number)]]
    return ANY


def newest_first(entries: Sequence[Entry]) -> list[Entry]:
    """Return deploys or builds in the order of a list: what runs comes first, then what began last."""
    return sorted(entries, key=lambda one: (not one.end_ns, one.start_ns, one.span_id), reverse=True)


def _text(entry: Entry) -> str:
    texts = (entry.service, *entry.environments, entry.version, entry.commit, entry.branch, entry.run, entry.who)
    told = (entry.where, entry.message, entry.owner, entry.kind, entry.trace_id, entry.url)
    return "\n".join((*texts, *entry.agents, *told)).casefold()
