"""Recordings, combined into what a controller knows at a moment."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import support

from pipeline_trace_demo.exchanges import rebase, split_build
from pipeline_trace_demo.hierarchy import resolve, without_tree
from pipeline_trace_demo.merging import merge
from pipeline_trace_demo.recording import Documents, Recording

BASE = "http://127.0.0.1:18080"
HEADER = json.dumps({"scenario": "made up", "about": "", "base": BASE})


@cache
def recording(*names: str, only_detailed: bool = False) -> Recording:
    return Recording.load(*(support.RECORDINGS / f"{name}.jsonl" for name in names), only_detailed=only_detailed)


def last_state(name: str) -> dict[str, Any]:
    return recording(name).at().compose()


def actions(build: dict[str, Any]) -> dict[str, Any]:
    return {action["_class"].rpartition(".")[2]: action for action in build["actions"] if action}


def made_up(tmp_path: Path, *exchanges: tuple[str, Any, int], **fields: Any) -> Recording:
    lines = [HEADER]
    for path, body, at_ms in exchanges:
        line = {"method": "GET", "path": path, "as": "admin", "status": 200, "at_ms": at_ms, "json": body, **fields}
        lines.append(json.dumps(line))
    file = tmp_path / "made-up.jsonl"
    file.write_text("\n".join(lines))
    return Recording.load(file)


def test_answers_with_20_and_21_actions_lose_nothing() -> None:
    build = last_state("11-app-build-deploy")["/job/app-deploy/2"]
    found = actions(build)
    assert found["CauseAction"]["causes"][0]["upstreamProject"] == "app-build"
    parameters = {parameter["name"]: parameter["value"] for parameter in found["ParametersAction"]["parameters"]}
    assert parameters == {"ENVIRONMENT": "staging", "VERSION": "1", "TRACEPARENT": ""}
    assert found["TimeInQueueAction"]["queuingDurationMillis"] == 9
    assert all({"id", "displayName", "parents"} <= node.keys() for node in found["FlowGraphAction"]["nodes"])
    assert (build["result"], build["duration"], build["queueId"]) == ("SUCCESS", 6117, 51)


def test_a_pruned_value_never_overwrites_details() -> None:
    rich = {"actions": [{"_class": "C", "causes": [{"_class": "U", "userId": "a"}]}, {}], "parent": {"_class": "P", "x": 1}}
    pruned = {"actions": [{}, {"_class": "D"}, {"_class": "C", "causes": [{"_class": "U"}]}], "parent": {"_class": "P"}}
    for merged in (merge(rich, pruned), merge(pruned, rich)):
        by_class = {action.get("_class"): action for action in merged["actions"]}
        assert by_class["C"]["causes"][0]["userId"] == "a"
        assert "D" in by_class
        assert merged["parent"]["x"] == 1


def test_later_plain_values_win_null_among_them() -> None:
    assert merge({"building": True, "executor": {"_class": "E"}}, {"building": False, "executor": None}) == {
        "building": False,
        "executor": None,
    }


def test_equal_classes_are_told_apart_by_their_order() -> None:
    old = {"actions": [{"_class": "B", "url": 1, "a": 1}, {"_class": "B", "url": 2, "a": 2}]}
    new = {"actions": [{}, {"_class": "B", "url": 1}, {"_class": "B", "url": 2}]}
    assert merge(old, new)["actions"][1:] == old["actions"]


def test_graph_nodes_with_ids_win_whatever_the_order() -> None:
    with_ids = {"nodes": [{"_class": "A", "id": "2"}, {"_class": "B", "id": "3"}]}
    bare = {"nodes": [{"_class": "A"}, {"_class": "B"}]}
    assert merge(with_ids, bare) == merge(bare, with_ids) == with_ids


def test_wfapi_of_a_freestyle_build_is_missing() -> None:
    documents = recording("10-hello-freestyle").at()
    assert "/job/hello-freestyle/1/wfapi/describe" not in documents.answers
    assert "Not found" in documents.missing["/job/hello-freestyle/1/wfapi/describe"]


def test_300_builds_known_from_lists() -> None:
    documents = recording("80-backfill").at()
    composed = documents.compose()
    for name in ("noop-freestyle", "tiny-pipeline"):
        job = composed[f"/job/{name}"]
        assert [build["number"] for build in job["allBuilds"]] == list(range(300, 0, -1))
        assert [build["number"] for build in job["builds"]] == list(range(300, 200, -1))
        assert job["nextBuildNumber"] == 301
        assert all(build["timestamp"] and build["result"] == "SUCCESS" for build in job["allBuilds"])
        assert composed[f"/job/{name}/1"]["url"] == f"{BASE}/job/{name}/1/"
        assert job["lastBuild"] is composed[f"/job/{name}/300"]
    assert recording("80-backfill", only_detailed=True).at().compose()["/job/tiny-pipeline"]["allBuilds"] == []


def test_stages_are_taken_from_lists_of_runs() -> None:
    answers = recording("80-backfill").at().answers
    describe = answers["/job/tiny-pipeline/300/wfapi/describe"]
    assert [stage["name"] for stage in describe["stages"]] == ["Only"]
    assert "stageFlowNodes" not in describe["stages"][0]
    assert answers["/job/tiny-pipeline/300/execution/node/4/wfapi/describe"]["stageFlowNodes"][0]["id"] == "5"
    assert answers["/job/tiny-pipeline/300/execution/node/5/wfapi/describe"]["name"] == "Print Message"


def test_builds_without_a_recorded_start_are_not_offered() -> None:
    composed = last_state("91-context-path")
    assert [build["number"] for build in composed["/job/app-deploy"]["builds"]] == [12]
    assert composed["/job/abort-me"]["builds"] == []
    assert composed["/job/abort-me"]["nextBuildNumber"] == 2
    assert "/job/abort-me/1" not in composed


def test_jobs_are_known_without_a_listing() -> None:
    composed = last_state("40-input")
    assert [job["fullName"] for job in composed[""]["jobs"]] == ["approve-holding", "approve-me"]
    assert composed["/job/approve-me"]["_class"].endswith("WorkflowJob")


def test_folders_and_branches() -> None:
    composed = recording("70-folders-unicode", "72-multibranch").at().compose()
    team = composed[""]["jobs"][0]
    assert (team["fullName"], team["url"]) == ("Team A", f"{BASE}/job/Team%20A/")
    assert [job["name"] for job in team["jobs"]] == ["déploy ünï", "multi", "sub"]
    branch = composed["/job/Team A/job/multi/job/feature%2Flogin-page"]
    assert branch["fullName"] == "Team A/multi/feature%2Flogin-page"
    assert branch["url"] == f"{BASE}/job/Team%20A/job/multi/job/feature%252Flogin-page/"
    assert [job["name"] for job in composed["/job/Team A/job/multi"]["jobs"]] == ["PR-17", "feature%2Flogin-page", "main"]
    assert "builds" not in composed["/job/Team A/job/multi"]
    assert composed["/job/Team A/job/sub/job/leaf job/1"]["number"] == 1


def test_addresses_are_made_up_where_none_is_recorded(tmp_path: Path) -> None:
    build = {"_class": "hudson.model.FreeStyleBuild", "number": 3, "timestamp": 1}
    composed = made_up(tmp_path, ("/job/a%20b/job/x%252Fy/3/api/json", build, 1)).at().compose()
    job = composed["/job/a b/job/x%2Fy"]
    assert (job["fullName"], job["url"]) == ("a b/x%2Fy", f"{BASE}/job/a%20b/job/x%252Fy/")
    assert (job["_class"], job["nextBuildNumber"]) == ("hudson.model.FreeStyleProject", 4)
    assert composed["/job/a b"]["_class"].endswith(".Folder")
    assert composed["/job/a b/job/x%2Fy/3"]["url"] == f"{job['url']}3/"


def test_permalinks() -> None:
    composed = last_state("50-upstream")
    assert resolve("/job/leaf-freestyle/lastBuild/api/json", composed) == "/job/leaf-freestyle/2/api/json"
    assert resolve("/job/leaf-freestyle/lastFailedBuild", composed) is None
    assert resolve("/job/leaf-freestyle/2", composed) == "/job/leaf-freestyle/2"


def test_without_tree_lists_name_only() -> None:
    job = without_tree(last_state("80-backfill")["/job/tiny-pipeline"])
    assert "allBuilds" not in job
    assert job["builds"][0].keys() == job["lastBuild"].keys() == {"_class", "number", "url"}


@pytest.mark.parametrize("moment", recording("41-running").moments)
def test_a_running_build_is_consistent_at_every_moment(moment: int) -> None:
    documents = recording("41-running").at(moment)
    build = documents.compose().get("/job/long-build/1")
    if build is None:
        return
    describe = documents.answers.get("/job/long-build/1/wfapi/describe", {"startTimeMillis": 0})
    assert describe["startTimeMillis"] <= moment
    assert build["building"] is (build["result"] is None) is (build["duration"] == 0)
    nodes = actions(build).get("FlowGraphAction", {}).get("nodes", [])
    assert all("id" in node for node in nodes)
    starts = [answer["startTimeMillis"] for path, answer in documents.answers.items() if path.endswith("/describe")]
    assert max(starts, default=0) <= moment


def test_a_running_build_grows_and_ends() -> None:
    running = recording("41-running")
    states = [running.at(moment).compose().get("/job/long-build/1", {}) for moment in running.moments]
    built = [state for state in states if state]
    assert [built[0]["building"], built[-1]["building"], built[-1]["result"]] == [True, False, "SUCCESS"]
    counts = [len(actions(state)["FlowGraphAction"].get("nodes", [])) for state in built]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (1, 36)


def test_an_input_waits_until_it_is_approved() -> None:
    paused = recording("40-input")
    describe = "/job/approve-me/1/wfapi/describe"
    status = [paused.at(moment).answers.get(describe, {}).get("status") for moment in paused.moments]
    assert [word for word in dict.fromkeys(status) if word] == ["PAUSED_PENDING_INPUT", "SUCCESS"]
    first = paused.at(paused.moments[0]).compose()
    assert "/job/approve-holding" not in first
    assert paused.at().answers[describe]["status"] == "SUCCESS"


def test_a_queue_shows_the_items_of_the_moment() -> None:
    queue = recording("60-queue")
    items = [
        {item["id"] for item in queue.at(moment).objects.get("/queue", {}).get("items", [])} for moment in queue.moments
    ]
    assert {138} <= set().union(*items)
    assert 138 not in items[0]
    assert 138 not in items[-1]


def test_ended_builds_occupy_no_computer() -> None:
    computers = last_state("11-app-build-deploy")["/computer"]["computer"]
    assert all(computer["oneOffExecutors"] == [] for computer in computers)
    assert all(executor["currentExecutable"] is None for computer in computers for executor in computer["executors"])


def one_offs(documents: Documents) -> list[str]:
    """Return the URLs of the builds whose scripts the controller runs."""
    computers = documents.compose()["/computer"]["computer"]
    return [one["currentExecutable"]["url"] for computer in computers for one in computer["oneOffExecutors"]]


@pytest.mark.parametrize(
    ("name", "running"),
    [("41-running", ["long-build"]), ("g-42-long-sh", ["hangs"]), ("g-48-lock", ["lock-holder", "lock-waiter"])],
)
def test_a_pipeline_that_runs_occupies_the_controller_once(name: str, running: list[str]) -> None:
    whole = recording(name)
    first = next(exchange for exchange in whole.exchanges if split_build(exchange.path) and exchange.body["building"])
    urls = [f"{whole.base}/job/{job}/1/" for job in running]
    occupied = one_offs(whole.at(first.at_ms + 3_000))
    assert [occupied.count(url) for url in urls] == [1] * len(urls)
    assert not set(one_offs(whole.at())) & set(urls)


def test_rebase_follows_everywhere_and_leaves_the_recording_alone() -> None:
    whole = recording("11-app-build-deploy")
    documents = whole.at().rebase("https://ci.example.com/x")
    text = json.dumps([documents.objects, documents.answers])
    assert BASE not in text
    assert documents.compose()["/job/app-deploy/2"]["url"] == "https://ci.example.com/x/job/app-deploy/2/"
    assert BASE in json.dumps(whole.at().objects)
    assert rebase({"a": [f"see {BASE}/job/x", 1, None]}, BASE, "http://h") == {"a": ["see http://h/job/x", 1, None]}


def test_dropped_builds_keep_their_numbers() -> None:
    documents = recording("11-app-build-deploy").at()
    last = documents.compose()["/job/app-deploy"]["lastBuild"]["number"]
    rest = documents.without_build("app-deploy", last).compose()["/job/app-deploy"]
    assert rest["nextBuildNumber"] == last + 1
    assert rest["lastBuild"]["number"] == last - 1
    gone: Documents = documents.without_job("app-deploy")
    assert not [path for path in [*gone.compose(), *gone.answers] if path.startswith("/job/app-deploy")]


def test_only_what_the_administrator_saw_is_replayed(tmp_path: Path) -> None:
    asked = ("/job/a/1/api/json", {"number": 1, "timestamp": 1}, 1)
    assert "/job/a/1" in made_up(tmp_path, asked).at().objects
    assert made_up(tmp_path, asked, **{"as": "viewer"}).at().objects == {}
    assert made_up(tmp_path, asked, status=403).at().objects == {}


def test_a_file_that_is_no_recording(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"resourceSpans": []}\n')
    with pytest.raises(ValueError, match="header"):
        Recording.load(file)
    with pytest.raises(ValueError, match="at least one"):
        Recording.load()


def test_every_scenario_loads() -> None:
    for file in sorted(support.RECORDINGS.glob("*.jsonl")):
        composed = Recording.load(file).at().compose()
        for path, document in composed.items():
            if "allBuilds" in document:
                assert document["nextBuildNumber"] > max((build["number"] for build in document["builds"]), default=0), path
