"""A replayed controller answers what plugins show about stages, steps and logs, at the end of a build and while it runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import support

from pipeline_trace_demo.exchanges import Exchange
from pipeline_trace_demo.graphs import graph_nodes, node_times
from pipeline_trace_demo.logs import derived, node_path
from pipeline_trace_demo.recording import Documents, Recording
from pipeline_trace_demo.replay import Replay, TimeMap

GRAPH_VIEW = [name for name in support.scenarios() if name.startswith("g-")]
OF_ODD_BUILDS = [name for name in support.scenarios() if re.match(r"r\d", name)]
ASKED = re.compile(r"/(stages|execution|wfapi|consoleText)(/|$)")
LOGS = [
    "/stages/log?nodeId=12",
    "/execution/node/12/log/logText/progressiveText?start=0",
    "/execution/node/12/log/logText/progressiveHtml?start=0",
    "/execution/node/12/log/?consoleFull",
]
FAILED = "/job/app-deploy/5"


@pytest.fixture
def jenkins() -> Iterator[Replay]:
    with Replay(support.recording("g-11")) as replay:
        yield replay


def get(replay: Replay, path: str, **options: Any) -> requests.Response:
    return requests.get(replay.url + path, timeout=5, **options)


def last_answers(name: str) -> dict[str, dict[str, Any]]:
    """Return the last recorded line of each path of a plugin."""
    lines = [json.loads(line) for line in (support.RECORDINGS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    asked = [line for line in lines[1:] if line["as"] == "admin" and line["status"] in (200, 404)]
    return {line["path"]: line for line in asked if ASKED.search(line["path"].partition("?")[0])}


@pytest.mark.parametrize("name", GRAPH_VIEW + OF_ODD_BUILDS)
def test_each_path_is_answered_as_recorded(name: str) -> None:
    recording = support.recording(name)
    answers = last_answers(name)
    assert answers
    with Replay(recording, root_url=recording.base) as replay, requests.Session() as session:
        for path, line in answers.items():
            if name.startswith("g-67") and "progressiveText" in path:
                continue  # its other forms were recorded later, when there was more of the log
            answer = session.get(replay.url + path, timeout=5)
            assert answer.status_code == line["status"], path
            if line["status"] == 200:
                answer.encoding = "utf-8"
                assert (answer.json() if "json" in line else answer.text) == line.get("json", line.get("text")), path


@pytest.mark.parametrize("path", ["/stages/tree", "/stages/allSteps", "/stages/exceptionText?nodeId=12", *LOGS])
def test_nobody_sees_them_on_a_secured_controller(path: str) -> None:
    with Replay(support.recording("g-11"), login=("ada", "s3cret")) as replay:
        assert get(replay, FAILED + path).status_code == 403
        assert get(replay, FAILED + path, auth=("ada", "s3cret")).status_code == 200


def test_texts_are_those_of_the_node(jenkins: Replay) -> None:
    log = get(jenkins, f"{FAILED}/stages/log?nodeId=12").text
    assert log.endswith("script returned exit code 4")
    assert get(jenkins, f"{FAILED}/stages/exceptionText?nodeId=12").text == "script returned exit code 4"
    assert get(jenkins, f"{FAILED}/stages/log?nodeId=3").text.startswith("Running on ")


@pytest.mark.parametrize(
    "path",
    [
        f"{FAILED}/wfapi/describe",
        "/job/app-deploy/wfapi/runs?fullStages=true",
        f"{FAILED}/stages/log?nodeId=777",
        f"{FAILED}/stages/log",
        f"{FAILED}/execution/node/777/log/logText/progressiveText?start=0",
        f"{FAILED}/execution/node/12/log/logText/progressiveText?start=7",
        "/job/app-deploy/99/stages/tree",
    ],
)
def test_what_was_not_recorded_is_missing(jenkins: Replay, path: str) -> None:
    assert get(jenkins, path).status_code == 404


def test_a_controller_with_stage_view_has_no_graph_view() -> None:
    with Replay(support.recording("r6")) as replay:
        for path in ("/stages/tree", "/stages/allSteps", "/stages/log?nodeId=12"):
            assert get(replay, f"/job/matrix-decl/2{path}").status_code == 404
        assert get(replay, "/job/matrix-decl/2/wfapi/describe").status_code == 200


@pytest.mark.parametrize(
    ("form", "kind", "size"),
    [
        ("logText/progressiveText?start=0", "text/plain;charset=utf-8", "329"),
        ("logText/progressiveHtml?start=0", "text/html;charset=utf-8", None),
        ("?consoleFull", "text/html;charset=utf-8", None),
    ],
)
def test_logs_have_the_headers_of_logs(jenkins: Replay, form: str, kind: str, size: str | None) -> None:
    answer = get(jenkins, f"{FAILED}/execution/node/12/log/{form}")
    assert answer.headers["Content-Type"] == kind
    if size:
        assert answer.headers["X-Text-Size"] == size
    assert ("X-Text-Size" in answer.headers) == ("progressive" in form)


@pytest.mark.parametrize(
    ("path", "is_jenkins_own"),
    [("/api/json", True), ("/execution/node/12/log/?consoleFull", True), ("/stages/tree", False), ("/consoleText", False)],
)
def test_only_answers_of_jenkins_own_name_its_version(jenkins: Replay, path: str, is_jenkins_own: bool) -> None:
    assert ("X-Jenkins" in get(jenkins, FAILED + path).headers) is is_jenkins_own


def test_links_follow_the_context_path() -> None:
    with Replay(support.recording("g-11"), context_path="/ci") as replay:
        (first, *_) = get(replay, "/job/app-build/1/stages/tree").json()["data"]["stages"]
        assert first["url"].startswith("/ci/job/app-build/1/stages/")
        steps = {step["id"]: step for step in get(replay, "/job/app-build/1/stages/allSteps").json()["data"]["steps"]}
        assert steps["38"]["buildStep"]["classicUrl"] == "job/app-deploy/1/"
        for form in ("?consoleFull", "logText/progressiveHtml"):
            assert "href='/ci/job/app-deploy/1/'" in get(replay, f"/job/app-build/1/execution/node/38/log/{form}").text


def test_times_of_stages_and_steps_move(jenkins: Replay) -> None:
    (before, *_) = get(jenkins, f"{FAILED}/stages/tree").json()["data"]["stages"]
    start, duration = before["startTimeMillis"], before["totalDurationMillis"]
    jenkins.time_map = TimeMap([(start, 1_000), (start + duration, 1_000 + 2 * duration)])
    (moved, *_) = get(jenkins, f"{FAILED}/stages/tree").json()["data"]["stages"]
    assert (moved["startTimeMillis"], moved["totalDurationMillis"]) == (1_000, 2 * duration)


def test_a_stage_that_a_restart_left_out_keeps_its_zero() -> None:
    with Replay(support.recording("g-44"), time_map=TimeMap([(1, 1_000_000)])) as replay:
        stages = get(replay, "/job/restartable/2/stages/tree").json()["data"]["stages"]
        assert [stage["startTimeMillis"] > 0 for stage in stages] == [False, False, True, True]
        assert stages[0]["startTimeMillis"] == 0


def forms(name: str) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Yield each recorded form of a node's log: the answers that it needs, its path, its text."""
    answers: dict[str, Any] = {e.path: e.body for e in support.recording(name).exchanges if e.status == 200}
    for path, text in answers.items():
        node = node_path(path)
        if node and node.is_log:
            texts = {f"{node.build}/stages/exceptionText?nodeId={node.id}", f"{node.build}/stages/allSteps"}
            yield {other: answers[other] for other in texts & answers.keys()}, path, text


@pytest.mark.parametrize("name", [name for name in GRAPH_VIEW if not name.startswith("g-67")])
def test_a_form_of_a_log_follows_from_any_other(name: str) -> None:
    recorded = {path: text for _, path, text in forms(name)}
    for needed, path, text in forms(name):
        for other, found in derived({**needed, path: text}).items():
            if other.endswith("/progressiveText") and other in recorded:
                assert found == recorded[other], (path, other)


def test_html_with_links_follows_from_the_page_and_from_stage_view() -> None:
    page = support.recording("g-11").at().answers["/job/app-build/1/execution/node/38/log/logText/progressiveHtml"]
    assert "Starting building: <a href='/job/app-deploy/1/'" in page
    odd = support.recording("r6").at().answers
    texts = [text for path, text in odd.items() if path.endswith("/progressiveText")]
    assert any(text.startswith("Running on Jenkins in /") and text.endswith("\r\n") for text in texts)


def test_a_time_before_each_line_is_in_plain_text_once() -> None:
    first, second = (
        f'<span class="timestamp"><b>16:24:13</b> </span><span style="display: none">[2026-11-23T16:24:13.{ms}Z]</span> '
        for ms in ("018", "276")
    )
    node = "/job/deploy/1/execution/node/17"
    text = derived({f"{node}/wfapi/log": {"hasMore": False, "text": f"{first}+ date\n{second}Monday\n"}})
    shown = "[2026-11-23T16:24:13.018Z] + date\r\n[2026-11-23T16:24:13.276Z] Monday\r\n"
    assert text[f"{node}/log/logText/progressiveText"] == shown


def test_a_node_that_wrote_nothing_and_a_stage_have_no_log() -> None:
    nested = support.recording("g-20").at().answers
    assert nested["/job/parallel-nested/1/stages/log?nodeId=4"] == "+ sleep 1\n"
    assert "/job/parallel-nested/1/execution/node/4/log/logText/progressiveText" not in nested
    failed = support.recording("g-30").at().answers
    assert "Found unhandled" in failed["/job/fail-exception/1/stages/log?nodeId=7"]
    assert "/job/fail-exception/1/execution/node/7/log" not in failed


def test_the_newest_form_of_a_log_is_the_truth() -> None:
    answers = support.recording("g-67").at().answers
    text = answers["/job/call-hangs/1/execution/node/5/log/logText/progressiveText"]
    assert text.endswith("Team Ärger » lang #1 completed: ABORTED\r\n")


def shown(documents: Documents, build: str) -> list[str]:
    """Return the names of the nodes in a build's graph, in their order."""
    nodes = graph_nodes(documents.compose()[build]) or []
    return [node["displayName"] for node in sorted(nodes, key=lambda node: int(node["id"]))]


@pytest.mark.parametrize(
    ("name", "build", "last", "count"),
    [
        ("g-60-queue", "/job/waits-for-agent/2", "Allocate node : Start", 13),
        ("g-48-lock", "/job/lock-waiter/1", "Lock shared resource : Start", 6),
        ("g-42", "/job/hangs/1", "Shell Script", 6),
    ],
)
def test_while_a_build_waits_its_graph_ends_at_what_waits(name: str, build: str, last: str, count: int) -> None:
    recording = support.recording(name)
    seen = {e.body["building"]: e.at_ms for e in recording.exchanges if e.path == build}
    documents = recording.at((seen[True] + seen[False]) // 2)
    assert shown(documents, build)[-1] == last
    assert len(shown(documents, build)) == count
    (*_, head) = graph_nodes(documents.compose()[build]) or []
    assert head["iconColor"] == "blue_anime"


@pytest.mark.parametrize("name", ["g-40", "g-41", "g-46", "g-60-queue", "g-60-queue-scripted", "g-65"])
def test_a_graph_only_grows(name: str) -> None:
    recording = support.recording(name)
    grown: dict[str, list[int]] = {}
    for moment in recording.moments:
        for path, document in recording.at(moment).objects.items():
            if graph_nodes(document) is not None:
                grown.setdefault(path, []).append(len(graph_nodes(document) or []))
    assert grown
    assert all(counts == sorted(counts) for counts in grown.values())


@pytest.mark.parametrize("name", ["g-40", "g-41", "g-48", "g-60-queue-scripted", "g-65", "g-67"])
def test_snapshots_are_shown_at_their_moments(name: str) -> None:
    recording = support.recording(name)
    for exchange in recording.exchanges:
        if exchange.status == 200 and ASKED.search(exchange.path.partition("?")[0]):
            assert _answer_at(recording, exchange) == exchange.body, (exchange.path, exchange.at_ms)


def _answer_at(recording: Recording, exchange: Exchange) -> Any:
    return recording.at(exchange.at_ms).answers[exchange.path]


def test_a_log_never_says_what_came_later() -> None:
    recording = support.recording("g-41")
    times = node_times(recording.exchanges)["/job/running/1"]
    path = "/job/running/1/stages/log?nodeId="

    def log(node: str, moment: float) -> str | None:
        return recording.at(round(moment)).answers.get(path + node)

    first_on_agent, step, call = times["25"], times["22"], times["48"]
    assert step.start < first_on_agent.start
    assert log("21", first_on_agent.start - 1) is None
    assert log("21", first_on_agent.start) == "Running on deploy-1 in /srv/j/agent2/workspace/running\n"
    assert log("48", call.start - 1) is None
    assert log("48", call.start) == "Scheduling project: part\nStarting building: part #3\n"
    assert log("48", call.end) == "Scheduling project: part\nStarting building: part #3\nBuild part #3 completed: SUCCESS\n"


def test_the_log_of_a_step_that_runs_is_not_known() -> None:
    recording = support.recording("g-60-queue-scripted")
    step = node_times(recording.exchanges)["/job/waits-for-agent-scripted/1"]["17"]
    texts = [f"/job/waits-for-agent-scripted/1/stages/{form}?nodeId=17" for form in ("log", "exceptionText")]
    assert not recording.at(round(step.end) - 1).answers.keys() & set(texts)
    assert recording.at(round(step.end)).answers.keys() >= set(texts)


def test_a_cell_of_a_multi_configuration_build() -> None:
    with Replay(support.recording("r5")) as replay:
        cell = get(replay, "/job/multi/REGION=eu/1/api/json?tree=number,result,fullDisplayName,url").json()
        assert (cell["number"], cell["fullDisplayName"]) == (1, "multi » eu #1")
        assert cell["url"] == f"{replay.url}/job/multi/REGION=eu/1/"
        assert "PLAY RECAP" in get(replay, "/job/multi/REGION=eu/1/consoleText").text
        assert get(replay, "/job/multi/REGION=us/1/consoleText").status_code == 404


def test_many_builds_with_their_graphs_in_one_request(jenkins: Replay) -> None:
    wanted = "number,result,actions[_class,causes[upstreamBuild],nodes[id,displayName]{0,5000}]"
    for field in ("builds", "allBuilds"):
        answer = get(jenkins, f"/job/app-deploy/api/json?tree={field}[{wanted}]{{0,3}}").json()[field]
        assert [build["number"] for build in answer] == [5, 4, 3]
        graphs = [action["nodes"] for build in answer for action in build["actions"] if "nodes" in action]
        assert [len(nodes) for nodes in graphs] == [20, 21, 21]
        assert all(node.keys() == {"_class", "id", "displayName"} for nodes in graphs for node in nodes)
    (build,) = get(jenkins, "/job/app-deploy/api/json?tree=builds[actions[nodes[id]{0,2}]]{1,2}").json()["builds"]
    assert [len(action["nodes"]) for action in build["actions"] if "nodes" in action] == [2]


def test_runs_are_listed_with_the_nodes_of_their_stages() -> None:
    with Replay(support.recording("11-app-build-deploy")) as replay:
        listed = get(replay, "/job/app-deploy/wfapi/runs?fullStages=true").json()
        assert [run["name"] for run in listed] == [f"#{run['id']}" for run in listed]
        assert [int(run["id"]) for run in listed] == sorted((int(run["id"]) for run in listed), reverse=True)
        for run in listed:
            assert run["stages"]
            for stage in run["stages"]:
                node = f"/job/app-deploy/{run['id']}/execution/node/{stage['id']}/wfapi/describe"
                assert stage["stageFlowNodes"] == get(replay, node).json()["stageFlowNodes"]
        plain = get(replay, "/job/app-deploy/wfapi/runs").json()
        assert "stageFlowNodes" not in plain[0]["stages"][0]


def test_runs_end_after_the_named_one_or_after_ten() -> None:
    with Replay(support.recording("80")) as replay:

        def listed(query: str) -> list[str]:
            return [run["name"] for run in get(replay, f"/job/tiny-pipeline/wfapi/runs{query}").json()]

        assert listed("?fullStages=true&since=%23298") == ["#300", "#299", "#298"]
        assert listed("?since=%231") == listed("") == [f"#{number}" for number in range(300, 290, -1)]
        replay.drop_build("tiny-pipeline", 300)
        assert listed("")[0] == "#299"


def test_runs_say_what_was_recorded() -> None:
    recorded = [e for e in support.recording("80").exchanges if e.path.endswith("/wfapi/runs") and e.status == 200]
    assert recorded
    with Replay(support.recording("80")) as replay:
        for exchange in recorded:
            assert get(replay, f"{exchange.path}?{exchange.query}").json() == exchange.body
