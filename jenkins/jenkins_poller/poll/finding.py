"""Finds the builds that a poll reads: new ones, and those that earlier polls did not finish."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from pipeline_trace.place.ci.jenkins.identity import Build, normalised_url

from ..fetch import computers
from ..fetch.api import Controller
from ..fetch.document import AT_ONCE
from ..fetch.errors import FATAL, ApiError, NotFound
from . import discovery
from .discovery import Job
from .histories import Histories
from .reading import Group, groups
from .state import Cursor, State
from .swept import PollSettings, Swept
from .troubled import LIST, Key, Streak, Trouble, Troubles

# Reading so few builds is as cheap as listing them.
_FEW = AT_ONCE
# Jobs that were not listed and are back: so many of them are looked at in one poll.
_MOST_BACK = 20


@dataclass
class Found:
    """What a poll has to read. ``builds``: in order, those that could not be read before at the end.

    ``newest``: the highest build number, by job. ``since_ms``: see reading.Group. ``troubles``: what could not be
    read before. ``controllers``: root URLs, by job. ``complete``: all jobs are in them.
    ``generations``: of jobs that were made again, see Build. ``now_ms``: milliseconds since the epoch.
    """

    builds: list[Build] = field(default_factory=list)
    newest: dict[str, int] = field(default_factory=dict)
    controllers: dict[str, str] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)
    since_ms: dict[Build, int] = field(default_factory=dict)
    complete: bool = True
    troubles: Mapping[Key, Trouble] = field(default_factory=dict)
    now_ms: int = 0

    def groups(self) -> Iterator[Group]:
        """Yield the builds in groups that can be asked for together."""
        healthy = [build for build in self.builds if (build.job, build.number) not in self.troubles]
        others = [build for build in self.builds if (build.job, build.number) in self.troubles]
        last = {build for build in others if self.troubles[build.job, build.number].ends(self.now_ms)}
        for part in (healthy, others):
            yield from groups(part, self.newest, self.since_ms, last)


class Finder:
    """Finds what one poll reads. ``now_ms``: milliseconds since the epoch."""

    def __init__(
        self,
        controller: Controller,
        state: State,
        troubles: Troubles,
        settings: PollSettings,
        now_ms: int,
        swept: Swept,
        streak: Streak,
    ) -> None:
        self._controller = controller
        self._state = state
        self._troubles = troubles
        self._settings = settings
        self._now_ms = now_ms
        self._since_ms = max(now_ms - round(settings.since * 1000), 0)
        self._swept = swept
        self._streak = streak
        self._histories = Histories(controller, state)
        self._open = state.open_builds()
        self._found = Found(now_ms=now_ms, troubles=troubles.known())

    def find(self, stopping: Callable[[], bool], *, count_agents: bool) -> Found:
        """Return the builds to read, and store the new ones in the state. Raises ApiError, StateError.

        ``count_agents``: ask for the agents even if no build is open.
        """
        cursors, jobs = self._state.cursors(), self._jobs(stopping)
        if self._found.complete:
            self._follow(jobs, cursors, stopping)
        for job in jobs:
            if stopping():
                self._found.complete = False
                break
            self._add(job, cursors.get(job.name))
        self._found.generations = self._state.generations()
        self._leave_out_waiting()
        self._leave_out_running(count_agents)
        return self._found

    def _jobs(self, stopping: Callable[[], bool]) -> list[Job]:
        by_name = dict[str, Job]()
        visible = count()
        for job in discovery.find_jobs(self._controller, self._settings.selection, lambda: next(visible)):
            if stopping():
                self._found.complete = False
                break
            # A job may be listed twice.
            by_name[job.name] = job
        self._swept.no_job = self._found.complete and next(visible) == 0
        return list(by_name.values())

    def _add(self, job: Job, known: Cursor | None) -> None:
        """Add the builds of a job that are to be read."""
        root = self._settings.root_url or discovery.root_url_of(job) or self._controller.url
        controller, generation = normalised_url(root), self._generation(job, known)
        self._found.controllers[job.name] = controller
        self._found.newest[job.name] = job.next_number - 1
        numbers = {**self._new(job, known), **self._open.get(job.name, {})}
        builds = {Build(controller, job.name, number, generation=generation): numbers[number] for number in sorted(numbers)}
        self._found.builds += builds
        self._found.since_ms.update((build, since_ms) for build, since_ms in builds.items() if since_ms)

    def _follow(self, jobs: Sequence[Job], cursors: dict[str, Cursor], stopping: Callable[[], bool]) -> None:
        """Notice jobs that have another name now, and jobs that were made again with the same numbers."""
        # First the names: what is known of a job that was renamed is not another's, who has its old name now.
        renamed = self._follow_names(jobs, cursors, stopping)
        made_again = self._follow_numbers(jobs, cursors, stopping)
        listed = {job.name for job in jobs}
        missing = [name for name, cursor in cursors.items() if name not in listed and not cursor.absent]
        gone = [name for name in missing if self._settings.selection.wants(name)]
        if gone:
            self._state.absent(gone)
        if renamed or made_again:
            self._open, self._found.troubles = self._state.open_builds(), self._troubles.known()

    def _follow_names(self, jobs: Sequence[Job], cursors: dict[str, Cursor], stopping: Callable[[], bool]) -> bool:
        """Move what is known of jobs to their new names. Return whether there was one."""
        listed, known = {job.name: job for job in jobs}, dict(cursors)
        new, replaced = [job for job in jobs if job.name not in cursors], set[str]()
        changed = False
        # The list grows: the job that has the old name now may itself be a renamed one.
        for job in new:
            if stopping():
                break
            # As long as its builds cannot be listed, none of them is told.
            old = "" if self._waits((job.name, LIST)) else self._histories.earlier_name(job, known, listed)
            if old:
                del known[old], cursors[old]
                cursors[job.name] = self._state.renamed(old, job.name, self._now_ms)
                changed = True
            elif job.name in replaced:
                cursors[job.name] = self._state.begun(job.name)
            if old in listed:
                replaced.add(old)
                new.append(listed[old])
        return changed

    def _follow_numbers(self, jobs: Sequence[Job], cursors: dict[str, Cursor], stopping: Callable[[], bool]) -> bool:
        """Begin another generation of jobs that were made again. Return whether there was one."""
        changed, asked = False, 0
        for job in jobs:
            known = cursors.get(job.name)
            if stopping():
                break
            if known and (job.next_number < known.next_number or (known.absent and asked < _MOST_BACK)):
                asked += 1
                above = self._histories.restored_up_to(job, known)
                if above is not None:
                    cursors[job.name] = self._state.made_again(job.name, above, job.next_number)
                    changed = True
                elif known.absent:
                    self._state.absent([job.name], absent=False)
        return changed

    def _generation(self, job: Job, known: Cursor | None) -> int:
        return known.generation if known else self._state.generation_of_new(job.name)

    def _waits(self, key: Key) -> bool:
        trouble = self._found.troubles.get(key)
        return trouble is not None and trouble.waits(self._now_ms)

    def _leave_out_waiting(self) -> None:
        """Leave out the builds that could not be read, until it is time for their next try."""
        left = [build for build in self._found.builds if not self._waits((build.job, build.number))]
        self._swept.unread += len(self._found.builds) - len(left)
        self._found.builds = left

    def _leave_out_running(self, count_agents: bool) -> None:
        """Leave out the builds that run, as one request tells."""
        builds = self._found.builds
        if not count_agents and not any(build.number in self._open.get(build.job, ()) for build in builds):
            return
        seen = computers.look(self._controller)
        self._swept.agents, self._swept.labels = seen.agents, seen.labels
        run = [build for build in builds if (build.job, build.number) in seen.running]
        self._state.seen(run)
        self._swept.running += len(run)
        self._swept.active.update(build.job for build in run)
        self._swept.open.update((build, seen.began_ms.get((build.job, build.number), 0)) for build in run)
        left_out = set(run)
        self._found.builds = [build for build in builds if build not in left_out]

    def _new(self, job: Job, known: Cursor | None) -> dict[int, int]:
        """Store a job's new builds in the state, and return their numbers, each with its earliest start or 0."""
        if known and (job.next_number < known.next_number or (known.settled and job.next_number == known.next_number)):
            # If its number fell, its builds could not be listed: the next poll finds out what became of it.
            return {}
        above, since_ms = (known.cursor, 0) if known else (0, self._since_ms)
        generation = self._generation(job, known)
        if 0 < job.next_number - 1 - above <= _FEW:
            numbers = range(above + 1, job.next_number)
            cursor = Cursor(job.next_number, job.next_number - 1, settled=True, generation=generation)
            self._state.found(job.name, cursor, numbers, unsure=True, since_ms=since_ms)
            return dict.fromkeys(numbers, since_ms)
        listing = self._listing(job, above, since_ms)
        if listing is None:
            return {}
        highest = max(listing.highest, above)
        seen_twice = known is not None and known.next_number == job.next_number
        settled = highest >= job.next_number - 1 or seen_twice
        cursor = Cursor(job.next_number, highest, settled, generation)
        self._state.found(job.name, cursor, [listed.number for listed in listing.new])
        return {listed.number: 0 for listed in listing.new}

    def _listing(self, job: Job, above: int, since_ms: int) -> discovery.JobListing | None:
        """Return a job's new builds; None if they cannot be listed now."""
        key = (job.name, LIST)
        if self._waits(key):
            self._swept.unread += 1
            return None
        try:
            listing = discovery.list_builds(self._controller, job.name, above=above, since_ms=since_ms)
        except (*FATAL, NotFound) as error:
            if isinstance(error, NotFound):
                # The job was deleted meanwhile.
                return None
            raise
        except ApiError as error:
            reason = f"the list of its builds is not told: {error}"
        except Exception as error:
            reason = f"the list of its builds is odd ({type(error).__name__}: {error}); please report this error"
        else:
            self._streak.note(problem=False)
            if key in self._found.troubles:
                self._troubles.over(key)
            return listing
        self._streak.note(problem=True)
        self._streak.check()
        self._swept.unread += 1
        said = self._troubles.failed(key, self._found.troubles.get(key), reason, self._now_ms)
        self._swept.problems += [said] if said else []
        return None
