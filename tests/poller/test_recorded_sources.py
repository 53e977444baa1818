"""One recorded build, told by each plugin that was recorded of it: the same tree, whoever tells its times."""

from __future__ import annotations

import json
from contextlib import closing
from functools import cache
from typing import Any

import pytest
import support

from jenkins_poller.fetch.api import Controller
from jenkins_poller.fetch.build import Fetched, Reader
from jenkins_poller.fetch.document import STEP, own_document
from jenkins_poller.fetch.errors import NotFound
from jenkins_poller.fetch.nodelog import build_of_path
from jenkins_poller.fetch.sources import blue_ocean, stage_view
from jenkins_poller.spans.spans import spans_of_build
from pipeline_trace.place.ci.jenkins.chain import BuildPlace
from pipeline_trace.trace import conventions as c
from pipeline_trace_demo.replay import Replay

ROOT = "https://ci.example.com"
PLUGINS = ("wfapi/", "stages/", "pipeline-overview/", "pipeline-graph/", "pipeline-console/", "blue/")
Tree = dict[str, tuple[object, ...]]


@cache
def recorded(name: str) -> dict[str, dict[str, Any]]:
    """Return the answers of a plugin by scenario and path."""
    found: dict[str, dict[str, Any]] = {}
    for line in (support.RECORDINGS / "plugins" / f"{name}.jsonl").read_text("utf-8").splitlines():
        exchange = json.loads(line)
        found.setdefault(exchange["scenario"], {})[exchange["path"].lstrip("/")] = exchange["json"]
    return found


# The builds of which the older Graph View was recorded name the job as Jenkins' own paths do.
BUILDS = {
    scenario: next(path.rpartition("/pipeline-")[0] for path in answers)
    for scenario, answers in recorded("graph-view-2024").items()
    if scenario in recorded("blue-ocean")
}


class Other(Controller):
    """A recorded controller whose plugins are others: they answer what is given, and nothing else."""

    def __init__(self, url: str, answers: dict[str, Any]) -> None:
        super().__init__(url, first_pause=0.001)
        self._answers = answers

    def get(self, path: str, tree: str = "") -> Any:
        if path in self._answers:
            return self._answers[path]
        if any(plugin in path for plugin in PLUGINS):
            raise NotFound(path)
        return super().get(path, tree)


def told(scenario: str, answers: dict[str, Any] | None) -> tuple[Fetched, Tree]:
    """Return a build, and its stages, branches and steps by node. ``answers``: of the plugin; None for Stage View's."""
    build = build_of_path(ROOT, BUILDS[scenario])
    with Replay(support.recording(scenario)) as jenkins:
        made = Controller(jenkins.url, first_pause=0.001) if answers is None else Other(jenkins.url, answers)
        with closing(made) as controller:
            found = Reader(controller, STEP).fetch({build: own_document(controller, build, STEP)}, build.number)[build]
    assert isinstance(found, Fetched), found
    kinds = (c.TYPE_STAGE, c.TYPE_BRANCH, c.TYPE_STEP, c.TYPE_INPUT)
    spans = spans_of_build(found, BuildPlace(build.trace_id), {})
    return found, {
        str(span.attributes[c.TASK_RUN_ID]): (
            span.span_id,
            span.parent_id,
            span.name,
            span.attributes[c.TASK_RUN_RESULT],
        )
        for span in spans
        if span.attributes[c.JENKINS_TYPE] in kinds
    }


@pytest.mark.parametrize("scenario", sorted(BUILDS))
def test_a_recorded_build_is_the_same_from_each_source(scenario: str) -> None:
    by_stage_view, tree = told(scenario, None)
    assert by_stage_view.plugin == stage_view.PLUGIN
    by_blue_ocean, same = told(scenario, recorded("blue-ocean")[scenario])
    assert by_blue_ocean.plugin == blue_ocean.PLUGIN
    assert same == tree
    for answers in (recorded("graph-view-2024")[scenario], {}):
        untimed, same = told(scenario, answers)
        assert untimed.no_times
        assert same == tree
