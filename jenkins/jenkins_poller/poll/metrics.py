"""Sends the CI/CD metrics of one controller and the poller's own metrics, with the OpenTelemetry SDK.

Metrics never stop or slow down a poll. They are sent from another thread, and a receiver that is down is logged once.
"""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from pipeline_trace import __version__
from pipeline_trace.delivery.destinations import (
    ONLY_TRACES,
    Accepted,
    SetupError,
    endpoint,
    metrics_endpoint,
    traces_endpoint,
    transport,
)
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace import masking, redact
from pipeline_trace.trace.span import AttributeValue, Span

from ..spans import measured
from .backlog import Backlog
from .logs import Changes

# In seconds. Builds take seconds to hours; the SDK's default boundaries are for milliseconds.
_BOUNDARIES = (1, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400)
# Errors of the controller, by ApiError.kind. HTTP statuses of 500 and above are its errors too.
_CONTROLLER_ERRORS = ("timeout", "connection", "no_json")


class Metrics:
    """The metrics of one controller. Thread-safe."""

    def __init__(self, exporter: MetricExporter, resource: Mapping[str, AttributeValue], journals: Path | None) -> None:
        """``journals``: the folder of journals to count; None if the metrics of another controller count them."""
        reader = PeriodicExportingMetricReader(exporter)
        self._provider = MeterProvider([reader], Resource(dict(resource)), shutdown_on_exit=False)
        meter = self._provider.get_meter("pipeline-trace", __version__)
        self._backlog = Backlog(journals) if journals else None
        self._newest_ns = 0
        self._active: Counter[str] | None = None
        self._shown: set[str] = set()
        self._workers: Mapping[str, int] = {}
        durations = meter.create_histogram(
            c.RUN_DURATION, "s", "How long runs were in each state", explicit_bucket_boundaries_advisory=_BOUNDARIES
        )
        waits = meter.create_histogram(
            c.JENKINS_QUEUE_WAIT, "s", "How long builds waited in the queue", explicit_bucket_boundaries_advisory=_BOUNDARIES
        )
        errors = meter.create_counter(c.RUN_ERRORS, "{error}", "Errors in runs")
        system = meter.create_counter(c.SYSTEM_ERRORS, "{error}", "Errors of the controller and its agents")
        failures = meter.create_counter(c.FAILURES, "{failure}", "Builds that failed, by who should look first")
        self._add: dict[str, Callable[[float, Mapping[str, AttributeValue]], None]] = {
            c.RUN_DURATION: durations.record,
            c.JENKINS_QUEUE_WAIT: waits.record,
            c.RUN_ERRORS: errors.add,
            c.SYSTEM_ERRORS: system.add,
            c.FAILURES: failures.add,
        }
        self._requests = meter.create_counter(c.POLLER_REQUESTS, "{request}", "Requests to the controller")
        self._errors = meter.create_counter(c.POLLER_ERRORS, "{error}", "Polls that failed")
        self._builds = meter.create_counter(c.POLLER_BUILDS, "{build}", "Builds whose spans were written")
        meter.create_observable_up_down_counter(
            c.RUNS_ACTIVE, [self._look_at_active], "{run}", "Runs that were executing at the last poll"
        )
        meter.create_observable_up_down_counter(
            c.WORKER_COUNT, [self._look_at_workers], "{worker}", "Agents at the last poll"
        )
        meter.create_observable_gauge(c.POLLER_LAG, [self._look_at_lag], "s", "Time since the end of the newest build")
        self._lost = meter.create_counter(c.POLLER_LOST_SPANS, "{span}", "Spans that will never arrive")
        if self._backlog:
            meter.create_observable_up_down_counter(
                c.POLLER_WAITING_JOURNALS, [self._look_at_journals], "{journal}", "Journals that wait for delivery"
            )
            meter.create_observable_up_down_counter(
                c.POLLER_WAITING_SPANS, [self._look_at_spans], "{span}", "Spans that wait for delivery"
            )
            meter.create_observable_up_down_counter(
                c.POLLER_SET_ASIDE, [self._look_at_aside], "{journal}", "Journals that are set aside"
            )

    def request(self, kind: str) -> None:
        """Count a request. ``kind``: "200", or the error (ApiError.kind)."""
        attributes: dict[str, AttributeValue] = {} if kind == "200" else {c.ERROR_TYPE: kind}
        if kind.isdigit():
            attributes[c.HTTP_RESPONSE_STATUS_CODE] = int(kind)
        self._requests.add(1, attributes)
        if kind in _CONTROLLER_ERRORS or (kind.isdigit() and int(kind) >= 500):
            self._add[c.SYSTEM_ERRORS](1, {c.SYSTEM_COMPONENT: "controller", c.ERROR_TYPE: kind})

    def build(self, spans: Sequence[Span]) -> None:
        """Count a build whose spans were written, and record its durations. ``spans``: the run's first."""
        self._builds.add(1)
        self._newest_ns = max(self._newest_ns, spans[0].end_ns)
        for one in measured.measurements_of_build(spans, time.time_ns()):
            self._add[one.metric](one.value, one.attributes)

    def lost(self, counts: Mapping[str, int]) -> None:
        """Count spans that will never arrive, by reason."""
        for reason, count in counts.items():
            if count:
                self._lost.add(count, {c.LOST_REASON: reason})

    def polled(self, active: Counter[str], workers: Mapping[str, int]) -> None:
        """Record what a poll saw. ``active``: running builds, by job. ``workers``: agents, by state."""
        self._active, self._workers = active, workers

    def failed(self, kind: str) -> None:
        """Count a failed poll. Forgets running builds and agents, because their numbers may have changed."""
        self._errors.add(1, {c.ERROR_TYPE: kind})
        self._active, self._workers = None, {}

    def close(self, seconds: float) -> None:
        """Send all metrics a last time, within ``seconds``, and stop."""
        self._provider.shutdown(seconds * 1e3)

    def _look_at_active(self, _: CallbackOptions) -> Iterable[Observation]:
        if self._active is None:
            return []
        running = {job: count for job, count in self._active.items() if count}
        # A job that has no running build any more gets the value 0 once.
        jobs, self._shown = self._shown | running.keys(), set(running)
        state = {c.RUN_STATE: measured.EXECUTING}
        return [Observation(running.get(job, 0), {c.PIPELINE_NAME: masking.masked(job), **state}) for job in sorted(jobs)]

    def _look_at_workers(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(count, {c.WORKER_STATE: state}) for state, count in self._workers.items()]

    def _look_at_lag(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(max(time.time_ns() - self._newest_ns, 0) / 1e9)] if self._newest_ns else []

    def _look_at_journals(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._backlog.journals())] if self._backlog else []

    def _look_at_spans(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._backlog.spans())] if self._backlog else []

    def _look_at_aside(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._backlog.aside())] if self._backlog else []


def metrics_resource(service: Mapping[str, AttributeValue], controller: str) -> dict[str, AttributeValue]:
    """Return the resource attributes of a controller's metrics. ``service``: the resource attributes of its spans."""
    return {c.SERVICE_INSTANCE_ID: controller, c.HOST_NAME: socket.gethostname(), **service}


def metric_exporter(environ: Mapping[str, str], changes: Changes) -> MetricExporter:
    """Return the exporter that the OTEL_EXPORTER_OTLP_* variables describe. Raises SetupError."""
    problem = endpoint.setup_problem(environ, endpoint.METRICS)
    if problem:
        raise SetupError(problem)
    return _Exporter(environ, changes)


def _inner(environ: Mapping[str, str], watch: transport.Watch) -> Any:
    """Return OpenTelemetry's exporter, whose requests go through ``watch``."""
    seconds = endpoint.seconds(environ, endpoint.METRICS)
    if endpoint.protocol(environ, endpoint.METRICS) == endpoint.GRPC:
        transport.prepare_grpc(environ)
        from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_exporter

        compression = transport.grpc_compression(environ, endpoint.METRICS)
        made = grpc_exporter.OTLPMetricExporter(timeout=seconds, compression=compression)
        transport.watch_stub(made, watch)
        return made
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    certificates = endpoint.certificates(environ, endpoint.METRICS)
    return OTLPMetricExporter(timeout=seconds, session=transport.make_session(certificates, watch))


class _Exporter(MetricExporter):
    """Sends each request once, takes only OTLP's answers for a success, and logs each problem once."""

    def __init__(self, environ: Mapping[str, str], changes: Changes) -> None:
        self._environ = environ
        self._watch = transport.Watch(ExportMetricsServiceResponse)
        self._inner = _inner(environ, self._watch)
        super().__init__(self._inner._preferred_temporality, self._inner._preferred_aggregation)
        receiver = metrics_endpoint(environ)
        self._receiver = redact.masked(receiver)
        self._changes = changes
        # Spans go to the same receiver, so the delivery of spans already logs that it does not listen.
        self._shared = receiver == traces_endpoint(environ)

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        self._watch.result = None
        problem = "the metrics cannot be encoded"
        try:
            self._inner.export(metrics_data, timeout_millis)
        except Exception as error:
            # Any error: the watch's own, or one of the exporter's. Neither may end the thread that sends metrics.
            problem = redact.masked(f"{type(error).__name__}: {error}")
        result = self._watch.result
        if isinstance(result, Accepted):
            return self._accepted(result)
        if result is None:
            return self._failed(problem)
        if (result.passing or result.refused) and endpoint.protocol(self._environ, endpoint.METRICS) == endpoint.GRPC:
            # A channel that lost its connection waits longer and longer before it makes a new one.
            self._inner.shutdown()
            self._inner = _inner(self._environ, self._watch)
        # Our own `serve` takes no metrics, which is nothing to warn of.
        return self._failed(str(result), said=(self._shared and result.refused) or ONLY_TRACES in str(result))

    def _accepted(self, result: Accepted) -> MetricExportResult:
        if result.rejected > 0:
            problem = f"it rejected some of them: {redact.masked(result.reason) or 'no reason given'}"
            self._changes.problem(problem, f"{self._receiver} does not accept all metrics ({problem}); see its log")
        else:
            self._changes.well(f"{self._receiver} accepts metrics again")
        return MetricExportResult.SUCCESS

    def _failed(self, problem: str, *, said: bool = False) -> MetricExportResult:
        if not said:
            advice = "to send no metrics, set OTEL_METRICS_EXPORTER=none"
            self._changes.problem(problem, f"{self._receiver} does not accept metrics ({problem}); {advice}")
        return MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return bool(self._inner.force_flush(timeout_millis))

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self._inner.shutdown(timeout_millis)
