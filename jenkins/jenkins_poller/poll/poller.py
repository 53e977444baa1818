"""Polls one controller: finds new builds, fetches them, finds their places, and writes their spans into a journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline_trace.delivery.journal import JournalError, Writer
from pipeline_trace.ownership.log.rules import RulesError
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import AttributeValue, Link, Span

from ..fetch.api import AT_ONCE, ApiError, Controller
from ..fetch.build import Reader
from ..fetch.sources.choice import Sources
from ..fetch.upstream import Upstreams
from . import plugins, troubled
from .database import StateError
from .finding import Finder
from .reading import Group, ReadBuild, Reading
from .state import State
from .swept import PollSettings, SweepError, Swept

# Groups of builds that are read and written together.
_CHUNK = 8


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
        count_agents: bool = False,
        clock: Callable[[], float] = lambda: time.time(),
    ) -> None:
        """``service``: returns the resource attributes of a controller, from its root URL.

        ``written``: called with the spans of each build after they are in a journal. ``count_agents``: ask for the agents
        even if nothing is to be read. ``clock``: seconds since the epoch.
        """
        self._controller = controller
        self._state = state
        self._journals = journals
        self._settings = settings
        self._service = service
        self._written = written
        self._count_agents = count_agents
        self._clock = clock
        # A record lock does not hold between threads of one process. So a journal is written in this folder, and moved to
        # the folder that is shipped when it is complete.
        self._unfinished = state.folder
        self._troubles = troubled.Troubles(state)
        self._plugins = plugins.load(state)
        self._reader = Reader(controller, settings.detail, Sources(controller, self._plugins))

    def sweep(
        self,
        progress: Callable[[Swept, int], None] = lambda swept, total: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Swept:
        """Write the spans of all builds that have ended since the last poll. Return what was done. Raises SweepError.

        ``progress``: called after each group of builds, with what is done and the number of builds. ``stopping``: once it
        returns true, no further build is begun; the next poll reads the rest.
        """
        swept, streak = Swept(), troubled.Streak(self._controller)
        now_ms = round(self._clock() * 1000)
        try:
            with self._state.together():
                finder = Finder(self._controller, self._state, self._troubles, self._settings, now_ms, swept, streak)
                found = finder.find(stopping, count_agents=self._count_agents)
            reading, total = self._reading(), len(found.builds)
            with ThreadPoolExecutor(AT_ONCE) as pool:
                for chunk in _chunks(found.groups(), _CHUNK):
                    answers = pool.map(lambda group: [] if stopping() else reading.read(group), chunk)
                    reads = [read for answer in answers for read in answer]
                    self._write(reads, swept)
                    for read in reads:
                        streak.note(problem=bool(read.problem))
                    streak.check()
                    self._remember_problems(reads, found.troubles, now_ms, swept)
                    progress(swept, total)
                    if stopping():
                        break
            self._remember_plugins()
            swept.times_from = plugins.said(self._reader.sources.known)
        except RulesError as error:
            raise SweepError(str(error), "rules") from None
        except (ApiError, StateError, JournalError) as error:
            raise SweepError(str(error), error.kind if isinstance(error, ApiError) else "disk") from None
        return swept

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

    def _link(self, reads: Iterable[ReadBuild]) -> None:
        """Link each build to the earlier builds of its commit, so that people can follow a change from trace to trace."""
        for read in reads:
            if not read.revision:
                continue
            for job, number, trace_id in self._state.same_revision(read.revision, read.build):
                other = Build(read.build.controller, job, number)
                attributes = {c.JENKINS_LINK: c.LINK_SAME_COMMIT, c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: str(number)}
                if trace_id != read.spans[0].trace_id:
                    read.spans[0].links.append(Link(trace_id, other.run_span_id, attributes))
            self._state.built([(read.build, read.revision)])

    def _write(self, reads: Sequence[ReadBuild], swept: Swept) -> None:
        """Write the spans of builds into a journal, then mark the builds as written."""
        placed = [(read.build, read.placed) for read in reads if read.placed]
        with self._state.together():
            self._state.decided(placed)
            self._link(reads)
        if any(read.spans for read in reads):
            self._journal(span for read in reads for span in read.spans)
        self._state.written(read.build for read in reads if read.placed or read.old or read.odd_times)
        self._state.seen(read.build for read in reads if read.running)
        for read in reads:
            gone = read.gone and self._state.vanished(read.build.job, read.build.number)
            swept.count(read, gone=gone)
            if read.spans:
                self._written(read.spans)

    def _journal(self, made: Iterable[Span]) -> None:
        journal = Writer(self._unfinished)
        try:
            for span in made:
                journal.span(span)
            if journal.dropped:
                said = f"cannot write {journal.path} ({journal.problem}); free some space, or set PIPELINE_TRACE_HOME"
                raise SweepError(said)
            journal.sync()
            journal.end()
            journal.path.rename(self._journals / journal.path.name)
        except OSError as error:
            journal.discard()
            raise SweepError(f"cannot write {self._journals} ({error.strerror}); set PIPELINE_TRACE_HOME") from None
        except BaseException:
            journal.discard()
            raise


def _chunks(builds: list[Group], size: int) -> Iterator[list[Group]]:
    for start in range(0, len(builds), size):
        yield builds[start : start + size]
