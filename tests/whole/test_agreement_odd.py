"""Poller and playbook agree in odd builds, and whatever the way to the controller: TLS, proxies, redirects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import support
from support import tls
from support.builds import (
    ONE_TASK,
    assert_under,
    build_environ,
    of_build,
    playbook_of,
    poll,
    run_of,
    run_playbook,
    running_until,
)
from support.proxy import Proxy
from support.redirects import redirecting

from pipeline_trace_demo.replay import Replay

pytestmark = pytest.mark.process

LOGIN = ("reader", "11d3fe8a")
WITH_LOGIN = {"JENKINS_USER": LOGIN[0], "JENKINS_API_TOKEN": LOGIN[1]}
CELL = "multi/REGION=eu"


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    return support.write_playbook(tmp_path, ONE_TASK)


@pytest.fixture
def matrix() -> Iterator[Replay]:
    """A multi-configuration build whose document has its cells, which were recorded apart."""
    with Replay(support.recording("r5")) as jenkins:
        cells = [jenkins.documents[f"/job/multi/REGION={region}/1"] for region in ("eu", "us")]
        jenkins.edit("/job/multi/1/api/json", lambda document: document.update(runs=cells))
        yield jenkins


def cell_environ(jenkins: Replay) -> dict[str, str]:
    return {**build_environ(jenkins, "multi", 1), "JOB_NAME": CELL, "REGION": "eu"} | {
        "BUILD_URL": f"{jenkins.root_url}/job/multi/REGION=eu/1/"
    }


@pytest.mark.parametrize(
    "change", [{}, {"BUILD_URL": ""}, {"PIPELINE_TRACE_PER": "build"}, {"http_proxy": "http://127.0.0.1:9"}]
)
def test_a_playbook_in_a_cell_hangs_under_the_cell(
    env: dict[str, str], playbook: Path, matrix: Replay, change: dict[str, str]
) -> None:
    """Also without the build's URL, without asking, and where nobody answers."""
    run_playbook(playbook, env, {**cell_environ(matrix), **change})
    poll(matrix, env)
    spans = support.stored(env)
    run, found = run_of(spans, "multi", 1), playbook_of(spans)
    (cell,) = [span for span in of_build(spans, "multi", 1, "branch") if span["name"] == "REGION=eu"]
    assert cell["parent_span_id"] == run["span_id"]
    assert (found["trace_id"], found["parent_span_id"]) == (run["trace_id"], cell["span_id"])


def test_a_cells_url_names_the_trace_of_its_build(env: dict[str, str], playbook: Path, matrix: Replay) -> None:
    environ = cell_environ(matrix)
    run_playbook(playbook, env, environ)
    poll(matrix, env)
    shown = support.trace("show", environ["BUILD_URL"], env=env)
    assert shown.returncode == 0, shown.stderr
    assert "RUN multi" in shown.stdout
    assert "REGION=eu" in shown.stdout
    why = support.trace("why", environ["BUILD_URL"], env=env)
    assert (why.returncode, "Traceback" in why.stderr) == (0, False)
    assert "RUN multi: success" in why.stdout


@pytest.mark.parametrize(("region", "tier"), [("eu", "a"), ("us", "a"), ("eu", "b")])
def test_a_playbook_in_a_declarative_matrix_hangs_under_the_stage_of_its_cell(
    env: dict[str, str], playbook: Path, region: str, tier: str
) -> None:
    with Replay(support.recording("r6")) as jenkins:
        jenkins.edit("/job/matrix-decl/2/api/json", running_until(34))
        environ = build_environ(jenkins, "matrix-decl", 2, "deploy")
        run_playbook(playbook, env, {**environ, "REGION": region, "TIER": tier})
        jenkins.load(support.recording("r6"))
        poll(jenkins, env)
    spans = support.stored(env)
    by_id = {span["span_id"]: span for span in spans}
    stage = by_id[playbook_of(spans)["parent_span_id"]]
    assert_under(spans, stage)
    assert stage["name"] == "deploy"
    assert by_id[stage["parent_span_id"]]["name"] == f"Matrix - REGION = '{region}', TIER = '{tier}'"


@pytest.mark.parametrize("way", ["proxy", "tunnel", "redirect"])
def test_both_find_the_same_trace_whatever_the_way_to_the_controller(
    env: dict[str, str], playbook: Path, tmp_path: Path, way: str
) -> None:
    certificate, context = tls.authority(tmp_path)
    jenkins = Replay(support.recording("50"), login=LOGIN)
    if way != "proxy":
        jenkins.root_url = tls.serve(jenkins, context)
    names = {"ci.invalid": jenkins.url.rpartition("/")[2]}
    with jenkins, Proxy(names) as proxy, redirecting(lambda path: jenkins.url + path) as front:
        url = {"proxy": "http://ci.invalid", "tunnel": jenkins.url, "redirect": front.url}[way]
        jenkins.root_url = url
        proxies = {"http_proxy": proxy.url, "https_proxy": proxy.url, "no_proxy": "10.0.0.0/8"}
        there = {**env, **WITH_LOGIN, "CURL_CA_BUNDLE": str(certificate), **(proxies if way != "redirect" else {})}
        leaf = {"JENKINS_URL": f"{url}/", "BUILD_URL": f"{url}/job/leaf-freestyle/1/", "BUILD_NUMBER": "1"}
        run_playbook(playbook, there, leaf)
        done = support.poll(url, env=there)
    assert done.returncode == 0, done.stderr
    spans = support.stored(env)
    assert_under(spans, run_of(spans, "leaf-freestyle", 1))
    assert playbook_of(spans)["trace_id"] == run_of(spans, "up-freestyle", 1)["trace_id"]
