"""Follows one trace while it goes on: reads it again when it has changed, and keeps its page."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from ..answers.headline import headline
from ..lookup import tree
from ..lookup.lookup import Lookup
from ..lookup.source import Remembered
from ..lookup.states import span_type, state
from ..lookup.usual import other_builds
from ..report.copying import Around
from ..report.html import Known
from ..report.live import LivePage
from ..trace import conventions as c
from ..trace.queries import build_name_of, run_url_of
from . import pages
from .comparing import path_of
from .opened import key_of
from .reading import Reading
from .trace_spans import Found, read_trace, with_around

# It is read again after this time, although nothing says that it changed: another trace may belong to it now.
_AGAIN_SECONDS = 60.0
_MOST_LINKS = 12
# Spans inside a playbook change the verdict and the path only if they failed.
_INNER = frozenset({c.TYPE_PLAY, c.TYPE_ROLE, c.TYPE_BLOCK, c.TYPE_TASK, c.TYPE_HOST})


class Following:
    """A trace and its page. Every thread may use it."""

    def __init__(self, reading: Reading, reference: str, here: str) -> None:
        """``reference``: see Lookup.spans. ``here``: the address of this server, as its reader has it, with a slash."""
        self._reading = reading
        self.reference = reference
        self._here = here
        self._page = LivePage()
        self._lock = threading.Lock()
        # Mostly it is this one alone.
        self._traces = {reference.lower()}
        self._opened: object = None
        self._state: object = None
        self._read_at = float("-inf")
        self._remembered: Remembered = {}
        self._judged: object = None
        self._known = Known()
        # What was sent last, by the mark of its readers, and their new one.
        self._sent: dict[str, str] = {}
        self._mark = ""
        self.spans = 0

    @property
    def goes_on(self) -> bool:
        """Return whether a span is open, or some of the trace has not arrived."""
        return self._page.goes_on

    def look(self) -> bool:
        """Read the trace if it has changed. Return whether its page differs.

        Raises NotFoundError, SetupError, sqlite3.Error.
        """
        with self._lock:
            now = time.monotonic()
            # Before the spans: what ends in between is read as ended.
            opened = self._reading.open_spans()
            # As a whole: what a build waits for changes.
            told = {key_of(one.span): one for one in with_around(opened, (), self._traces)}
            known = self._reading.state_of(self._traces) if self._reading.state_of else None
            if known is not None and (known, told) == (self._state, self._opened) and now - self._read_at < _AGAIN_SECONDS:
                return False
            with self._reading.open_lookup(self._remembered) as lookup:
                if self.reference == "latest":
                    # Another one may be the latest soon.
                    self.reference = lookup.trace_id("latest")
                found = read_trace(lookup, opened, self.reference)
                changed = self._take(lookup, found)
            self._state, self._opened, self._read_at = known, told, now
            return changed

    def page(self, events: str) -> str:
        """Return the page as HTML, as it was found last. ``events``: where it asks for what is new; "" if it does not."""
        with self._lock:
            return self._page.page(events)

    def since(self, mark: str) -> tuple[str, str] | None:
        """Return the new mark of a reader with a mark, and what is new for it as JSON; None if nothing is."""
        with self._lock:
            if mark not in self._sent:
                change = self._page.since(mark)
                if change is None:
                    return None
                # Most readers have the same.
                self._sent = {mark: json.dumps({**change, "now": self._page.now_us()}, separators=(",", ":"))}
                self._mark = str(change["mark"])
            return self._mark, self._sent[mark]

    def _take(self, lookup: Lookup, found: Found) -> bool:
        spans = found.spans
        roots = tree.build_tree(spans)
        named, self.spans = roots[0].span.trace_id, len(spans)
        self._traces = {span.trace_id for span in spans}
        told = ((span.span_id, span_type(span), state(span)) for span in spans)
        judged = [one for one in told if one[1] not in _INNER or one[2] in c.FAILED_RESULTS]
        if (judged, found.stored) != self._judged:
            self._judged, self._known = (judged, found.stored), self._judge(lookup, found, roots, named)
        changed = self._page.take(spans, replace(self._known, silent=found.silent), roots)
        if changed:
            self._sent = {}
        return changed

    def _judge(self, lookup: Lookup, found: Found, roots: Sequence[tree.Node], named: str) -> Known:
        """Return what is known of the trace besides its spans."""
        spans = found.spans
        links = {"/": "What runs now", pages.TRACES: "All traces"}
        for node in tree.walk(roots):
            url = run_url_of(node.span)
            if url and len(links) < _MOST_LINKS:
                links.setdefault(url, build_name_of(node.span) or url)
        # Of what is only told to be open nothing else can be asked.
        more = {"compare": path_of(named), "export": f"/trace/{named}.json"} if found.stored else {"asked": False}
        around = Around(f"{self._here}trace/{named}", self._reading.source, **more)
        return Known(
            [(name, url) for url, name in links.items()],
            headline(lookup, spans, self.reference, f"{self._here}trace/{{trace_id}}"),
            other_builds(lookup, spans),
            around,
        )
