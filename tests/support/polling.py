"""A poller in the test's process, with short pauses between retries, and all that it has emitted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pytest

from jenkins_poller.fetch.api import Controller, Login
from jenkins_poller.poll.discovery import Selection
from jenkins_poller.poll.poller import Poller
from jenkins_poller.poll.state import State
from jenkins_poller.poll.swept import PollSettings, SweepError, Swept
from pipeline_trace.delivery import ship
from pipeline_trace.delivery.destinations import Accepted
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

ROOT = "https://ci.example.com"
USER, TOKEN = "jane", "11aa22bb33cc44dd55ee66ff"
Run = tuple[str, str]
"""A build: full job name and number."""


class Jenkins(Protocol):
    """Something to poll."""

    @property
    def url(self) -> str: ...


class Memory:
    """A destination that keeps everything."""

    name = "memory"

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def deliver(self, spans: Sequence[Span], timeout: float) -> Accepted:
        self.spans += spans
        return Accepted()

    def close(self) -> None:
        pass


class Polling:
    """A poller with its state, and all that it has emitted."""

    def __init__(
        self,
        folder: Path,
        jenkins: Jenkins,
        login: Login | None = None,
        *,
        since_ms: int = 0,
        detail: str = "step",
        state_of: Polling | None = None,
    ) -> None:
        """``folder``: its own. ``since_ms``: the earliest start of a build, milliseconds since the epoch. ``state_of``: an
        earlier poller, now closed, whose state it goes on with.
        """
        (folder / "journals").mkdir(parents=True)
        self._journals = folder / "journals"
        self._memory = Memory()
        self._states = state_of._states if state_of else folder / "pollers"
        self.state = State(self._states, jenkins.url)
        controller = Controller(jenkins.url, login, first_pause=0.001)
        # The poller's clock stands still between two calls of ``wait``, if the age of builds matters.
        self._now = time.time() if since_ms else None
        self._passed = 0.0
        settings = PollSettings(detail, "pipeline", (self._now or time.time()) - since_ms / 1000, Selection())
        self._poller = Poller(
            controller,
            self.state,
            self._journals,
            settings,
            lambda url: {"service.name": "ci"},
            clock=lambda: (self._now or time.time()) + self._passed,
        )

    def age_of(self, start_ms: int) -> float:
        """Return how long ago a moment was for the poller, seconds."""
        return (self._now or time.time()) + self._passed - start_ms / 1000

    def wait(self, minutes: float) -> None:
        """Let time pass, for the poller."""
        self._passed += minutes * 60

    def sweep(self, *, reread_age: float | None = None) -> Swept:
        """Poll once, and deliver what there is."""
        try:
            return self._poller.sweep(reread_age=reread_age)
        finally:
            ship.ship_all(self._journals, self._memory)

    def opened(self, swept: Swept, warned: list[str] | None = None) -> list[Span]:
        """Return the open spans of the builds that ran at a sweep. ``warned``: gets what is said about odd builds."""
        said: list[str] = []
        found = self._poller.open_spans(swept.open, said.append)
        assert warned is not None or said == []
        (warned if warned is not None else []).extend(said)
        return found

    def failing(self) -> str:
        """Sweep; return the line for people with which that fails."""
        with pytest.raises(SweepError) as error:
            self.sweep()
        said = str(error.value)
        assert len(said.splitlines()) == 1
        assert TOKEN not in said
        return said

    @property
    def spans(self) -> list[Span]:
        """Return all that was emitted, in its order."""
        return self._memory.spans

    @property
    def emitted(self) -> dict[Run, list[str]]:
        """What was emitted of each build: span ids, sorted, as often as they were."""
        return by_build(self._memory.spans)

    def run(self, job: str, number: int) -> Span:
        """Return a build's run span, which was emitted once."""
        (run,) = [span for span in self.spans if span.span_id == Build(ROOT, job, number).run_span_id]
        return run


def by_build(spans: Sequence[Span]) -> dict[Run, list[str]]:
    """Return span ids by build, sorted."""
    found: dict[Run, list[str]] = {}
    for span in spans:
        found.setdefault((str(span.resource[c.PIPELINE_NAME]), str(span.resource[c.PIPELINE_RUN_ID])), []).append(
            span.span_id
        )
    return {run: sorted(ids) for run, ids in found.items()}
