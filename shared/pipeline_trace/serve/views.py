"""Answers for the pages of deploys and builds: what runs now, what is where, the lists, and what a search names."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from ..answers.verdicts import Verdicts
from ..change.entries import Entry, builds_of, deploys_of
from ..change.extent import GOES_ON, said_extent
from ..change.ordered import find_ordered, said_order
from ..change.running import with_heard
from ..change.search import Found, Search, find_builds, find_deploys
from ..lookup.lookup import Lookup, NotFoundError, is_run_of
from ..lookup.source import ALWAYS, Wanted, Window
from ..lookup.standing import by_this_clock
from ..report.times import time_element_of
from ..trace.span import Span
from .entry_pages import BUILDS, DEPLOYS, Listed, counted, entries_page
from .first_page import LIVE, First, first_page, parts_of
from .overview import Overview
from .pages import TRACES
from .period import HOST
from .reading import HEADERS, Reading, page
from .searching import FIELDS, Asked, address_of, read_search
from .watching import Watch

_PAGE = 50
# A host on which nothing ran for so long is not found by its name: its page shows no more.
_HOSTS_NS = 180 * 86_400 * 10**9
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_SPAN = re.compile(r"#span-[0-9a-f]{16}$")
_FIND: Mapping[str, Callable[..., Found]] = {DEPLOYS: find_deploys, BUILDS: find_builds}
_ENTRIES_OF: Mapping[str, Callable[[Sequence[Span]], list[Entry]]] = {DEPLOYS: deploys_of, BUILDS: builds_of}


class Views:
    """The pages. ``takes_spans``: whether spans can be sent here."""

    def __init__(
        self, reading: Reading, verdicts: Verdicts, *, takes_spans: bool, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        """``now_ns``: the time, in nanoseconds since the epoch."""
        self._reading = reading
        self._verdicts = verdicts
        self._takes_spans = takes_spans
        self._now_ns = now_ns
        self._overview = Overview(reading, verdicts, now_ns)
        self._watch = Watch(lambda: self._parts(self._overview.again()))

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/", self.first),
            Route(LIVE, self.live),
            Route(DEPLOYS, self.entries),
            Route(BUILDS, self.entries),
            Route("/search", self.search),
        ]

    def end_streams(self) -> None:
        """End the answers that go on while their readers look: nobody waits for them."""
        self._watch.close()

    async def first(self, request: Request) -> Response:
        """Return the first page: what runs now, and what is where."""
        if request.query_params:
            # The list of traces was here.
            return RedirectResponse(f"{TRACES}?{request.url.query}", 307, HEADERS)
        here = str(request.base_url).rstrip("/") if self._takes_spans else ""
        found = await asyncio.to_thread(self._overview.now)
        nothing = not (found.running or found.board.rows)
        return page(first_page(self._parts(found), here=here if nothing else ""))

    async def live(self, request: Request) -> Response:
        """Send the parts of the first page when they change."""
        if self._watch.is_full():
            # A browser asks no more after this answer. The page can be loaded again.
            return Response(status_code=204, headers=HEADERS)
        return StreamingResponse(self._watch.events(), headers=HEADERS, media_type="text/event-stream")

    async def entries(self, request: Request) -> Response:
        """Return the list of deploys or builds."""
        path, asked = request.url.path, read_search(request.query_params, self._now_ns())
        found = await asyncio.to_thread(self._entries, path, asked)
        return page(entries_page(path, asked, found, store=self._reading.kept_in, source=self._reading.source))

    async def search(self, request: Request) -> Response:
        """Go to what a text names: a trace, a build, a commit, a version; else to the list of traces with the text."""
        words = request.query_params.get("q", "").strip()[:500]
        return RedirectResponse(await asyncio.to_thread(self._named, words), 303, HEADERS)

    def _parts(self, found: First) -> dict[str, str]:
        return parts_of(found, self._now_ns(), store=self._reading.kept_in)

    def _entries(self, path: str, asked: Asked) -> Listed:
        with self._reading.open_lookup() as lookup:
            if asked.order:
                return self._sorted(lookup, path, asked)
            found = self._find(path)(lookup, asked.search, _PAGE, asked.until_ns, rest_ns=asked.rest_ns)
            entries = [*self._told(path, asked, found.entries), *self._verdicts.on(lookup, found.entries)]
            goes_on = f"Older goes on; or {GOES_ON}" if entries and found.older_ns else GOES_ON
            # Where not all was looked at, nobody knows whether a filter hides something.
            all_looked_at = found.whole and asked.until_ns == ALWAYS.to_ns
            loosened = self._loosened(lookup, path, asked) if all_looked_at and not entries else {}
            return Listed(entries, _older(path, asked, found), _extent(found, goes_on), loosened, found.whole)

    def _find(self, path: str) -> Callable[..., Found]:
        return partial(_FIND[path], judge=self._verdicts.on)

    def _told(self, path: str, asked: Asked, found: Sequence[Entry]) -> list[Entry]:
        """Return what runs, and only its senders tell of it: in what is newest, the newest first. ``found``: all others."""
        if asked.until_ns < ALWAYS.to_ns or asked.search.host:
            return []
        known = {(one.trace_id, one.span_id) for one in found}
        opened = by_this_clock(self._reading.open_spans())
        told = with_heard(_ENTRIES_OF[path]([one.span for one in opened]), opened)
        return [one for one in told if (one.trace_id, one.span_id) not in known and asked.search.matches(one)][::-1]

    def _sorted(self, lookup: Lookup, path: str, asked: Asked) -> Listed:
        def find(lookup: Lookup, search: Search, most: int, until_ns: int) -> Found:
            found = self._find(path)(lookup, search, most, until_ns)
            return found._replace(entries=[*self._told(path, asked, found.entries), *found.entries])

        found = find_ordered(find, lookup, asked.search, asked.order, (asked.page - 1) * _PAGE, _PAGE)
        older = asked.address(path, page=str(asked.page + 1)) if found.more else ""
        loosened = {} if found.sorted_of or not found.found.whole else self._loosened(lookup, path, asked)
        said = said_order(found, "deploy" if path == DEPLOYS else "build", "{}")
        notice = Markup.format(Markup.escape(said), _extent(found.found, GOES_ON))
        if not (found.sorted_of or found.found.whole):
            # Only the newest first go further back.
            older = _older(path, asked, found.found, sort="")
        return Listed(self._verdicts.on(lookup, found.entries), older, notice, loosened, found.found.whole)

    def _loosened(self, lookup: Lookup, path: str, asked: Asked) -> dict[str, str]:
        """Return the filters without which there is something, each with how much."""
        found: dict[str, str] = {}
        for name in asked.typed.keys() & FIELDS.keys():
            fewer = read_search({field: text for field, text in asked.typed.items() if field != name}, self._now_ns())
            without = self._find(path)(lookup, fewer.search, _PAGE, ALWAYS.to_ns)
            if without.entries:
                found[name] = counted(without.entries, bool(without.older_ns))
        return dict(sorted(found.items()))

    def _named(self, words: str) -> str:
        """Return the address of what a text names."""
        if not words:
            return "/"
        with self._reading.open_lookup() as lookup:
            try:
                return f"/trace/{lookup.trace_id(words)}{_place_in(words)}" if words != "latest" else TRACES
            except NotFoundError:
                pass
            for one in self._reading.open_spans():
                # Of other machines, and of Jenkins, nothing else may be here yet.
                if words.lower() == one.span.trace_id or is_run_of(one.span, words):
                    return f"/trace/{one.span.trace_id}"
            if _COMMIT.fullmatch(words.lower()) and lookup.noted([[Wanted("revision", words.lower()[:7], begins=True)]], 1):
                return address_of(BUILDS, commit=words.lower())
            version = (DEPLOYS, "version", Search(version=words))
            ways = [(DEPLOYS, "service", Search(service=words)), (BUILDS, "job", Search(job=words))]
            for path, name, search in [version, *ways] if lookup.noted([[Wanted("version", words)]], 1) else ways:
                if _FIND[path](lookup, search, 1, ALWAYS.to_ns).entries:
                    return address_of(path, **{name: words})
            if lookup.ran_on(words, Window(self._now_ns() - _HOSTS_NS), 1):
                return address_of(HOST, name=words)
            # Who started it, what failed, the kind of a verdict; of other tools, a version. That takes long.
            search = Search(words=tuple(words.split()))
            for path in _FIND:
                for entry in self._find(path)(lookup, search, 1, ALWAYS.to_ns).entries:
                    return address_of(path, **{"version" if entry.version == words else "q": words})
        return address_of(TRACES, q=words)


def _older(path: str, asked: Asked, found: Found, **changed: str) -> str:
    """Return the address of the next page, "" if there is none."""
    if not found.older_ns:
        return ""
    rest = str(found.rest_ns) if found.rest_ns not in (0, found.older_ns) else ""
    return asked.address(path, until=str(found.older_ns), rest=rest, **changed)


def _extent(found: Found, goes_on: str) -> Markup:
    return Markup.format(Markup.escape(said_extent(found, "{}", goes_on)), time_element_of(found.looked_ns))


def _place_in(address: str) -> str:
    """Return the place in the page of a trace that an address names: a span's; "" for none."""
    found = _SPAN.search(address)
    return found[0] if found else ""
