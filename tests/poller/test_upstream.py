"""What is kept of upstream builds while a sweep goes on: enough to ask once, and never more than a bound."""

from __future__ import annotations

from typing import Any

import pytest

from jenkins_poller.fetch import upstream
from jenkins_poller.fetch.api import Controller
from jenkins_poller.fetch.build import Reader
from jenkins_poller.fetch.upstream import Upstreams
from pipeline_trace.place.ci.jenkins.chain import place_of_build
from pipeline_trace.place.ci.jenkins.identity import Build

ROOT = "https://ci.example.com"


class Counting(Controller):
    """Answers every build with a graph of ten nodes; counts."""

    def __init__(self) -> None:
        super().__init__(ROOT)
        self.asked: list[str] = []

    def get(self, path: str, tree: str = "") -> Any:
        self.asked.append(path)
        nodes = [{"_class": "x.StepAtomNode", "id": str(number)} for number in range(10)]
        number = int(path.split("/")[2])
        return {"_class": "x.WorkflowRun", "number": number, "actions": [{"_class": "x.FlowGraphAction", "nodes": nodes}]}


def build(number: int) -> Build:
    return Build(ROOT, "app", number)


def test_an_upstream_of_many_builds_is_asked_for_once() -> None:
    controller = Counting()
    upstreams = Upstreams(Reader(controller, "stage"))
    for _ in range(5):
        upstreams.facts(build(1))
    assert controller.asked == ["job/app/1/api/json"]


def test_a_build_that_was_read_is_not_asked_for_as_an_upstream() -> None:
    controller = Counting()
    upstreams = Upstreams(Reader(controller, "stage"))
    upstreams.know(build(1), {"_class": "x.WorkflowRun"})
    upstreams.facts(build(1))
    assert controller.asked == []


def test_what_was_used_last_is_kept_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "_MOST_NODES", 40)
    controller = Counting()
    upstreams = Upstreams(Reader(controller, "stage"))
    for number in (1, 2, 3, 1, 4):
        upstreams.facts(build(number))
    controller.asked.clear()
    # Three of them, with eleven each, fit in; the second was not used since.
    for number in (1, 3, 4):
        upstreams.facts(build(number))
    assert controller.asked == []
    upstreams.facts(build(2))
    assert controller.asked == ["job/app/2/api/json"]


def test_what_a_cell_of_a_multi_configuration_build_started_hangs_under_the_cell() -> None:
    class Recorded(Controller):
        def get(self, path: str, tree: str = "") -> Any:
            document = found[path.removesuffix("/api/json")]
            return {**document, "number": int(path.split("/")[-3])}

    def caused(**cause: Any) -> dict[str, Any]:
        causes = [{"_class": "hudson.model.Cause$UpstreamCause", "upstreamBuild": 3, **cause}]
        return {"actions": [{"_class": "hudson.model.CauseAction", "causes": causes}]}

    whole = Build(ROOT, "multi", 3)
    found = {
        "job/app/1": caused(upstreamProject="multi/REGION=eu", upstreamUrl="job/multi/REGION=eu/"),
        "job/multi/REGION=eu/3": caused(upstreamProject="multi", upstreamUrl="job/multi/"),
        "job/multi/3": {"actions": []},
    }
    placed = place_of_build(build(1), Upstreams(Reader(Recorded(ROOT), "step")))
    assert (placed.trace_id, placed.parent_id) == (whole.trace_id, whole.span_id("configuration", "REGION=eu"))
