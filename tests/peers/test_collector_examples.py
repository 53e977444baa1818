"""The configurations in examples/collector do what they say: figures are counted, sampled traces are whole."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import support
from support import otel_collector, processes, runs
from support.metrics_receiver import MetricsReceiver
from support.otel_collector import EXAMPLES, Collector
from support.otlp_receiver import Receiver
from support.toolchains import needs_collector

from pipeline_trace.trace.span import Span
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
        assert support.poll(jenkins.url, env=env).returncode == 0
        builds = support.by_type(support.stored(env), "run")
        expected = Counter((b["resource"]["cicd.pipeline.name"], b["attributes"]["cicd.pipeline.result"]) for b in builds)
        assert {"success", "failure"} <= {result for _, result in expected}
        settings = {
            "connectors__span_metrics__metrics_flush_interval": "200ms",
            "exporters__otlp_http__metrics_endpoint": metrics.url,
        }
        (tmp_path / "sending").mkdir()
        with Collector(tmp_path / "collector", "gateway", backend=backend.http_url, **settings) as collector:
            sending = {**support.environ(tmp_path / "sending"), **collector.environ()}
            assert support.poll(jenkins.url, env=sending).returncode == 0
            processes.wait_for(lambda: counted(metrics) == expected, f"figures of {sum(expected.values())} runs")
    seconds = sum(point.sum for _, point in of_runs(metrics, "duration"))
    lasted = sum(int(build["end_unix_nano"]) - int(build["start_unix_nano"]) for build in builds)
    assert seconds == pytest.approx(lasted / 1e9)
    # No run's id, and no name that would be a series each.
    for resource, own, _ in metrics.points("traces.span.metrics.calls"):
        assert set(resource) == {"service.name"}
        assert "span.name" not in own


def of_runs(metrics: MetricsReceiver, name: str) -> list[tuple[dict[str, str], Any]]:
    """Return the newest figures of builds: their attributes and the data points."""
    found = metrics.points(f"traces.span.metrics.{name}")
    return [(own, point) for _, own, point in found if own.get("jenkins.type") == "run"]


def counted(metrics: MetricsReceiver) -> dict[tuple[str, str], int]:
    """Return how many builds there were, by pipeline and result."""
    return {
        (own["cicd.pipeline.name"], own["cicd.pipeline.result"]): point.as_int for own, point in of_runs(metrics, "calls")
    }


# What was sent first arrives first, so that nothing is still under way when the last one is there.
IN_ORDER = {"exporters__otlp_http__sending_queue__num_consumers": 1}


def make_span(trace: str, name: str, parent: str | None = None, span_id: str = "") -> Span:
    now = time.time_ns()
    span_id = span_id or secrets.token_hex(8)
    return Span(trace_id=trace, span_id=span_id, parent_id=parent, name=name, start_ns=now, end_ns=now)


def make_traces(count: int) -> dict[str, list[Span]]:
    """Return traces by their ids, the root last, as the poller sends it."""
    traces = {}
    for _ in range(count):
        trace, root = secrets.token_hex(16), secrets.token_hex(8)
        traces[trace] = [*(make_span(trace, "stage", root) for _ in range(3)), make_span(trace, "RUN", None, root)]
    return traces


def in_turns(traces: dict[str, list[Span]]) -> list[Span]:
    """Return the first span of each trace, then the second ones, and so on."""
    return [span for spans in zip(*traces.values(), strict=True) for span in spans]


def send(collector: Collector, spans: Sequence[Span]) -> None:
    """Send spans, one a request."""
    collector.send(*([span] for span in spans))


def arrived(receiver: Receiver, last: Span) -> Counter[str]:
    """Return how many spans of each trace arrived before this one did."""
    processes.wait_for(lambda: last.span_id in runs.ids(receiver.spans()), "last span")
    return Counter(span["trace_id"] for span in receiver.spans() if span["trace_id"] != last.trace_id)


def test_head_sampling_keeps_whole_traces_and_the_same_ones_everywhere(tmp_path: Path, backend: Receiver) -> None:
    traces = make_traces(60)
    # The processor's word for a span to be kept.
    last = make_span(secrets.token_hex(16), "last")
    last.attributes["sampling.priority"] = 1
    found = []
    with Receiver() as other:
        for name, receiver in (("one", backend), ("other", other)):
            half = {"KEEP_PERCENT": "50"}
            with Collector(
                tmp_path / name, "gateway", "head-sampling", backend=receiver.http_url, env=half, **IN_ORDER
            ) as collector:
                send(collector, [*in_turns(traces), last])
                found.append(arrived(receiver, last))
    assert set(found[0].values()) == {4}
    assert 5 < len(found[0]) < 55
    assert found[0] == found[1]


def test_tail_sampling_keeps_whole_traces_in_which_something_failed(tmp_path: Path, backend: Receiver) -> None:
    traces = make_traces(20)
    failed = list(traces)[:5]
    for trace in failed:
        traces[trace][0].fail("broken")
    last = make_span(secrets.token_hex(16), "last")
    last.fail("broken")
    soon = {"KEEP_PERCENT": "0", "AFTER_ROOT": "1s"}
    few = {**IN_ORDER, "processors__tail_sampling__num_traces": len(traces)}
    folder = tmp_path / "collector"
    with Collector(folder, "gateway", "tail-sampling", backend=backend.http_url, env=soon, **few) as collector:
        send(collector, in_turns(traces))
        backend.wait_for(5 * 4)
        # What comes when it is decided, and forgotten for others, follows the decision.
        send(collector, in_turns(make_traces(len(traces))))
        send(collector, [*(make_span(trace, "late", spans[-1].span_id) for trace, spans in traces.items()), last])
        assert arrived(backend, last) == dict.fromkeys(failed, 5)
