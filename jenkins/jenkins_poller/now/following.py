"""Follows the builds of a controller that run, so that they can be told while they last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from pipeline_trace.delivery.opened import PACE, outermost
from pipeline_trace.place.ci.jenkins.chain import BuildPlace, Gone, Unanswered
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace.span import AttributeValue, Span

from ..fetch import flow
from ..fetch.api import Controller
from ..fetch.document import BUILD, is_running, own_document
from ..fetch.errors import FATAL, ApiError
from .around import Around, read_around
from .moments import Plugins
from .opened import open_spans
from .running import Running, head_of, read_running
from .waiting import completed
from .waits import OpenBuild

# So many builds are asked for at a time: a busy controller runs hundreds.
MOST_BUILDS = 10
# Of so many others it is told that they run. Each is asked for once, not more than MOST_BUILDS in a look.
MOST_OTHERS = 190

# Returns the place of a running build in a trace, from its document. Raises Gone, Unanswered.
Place = Callable[[Build, Mapping[str, Any]], BuildPlace]
T = TypeVar("T")


@dataclass
class _Known:
    """What does not change while a build runs. ``begun_ms``: when its elements began, by their id.

    ``document``: its JSON document, as it was first.
    """

    placed: BuildPlace | None = None
    document: Mapping[str, Any] = field(default_factory=dict)
    begun_ms: dict[str, int] = field(default_factory=dict)


class Following:
    """The running builds of one controller."""

    def __init__(
        self,
        controller: Controller,
        place: Place,
        service: Callable[[str], Mapping[str, AttributeValue]],
        warn: Callable[[str], object],
    ) -> None:
        """``service``: returns the resource attributes of a controller. ``warn``: called with a line for each odd build."""
        self._controller = controller
        self._place = place
        self._service = service
        self._warn = warn
        self._known: dict[Build, _Known] = {}
        self._plugins, self._session = Plugins(controller), controller.session

    def look(self, builds: Sequence[Build]) -> list[Span]:
        """Return the open spans of builds: of the first MOST_BUILDS, of each the outermost PACE.most; of the others the run.

        A build that cannot be read is left out. Raises ApiError if the controller itself does not answer.
        """
        builds, others = builds[:MOST_BUILDS], builds[MOST_BUILDS : MOST_BUILDS + MOST_OTHERS]
        self._known = {build: self._known.get(build) or _Known() for build in (*builds, *others)}
        if not builds:
            return []
        if self._session != self._controller.session:
            # Jenkins was restarted, perhaps with other plugins.
            self._plugins, self._session = Plugins(self._controller), self._controller.session
        around = read_around(self._controller, lambda said: None)
        # One after the other: nobody waits for it, and the end of the service does not wait for threads of a pool.
        answers = [(build, self._guarded(build, partial(self._read, build, around))) for build in builds]
        read = [(build, running) for build, running in answers if running]
        opened = completed([running for _, running in read], around)
        made = (
            self._guarded(build, partial(self._spans, build, running, one))
            for (build, running), one in zip(read, opened, strict=True)
        )
        found = [span for spans in made for span in outermost(spans or ())[: PACE.most]]
        return [*found, *self._runs(others, around)]

    def _runs(self, builds: Sequence[Build], around: Around) -> Iterator[Span]:
        """Yield the run of each build of which the document is known."""
        new = [build for build in builds if not self._known[build].document]
        for build in new[:MOST_BUILDS]:
            self._guarded(build, partial(self._read_document, build))
        for build in builds:
            document = self._known[build].document
            if document:
                running = head_of(build, document, around)
                yield from self._guarded(build, partial(self._spans, build, running, running.open)) or ()

    def _read_document(self, build: Build) -> None:
        document, known = own_document(self._controller, build, BUILD), self._known[build]
        if is_running(document):
            known.placed = known.placed or self._place(build, document)
            known.document = document

    def _read(self, build: Build, around: Around) -> Running | None:
        running, known = read_running(self._plugins, build, around), self._known[build]
        if running and known.placed is None:
            known.placed = self._place(build, running.document)
        return running

    def _spans(self, build: Build, running: Running, opened: OpenBuild) -> list[Span]:
        known = self._known[build]
        if known.placed is None or not known.placed.sampled:
            return []

        def since(element: flow.Element) -> int | None:
            # Each may cost a request.
            told_ms = known.begun_ms.get(element.id) or running.since(element)
            if told_ms:
                known.begun_ms[element.id] = told_ms
            return told_ms

        return open_spans(build, running, opened, known.placed, self._service(build.controller), since)

    def _guarded(self, build: Build, make: Callable[[], T | None]) -> T | None:
        """Return what is made of a build; None if that fails. Raises ApiError if the controller itself does not answer."""
        try:
            return make()
        except FATAL:
            raise
        except (ApiError, Gone, Unanswered):
            # It may be told the next time.
            return None
        except Exception as error:
            self._warn(f"what {build.name} does is not told ({type(error).__name__}: {error}); please report this error")
            return None
