"""Reads what the first page shows: what runs now, and the board. Whoever follows it has the board some seconds later."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

from ..answers.verdicts import Verdicts
from ..change.board import board_of
from ..change.entries import Entry, deploys_of
from ..change.for_board import find_for_board, said_cut
from ..change.running import (
    Host,
    Running,
    Took,
    job_of,
    running_of,
    slow_hosts,
    took,
    took_of,
    with_heard,
    with_running,
    with_usual_on_hosts,
)
from ..change.search import Found, Search, find_deploys
from ..lookup.lookup import Lookup
from ..lookup.source import Wanted, Window
from ..lookup.standing import Opened, by_this_clock
from ..lookup.states import state
from ..trace import conventions as c
from ..trace.queries import build_name_of, is_run
from .first_page import First
from .opened import Key, key_of
from .reading import Reading

_BOARD_NS = 30 * 86_400 * 10**9
# It reads hundreds of traces: not for each look at what runs.
_BOARD_SECONDS = 20.0
_MOST_SPANS = 20_000
# Newest builds of a job from which it is told how long it usually takes.
_MOST_RUNS = 100
# Newest tasks on a host from which it is told how long one of them usually takes there.
_MOST_TASKS = 1000
# Earlier deploys that are read where the board has too few; and of how many services and environments.
_MOST_EARLIER, _MOST_PLACES = 20, 10


class Overview:
    """Every thread may use it."""

    def __init__(self, reading: Reading, verdicts: Verdicts, now_ns: Callable[[], int]) -> None:
        """``now_ns``: the time, in nanoseconds since the epoch."""
        self._reading = reading
        self._verdicts = verdicts
        self._now_ns = now_ns
        self._lock = threading.Lock()
        self._found, self._read_at = Found(()), float("-inf")
        # What runs, with the open spans that it was read for.
        self._live: tuple[frozenset[Key], Sequence[Entry]] = frozenset(), ()
        self._jobs: dict[str, Took | None] = {}
        self._hosts: dict[str, Took | None] = {}
        # By service and environment, of what runs: earlier deploys that are not on the board.
        self._earlier: dict[tuple[str, str], Sequence[Entry]] = {}

    def now(self) -> First:
        """Return what is shown, all of it as it is now. Raises SetupError, sqlite3.Error."""
        with self._lock:
            return self._first()

    def again(self) -> First:
        """Return what is shown, the board as it was some seconds ago. Raises SetupError, sqlite3.Error."""
        with self._lock:
            return self._first(_BOARD_SECONDS)

    def _first(self, seconds: float = 0.0) -> First:
        opened = by_this_clock(self._reading.open_spans())
        # What begins or ends is on the board at once.
        if self._read_live(opened) or time.monotonic() - self._read_at >= seconds:
            search = Search(began=Window(self._now_ns() - _BOARD_NS))
            with self._reading.open_lookup() as lookup:
                found = find_for_board(lookup, search)
                self._found = found._replace(entries=self._verdicts.on_board(lookup, found.entries))
            self._read_at = time.monotonic()
        live = with_heard(self._live[1], opened)
        # Of what other machines run, nothing else may be here yet.
        board = board_of(with_running(self._found.entries, live))
        return First(self._running(opened, live), board, said_cut(self._found))

    def _read_live(self, opened: Sequence[Opened]) -> bool:
        """Read which deploys run, and how long builds of their jobs usually take. Return whether other deploys run."""
        # Span ids of other tools may repeat.
        spans = {key_of(one.span): one.span for one in opened}
        ids = frozenset(spans)
        if ids == self._live[0]:
            return False
        with self._reading.open_lookup() as lookup:
            outlines = lookup.outlines(sorted({span.trace_id for span in spans.values()}), _MOST_SPANS) if spans else []
            jobs = {job_of(build_name_of(span)) for span in spans.values()}
            self._jobs = {job: self._took(lookup, job) for job in sorted(jobs - {""})}
        # What other machines tell of is in no journal here.
        here = set(map(key_of, outlines))
        elsewhere = [span for key, span in spans.items() if key not in here]
        ran = {(one.trace_id, one.span_id) for one in self._live[1]}
        self._live = ids, [one for one in deploys_of([*outlines, *elsewhere]) if not one.end_ns]
        return ran != {(one.trace_id, one.span_id) for one in self._live[1]}

    def _running(self, opened: Sequence[Opened], live: Sequence[Entry]) -> list[Running]:
        ended = [one for one in self._found.entries if one.end_ns]
        running = running_of(opened, [*live, *ended, *self._read_earlier(live, ended)], self._jobs)
        return with_usual_on_hosts(running, self._usual_on_hosts(running))

    def _read_earlier(self, live: Sequence[Entry], ended: Sequence[Entry]) -> Iterator[Entry]:
        """Yield earlier deploys of what runs, where the board has too few of them to tell how long they usually take."""
        places = sorted({(one.service, one.environments[0]) for one in live if one.service})[:_MOST_PLACES]
        new = [place for place in places if place not in self._earlier and took(ended, *place) is None]
        if new:
            with self._reading.open_lookup() as lookup:
                for service, environment in new:
                    began = Window(self._now_ns() - _BOARD_NS)
                    search = Search(service=service, environment=environment, result=c.SUCCESS, began=began)
                    self._earlier[service, environment] = find_deploys(lookup, search, _MOST_EARLIER).entries
        self._earlier = {place: self._earlier[place] for place in places if place in self._earlier}
        known = {(one.trace_id, one.span_id) for one in ended}
        for entries in self._earlier.values():
            yield from (one for one in entries if (one.trace_id, one.span_id) not in known)

    def _usual_on_hosts(self, running: Sequence[Running]) -> dict[str, Took | None]:
        """Return how long tasks usually take on the hosts that they wait for, by the ids of the hosts' spans."""
        slow = {host.span_id: host for host in slow_hosts(running, self._now_ns())}
        new = [host for span_id, host in slow.items() if span_id not in self._hosts]
        if new:
            with self._reading.open_lookup() as lookup:
                self._hosts.update((host.span_id, self._took_on_host(lookup, host)) for host in new)
        self._hosts = {span_id: took for span_id, took in self._hosts.items() if span_id in slow}
        return self._hosts

    def _took_on_host(self, lookup: Lookup, host: Host) -> Took | None:
        """Return how long a task took on a host, of the newest that ran there and succeeded."""
        ran = lookup.on_host(host.name, Window(self._now_ns() - _BOARD_NS, self._now_ns()), _MOST_TASKS)
        own = (one.host for one in ran if one.task and one.task.name == host.task and state(one.host) == c.SUCCESS)
        return took_of(span.end_ns - span.start_ns for span in own)

    def _took(self, lookup: Lookup, job: str) -> Took | None:
        """Return how long the newest builds of a job took that succeeded."""
        wanted = [[Wanted("pipeline", job), Wanted("result", c.SUCCESS)]]
        noted = lookup.noted(wanted, _MOST_RUNS, Window(self._now_ns() - _BOARD_NS, self._now_ns()))
        return took_of(span.end_ns - span.start_ns for span in noted if is_run(span))
