"""The poller's figures and the CI/CD metrics, as a real receiver gets them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import support
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from support import processes
from support.otlp_receiver import Fault as ReceiverFault
from support.otlp_receiver import Metrics, Point, Protocol, Receiver, free_port
from support.proxy import Proxy
from support.service import Service
from support.serving import Server

from jenkins_poller.poll.backlog import Backlog
from jenkins_poller.poll.logs import Changes
from jenkins_poller.poll.metrics import metric_exporter
from jenkins_poller.spans import measured
from pipeline_trace.delivery.journal import Writer, find_journals
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span
from pipeline_trace_demo.replay import Fault, Replay, TimeMap

SECOND = 10**9
# Name, unit, kind, and the attributes of each of its points.
EXPECTED = {
    "cicd.pipeline.run.duration": ("s", "histogram", False, {c.PIPELINE_NAME, c.RUN_STATE, c.PIPELINE_RESULT}),
    "cicd.worker.count": ("{worker}", "sum", False, {"cicd.worker.state"}),
    "jenkins.queue.wait": ("s", "histogram", False, {c.PIPELINE_NAME, "jenkins.queue.phase"}),
    "pipeline_trace.poller.builds": ("{build}", "sum", True, set()),
    "pipeline_trace.poller.lag": ("s", "gauge", False, set()),
    "pipeline_trace.poller.requests": ("{request}", "sum", True, {"http.response.status_code"}),
    "pipeline_trace.poller.set_aside": ("{journal}", "sum", False, set()),
    "pipeline_trace.poller.waiting.journals": ("{journal}", "sum", False, set()),
    "pipeline_trace.poller.waiting.spans": ("{span}", "sum", False, set()),
}


def just_ended(jenkins: Replay) -> None:
    """Show what was recorded as if its last build had ended five seconds ago."""
    ends = [d["timestamp"] + (d["duration"] or 0) for d in jenkins.documents.values() if "timestamp" in d]
    jenkins.time_map = TimeMap([(max(ends), int((time.time() - 5) * 1000))])


def replayed(name: str) -> Replay:
    replay = Replay(support.recording(name))
    just_ended(replay)
    return replay


@pytest.fixture
def jenkins() -> Iterator[Replay]:
    with replayed("11") as replay:
        yield replay


def polled(receiver: Receiver, jenkins: Replay, env: Mapping[str, str], protocol: Protocol = "http") -> support.Completed:
    done = support.poll(jenkins.url, env={**env, **receiver.environ(protocol)})
    assert (done.returncode, done.stderr) == (0, "")
    return done


def values(points: list[Point]) -> dict[tuple[Any, ...], Any]:
    """Return a metric's values by what its points' attributes say, in the order of their names."""
    return {tuple(point.attributes[name] for name in sorted(point.attributes)): point.value for point in points}


@pytest.mark.process
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_names_units_kinds_and_attributes_are_the_conventions(
    env: dict[str, str], jenkins: Replay, protocol: Protocol
) -> None:
    with Receiver() as receiver:
        polled(receiver, jenkins, env, protocol)
        (points,) = receiver.points()
    found = {point.metric: (point.unit, point.kind, point.monotonic, {*point.attributes}) for point in points}
    assert found == EXPECTED
    (resource,) = {tuple(sorted(point.resource.items())) for point in points}
    assert dict(resource)["service.name"] == "127.0.0.1"
    assert dict(resource)["service.instance.id"] == jenkins.url


def test_values_are_those_of_the_builds(env: dict[str, str], jenkins: Replay) -> None:
    with Receiver() as receiver:
        polled(receiver, jenkins, env)
        spans = receiver.spans()
    (points,) = receiver.points()
    durations = values([point for point in points if point.metric == "cicd.pipeline.run.duration"])
    for job, count in (("app-build", 2), ("app-deploy", 3)):
        of_job = [span for span in spans if span["resource"][c.PIPELINE_NAME] == job]
        whole = sum(seconds(span) for kind in ("run", "queue") for span in support.by_type(of_job, kind))
        states = [durations[job, "success", state] for state in ("pending", "executing", "finalizing")]
        assert [times for times, _ in states] == [count] * 3
        assert sum(total for _, total in states) == pytest.approx(whole)
    (duration,) = {point.bounds for point in points if point.metric == "cicd.pipeline.run.duration"}
    assert max(duration) >= 86400
    by_name = {point.metric: point.value for point in points}
    assert by_name["pipeline_trace.poller.builds"] == 5
    assert by_name["pipeline_trace.poller.requests"] == len(jenkins.requests)
    assert 5 <= by_name["pipeline_trace.poller.lag"] < 60
    workers = values([point for point in points if point.metric == "cicd.worker.count"])
    assert workers == {("available",): 3, ("busy",): 0, ("offline",): 0}


def seconds(span: dict[str, Any]) -> float:
    return float(span["end_unix_nano"] - span["start_unix_nano"]) / SECOND


def test_no_run_and_no_trace_is_ever_named(env: dict[str, str], jenkins: Replay) -> None:
    with Receiver() as receiver:
        polled(receiver, jenkins, env)
        names = {name for points in receiver.points() for point in points for name in {**point.attributes, **point.resource}}
    assert not [name for name in names if "run.id" in name or "url.full" in name or "trace" in name]


def test_a_failure_is_an_error_of_the_run_and_not_of_the_system(env: dict[str, str]) -> None:
    with replayed("31") as jenkins, Receiver() as receiver:
        polled(receiver, jenkins, env)
    assert values(receiver.last("cicd.pipeline.run.errors")) == {("fail-sh", "AbortException"): 1}
    (failure,) = receiver.last("pipeline_trace.failures")
    assert (failure.unit, failure.monotonic, failure.value) == ("{failure}", True, 1)
    assert set(failure.attributes) == {c.PIPELINE_NAME, c.FAILURE_OWNER, c.FAILURE_KIND}
    assert receiver.last("cicd.system.errors") == []
    assert {point.attributes[c.PIPELINE_RESULT] for point in receiver.last("cicd.pipeline.run.duration")} == {"failure"}


def test_the_controllers_own_errors_are_the_systems(env: dict[str, str], jenkins: Replay) -> None:
    jenkins.faults = [Fault("tree=jobs", "status", status=503, times=1, headers={"Retry-After": "0"})]
    with Receiver() as receiver:
        polled(receiver, jenkins, env)
    assert values(receiver.last("cicd.system.errors")) == {("controller", "503"): 1}
    assert values(receiver.last("pipeline_trace.poller.requests"))["503", 503] == 1


def test_a_poll_that_failed_is_counted_and_tells_nothing_that_it_did_not_see(env: dict[str, str], jenkins: Replay) -> None:
    jenkins.faults = [Fault("", "status", status=403)]
    with Receiver() as receiver:
        done = support.poll(jenkins.url, env={**env, **receiver.environ()})
        assert done.returncode == 1
        (points,) = receiver.points()
    assert values(receiver.last("pipeline_trace.poller.errors")) == {("403",): 1}
    assert {point.metric for point in points} & {"cicd.worker.count", "cicd.pipeline.run.active"} == set()
    assert "pipeline_trace.poller.lag" not in {point.metric for point in points}


def test_builds_of_a_backfill_are_no_builds_of_now(env: dict[str, str]) -> None:
    with Replay(support.recording("11")) as jenkins, Receiver() as receiver:
        polled(receiver, jenkins, env)
    assert receiver.last("cicd.pipeline.run.duration") == []
    (builds,) = receiver.last("pipeline_trace.poller.builds")
    assert builds.value == 5


@pytest.mark.process
def test_runs_that_execute_are_active_until_they_have_ended(start: Callable[..., Service]) -> None:
    with Replay(support.recording("11")) as jenkins, Receiver() as receiver:
        jenkins.edit("/job/app-build/2/api/json", lambda build: build.update(building=True, result=None))
        more = {**receiver.environ(), "OTEL_METRIC_EXPORT_INTERVAL": "100"}
        service = start("--jenkins-url", jenkins.url, "--interval", "1", "--since", "5000w", **more)

        def active() -> dict[tuple[Any, ...], Any]:
            return values(receiver.last("cicd.pipeline.run.active"))

        processes.wait_for(lambda: active() == {("app-build", "executing"): 1}, "active run")
        jenkins.load(support.recording("11"))
        processes.wait_for(lambda: active() == {("app-build", "executing"): 0}, "end of the run")
        assert service.end() == (0, "")


def test_an_idle_poll_is_two_requests(env: dict[str, str], jenkins: Replay) -> None:
    with Receiver() as receiver:
        polled(receiver, jenkins, env)
        polled(receiver, jenkins, env)
        jenkins.reset()
        polled(receiver, jenkins, env)
    assert [request.path.partition("?")[0] for request in jenkins.requests] == ["/api/json", "/computer/api/json"]


# Off


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        (["--no-metrics"], {}),
        ([], {"OTEL_METRICS_EXPORTER": "none"}),
        ([], {"OTEL_SDK_DISABLED": "true"}),
        ([], {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}),
    ],
)
def test_metrics_can_be_turned_off_and_then_nothing_is_asked_for_them(
    env: dict[str, str], jenkins: Replay, options: list[str], variables: dict[str, str]
) -> None:
    with Receiver() as receiver:
        done = support.poll(jenkins.url, *options, env={**env, **receiver.environ(), **variables})
        assert done.returncode == 0
        assert receiver.points() == []
    assert not [request for request in jenkins.requests if "computer" in request.path]


def test_a_receiver_for_spans_alone_gets_no_metrics(env: dict[str, str], jenkins: Replay) -> None:
    with Receiver() as receiver:
        more = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.http_url}/v1/traces"}
        assert support.poll(jenkins.url, env={**env, **more}).returncode == 0
        assert receiver.points() == []
        assert receiver.spans()


def test_a_receiver_for_metrics_alone_gets_no_spans(env: dict[str, str], jenkins: Replay) -> None:
    with Receiver() as receiver:
        more = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{receiver.http_url}/v1/metrics"}
        assert support.poll(jenkins.url, env={**env, **more}).returncode == 0
        assert receiver.last("cicd.pipeline.run.duration")
        assert receiver.spans() == []
    assert support.stored(env)


def test_metrics_may_take_another_way_than_spans(env: dict[str, str], jenkins: Replay) -> None:
    with Receiver() as spans, Receiver() as metrics:
        more = {
            **spans.environ("http"),
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": metrics.grpc_url,
            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc",
        }
        assert support.poll(jenkins.url, env={**env, **more}).returncode == 0
        assert (bool(spans.spans()), spans.points()) == (True, [])
        assert (metrics.spans(), bool(metrics.points())) == ([], True)


# Receivers that fail


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("metrics", ["none", "never"])
def test_a_receiver_that_takes_no_metrics_takes_all_spans(
    env: dict[str, str], jenkins: Replay, protocol: Protocol, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How long the end waits for a receiver that never answers.
    monkeypatch.setattr("jenkins_poller.poll.service._LAST_METRICS_SECONDS", 0.5)
    with Receiver(metrics=metrics) as receiver:
        done = support.poll(jenkins.url, env={**env, **receiver.environ(protocol)})
        assert done.returncode == 0
        assert len(support.by_type(receiver.spans(), "run")) == 5
    assert support.journals(env) == []
    assert len(done.stderr.splitlines()) <= 1
    if metrics == "none":
        assert "does not accept metrics" in done.stderr
        assert "OTEL_METRICS_EXPORTER=none" in done.stderr


@pytest.mark.process
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_our_own_server_takes_no_metrics_and_nobody_is_warned_of_it(
    env: dict[str, str], jenkins: Replay, tmp_path: Path, protocol: str
) -> None:
    folder = tmp_path / "serve"
    folder.mkdir()
    with Server(support.environ(folder)) as server:
        receiver = server.url if protocol != "grpc" else f"http://{server.grpc.removeprefix('http://')}"
        sent = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
        done = support.spawn("poll", "--once", "--jenkins-url", jenkins.url, env={**env, **sent})
    assert (done.returncode, done.stderr) == (0, "")
    assert "spans delivered to" in done.stdout


def test_what_was_lost_is_said_in_one_line_and_counted(env: dict[str, str], jenkins: Replay) -> None:
    with Receiver(fault=ReceiverFault("partial", rejected=2, message="no such tenant", times=1)) as receiver:
        done = support.poll(jenkins.url, env={**env, **receiver.environ("http")})
        lost = values(receiver.last("pipeline_trace.poller.lost.spans"))
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "2 rejected by the receiver (no such tenant)" in line
    assert lost == {("rejected",): 2}


def test_a_journal_that_is_refused_for_ever_holds_up_no_builds(env: dict[str, str], jenkins: Replay) -> None:
    folder = Path(env["PIPELINE_TRACE_HOME"]) / "journals"
    folder.mkdir(parents=True)
    writer = Writer(folder)
    writer.span(span("poison", 1, 2))
    writer.end()
    poison = ReceiverFault("status", status=403, where=lambda spans: any(one["name"] == "poison" for one in spans))
    with Receiver(fault=poison) as receiver:
        done = support.poll(jenkins.url, env={**env, **receiver.environ("http")})
        assert len(support.by_type(receiver.spans(), "run")) == 5
    (line,) = done.stderr.splitlines()
    assert f"1 spans wait in {folder}" in line
    assert "403 Forbidden" in line
    assert find_journals(folder) == [writer.path]


@pytest.mark.process
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_metrics_and_spans_go_through_a_proxy(env: dict[str, str], jenkins: Replay, protocol: Protocol) -> None:
    with Receiver() as receiver, Proxy() as proxy:
        host, port = "collector.internal", receiver.url(protocol).rpartition(":")[2]
        proxy.names[host] = f"127.0.0.1:{port}"
        ways = {"http_proxy": proxy.url, "no_proxy": "127.0.0.0/8", "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{host}:{port}"}
        words = ("poll", "--once", "--since", "36500d", "--jenkins-url", jenkins.url)
        done = support.spawn(*words, env={**env, **receiver.environ(protocol), **ways})
        assert (done.returncode, done.stderr) == (0, "")
        assert len(support.by_type(receiver.spans(), "run")) == 5
        assert receiver.last("cicd.pipeline.run.duration")


def test_a_receiver_of_metrics_that_is_down_is_said_in_one_line(env: dict[str, str], jenkins: Replay) -> None:
    more = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"http://127.0.0.1:{free_port()}/v1/metrics"}
    done = support.poll(jenkins.url, env={**env, **more})
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "Connection refused" in line
    assert len(support.by_type(support.stored(env), "run")) == 5


def test_settings_of_metrics_that_make_no_sense_cost_no_span(env: dict[str, str], jenkins: Replay) -> None:
    with Receiver() as receiver:
        wrong = {"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "carrier-pigeon"}
        done = support.poll(jenkins.url, env={**env, **receiver.environ(), **wrong})
        assert done.returncode == 0
        assert len(support.by_type(receiver.spans(), "run")) == 5
    (line,) = done.stderr.splitlines()
    assert "no metrics are sent" in line


def test_a_login_page_that_answers_200_takes_no_metrics_and_is_said_once(env: dict[str, str], jenkins: Replay) -> None:
    with Receiver(metrics="page") as receiver:
        done = support.poll(jenkins.url, env={**env, **receiver.environ("http")})
        assert done.returncode == 0
        assert len(support.by_type(receiver.spans(), "run")) == 5
    (line,) = done.stderr.splitlines()
    assert "does not accept metrics (answered 200 with text/html" in line


@pytest.mark.process
def test_a_service_goes_on_where_metrics_are_never_answered(jenkins: Replay, start: Callable[..., Service]) -> None:
    with Receiver(metrics="never") as receiver:
        more = {**receiver.environ(), "OTEL_METRIC_EXPORT_INTERVAL": "100"}
        service = start("--jenkins-url", jenkins.url, "--interval", "1", "--since", "5000w", **more)
        receiver.wait_for(78)
        processes.wait_for(lambda: len([r for r in jenkins.requests if "tree=jobs" in r.path]) > 2, "third poll")
        status, _ = service.end()
        assert status == 0


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_time_limit_in_milliseconds_holds_for_metrics_too(
    env: dict[str, str], protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver(metrics="never") as receiver:
        for name, value in receiver.environ(protocol).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "1000")
        exporter = metric_exporter(os.environ, Changes())
        results: list[MetricExportResult] = []
        thread = threading.Thread(target=lambda: results.append(exporter.export(MetricsData(resource_metrics=[]))))
        thread.start()
        thread.join(30)
        assert results == [MetricExportResult.FAILURE]
        exporter.shutdown()
    thread.join()


def test_several_controllers_are_told_apart_by_their_resource(env: dict[str, str], jenkins: Replay, tmp_path: Path) -> None:
    file = tmp_path / "poller.yaml"
    with replayed("20") as other, Receiver() as receiver:
        file.write_text(f"controllers:\n- {{url: '{jenkins.url}', since: 1d}}\n- {{url: '{other.url}', since: 1d}}\n")
        done = support.trace("poll", "--once", "--config", file, env={**env, **receiver.environ()})
        assert (done.returncode, done.stderr) == (0, "")
        points = [point for told in receiver.points() for point in told]
    requests = [point for point in points if point.metric == "pipeline_trace.poller.requests"]
    assert {point.resource["service.instance.id"] for point in requests} == {jenkins.url, other.url}
    # What waits is this machine's, not a controller's.
    assert len([point for point in points if point.metric == "pipeline_trace.poller.waiting.journals"]) == 1


# What is measured of a build


def span(kind: str, start: float, end: float, **attributes: Any) -> Span:
    name = {c.JENKINS_TYPE: kind, **({c.PIPELINE_NAME: "app"} if kind == "run" else {}), **attributes}
    return Span("1" * 32, "2" * 16, None, kind, int(start * SECOND), int(end * SECOND), attributes=name)


def measure(*spans: Span, now: float = 200) -> list[tuple[str, float, dict[str, Any]]]:
    found = measured.measurements_of_build(spans, int(now * SECOND))
    return [(one.metric, one.value, {k: v for k, v in one.attributes.items() if k != c.PIPELINE_NAME}) for one in found]


def test_a_failure_is_counted_by_owner_kind_and_environment() -> None:
    verdict = {c.FAILURE_OWNER: "ops", c.FAILURE_KIND: "disk_full"}
    failed = {c.PIPELINE_RESULT: "failure", "jenkins.parameter.TARGET_ENV": "prod", **verdict}
    found = [one for one in measure(span("run", 100, 160, **failed)) if one[0] == "pipeline_trace.failures"]
    assert found == [("pipeline_trace.failures", 1, {**verdict, "deployment.environment.name": "production"})]


def test_a_wait_that_is_not_known_is_left_out() -> None:
    assert measure(span("run", 100, 160, **{c.PIPELINE_RESULT: "success"})) == [
        ("cicd.pipeline.run.duration", 60, {"cicd.pipeline.run.state": "executing", c.PIPELINE_RESULT: "success"})
    ]


def test_each_step_that_failed_is_an_error_and_the_run_where_no_step_says_so() -> None:
    run = span("run", 100, 160, **{c.PIPELINE_RESULT: "failure", c.ERROR_TYPE: "FAILURE"})
    step = span("step", 110, 120, **{c.ERROR_TYPE: "AbortException", c.TASK_RUN_RESULT: "failure"})
    errors = [attributes for name, _, attributes in measure(run, step, step) if name == c.RUN_ERRORS]
    assert errors == [{"error.type": "AbortException"}] * 2
    errors = [attributes for name, _, attributes in measure(run) if name == c.RUN_ERRORS]
    assert errors == [{"error.type": "FAILURE"}]


def test_a_step_that_failed_in_a_run_that_did_not_is_no_error() -> None:
    run = span("run", 100, 160, **{c.PIPELINE_RESULT: "success"})
    step = span("step", 110, 120, **{c.ERROR_TYPE: "AbortException", c.TASK_RUN_RESULT: "failure"})
    assert {name for name, _, _ in measure(run, step)} == {"cicd.pipeline.run.duration"}


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"jenkins.interruptions": ["RemovedNodeCause"]}, "RemovedNodeCause"),
        ({}, "ChannelClosedException"),
    ],
)
def test_a_lost_agent_is_an_error_of_the_system(attributes: dict[str, Any], said: str) -> None:
    run = span("run", 100, 160, **{c.PIPELINE_RESULT: "error", c.ERROR_TYPE: "ABORTED", **attributes})
    step = span("step", 110, 120, **{c.ERROR_TYPE: "ChannelClosedException", c.TASK_RUN_RESULT: "error"})
    found = [attributes for name, _, attributes in measure(run, step) if name == c.SYSTEM_ERRORS]
    assert found == [{"cicd.system.component": "agent", "error.type": said}]


@pytest.mark.parametrize(("age", "counted"), [(3599, True), (3601, False)])
def test_what_ended_more_than_an_hour_ago_is_not_measured(age: float, counted: bool) -> None:
    run = span("run", 100, 160, **{c.PIPELINE_RESULT: "success"})
    assert bool(measure(run, now=160 + age)) is counted


def test_waiting_spans_are_counted_and_delivered_ones_not(tmp_path: Path) -> None:
    backlog = Backlog(tmp_path)
    assert (backlog.journals(), backlog.spans()) == (0, 0)
    for _ in range(2):
        writer = Writer(tmp_path)
        for _ in range(3):
            writer.span(span("run", 1, 2))
        writer.end()
    assert (backlog.journals(), backlog.spans()) == (2, 6)
    first, _ = find_journals(tmp_path)
    first.unlink()
    assert (backlog.journals(), backlog.spans()) == (1, 3)
