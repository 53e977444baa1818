"""Polls one controller: finds new builds, fetches them, finds their places, and writes their spans into a journal."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline_trace.delivery.journal import JournalError
from pipeline_trace.ownership.verdict import Verdict
from pipeline_trace.place.ci.jenkins.chain import BuildPlace
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace.span import AttributeValue, Span

from ..fetch.api import AT_ONCE, Controller
from ..fetch.build import Reader
from ..fetch.errors import ApiError
from ..fetch.sources.choice import Known, Sources
from ..fetch.upstream import Upstreams
from ..now.following import Following
from . import plugins, reread, troubled
from .database import StateError
from .finding import Finder, Found
from .pruning import Pruner
from .reading import Group, ReadBuild, Reading
from .state import State
from .swept import PollSettings, SweepError, Swept
from .writing import BuildWriter

# Groups that are read or wait to be written. One more than are read at once, so that no connection waits for the writer.
_IN_HAND = AT_ONCE + 1
# Agents whose label is remembered.
_MOST_LABELS = 10_000
# So many builds, or more, are written together.
_WRITTEN_TOGETHER = 10


class Poller:
    """Polls one controller."""

    def __init__(
        self,
        controller: Controller,
        state: State,
        journals: Path,
        settings: PollSettings,
        service: Callable[[str], Mapping[str, AttributeValue]],
        written: Callable[[Sequence[Span]], None] = lambda made: None,
        ended: Callable[[Span, Verdict | None], None] = lambda run, verdict: None,
        count_agents: bool = False,
        clock: Callable[[], float] = lambda: time.time(),
    ) -> None:
        """``service``: returns the resource attributes of a controller, from its root URL.

        ``written``: called with the spans of each build after they are in a journal. ``ended``: called with the run span and
        the verdict of each build before. ``count_agents``: ask for the agents even if nothing is to be read. ``clock``:
        seconds since the epoch.
        """
        self._controller = controller
        self._state = state
        self._settings = settings
        self._service = service
        self._written = written
        self._ended = ended
        self._count_agents = count_agents
        self._clock = clock
        self._writer = BuildWriter(state, journals)
        self._troubles = troubled.Troubles(state)
        self._pruner = Pruner(state, controller, settings.since)
        self._plugins = plugins.load(state)
        self._generations: Mapping[str, int] = {}
        self._following: Following | None = None
        self._labels: dict[str, str] = {}
        self._reader = self._made_reader(self._plugins)

    def sweep(
        self,
        progress: Callable[[Swept, int], None] = lambda swept, total: None,
        stopping: Callable[[], bool] = lambda: False,
        reread_age: float | None = None,
    ) -> Swept:
        """Write the spans of all builds that have ended since the last poll. Return what was done. Raises SweepError.

        ``progress``: called after each group of builds, with what is done and the number of builds. ``stopping``: once it
        returns true, no further build is begun; the next poll reads the rest. ``reread_age``: seconds; also reads the builds
        again that began within this time.
        """
        swept = Swept()
        if reread_age is not None:
            # A plugin may have been installed: each is asked for again.
            self._reader = self._made_reader(None)
        try:
            self._sweep(swept, progress, stopping, reread_age)
        except (ApiError, StateError, JournalError, SweepError) as error:
            failed = error if isinstance(error, SweepError) else SweepError(str(error), _kind(error))
            failed.problems = swept.problems
            raise failed from None
        return swept

    def open_spans(self, builds: Mapping[Build, int], warn: Callable[[str], object]) -> list[Span]:
        """Return the open spans of the builds that have run for longest. Raises ApiError, StateError.

        ``builds``: those that run, each with when it began, in milliseconds since the epoch, 0 where that is not told.
        ``warn``: called with a line for each odd build.
        """
        if self._following is None:
            self._following = Following(self._controller, self._place_of_running, self._service, warn)
        return self._following.look(sorted(builds, key=lambda build: (builds[build], build.job, build.number)))

    def _place_of_running(self, build: Build, document: Mapping[str, Any]) -> BuildPlace:
        reading = self._reading()
        reading.upstreams.know(build, document)
        return reading.place(build)

    def _sweep(
        self, swept: Swept, progress: Callable[[Swept, int], None], stopping: Callable[[], bool], reread_age: float | None
    ) -> None:
        streak, now_ms = troubled.Streak(self._controller), round(self._clock() * 1000)
        with self._state.together():
            found = Finder(self._controller, self._state, self._troubles, self._settings, now_ms, swept, streak).find(
                stopping, count_agents=self._count_agents
            )
        self._generations = found.generations
        # A cloud removes an agent when its build ends. The build is read after that.
        self._labels = dict([*self._labels.items(), *swept.labels.items()][-_MOST_LABELS:])
        self._reader.labels = self._labels
        for reads in self._read(found.groups(), streak, stopping):
            self._remember_problems(reads, found.troubles, now_ms, swept)
            self._count(reads, swept)
            progress(swept, len(found.builds))
        if reread_age is not None:
            self._reread(found, max(now_ms - round(reread_age * 1000), 0), swept, streak, stopping)
        if found.complete and not stopping():
            self._pruner.prune(found.controllers.keys(), self._settings.selection.wants, now_ms)
        self._remember_plugins()
        swept.times_from = plugins.said(self._reader.sources.known)
        swept.outdated = self._reader.sources.outdated

    def _read(
        self,
        wanted: Iterable[Group],
        streak: troubled.Streak,
        stopping: Callable[[], bool],
        kept: Callable[[ReadBuild], ReadBuild] = lambda read: read,
    ) -> Iterator[list[ReadBuild]]:
        """Yield the results for builds, after what ``kept`` returns of them is written.

        Raises ApiError if the controller itself does not answer, StateError, JournalError, SweepError.
        """
        reading = self._reading()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = _in_order(pool, lambda group: [] if stopping() else reading.read(group), wanted)
            for several in _together(answers):
                reads = list(map(kept, several))
                for read in reads:
                    if read.spans:
                        self._ended(read.spans[0], read.verdict)
                self._writer.write(reads)
                for read in reads:
                    streak.note(problem=bool(read.problem))
                streak.check()
                yield reads
                if stopping():
                    return

    def _reread(
        self, found: Found, since_ms: int, swept: Swept, streak: troubled.Streak, stopping: Callable[[], bool]
    ) -> None:
        wanted = reread.ended_builds(self._controller, self._state, found, since_ms, swept, stopping)
        for reads in self._read(wanted, streak, stopping, lambda read: reread.only_missing(self._state, read)):
            for read in reads:
                swept.reread += read.placed is not None
                swept.added += len(read.spans)
                swept.problems += [f"{read.build.name} cannot be read again ({read.problem})"] if read.problem else []

    def _made_reader(self, known: Known | None) -> Reader:
        sources = Sources(self._controller, known)
        return Reader(self._controller, self._settings.detail, sources, self._present)

    def _present(self, build: Build) -> Build:
        return replace(build, generation=self._generations.get(build.job, 0))

    def _remember_plugins(self) -> None:
        known = self._reader.sources.known
        if known != self._plugins:
            plugins.save(self._state, known)
            self._plugins = known

    def _remember_problems(
        self, reads: Iterable[ReadBuild], known: Mapping[troubled.Key, troubled.Trouble], now_ms: int, swept: Swept
    ) -> None:
        with self._state.together():
            for read in reads:
                key = (read.build.job, read.build.number)
                if read.problem:
                    said = self._troubles.failed(key, known.get(key), read.problem, now_ms)
                    swept.problems += [said] if said else []
                elif read.running and key in known:
                    self._troubles.over(key)

    def _reading(self) -> Reading:
        settings = self._settings
        return Reading(
            self._reader,
            Upstreams(self._reader),
            settings.trace_per,
            self._state.place_of,
            self._service,
        )

    def _count(self, reads: Iterable[ReadBuild], swept: Swept) -> None:
        self._state.seen(read.build for read in reads if read.running)
        for read in reads:
            gone = read.gone and self._state.vanished(read.build.job, read.build.number)
            swept.count(read, gone=gone)
            if read.spans:
                self._written(read.spans)


def _kind(error: Exception) -> str:
    return error.kind if isinstance(error, ApiError) else "disk"


def _in_order(
    pool: ThreadPoolExecutor, read: Callable[[Group], list[ReadBuild]], wanted: Iterable[Group]
) -> Iterator[list[ReadBuild]]:
    """Yield the results for groups in their order. Only a few are in hand, because each takes memory."""
    left = iter(wanted)
    running = deque(pool.submit(read, group) for group in islice(left, _IN_HAND))
    while running:
        answer = running.popleft().result()
        running.extend(pool.submit(read, group) for group in islice(left, 1))
        yield answer


def _together(answers: Iterable[list[ReadBuild]]) -> Iterator[list[ReadBuild]]:
    """Yield results that are written together, so that many small jobs share a journal."""
    several: list[ReadBuild] = []
    for answer in answers:
        several += answer
        if len(several) >= _WRITTEN_TOGETHER:
            yield several
            several = []
    if several:
        yield several
