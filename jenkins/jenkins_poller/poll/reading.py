"""Reads builds and makes their spans: a group of builds of one job at a time, because most requests tell several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from pipeline_trace.ownership.log.rules import RulesError
from pipeline_trace.ownership.verdict import Verdict
from pipeline_trace.place.ci.jenkins.chain import BuildPlace, Gone, Unanswered, place_of_build
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import AttributeValue, Span

from ..fetch.build import Fetched, Reader
from ..fetch.document import AT_ONCE, is_running, own_documents
from ..fetch.errors import FATAL, ApiError, NotFound
from ..fetch.times import possible_ms
from ..fetch.upstream import Upstreams
from ..spans import spans, verdicts
from . import levels
from .database import StateError

# What ends a poll although only one build is read.
ENDING = (*FATAL, StateError)
# A build that begins later than this after the controller's own time has an impossible time. 31 December 9999 is never.
# A year, because clocks jump, and a build that is left out is never read again.
_FUTURE_MS = 365 * 86_400_000
_NEVER_MS = 253_402_214_400_000


@dataclass(frozen=True)
class Group:
    """Builds of one job, at most AT_ONCE, in order. ``newest``: the job's highest build number.

    ``since_ms``: by number, the earliest start of builds that were not listed: only reading them shows whether they are too
    old. Milliseconds since the epoch. ``last_try``: those that are given up if they cannot be read now, so they are told
    without times if no plugin answers.
    """

    builds: tuple[Build, ...]
    newest: int
    since_ms: Mapping[int, int] = field(default_factory=dict)
    last_try: Set[Build] = frozenset()


@dataclass(frozen=True)
class ReadBuild:
    """The result of reading a build: its spans, or why there are none.

    ``old``: it began before the time that is asked for. ``problem``: why it could not be read. ``odd_times``: it began in an
    impossible time. ``no_times``: no plugin tells when its stages ran. ``level``: at which its spans tell it. ``began_ms``,
    ``queue_id``: see state.Told; of a running build, the former is 0 where it is not told. ``verdict``: see
    verdicts.set_verdict. ``rules``: why it could not be judged.
    """

    build: Build
    placed: BuildPlace | None = None
    spans: tuple[Span, ...] = ()
    running: bool = False
    gone: bool = False
    old: bool = False
    odd_times: bool = False
    problem: str = ""
    no_times: bool = False
    revision: str = ""
    level: str = levels.RUN
    began_ms: int = 0
    queue_id: int = 0
    verdict: Verdict | None = None
    rules: str = ""


@dataclass(frozen=True)
class Reading:
    """How to read the builds of one controller.

    ``place_of``: returns the place of a build that was decided earlier; None if it was not. ``service``: returns the
    resource attributes of a controller.
    """

    reader: Reader
    upstreams: Upstreams
    trace_per: str
    place_of: Callable[[Build], BuildPlace | None]
    service: Callable[[str], Mapping[str, AttributeValue]]

    def read(self, group: Group) -> list[ReadBuild]:
        """Return the result for each build of a group. Raises ApiError if the controller itself does not answer.

        What fails for the whole group is tried for each of its builds alone.
        """
        try:
            return self._together(group)
        except ENDING:
            raise
        except Exception as error:
            if len(group.builds) > 1:
                return [read for build in group.builds for read in self.read(replace(group, builds=(build,)))]
            return [_failed(group.builds[0], error)]

    def place(self, build: Build) -> BuildPlace:
        """Return a build's place: the one that was decided earlier, else a new one. Raises Gone, Unanswered, StateError."""
        return self.place_of(build) or place_of_build(build, self.upstreams, self.trace_per)

    def _together(self, group: Group) -> list[ReadBuild]:
        found: list[ReadBuild] = []
        ended: dict[Build, Mapping[str, object]] = {}
        for build, document in own_documents(self.reader.controller, group.builds, group.newest, self.reader.detail):
            early = _failed(build, document) if isinstance(document, ApiError) else self._early(build, document, group)
            if early:
                found.append(early)
            elif not isinstance(document, ApiError):
                ended[build] = document
                self.upstreams.know(build, document)
        for build, fetched in self.reader.fetch(ended, group.newest, group.last_try).items():
            if isinstance(fetched, ApiError):
                found.append(_failed(build, fetched))
                continue
            if fetched.started:
                self.upstreams.know_started(build, fetched.started)
            found.append(self._guarded(fetched))
        return sorted(found, key=lambda one: one.build.number)

    def _early(self, build: Build, document: Mapping[str, object], group: Group) -> ReadBuild | None:
        """Return the result for a build of which nothing more needs to be read; None for the others."""
        if document.get("building") is False and document.get("result") is None and "building" in document:
            return ReadBuild(build, problem="it does not run, and has no result")
        if is_running(document):
            return ReadBuild(build, running=True, began_ms=_began_ms(document))
        start_ms = document.get("timestamp")
        latest_ms = (self.reader.controller.now_ms or _NEVER_MS) + _FUTURE_MS
        if not isinstance(start_ms, int) or not 0 < start_ms <= latest_ms:
            return ReadBuild(build, odd_times=True)
        if start_ms < group.since_ms.get(build.number, 0):
            return ReadBuild(build, old=True)
        return None

    def _guarded(self, fetched: Fetched) -> ReadBuild:
        """Make the spans of a build. An error of ours in one build must not stop the others."""
        try:
            return self._made(fetched)
        except ENDING:
            raise
        except Exception as error:
            return _failed(fetched.build, error)

    def _made(self, fetched: Fetched) -> ReadBuild:
        build = fetched.build
        placed = self.place(build)
        began_ms, queue_id = (int(fetched.document.get(name, 0)) for name in ("timestamp", "queueId"))
        told = ReadBuild(build, placed, began_ms=began_ms, queue_id=queue_id)
        if not placed.sampled:
            return replace(told, level=levels.STEPS)
        made = spans.spans_of_build(fetched, placed, self.service(build.controller))
        verdict, rules = None, ""
        try:
            verdict = verdicts.set_verdict(made)
        except RulesError as error:
            # `why` judges it later, when the rules can be read.
            rules = str(error)
        except Exception as error:
            # Any error: a build without a verdict has its spans all the same.
            rules = f"{build.name} cannot be judged ({type(error).__name__}: {error}); please report this error"
        revision = str(made[0].attributes.get(c.VCS_HEAD_REVISION) or "")
        level = levels.level_of(fetched, self.reader.detail)
        return replace(
            told, spans=tuple(made), no_times=fetched.no_times, revision=revision, level=level, verdict=verdict, rules=rules
        )


def _began_ms(document: Mapping[str, object]) -> int:
    begun = document.get("timestamp")
    return (possible_ms(begun) or 0) if isinstance(begun, int) else 0


def _failed(build: Build, error: Exception) -> ReadBuild:
    if isinstance(error, FATAL):
        raise error
    if isinstance(error, NotFound | Gone):
        return ReadBuild(build, gone=True)
    if isinstance(error, ApiError | Unanswered):
        return ReadBuild(build, problem=str(error))
    # Not an answer's fault: an error of ours.
    return ReadBuild(build, problem=f"its spans cannot be made ({type(error).__name__}: {error}); please report this error")


def groups(
    builds: Iterable[Build], newest: Mapping[str, int], since_ms: Mapping[Build, int], last_try: Set[Build] = frozenset()
) -> Iterator[Group]:
    """Yield groups of builds that can be asked for together.

    ``newest``: the highest number, by job. ``since_ms``, ``last_try``: see Group.
    """
    pending: list[Build] = []
    for build in builds:
        if pending and (build.job != pending[0].job or len(pending) == AT_ONCE):
            yield _group(pending, newest, since_ms, last_try)
            pending = []
        pending.append(build)
    if pending:
        yield _group(pending, newest, since_ms, last_try)


def _group(builds: Sequence[Build], newest: Mapping[str, int], since_ms: Mapping[Build, int], last_try: Set[Build]) -> Group:
    of_job = newest.get(builds[0].job, max(build.number for build in builds))
    since = {build.number: since_ms[build] for build in builds if build in since_ms}
    return Group(tuple(builds), of_job, since, last_try & set(builds))
