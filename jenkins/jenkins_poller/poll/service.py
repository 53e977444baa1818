"""Polls one or several controllers, once or until TERM, and delivers the spans."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from pipeline_trace.delivery import destinations, home, losses, waiting
from pipeline_trace.delivery.destinations import Teller
from pipeline_trace.delivery.local_teller import LocalTeller
from pipeline_trace.notify.settings import Settings
from pipeline_trace.trace import resource
from pipeline_trace.trace.span import AttributeValue

from ..fetch.api import Controller, Login
from ..spans import facts
from . import telling
from .delivering import DELIVERY_SECONDS, deliver_journals
from .logs import Changes, say
from .opened import TellingOpen
from .poller import Poller
from .saying import few_lines, no_verdict, sweep_counts, warnings
from .state import State
from .swept import PollSettings, SweepError, Swept
from .telling import Telling

if TYPE_CHECKING:
    from .metrics import Metrics

# The time-out for each batch of spans in the delivery at the end of the process.
_LAST_DELIVERY_SECONDS = 5.0
_LAST_METRICS_SECONDS = 5.0
_LAST_MESSAGES_SECONDS = 5.0
_TICK_SECONDS = 0.2

Progress = Callable[[Swept, int], None]


@dataclass(frozen=True)
class ControllerOptions:
    """One controller to poll. ``interval``: seconds between polls. ``per_second``: maximum of requests; None: no limit."""

    url: str
    login: Login | None
    settings: PollSettings
    interval: float
    per_second: float | None = None


class ControllerLoop:
    """Polls one controller, again and again."""

    def __init__(
        self,
        options: ControllerOptions,
        state: State,
        place: home.Home,
        stopping: threading.Event,
        metrics: Metrics | None,
        telling: Telling | None,
        teller: Callable[[], Teller | None] = lambda: None,
    ) -> None:
        """``teller``: returns who is told of the builds that run, None for nobody."""
        self.options = options
        self._telling = telling
        self._opened = TellingOpen(teller, options.interval, lambda line: self._warn([line]))
        self._metrics = metrics
        self._stopping = stopping
        self._changes = Changes(controller=options.url)
        self._rules = Changes(controller=options.url)
        self._times_from = ""
        self._controller = Controller(
            options.url,
            options.login,
            per_second=options.per_second,
            stopping=stopping,
            observe=metrics.request if metrics else lambda kind: None,
        )
        written = metrics.build if metrics else lambda spans: None
        self._poller = Poller(
            self._controller,
            state,
            place.journals,
            options.settings,
            service_attributes,
            written,
            telling.ended if telling else lambda run, verdict: None,
            count_agents=metrics is not None,
        )

    def sweep(self, progress: Progress = lambda swept, total: None, reread_age: float | None = None) -> Swept:
        """Poll once. Raises SweepError. ``reread_age``: see Poller.sweep."""
        try:
            swept = self._poller.sweep(progress, self._stopping.is_set, reread_age)
        except Exception as error:
            if self._metrics:
                self._metrics.failed(error.kind if isinstance(error, SweepError) else type(error).__name__)
            raise
        if self._metrics:
            self._metrics.polled(swept.active, swept.agents)
        if swept.times_from not in ("", self._times_from):
            say(logging.INFO, swept.times_from, controller=self.options.url)
            self._times_from = swept.times_from
        return swept

    def run(self, polled: threading.Event) -> None:
        """Poll until ``stopping`` is set. ``polled``: set after every poll, because there may be spans to deliver."""
        while not self._stopping.is_set():
            swept = self._sweep_and_say()
            if self._telling:
                self._telling.polled()
            polled.set()
            if swept:
                self._tell_open(swept)
            self._stopping.wait(self.options.interval)
        self._opened.close()

    def _tell_open(self, swept: Swept) -> None:
        self._opened.polled(lambda: self._poller.open_spans(swept.open, lambda line: self._warn([line])))

    def _sweep_and_say(self) -> Swept | None:
        try:
            swept = self.sweep()
        except SweepError as error:
            self._changes.problem(error.kind, str(error))
            self._warn(few_lines(error.problems))
        except Exception as error:
            # Any error: the next poll may succeed, and the polls of other controllers must continue.
            said = f"the poll failed ({type(error).__name__}: {error}); the next poll tries again; please report this error"
            self._changes.problem(type(error).__name__, said)
        else:
            self._changes.well("polling works again")
            if swept.builds or swept.vanished or swept.unsampled:
                say(logging.INFO, "polled", controller=self.options.url, **sweep_counts(swept))
            self._warn(warnings(swept))
            if swept.rules:
                self._rules.problem(swept.rules, no_verdict(swept.rules))
            return swept
        return None

    def _warn(self, lines: Iterable[str]) -> None:
        for line in lines:
            say(logging.WARNING, line, controller=self.options.url)


class Pollers:
    """Polls all controllers of this process, and delivers their spans."""

    def __init__(
        self,
        options: Sequence[ControllerOptions],
        place: home.Home,
        destination: destinations.Destination | None,
        metered: bool,
        notify: Settings | None = None,
    ) -> None:
        """``destination``: None to deliver nothing. ``metered``: send metrics, if the environment names a receiver.

        ``notify``: tell failures, by these settings. Raises StateError.
        """
        self._place = place
        self._destination = destination
        self._delivery = Changes()
        self._stopping = threading.Event()
        self._states: list[State] = []
        self._metrics: list[Metrics] = []
        history = destination is not None and not destinations.traces_endpoint(os.environ)
        self._notifier = telling.notifier(notify, place, history=history) if notify else None
        self.polled: list[ControllerLoop] = []
        try:
            for one in options:
                self._states.append(State(place.path / "pollers", one.url))
            for one, state in zip(options, self._states, strict=True):
                metrics = self._measured(one) if metered and destinations.metrics_endpoint(os.environ) else None
                told = telling.Telling(self._notifier, one.url) if self._notifier else None
                self.polled.append(ControllerLoop(one, state, place, self._stopping, metrics, told, self._teller))
        except BaseException:
            self.close()
            raise

    def _teller(self) -> Teller | None:
        if self._destination is None:
            return None
        if destinations.traces_endpoint(os.environ):
            return destinations.configured_teller(os.environ, self._destination)
        return None if "none" in destinations.logs_exporters(os.environ) else LocalTeller(self._place)

    def _measured(self, options: ControllerOptions) -> Metrics | None:
        # Imported here: the SDK is large.
        from . import metrics

        controller = options.settings.root_url or options.url
        # The journals belong to the machine, not to a controller. So only the first controller's metrics count them.
        journals = self._place.journals if not self._metrics else None
        try:
            exporter = metrics.metric_exporter(os.environ, Changes())
        except Exception as error:
            # Any error: spans do not need the metrics.
            said = f"no metrics are sent ({error}); correct the variables, or set OTEL_METRICS_EXPORTER=none"
            say(logging.WARNING, said)
            return None
        self._metrics.append(
            metrics.Metrics(exporter, metrics.metrics_resource(service_attributes(controller), controller), journals)
        )
        return self._metrics[-1]

    def once(self, progress: Progress, reread_age: float | None = None) -> list[Swept | SweepError]:
        """Poll all once; return what became of each. See Poller.sweep; ``progress``: for one controller only."""

        def sweep(polled: ControllerLoop) -> Swept | SweepError:
            try:
                shown = progress if len(self.polled) == 1 else lambda swept, total: None
                return polled.sweep(shown, reread_age)
            except SweepError as error:
                return error

        with ThreadPoolExecutor(len(self.polled)) as pool:
            try:
                return list(pool.map(sweep, self.polled))
            except BaseException:
                # Ctrl-C: wait only for the builds that are being read.
                self._stopping.set()
                raise

    def forever(self) -> None:
        """Poll until TERM or INT. Then finish and deliver the builds that are being read. A second signal exits at once."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        say(logging.INFO, "polling", controllers=len(self.polled))
        polled = threading.Event()
        threads = [threading.Thread(target=one.run, args=(polled,), name=one.options.url) for one in self.polled]
        for thread in threads:
            thread.start()
        if self._notifier:
            self._notifier.start()
        try:
            while any(thread.is_alive() for thread in threads):
                if polled.wait(_TICK_SECONDS):
                    polled.clear()
                    self._deliver()
        finally:
            self._stopping.set()
        self._deliver(_LAST_DELIVERY_SECONDS)
        if self._notifier:
            self._notifier.close(_LAST_MESSAGES_SECONDS)
        say(logging.INFO, "ended")

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self._stopping.is_set():
            # A container's first process has no default action for signals, so exit here.
            os._exit(128 + number)
        self._stopping.set()

    def _deliver(self, timeout: float = DELIVERY_SECONDS) -> None:
        if self._destination is None:
            return
        outcome = deliver_journals(self._place.journals, self._destination, timeout)
        if outcome.delivered:
            say(logging.INFO, "delivered", spans=outcome.delivered, to=self._destination.name)
        self.count(outcome.losses)
        for text in outcome.warnings:
            say(logging.WARNING, text)
        if outcome.problem:
            if outcome.problem != self._delivery.last:
                count = waiting.said_count(self._place.journals)
                said = f"{count} ({outcome.problem}); the poller tries again after each poll"
                self._delivery.problem(outcome.problem, said)
        elif outcome.all_tried:
            self._delivery.well(f"{self._destination.name} accepts spans again")

    def count(self, lost: losses.Losses) -> None:
        """Add what was lost in deliveries to the metrics."""
        if self._metrics:
            self._metrics[0].lost(lost.counts)

    def close(self) -> None:
        """Send the metrics a last time, and close states and connections."""
        for state in self._states:
            state.close()
        if self._metrics:
            with ThreadPoolExecutor(len(self._metrics)) as pool:
                list(pool.map(lambda metrics: metrics.close(_LAST_METRICS_SECONDS), self._metrics))
        if self._destination:
            self._destination.close()


def service_attributes(controller: str) -> Mapping[str, AttributeValue]:
    """Return the resource attributes of a controller: service name, and what the OTEL_* variables add."""
    return resource.from_environment(os.environ, facts.service_name(controller))
