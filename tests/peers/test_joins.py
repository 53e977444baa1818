"""Other tools join the trace of the build that runs them: inside a playbook's task, inside `exec`, and by themselves.

A recorded build, real tools: pytest's two plugins and the Maven extension.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import support
from support import runs
from support.otlp_receiver import Receiver
from support.toolchains import PEERS, needs_maven, needs_pytest_opentelemetry, needs_pytest_otel

from pipeline_trace_demo import telling
from pipeline_trace_demo.replay import Replay

Env = dict[str, str]
Spans = list[dict[str, Any]]

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN, NOT_SAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
GARBAGE = f"00-{TRACE[:-1]}-{PARENT}-zz"
ZERO = {"0" * 32, "0" * 16}


@dataclass(frozen=True)
class Peer:
    """A tool and a tiny project for it. ``names``: the spans it makes, its first one at the beginning."""

    words: tuple[str, ...]
    names: tuple[str, ...]
    env: Env = field(default_factory=dict)
    files: Env = field(default_factory=dict)
    project: Path | None = None

    def command(self, folder: Path) -> list[str]:
        """Return the command that runs it in a project of the test's own, with its variables."""
        if self.project:
            shutil.copytree(self.project, folder)
        else:
            folder.mkdir()
        for name, text in self.files.items():
            (folder / name).write_text(text)
        variables = [f"{name}={value}" for name, value in self.env.items()]
        return ["env", "-C", str(folder), *variables, *self.words]


ONE_TEST = {"test_tiny.py": "def test_adds():\n    assert 1 + 1 == 2\n"}


def pytest_of(peer: str, *words: str) -> tuple[str, ...]:
    return (str(PEERS / peer / "bin/python"), "-m", "pytest", "-p", "no:cacheprovider", "-q", *words)


PYTEST_OTEL = Peer(
    # It takes no notice of OTEL_EXPORTER_OTLP_PROTOCOL.
    pytest_of("pytest-otel", "--otel-exporter-protocol=http/protobuf"),
    ("Test Suite", "Running test_adds"),
    files=ONE_TEST,
)
PYTEST_OPENTELEMETRY = Peer(
    pytest_of("pytest-opentelemetry", "--export-traces"),
    ("test run", "test_tiny.py::test_adds", "test_tiny.py::test_adds::call"),
    {"OTEL_TRACES_EXPORTER": "otlp_proto_http"},
    ONE_TEST,
)
MAVEN = Peer(
    (shutil.which("mvn") or "mvn", "-B", "-q", "-o", "clean", "compile"),
    ("Build: example:tiny:1", "compiler:compile"),
    {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"},
    project=PEERS / "maven",
)
PEER = pytest.mark.parametrize(
    "peer",
    [
        pytest.param(PYTEST_OTEL, id="pytest-otel", marks=needs_pytest_otel),
        pytest.param(PYTEST_OPENTELEMETRY, id="pytest-opentelemetry", marks=needs_pytest_opentelemetry),
        pytest.param(MAVEN, id="maven", marks=needs_maven),
    ],
)
# In Jenkins a TRACEPARENT that is no use is as none.
STANDING = pytest.mark.parametrize("traceparent", ["", GARBAGE], ids=["in the build", "garbage"])


@pytest.fixture(scope="module")
def jenkins() -> Iterator[Replay]:
    """A controller on which app-build started app-deploy #1."""
    with Replay(support.recording("11-app-build-deploy")) as jenkins:
        yield jenkins


@pytest.fixture(scope="module")
def polled(tmp_path_factory: pytest.TempPathFactory, jenkins: Replay) -> Spans:
    """What the poller makes of the builds."""
    env = support.environ(tmp_path_factory.mktemp("polled"))
    assert support.poll(jenkins.url, env=env).returncode == 0
    return support.stored(env)


def deploy_of(spans: Spans) -> dict[str, Any]:
    """Return the run of app-deploy #1 among the poller's spans."""
    runs = [span for span in support.by_type(spans, "run") if span["resource"]["cicd.pipeline.name"] == "app-deploy"]
    (run,) = [span for span in runs if span["resource"]["cicd.pipeline.run.id"] == "1"]
    return run


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def env(tmp_path: Path, jenkins: Replay, receiver: Receiver) -> Iterator[Env]:
    """The environment of a step of the build; after the test no process of it is left."""
    (deploy,) = telling.deploys(jenkins, [("app-deploy", 1)])
    java = {name: os.environ[name] for name in ("JAVA_HOME",) if name in os.environ}
    env = {**support.environ(tmp_path), **receiver.environ(), **deploy.environment, **java}
    yield env
    runs.end_all(env)


def in_task(tmp_path: Path, command: list[str], env: Env) -> support.Completed:
    """Run a command as a task of a playbook."""
    task = {"name": "Test", "ansible.builtin.command": {"argv": command}}
    playbook = [{"name": "Tests", "hosts": "all", "gather_facts": False, "tasks": [task]}]
    return support.run_playbook(support.write_playbook(tmp_path, json.dumps(playbook)), env=env, hosts="h1,")


def in_exec(tmp_path: Path, command: list[str], env: Env) -> support.Completed:
    """Run a command within a span."""
    return support.spawn("exec", "--name", "tests", "--", *command, env=env)


Run = Callable[[Path, list[str], Env], support.Completed]
INSIDE = pytest.mark.parametrize(("run", "name"), [(in_task, "h1"), (in_exec, "tests")], ids=["task", "exec"])


def of_peer(spans: Spans) -> Spans:
    """Return the spans that are not ours."""
    return [span for span in spans if span["resource"]["service.name"] not in ("ansible", "pipeline-trace")]


def assert_joined(spans: Spans, trace: str, parent: str) -> None:
    """Every span has the trace, exactly one has the parent, the others' parents are among them, and no id is zero."""
    ids = {span["span_id"] for span in spans}
    assert {span["trace_id"] for span in spans} == {trace}
    assert len([span for span in spans if span["parent_span_id"] == parent]) == 1
    assert {span["parent_span_id"] for span in spans} <= {*ids, parent}
    assert len(ids) == len(spans)
    assert not ZERO & {trace, parent, *ids}


@PEER
@INSIDE
@STANDING
def test_tool_inside_the_build_is_part_of_its_trace(
    tmp_path: Path, env: Env, receiver: Receiver, polled: Spans, peer: Peer, run: Run, name: str, traceparent: str
) -> None:
    done = run(tmp_path, peer.command(tmp_path / "project"), {**env, "TRACEPARENT": traceparent})
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("TRACEPARENT is not valid" in done.stderr) == bool(traceparent)
    # Delivered in the background.
    runs.end_all(env)
    spans = receiver.spans()
    theirs = of_peer(spans)
    trace = deploy_of(polled)["trace_id"]
    outer = support.named(spans, name)
    assert_joined(theirs, trace, outer["span_id"])
    assert set(peer.names) <= {span["name"] for span in theirs}
    (first,) = [span for span in theirs if span["parent_span_id"] == outer["span_id"]]
    assert first["name"] == peer.names[0]
    # One trace, with the poller's part in it, and one root: the build that started it all.
    whole = [span for span in polled if span["trace_id"] == trace] + spans
    ids = {span["span_id"] for span in whole}
    assert {span["trace_id"] for span in spans} == {trace}
    assert [span["name"] for span in whole if span["parent_span_id"] not in ids] == ["RUN app-build"]


@PEER
@INSIDE
def test_given_traceparent_goes_on_to_the_tool(
    tmp_path: Path, env: Env, receiver: Receiver, peer: Peer, run: Run, name: str
) -> None:
    """Where it is no parameter of the build, somebody between Jenkins and us set it: he is the parent."""
    done = run(tmp_path, peer.command(tmp_path / "project"), {**env, "TRACEPARENT": GIVEN})
    assert done.returncode == 0, done.stdout + done.stderr
    runs.end_all(env)
    spans = receiver.spans()
    assert_joined(spans, TRACE, PARENT)
    assert_joined(of_peer(spans), TRACE, support.named(spans, name)["span_id"])


@PEER
@INSIDE
def test_trace_that_is_not_sampled_is_not_told_by_anybody(
    tmp_path: Path, env: Env, receiver: Receiver, peer: Peer, run: Run, name: str
) -> None:
    done = run(tmp_path, peer.command(tmp_path / "project"), {**env, "TRACEPARENT": NOT_SAMPLED})
    assert done.returncode == 0, done.stdout + done.stderr
    runs.end_all(env)
    assert receiver.asked == []


# The tools by themselves: what the above relies on


def alone(tmp_path: Path, env: Env, peer: Peer, traceparent: str) -> None:
    done = support.run(*peer.command(tmp_path / "project"), env={**env, "TRACEPARENT": traceparent})
    assert done.returncode == 0, done.stdout + done.stderr


@PEER
def test_tool_reads_traceparent(tmp_path: Path, env: Env, receiver: Receiver, peer: Peer) -> None:
    alone(tmp_path, env, peer, GIVEN)
    assert_joined(receiver.spans(), TRACE, PARENT)


@PEER
def test_tool_is_silent_where_the_trace_is_not_sampled(tmp_path: Path, env: Env, receiver: Receiver, peer: Peer) -> None:
    alone(tmp_path, env, peer, NOT_SAMPLED)
    assert receiver.asked == []


@PEER
def test_tool_makes_a_trace_of_its_own_of_garbage(tmp_path: Path, env: Env, receiver: Receiver, peer: Peer) -> None:
    alone(tmp_path, env, peer, GARBAGE)
    spans = receiver.spans()
    (root,) = [span for span in spans if not span["parent_span_id"]]
    ids = {span["span_id"] for span in spans}
    assert {span["trace_id"] for span in spans} == {root["trace_id"]}
    assert root["trace_id"] != TRACE
    assert {span["parent_span_id"] for span in spans} <= {*ids, None}
    assert not ZERO & {root["trace_id"], *ids}
