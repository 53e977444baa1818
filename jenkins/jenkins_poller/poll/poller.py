"""Polls one controller: finds new builds, fetches them, finds their places, and writes their spans into a journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pipeline_trace.delivery.journal import JournalError, Writer
from pipeline_trace.ownership.log.rules import RulesError
from pipeline_trace.place.ci.jenkins.identity import Build, normalised_url
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import AttributeValue, Link, Span

from ..fetch import computers
from ..fetch.api import AT_ONCE, ApiError, Controller, NotFound
from ..fetch.build import Reader
from ..fetch.document import AT_ONCE as AT_ONCE_LISTED
from ..fetch.upstream import Upstreams
from . import discovery
from .discovery import Job, Selection
from .reading import Group, ReadBuild, Reading, groups
from .state import Cursor, State, StateError

# Groups of builds that are read and written together.
_CHUNK = 8
_FEW = AT_ONCE_LISTED
# After this many builds that could not be read, the poll ends: the controller probably has a problem.
_TOO_MANY = 4


class SweepError(Exception):
    """A poll failed. The message says what to do. The next poll reads the builds that this poll did not read.

    ``kind``: the type of error in one word: ApiError.kind, or disk, rules, or builds if some builds could not be read.
    """

    def __init__(self, message: str, kind: str = "disk") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class PollSettings:
    """What to poll. ``since_ms``: for a job that is new to the poller, the earliest start of a build, ms since the epoch."""

    detail: str
    trace_per: str
    since_ms: int
    selection: Selection
    root_url: str = ""


@dataclass
class Swept:
    """The result of a poll. ``active``: the number of running builds, by job. ``agents``: their number, by state."""

    builds: int = 0
    spans: int = 0
    running: int = 0
    vanished: int = 0
    unsampled: int = 0
    without_times: int = 0
    odd_times: int = 0
    problems: list[str] = field(default_factory=list)
    active: Counter[str] = field(default_factory=Counter)
    agents: Mapping[str, int] = field(default_factory=dict)

    def count(self, read: ReadBuild, *, gone: bool) -> None:
        """Count a build. ``gone``: the build was deleted, and no later poll looks for it."""
        self.builds += read.placed is not None and read.placed.sampled
        self.spans += len(read.spans)
        self.running += read.running
        self.active[read.build.job] += read.running
        self.vanished += gone
        self.unsampled += read.placed is not None and not read.placed.sampled
        self.without_times += read.no_times
        self.odd_times += read.odd_times
        if read.problem:
            self.problems.append(f"{read.build.name}: {read.problem}")


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
    ) -> None:
        """``service``: returns the resource attributes of a controller, from its root URL.

        ``written``: called with the spans of each build after they are in a journal. ``count_agents``: ask for the agents
        even if nothing is to be read.
        """
        self._controller = controller
        self._state = state
        self._journals = journals
        self._settings = settings
        self._service = service
        self._written = written
        self._count_agents = count_agents
        # A record lock does not hold between threads of one process. So a journal is written in this folder, and moved to
        # the folder that is shipped when it is complete.
        self._unfinished = state.folder
        # Builds of new jobs that were not listed: only reading them shows whether they are too old.
        self._first_seen: set[Build] = set()
        self._newest: dict[str, int] = {}
        self._reader = Reader(controller, settings.detail)

    def sweep(
        self,
        progress: Callable[[Swept, int], None] = lambda swept, total: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Swept:
        """Write the spans of all builds that have ended since the last poll. Return what was done. Raises SweepError.

        ``progress``: called after each group of builds, with what is done and the number of builds. ``stopping``: once it
        returns true, no further build is begun; the next poll reads the rest.
        """
        swept = Swept()
        self._first_seen = set()
        try:
            with self._state.together():
                still_open = self._state.open_builds()
                todo = self._without_running(self._todo(still_open, stopping), still_open, swept)
            reading = self._reading()
            with ThreadPoolExecutor(AT_ONCE) as pool:
                for chunk in _chunks(list(groups(todo, self._newest, frozenset(self._first_seen))), _CHUNK):
                    found = pool.map(lambda group: [] if stopping() else reading.read(group), chunk)
                    self._write((read for reads in found for read in reads), swept)
                    progress(swept, len(todo))
                    if stopping() or len(swept.problems) >= _TOO_MANY:
                        break
        except RulesError as error:
            raise SweepError(str(error), "rules") from None
        except (ApiError, StateError, JournalError) as error:
            raise SweepError(str(error), error.kind if isinstance(error, ApiError) else "disk") from None
        if swept.problems:
            said = f"{len(swept.problems)} builds could not be read; the next poll tries again; {swept.problems[0]}"
            raise SweepError(said, "builds")
        return swept

    def _reading(self) -> Reading:
        settings = self._settings
        return Reading(
            self._reader,
            Upstreams(self._reader),
            settings.trace_per,
            self._state.place_of,
            self._service,
            settings.since_ms,
        )

    def _todo(self, still_open: Mapping[str, set[int]], stopping: Callable[[], bool]) -> list[Build]:
        """Return the builds to read: new builds, and builds that earlier polls did not finish."""
        cursors = self._state.cursors()
        found: list[Build] = []
        root = normalised_url(self._settings.root_url) if self._settings.root_url else ""
        for job in discovery.find_jobs(self._controller, self._settings.selection):
            if stopping():
                break
            controller = root or normalised_url(discovery.root_url_of(job) or self._controller.url)
            self._newest[job.name] = job.next_number - 1
            numbers = self._new(job, controller, cursors.get(job.name)) | still_open.get(job.name, set())
            found += [Build(controller, job.name, number) for number in sorted(numbers)]
        return found

    def _without_running(self, todo: list[Build], still_open: Mapping[str, set[int]], swept: Swept) -> list[Build]:
        """Count the builds that run, as one request tells, and return the others."""
        if not self._count_agents and not any(build.number in still_open.get(build.job, ()) for build in todo):
            return todo
        seen = computers.look(self._controller)
        swept.agents = seen.agents
        run = [build for build in todo if (build.job, build.number) in seen.running]
        self._state.seen(run)
        swept.running += len(run)
        swept.active.update(build.job for build in run)
        left_out = set(run)
        return [build for build in todo if build not in left_out]

    def _new(self, job: Job, controller: str, known: Cursor | None) -> set[int]:
        """Store a job's new builds in the state, and return their numbers."""
        if known and job.next_number < known.next_number:
            self._state.restarted(job.name)
            known = None
        if known and known.settled and job.next_number == known.next_number:
            return set()
        above, since = (known.cursor, 0) if known else (0, self._settings.since_ms)
        if 0 < job.next_number - 1 - above <= _FEW:
            # For so few builds, reading the builds is as cheap as listing them.
            numbers = set(range(above + 1, job.next_number))
            if not known:
                self._first_seen.update(Build(controller, job.name, number) for number in numbers)
            self._state.found(job.name, Cursor(job.next_number, job.next_number - 1, settled=True), numbers, unsure=True)
            return numbers
        try:
            listing = discovery.list_builds(self._controller, job.name, above=above, since_ms=since)
        except NotFound:
            # The job was deleted meanwhile.
            return set()
        numbers = {listed.number for listed in listing.new}
        highest = max(listing.highest, above)
        seen_twice = known is not None and known.next_number == job.next_number
        settled = highest >= job.next_number - 1 or seen_twice
        self._state.found(job.name, Cursor(job.next_number, highest, settled), numbers)
        return numbers

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

    def _write(self, reads: Iterable[ReadBuild], swept: Swept) -> None:
        """Write the spans of builds into a journal, then mark the builds as written."""
        reads = list(reads)
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
