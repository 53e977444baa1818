"""The configurations in examples/collector do what they say: figures are counted, sampled traces are whole."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import otel_collector
import processes
import pytest
import runs
import support
from metrics_receiver import MetricsReceiver
from otel_collector import EXAMPLES, Collector
from otlp_receiver import Receiver
from toolchains import needs_collector

from pipeline_trace.destinations.otlp import Otlp
from pipeline_trace.span import Span
from pipeline_trace_demo.replay import Replay

pytestmark = needs_collector

SETTINGS = {
    "BACKEND_URL": "https://backend.example.com:4318",
    "COLLECTOR_TOKEN": "t0ken",
    "COLLECTOR_CERTIFICATE": "/etc/otelcol/certificate.pem",
    "COLLECTOR_KEY": "/etc/otelcol/key.pem",
}
ON_TOP = ("token", "head-sampling", "tail-sampling")
ALONE = ("gateway", "near")


@pytest.fixture
def backend() -> Iterator[Receiver]:
    """What stands behind the Collector."""
    with Receiver() as backend:
        yield backend


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == {*ALONE, *ON_TOP, "builder"}


@pytest.mark.parametrize("examples", [(name,) for name in ALONE] + [("gateway", name) for name in ON_TOP])
def test_collector_finds_nothing_wrong_with(examples: tuple[str, ...]) -> None:
    done = otel_collector.validate(*examples, env=SETTINGS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_address_of_the_backend_that_is_not_set_is_named() -> None:
    done = otel_collector.validate("gateway", env={})
    assert (done.returncode, "exporters::otlp_http" in done.stderr) == (1, True), done.stderr


def test_figures_count_each_run_by_pipeline_and_result(tmp_path: Path, env: dict[str, str], backend: Receiver) -> None:
    recorded = [support.recording(name) for name in ("10-hello-freestyle", "30-fail-error")]
    with MetricsReceiver() as metrics, Replay(recorded) as jenkins:
        settings = {
            "connectors__span_metrics__metrics_flush_interval": "200ms",
            "exporters__otlp_http__metrics_endpoint": metrics.url,
        }
        with Collector(tmp_path / "collector", "gateway", backend=backend.http_url, **settings) as collector:
            assert support.poll(jenkins.url, env={**env, **collector.environ()}).returncode == 0
            ours = support.by_type(backend.wait_for(1), "run")
            processes.wait_for(lambda: metrics.points("traces.span.metrics.duration"), "figures")
            time.sleep(1)
            ours = support.by_type(backend.spans(), "run")
            points = metrics.points("traces.span.metrics.calls")
            durations = metrics.points("traces.span.metrics.duration")
    expected = Counter((run["resource"]["cicd.pipeline.name"], run["attributes"]["cicd.pipeline.result"]) for run in ours)
    assert {"success", "failure"} <= {result for _, result in expected}
    of_runs = [(own, point) for _, own, point in points if own.get("jenkins.type") == "run"]
    found = {(own["cicd.pipeline.name"], own["cicd.pipeline.result"]): point.as_int for own, point in of_runs}
    assert found == expected
    seconds = sum(point.sum for _, own, point in durations if own.get("jenkins.type") == "run")
    assert seconds == pytest.approx(sum(run["end_unix_nano"] - run["start_unix_nano"] for run in ours) / 1e9)
    # No run's id, and no name that would be a series each.
    for resource, own, _ in points:
        assert set(resource) == {"service.name"}
        assert "span.name" not in own


def deliver(collector: Collector, traces: dict[str, list[Span]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Send traces, one span at a time, in turns."""
    environ = collector.environ()
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    destination = Otlp(environ)
    for number in range(max(len(spans) for spans in traces.values())):
        destination.deliver([spans[number] for spans in traces.values() if number < len(spans)], 10)
    destination.close()


def make_traces(count: int, failed: int = 0) -> dict[str, list[Span]]:
    """Return traces by their ids: the root last, as the poller sends it; in ``failed`` of them something failed."""
    traces = {}
    for number in range(count):
        trace, root = secrets.token_hex(16), secrets.token_hex(8)
        now = time.time_ns()
        spans = [
            Span(trace_id=trace, span_id=secrets.token_hex(8), parent_id=root, name="stage", start_ns=now, end_ns=now)
            for _ in range(4)
        ]
        if number < failed:
            spans[0].fail("broken")
        traces[trace] = [*spans, Span(trace_id=trace, span_id=root, parent_id=None, name="RUN", start_ns=now, end_ns=now)]
    return traces


def kept(backend: Receiver, traces: dict[str, list[Span]]) -> set[str]:
    """Return the traces that came through, each of them whole."""
    found = Counter(span["trace_id"] for span in backend.spans())
    assert found == {trace: len(traces[trace]) for trace in found}
    return set(found)


def test_head_sampling_keeps_whole_traces_and_the_same_ones_everywhere(
    tmp_path: Path, backend: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces = make_traces(60)
    half = {"KEEP_PERCENT": "50"}
    with Receiver() as other:
        for receiver in (backend, other):
            folder = tmp_path / receiver.http_url[-5:]
            with Collector(folder, "gateway", "head-sampling", backend=receiver.http_url, env=half) as collector:
                deliver(collector, traces, monkeypatch)
                # It keeps order: what is behind the last one has been decided.
                receiver.wait_for(1)
                collector.stop()
        assert 5 < len(kept(backend, traces)) < 55
        assert kept(backend, traces) == kept(other, traces)


def test_tail_sampling_keeps_whole_traces_in_which_something_failed(
    tmp_path: Path, backend: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces = make_traces(20, failed=5)
    broken = {trace for trace, spans in traces.items() if any(span.status_message for span in spans)}
    soon = {"KEEP_PERCENT": "0", "AFTER_ROOT": "1s"}
    with Collector(tmp_path / "collector", "gateway", "tail-sampling", backend=backend.http_url, env=soon) as collector:
        deliver(collector, traces, monkeypatch)
        backend.wait_for(5 * 5)
        # What comes when it is decided follows the decision.
        late = {trace: [late_span(spans[-1])] for trace, spans in traces.items()}
        deliver(collector, late, monkeypatch)
        backend.wait_for(5 * 6)
        collector.stop()
    whole = {trace: [*spans, *late[trace]] for trace, spans in traces.items()}
    assert kept(backend, whole) == broken
    assert len(runs.ids(backend.spans())) == 5 * 6


def late_span(root: Span) -> Span:
    """Return one more child of a trace's root."""
    return Span(
        trace_id=root.trace_id,
        span_id=secrets.token_hex(8),
        parent_id=root.span_id,
        name="late",
        start_ns=root.start_ns,
        end_ns=root.end_ns,
    )
