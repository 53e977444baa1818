"""Follows the builds of a controller that run, so that they can be told while they last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from pipeline_trace.delivery.opened import PACE, outermost
from pipeline_trace.place.ci.jenkins.chain import BuildPlace, Gone, Unanswered
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace.span import AttributeValue, Span

from ..fetch import flow
from ..fetch.api import Controller
from ..fetch.errors import FATAL, ApiError
from .around import Around, read_around
from .moments import Plugins
from .opened import open_spans
from .running import Running, read_running
from .waiting import completed
from .waits import OpenBuild

# So many builds are asked for at a time: a busy controller runs hundreds.
MOST_BUILDS = 10

# Returns the place of a running build in a trace, from its document. Raises Gone, Unanswered.
Place = Callable[[Build, Mapping[str, Any]], BuildPlace]
T = TypeVar("T")


@dataclass
class _Known:
    """What does not change while a build runs. ``begun_ms``: when its elements began, by their id."""

    placed: BuildPlace | None = None
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
        """Return the open spans of builds: of the first MOST_BUILDS, of each the outermost PACE.most.

        A build that cannot be read is left out. Raises ApiError if the controller itself does not answer.
        """
        builds = builds[:MOST_BUILDS]
        self._known = {build: self._known.get(build) or _Known() for build in builds}
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
        return [span for spans in made for span in outermost(spans or ())[: PACE.most]]

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
