"""What asks the controller from within a build: against a replayed one, behind TLS, proxies and redirects, and odd ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import support
from support import tls
from support.asking import asked, odd_environ, place
from support.builds import build_environ, running_until
from support.proxy import Proxy
from support.redirects import redirecting

from pipeline_trace.place.ci.jenkins import ask
from pipeline_trace.place.ci.jenkins.chain import BuildPlace
from pipeline_trace.place.ci.jenkins.client import SECONDS
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace.ids import key_trace_id
from pipeline_trace_demo.replay import Fault, Replay

# What is asked of a controller is asked in a child.
pytestmark = pytest.mark.process

LOGIN = ("reader", "11d3fe8a")
AGENT_1 = {"NODE_NAME": "linux-1", "WORKSPACE": "/srv/j/agent1/workspace/parallel-nested"}
AGENT_2 = {"NODE_NAME": "deploy-1", "WORKSPACE": "/srv/j/agent2/workspace/parallel-nested"}


# Cells of a multi-configuration project


@pytest.mark.parametrize("region", ["eu", "us"])
def test_a_cell_is_found_at_its_own_path(region: str) -> None:
    with Replay(support.recording("r5")) as jenkins:
        environ = cell_environ(jenkins, region)
        found = place(environ)
        assert [request.status for request in jenkins.requests] == [200, 200]
        whole = Build(jenkins.url, "multi", 1)
    assert (found.trace_id, found.parent_id) == (whole.trace_id, whole.span_id("configuration", f"REGION={region}"))


def test_a_cell_is_in_the_trace_of_what_started_its_project() -> None:
    key = {"_class": "x.ParametersAction", "parameters": [{"name": "PIPELINE_TRACE_KEY", "value": "rel-1"}]}
    with Replay(support.recording("r5")) as jenkins:
        jenkins.edit("/job/multi/1/api/json", lambda document: document["actions"].append(key))
        found = place(cell_environ(jenkins, "eu"))
        whole = Build(jenkins.url, "multi", 1)
    assert (found.trace_id, found.parent_id) == (key_trace_id("rel-1"), whole.span_id("configuration", "REGION=eu"))


def cell_environ(jenkins: Replay, region: str) -> dict[str, str]:
    return {
        "JENKINS_URL": f"{jenkins.url}/",
        "BUILD_URL": f"{jenkins.url}/job/multi/REGION={region}/1/",
        "BUILD_NUMBER": "1",
        "JOB_NAME": f"multi/REGION={region}",
        "REGION": region,
    }


# Stages that run at once


@pytest.fixture
def parallel() -> Iterator[Replay]:
    """Two stages `Compile` run, each on an agent of its own; a third branch has its agent."""
    with Replay(support.recording("g-20")) as jenkins:
        jenkins.edit("/job/parallel-nested/1/api/json", running_until(40))
        yield jenkins


@pytest.mark.parametrize(("agent", "occurrence"), [(AGENT_1, "0"), (AGENT_2, "1")])
def test_the_agent_and_the_workspace_tell_the_stage(parallel: Replay, agent: dict[str, str], occurrence: str) -> None:
    environ = {**build_environ(parallel, "parallel-nested", 1, "Compile"), **agent}
    parallel.reset()
    found = place(environ)
    assert found.parent_id == Build(parallel.url, "parallel-nested", 1).span_id("stage", "Compile", occurrence)
    assert "jenkins.stage.candidates" not in found.attributes
    assert len(parallel.requests) == 4


@pytest.mark.parametrize(
    "agent", [{"WORKSPACE": "/elsewhere"}, {"NODE_NAME": "deploy-1"}, {"NODE_NAME": "linux-1", "WORKSPACE": ""}]
)
def test_another_agent_or_workspace_tells_nothing(parallel: Replay, agent: dict[str, str]) -> None:
    environ = {**build_environ(parallel, "parallel-nested", 1, "Compile"), **AGENT_1, **agent}
    build = Build(parallel.url, "parallel-nested", 1)
    found = place(environ)
    assert found.parent_id == build.run_span_id
    assert found.attributes["jenkins.stage.candidates"] == [build.span_id("stage", "Compile", n) for n in ("0", "1")]


def test_one_stage_that_runs_costs_one_request_for_the_graph(parallel: Replay) -> None:
    environ = {**build_environ(parallel, "parallel-nested", 1, "docs"), **AGENT_1}
    parallel.reset()
    assert place(environ).parent_id == Build(parallel.url, "parallel-nested", 1).span_id("stage", "docs", "0")
    facts, graph = (request.path for request in parallel.requests)
    assert "nodes[" not in facts
    # Only what a build's place depends on: not who started it.
    assert "user" not in facts
    assert graph.endswith("?tree=actions[_class,nodes[_class,id,displayName,parents,iconColor]{0,20001}]")


def test_a_build_whose_place_is_known_costs_one_request(parallel: Replay) -> None:
    environ = build_environ(parallel, "parallel-nested", 1, "docs")
    build = Build(parallel.url, "parallel-nested", 1)
    parallel.reset()
    answer = ask.ask_controller(build, environ, BuildPlace(build.trace_id))
    assert answer is not None
    assert answer.nodes
    assert len(parallel.requests) == 1


def test_without_a_stage_nobody_asks_for_the_graph(parallel: Replay) -> None:
    environ = build_environ(parallel, "parallel-nested", 1)
    parallel.reset()
    assert place(environ).parent_id == Build(parallel.url, "parallel-nested", 1).run_span_id
    assert ["nodes[" in request.path for request in parallel.requests] == [False]


@pytest.mark.parametrize("fault", [Fault("logText", "status", status=500), Fault("logText", "slow", seconds=60)])
def test_logs_that_do_not_come_cost_only_the_stage(parallel: Replay, fault: Fault) -> None:
    environ = {**build_environ(parallel, "parallel-nested", 1, "Compile"), **AGENT_2}
    parallel.faults = [fault]
    before = time.monotonic()
    found = place(environ)
    assert time.monotonic() - before < 2 * SECONDS
    build = Build(parallel.url, "parallel-nested", 1)
    assert (found.trace_id, found.parent_id) == (build.trace_id, build.run_span_id)
    assert len(found.attributes["jenkins.stage.candidates"]) == 2  # type: ignore[arg-type]
    assert "jenkins.clock_skew_ms" in found.attributes


def test_no_more_than_eight_logs_are_asked_for() -> None:
    branches = [
        {"_class": f"x.Step{kind}Node", "id": str(id_), "displayName": name, "parents": [str(parent)]}
        for first in range(10, 200, 10)
        for kind, id_, name, parent in (
            ("Start", first, f"Branch: {first}", 3),
            ("Start", first + 1, "Allocate node : Start", first),
            ("Start", first + 2, "Stage : Start", first + 1),
            ("Start", first + 3, "Deploy", first + 2),
        )
    ]
    fork = {"_class": "x.StepStartNode", "id": "3", "displayName": "Execute in parallel : Start", "parents": []}
    document = {"actions": [{"_class": "x.FlowGraphAction", "nodes": [fork, *branches]}]}
    with answering(lambda path: json.dumps(document) if "/api/json" in path else "Running on a in /w\n") as (url, paths):
        found = place({**odd_environ(url), "STAGE_NAME": "Deploy", "NODE_NAME": "b", "WORKSPACE": "/w"})
    assert found.parent_id == Build(url, "app", 7).run_span_id
    assert len([path for path in paths if "logText" in path]) == 8


# Trust: a private authority, a proxy, a redirect to https


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[Replay, str]]:
    """A controller behind TLS with a private authority, and that authority's file."""
    certificate, context = tls.authority(tmp_path)
    jenkins = Replay(support.recording("50"), login=LOGIN)
    jenkins.root_url = tls.serve(jenkins, context)
    with jenkins:
        yield jenkins, str(certificate)


def leaf_environ(url: str, **more: str) -> dict[str, str]:
    return {
        "JENKINS_URL": f"{url}/",
        "BUILD_URL": f"{url}/job/leaf-freestyle/1/",
        "BUILD_NUMBER": "1",
        "JENKINS_USER": LOGIN[0],
        "JENKINS_API_TOKEN": LOGIN[1],
        **more,
    }


def root_trace(url: str) -> str:
    return Build(url, "up-freestyle", 1).trace_id


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_private_authority_is_trusted(secured: tuple[Replay, str], variable: str) -> None:
    jenkins, certificate = secured
    assert place(leaf_environ(jenkins.url, **{variable: certificate})).trace_id == root_trace(jenkins.url)


@pytest.mark.parametrize("variables", [{}, {"REQUESTS_CA_BUNDLE": "/nowhere/ca.pem"}])
def test_without_its_file_it_is_not_trusted(secured: tuple[Replay, str], variables: dict[str, str]) -> None:
    assert asked(leaf_environ(secured[0].url, **variables)) is None


@pytest.mark.skipif(not shutil.which("openssl"), reason="only openssl names the files of such a folder")
def test_a_folder_of_authorities_is_read(secured: tuple[Replay, str], tmp_path: Path) -> None:
    # OpenSSL finds a certificate in a folder by the hash of its name.
    assert asked(leaf_environ(secured[0].url, REQUESTS_CA_BUNDLE=str(hashed_folder(tmp_path, secured[1])))) is not None


def hashed_folder(folder: Path, certificate: str) -> Path:
    command = ["openssl", "x509", "-hash", "-noout", "-in", certificate]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    (folder / "authorities").mkdir()
    (folder / "authorities" / f"{name}.0").write_bytes(Path(certificate).read_bytes())
    return folder / "authorities"


def test_a_proxy_leads_to_a_controller_that_nobody_else_can_resolve() -> None:
    with Replay(support.recording("50"), login=LOGIN) as jenkins, Proxy() as proxy:
        url = "http://ci.invalid"
        proxy.names["ci.invalid"] = jenkins.url.removeprefix("http://")
        jenkins.root_url = url
        found = place(leaf_environ(url, http_proxy=proxy.url, no_proxy="10.0.0.0/8"))
    assert found.trace_id == root_trace(url)
    assert {method for method, _ in proxy.asked} == {"GET"}


def test_a_proxy_tunnels_to_a_controller_behind_tls(secured: tuple[Replay, str]) -> None:
    jenkins, certificate = secured
    with Proxy() as proxy:
        found = place(leaf_environ(jenkins.url, https_proxy=proxy.url, SSL_CERT_FILE=certificate))
    assert found.trace_id == root_trace(jenkins.url)
    assert {method for method, _ in proxy.asked} == {"CONNECT"}


@pytest.mark.parametrize("no_proxy", ["127.0.0.0/8", "127.0.0.1", "*"])
def test_no_proxy_holds_for_networks_too(no_proxy: str) -> None:
    with Replay(support.recording("50"), login=LOGIN) as jenkins, Proxy() as proxy:
        found = place(leaf_environ(jenkins.url, http_proxy=proxy.url, no_proxy=no_proxy))
    assert (found.trace_id, proxy.asked) == (root_trace(jenkins.url), [])


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_https_is_followed_with_the_login_and_not_asked_again(
    secured: tuple[Replay, str], status: int
) -> None:
    jenkins, certificate = secured
    with redirecting(lambda path: jenkins.url + path, status) as front:
        found = place(leaf_environ(front.url, SSL_CERT_FILE=certificate))
    # The URL that builds have is the controller's, whatever it redirects to.
    assert found.trace_id == root_trace(front.url)
    assert len(front.asked) == 1
    assert all(request.authorized for request in jenkins.requests)


@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}{path}", "http://localhost:{port}{path}"])
def test_no_other_redirect_is_followed(target: str) -> None:
    with Replay(support.recording("50"), login=LOGIN) as jenkins:
        port = jenkins.url.rpartition(":")[2]
        with redirecting(lambda path: target.format(port=port, path=path)) as front:
            assert asked(leaf_environ(front.url)) is None
        assert jenkins.requests == []


def test_a_login_is_sent_to_no_other_host(secured: tuple[Replay, str]) -> None:
    jenkins, certificate = secured
    with redirecting(lambda path: jenkins.url.replace("127.0.0.1", "localhost") + path) as front:
        assert asked(leaf_environ(front.url, SSL_CERT_FILE=certificate)) is None
    assert jenkins.requests == []


# Odd answers


@contextmanager
def answering(answer: Callable[[str], str]) -> Iterator[tuple[str, list[str]]]:
    """Serve what ``answer`` returns for a path; yield the address, and the paths so far."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            body = answer(self.path).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", paths
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("body", ["", "null", "[]", "7", '"x"', "<html>", "{", "[" * 100_000, '{"a":' * 100_000])
def test_what_is_no_object_is_no_answer(body: str) -> None:
    with answering(lambda path: body) as (url, _):
        assert asked(odd_environ(url)) is None


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"actions": None},
        {"actions": 7},
        {"actions": {"_class": "x.CauseAction"}},
        {"actions": [None, 7, "x", [], {}]},
        {"actions": [{"_class": 7, "causes": 7}, {"_class": "x.CauseAction", "causes": 7}]},
        {"actions": [{"_class": "x.CauseAction", "causes": [None, 7, {"_class": ["x"]}]}]},
        {"actions": [{"_class": "x.CauseAction", "causes": [{"upstreamProject": ["a"], "upstreamBuild": "7"}]}]},
        {"actions": [{"_class": "x.ParametersAction", "parameters": [None, {"name": 7, "value": 7}, {"name": "a"}]}]},
        {"actions": [{"_class": "x.FlowGraphAction", "nodes": 7}]},
        {
            "actions": [
                {"_class": "x.FlowGraphAction", "nodes": [{"_class": 7, "id": []}, {"_class": "x", "id": "9" * 5000}]}
            ]
        },
        {"actions": [{"_class": "x.FlowGraphAction", "nodes": [{"_class": "x.StepStartNode", "id": 3, "parents": 7}]}]},
    ],
)
def test_values_of_odd_types_count_as_absent(document: Any) -> None:
    with answering(lambda path: json.dumps(document)) as (url, _):
        answer = asked(odd_environ(url))
        assert answer is not None
        assert (answer.place.trace_id, answer.whole) == (Build(url, "app", 7).trace_id, True)
