"""What a running build does and waits for is the same from every source: plugins of any version, or none at all."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import pytest
import support
from support.model import ModelJenkins, Node, Played, play
from support.model.programs import Agent, Branch, Item, Parallel, Program, Stage, ask, sh
from support.model.shapes import NAMED
from support.model.sources import SOURCES, UNTIMED

from jenkins_poller.fetch.api import Controller
from jenkins_poller.now import waiting
from jenkins_poller.now.moments import Plugins
from jenkins_poller.now.waits import Activity, OpenBuild
from jenkins_poller.poll.discovery import Selection
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace_demo.faults import Fault
from pipeline_trace_demo.replay import Replay

START_MS = 1_800_000_000_000
ROOT = "https://ci.example.com"
# What each source needs at most: for a controller, to find out what is there; for a build; and for each of its branches.
FOUND_OUT, OF_BUILD, OF_BRANCH = 9, 3, 3
NO_MACOS = "There are no nodes with the label ‘macos’"


def node_of(played: Played, name: str, nth: int) -> Node:
    return [node for node in played.nodes if node.name.startswith(name)][nth]


def opened(jenkins: ModelJenkins | Replay, said: list[str] | None = None) -> list[OpenBuild]:
    """Return what is open. ``said``: gets what is said about parts that cannot be read."""
    warnings: list[str] = []
    found = waiting.open_builds(Controller(jenkins.url, first_pause=0.001), Selection().wants, warnings.append)
    assert said is not None or warnings == []
    (said if said is not None else []).extend(warnings)
    return list(found.builds)


def at(played: Collection[Played], moment_ms: int, source: str) -> Iterator[ModelJenkins]:
    plugins, stale = SOURCES[source]
    with ModelJenkins(list(played), plugins, moment_ms=moment_ms, stale=stale, root=ROOT) as jenkins:
        yield jenkins


def activities(program: Program, moment_ms: int, source: str) -> tuple[Activity, ...]:
    """Return what the only build does at a moment, and see to it that few requests are sent."""
    for jenkins in at([play(program, start_ms=START_MS)], moment_ms, source):
        (build,) = opened(jenkins)
        assert len(jenkins.requests) <= 2 + FOUND_OUT + OF_BUILD + OF_BRANCH * len(build.activities)
    return build.activities


WAITS = {
    "a person": ("deploys", "Wait for interactive", 0, ("Deploy production",), "approval", "Deploy to production?", ""),
    "a build": ("deploys", "Building deploy", 0, ("Deploy staging",), "build", "deploy#1", ""),
    "an agent": ("no-agent", "Allocate node : Start", 1, ("Mac",), "agent", "macos", NO_MACOS),
    "an agent in a branch": ("no-agent-in-branch", "Allocate node : Start", 1, ("Mac", "intel"), "agent", "macos", NO_MACOS),
    "a lock": ("blocks", "Lock shared resource : Start", 0, ("Publish",), "lock", "database", "held by lock-holder #1"),
}  # fmt: skip


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("shape", WAITS)
def test_a_wait_is_the_same_from_every_source(shape: str, source: str) -> None:
    program, name, nth, *expected = WAITS[shape]
    node = node_of(play(NAMED[program], start_ms=START_MS), name, nth)
    first = activities(NAMED[program], node.at_ms + 3000, source)[0]
    wait = first.wait
    assert wait
    assert [first.stages, wait.kind, wait.what, wait.reason] == expected
    if source in UNTIMED and wait.kind != "agent":
        assert wait.since_ms is None
    else:
        # Where a source does not time the step itself, what is before it ended then.
        assert wait.since_ms
        assert -100 <= wait.since_ms - node.at_ms <= 0


STEPS = {
    "in a branch": ("parallel-scripted", 2, ("Tests", "slow"), "slow", 0, False),
    "in a retry": ("retry", 1, ("Flaky",), "try", 2, False),
    "in a timeout": ("timeout", 0, ("Slow",), "sleep 30", 0, True),
    "before all stages": ("loose", 0, (), "before all stages", 0, False),
    "between stages": ("loose", 2, (), "between stages", 0, False),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("shape", STEPS)
def test_a_step_is_the_same_from_every_source(shape: str, source: str) -> None:
    program, nth, stages, argument, attempt, limited = STEPS[shape]
    node = node_of(play(NAMED[program], start_ms=START_MS), "Shell Script", nth)
    found = activities(NAMED[program], node.end_ms - 1, source)
    step = found[-1]
    assert (step.stages, step.wait, step.attempt, step.limited) == (stages, None, attempt, limited)
    # Graph View has no step outside stages, once there is a stage. Without a plugin, nobody tells the argument.
    told = source != "none" and (shape != "between stages" or source in ("stage view", "both"))
    assert step.step == ("Shell Script" + (f": {argument}" if told else ""))
    if source in UNTIMED:
        assert step.since_ms is None
    else:
        assert step.since_ms
        assert -200 <= step.since_ms - node.at_ms <= 0


def for_agent(name: str, *before: Item) -> Program:
    return Program(name, [Stage("Mac", [*before, Agent("mac", label="macos", wait_ms=50_000)])])


@pytest.mark.parametrize("source", [source for source in SOURCES if source not in UNTIMED])
def test_builds_that_wait_for_the_same_label_each_have_their_own_item(source: str) -> None:
    played = [
        play(for_agent("first"), start_ms=START_MS),
        play(for_agent("second", sh("make", 7000)), start_ms=START_MS),
        play(for_agent("third"), start_ms=START_MS + 1500),
    ]
    for jenkins in at(played, START_MS + 12_000, source):
        found = {build.job: build.activities[0].wait for build in opened(jenkins)}
    for one in played:
        wait = found[one.job]
        assert wait
        assert (wait.since_ms, wait.reason) == (node_of(one, "Allocate node : Start", 0).at_ms, NO_MACOS)


def test_without_times_an_item_is_told_only_where_no_other_fits() -> None:
    played = [play(for_agent("early"), start_ms=START_MS), play(for_agent("late"), start_ms=START_MS + 9000)]
    for jenkins in at(played, START_MS + 20_000, "none"):
        early, late = (build.activities[0].wait for build in opened(jenkins))
    assert early
    assert late
    # The first item is older than the second build.
    assert [early.since_ms, late.since_ms] == [node_of(one, "Allocate node : Start", 0).at_ms for one in played]


def test_without_times_items_that_could_be_of_either_tell_no_time_but_their_reason() -> None:
    played = [play(for_agent("one"), start_ms=START_MS), play(for_agent("two"), start_ms=START_MS)]
    for jenkins in at(played, START_MS + 20_000, "none"):
        waits = [build.activities[0].wait for build in opened(jenkins)]
    assert [(wait.what, wait.reason, wait.since_ms) for wait in waits if wait] == [("macos", NO_MACOS, None)] * 2


@pytest.mark.parametrize("source", ["stage view", "graph view", "none"])
def test_a_branch_that_has_ended_does_nothing(source: str) -> None:
    both = Program(
        "branches", [Stage("Test", [Parallel([Branch("quick", [sh("x", 100)]), Branch("slow", [sh("y", 9000)])])])]
    )
    assert [one.stages for one in activities(both, START_MS + 5000, source)] == [("Test", "slow")]


@pytest.mark.parametrize("source", SOURCES)
def test_each_branch_tells_its_own_question(source: str) -> None:
    branches = [Branch(name, [ask(f"Deploy to {name}?", 60_000)]) for name in ("east", "west")]
    found = activities(Program("asks", [Stage("Approve", [Parallel(branches)])]), START_MS + 9000, source)
    assert {one.stages[-1]: one.wait.what for one in found if one.wait} == {
        "east": "Deploy to east?",
        "west": "Deploy to west?",
    }


@pytest.mark.parametrize("source", ["stage view", "graph view", "none"])
def test_a_step_whose_label_looks_like_a_build_step_is_a_step(source: str) -> None:
    image = Program("image", [Stage("Image", [sh("docker build .", 9000, label="Building the image")])])
    (only,) = activities(image, START_MS + 5000, source)
    assert (only.wait, only.step.partition(":")[0]) == (None, "Building the image")


@pytest.mark.parametrize("source", ["stage view", "graph view", "none"])
def test_many_builds_and_branches_cost_few_requests(source: str) -> None:
    wide = Program("wide", [Stage("Test", [Parallel([Branch(f"{at}", [sh("x", 90_000)]) for at in range(60)])])])
    played = [play(wide, start_ms=START_MS, number=number) for number in range(1, 6)]
    for jenkins in at(played, START_MS + 30_000, source):
        assert {len(build.activities) for build in opened(jenkins)} == {60}
        # Stage View tells of one node at once; of the last branches no time is told.
        assert len(jenkins.requests) <= 2 + 4 * FOUND_OUT + len(played) * (21 if source == "stage view" else 3)


def test_one_build_that_cannot_be_read_does_not_hide_the_others() -> None:
    with Replay(support.recording("g-60-queue-scripted"), moment_ms=1795956590000) as jenkins:
        jenkins.edit("/job/waits-for-agent-scripted/1/api/json", lambda document: {**document, "number": 7})
        said: list[str] = []
        found = [build.name for build in opened(jenkins, said)]
    assert found == ["app-deploy"]
    assert [line.partition(":")[0] for line in said] == ["cannot read waits-for-agent-scripted#1"]


ODD: list[Any] = [None, 7, "x", [], {}, {"items": None, "computer": 3, "data": "x", "stages": {}, "steps": "x"}]


def test_a_throttled_step_is_told_with_the_reason_of_the_queue() -> None:
    why = "Already running 1 builds across all nodes"

    def throttled(queue: dict[str, Any]) -> dict[str, Any]:
        items = [{**item, "_class": "hudson.model.Queue$BlockedItem", "why": why} for item in queue["items"]]
        return {**queue, "items": items}

    with Replay(support.recording("g-60-queue-scripted"), moment_ms=1795956590000) as jenkins:
        jenkins.edit("/queue/api/json", throttled)
        (intel, _) = next(one for one in opened(jenkins) if one.number).activities
    assert intel.wait
    assert (intel.wait.kind, intel.wait.reason, intel.wait.since_ms) == ("blocked", why, 1795956569175)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("list_of", ["items", "computer", "stages", "steps", "task", "executors", "actions", "inputStep"])
def test_odd_values_in_an_answer_are_no_traceback(list_of: str, odd: Any) -> None:
    def spoilt(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: odd if name == list_of else spoilt(inner) for name, inner in value.items()}
        return [spoilt(inner) for inner in value] if isinstance(value, list) else value

    build = "/job/waits-for-agent-scripted/1/stages"
    with Replay(support.recording("g-60-queue-scripted"), moment_ms=1795956590000) as jenkins:
        for path in ("/queue/api/json", "/computer/api/json", f"{build}/tree", f"{build}/allSteps"):
            jenkins.edit(path, spoilt)
        said: list[str] = []
        names = [one.name for one in opened(jenkins, said)]
    assert ("waits-for-agent-scripted#1" in names) == (list_of != "computer")
    missing = {"items": "cannot read the queue", "computer": "it is not known which builds run"}
    assert [line.partition(":")[0] for line in said] == (
        [missing[list_of]] if list_of in missing and not isinstance(odd, list) else []
    )


@pytest.mark.parametrize("path", ["/stages/tree", "/stages/allSteps"])
def test_an_answer_that_fails_costs_only_what_it_tells(path: str) -> None:
    with Replay(support.recording("g-60-queue-scripted"), moment_ms=1795956590000) as jenkins:
        jenkins.faults = [Fault(path, "status", status=500)]
        intel, linux = opened(jenkins)[0].activities
    assert (intel.stages, linux.stages) == (("Mac", "intel"), ("Mac", "linux"))
    assert intel.wait
    assert (intel.wait.what, intel.wait.reason) == ("macos", NO_MACOS)


# What a person reads in the raw answers of that moment. Times: milliseconds since the epoch.
AGENT_MAC = ("agent", "macos", NO_MACOS)
MOMENTS = [
    ("g-40-input", 1795956422300, "input#1", "Approve", ("approval", "Deploy to production?", ""), 1795956419639),
    # Graph View repeats an answer of before the step. With parameters, the log has no question.
    ("g-40-input", 1795956500000, "input#1", "Deploy", ("approval", "", ""), 1795956428174),
    ("g-40-input", 1795956550900, "input#1", "Deploy", ("approval", "Which window?", ""), 1795956428660),
    ("g-40-input", 1795956559600, "input#2", "Approve", ("approval", "Deploy to production?", ""), 1795956556181),
    ("g-41-running", 1795956520100, "running#1", "Build", "Shell Script: sleep 2", 1795956517957),
    ("g-41-running", 1795956538000, "running#1", "Deploy", ("build", "part#3", ""), 1795956530414),
    ("g-42-long-sh", 1795956540000, "hangs#1", "Migrate", "Shell Script: echo connecting to 10.0.0.12; sleep 60; echo done",
     1795956516409),
    ("g-48-lock", 1795956606100, "lock-holder#1", "Migrate", "Shell Script: echo migrating; sleep 20", 1795956598492),
    ("g-48-lock", 1795956606100, "lock-waiter#1", "Migrate", ("lock", "", ""), 1795956599625),
    ("g-60-queue", 1795956569900, "waits-for-agent#2", "Mac", AGENT_MAC, 1795956569279),
    ("g-60-queue", 1795956590000, "waits-for-agent#2", "Mac", AGENT_MAC, 1795956569279),
    ("g-60-queue-scripted", 1795956590000, "waits-for-agent-scripted#1", "Mac > intel", AGENT_MAC, 1795956569175),
    ("g-60-queue-scripted", 1795956590000, "waits-for-agent-scripted#1", "Mac > linux", "Shell Script: sleep 40",
     1795956569186),
    ("g-65-read-at-once", 1795956850000, "read-at-once#2", "Call", ("build", "hangs#2", ""), 1795956812346),
    ("g-67-build-step-live", 1795957193000, "call-hangs#1", "Call",
     ("build", "Team Ärger/lang", "not started yet: In the quiet period. Expires in 4.9 sec"), 1795957192116),
    ("g-67-build-step-live", 1795957202000, "call-hangs#1", "Call", ("build", "Team Ärger/lang#1", ""), 1795957192116),
]  # fmt: skip


@pytest.mark.parametrize(("recording", "moment_ms", "name", "stages", "does", "since_ms"), MOMENTS)
def test_a_controller_with_graph_view_alone_tells_it_all(
    recording: str, moment_ms: int, name: str, stages: str, does: str | tuple[str, str, str], since_ms: int
) -> None:
    with Replay(support.recording(recording), moment_ms=moment_ms) as jenkins:
        (build,) = [one for one in opened(jenkins) if one.name == name]
    (activity,) = [one for one in build.activities if " > ".join(one.stages) == stages]
    wait = activity.wait
    assert ((wait.kind, wait.what, wait.reason) if wait else activity.step) == does
    assert (wait.since_ms if wait else activity.since_ms) == since_ms


def test_stage_view_names_the_lock() -> None:
    # Nobody looked while it waited.
    def waits(document: dict[str, Any]) -> dict[str, Any]:
        graph = next(action for action in document["actions"] if "nodes" in action)
        graph["nodes"] = [node for node in graph["nodes"] if int(node["id"]) <= 7]
        return {**document, "building": True, "result": None}

    with Replay(support.recording("r11")) as jenkins:
        jenkins.edit("/job/lockb/1/api/json", waits)
        found = waiting.open_build(Plugins(Controller(jenkins.url)), Build(jenkins.url, "lockb", 1))
    assert found
    (activity,) = found.activities
    assert activity.wait
    assert (activity.stages, activity.wait.kind, activity.wait.what) == (("l",), "lock", "r1")
    assert activity.wait.since_ms == 1795956001940
