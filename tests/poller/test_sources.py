"""Whatever plugin tells the times, a build becomes the same tree: the same ids, parents, names and results."""

from __future__ import annotations

from contextlib import closing
from functools import cache

import pytest
from support.model import START_MS, ModelJenkins, Played, play, shapes
from support.model import truth as model

from jenkins_poller.fetch.api import Controller
from jenkins_poller.fetch.build import Fetched, Reader
from jenkins_poller.fetch.document import STEP, own_document
from jenkins_poller.spans.spans import spans_of_build
from pipeline_trace.place.ci.jenkins.chain import BuildPlace
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

ROOT = "https://ci.example.com"
GENERATED = 40
# Stage View, of a build that is not among the newest ten of its job.
OLDER = "wfapi, older"
SOURCES = {
    "graph-view": "Pipeline Graph View",
    "graph-view-2025": "Pipeline Graph View",
    "graph-view-2025-04": "Pipeline Graph View",
    "wfapi": "Pipeline: Stage View",
    OLDER: "Pipeline: Stage View",
    "blue-ocean": "Blue Ocean",
}
PROGRAMS = {program.name: program for program in [*shapes.NAMED.values(), *map(shapes.generated, range(GENERATED))]}
# What the model calls a result, as it stands in a span.
RESULTS = {
    model.SKIPPED: {c.SKIP},
    model.NOT_BUILT: {c.SKIP},
    "SUCCESS": {c.SUCCESS},
    "UNSTABLE": {c.FAILURE},
    "FAILURE": {c.FAILURE},
    "ABORTED": {c.CANCELLATION, c.TIMEOUT},
}
MS = 1_000_000
# The poller does not ask for what lies within a second.
CLOSE_MS = 1100


@cache
def build_of(name: str) -> Played:
    return play(PROGRAMS[name], start_ms=START_MS)


@cache
def fetched(name: str, plugins: frozenset[str], *, wrapped: bool = True) -> Fetched:
    """Return what the poller learns of a build from a controller with these plugins."""
    played = build_of(name)
    newest = played.number + (10 if OLDER in plugins else 0)
    with ModelJenkins([played], {plugin.split(",")[0] for plugin in plugins}, wrapped=wrapped) as jenkins:
        build = Build(ROOT, played.job, played.number)
        with closing(Controller(jenkins.url, first_pause=0.001)) as controller:
            found = Reader(controller, STEP).fetch({build: own_document(controller, build, STEP)}, newest)[build]
    assert isinstance(found, Fetched), found
    return found


def elements(found: Fetched) -> dict[str, Span]:
    """Return the spans of stages, branches and steps, by their node."""
    made = spans_of_build(found, BuildPlace(found.build.trace_id), {})
    kinds = (c.TYPE_STAGE, c.TYPE_BRANCH, c.TYPE_STEP, c.TYPE_INPUT)
    return {str(span.attributes[c.TASK_RUN_ID]): span for span in made if span.attributes[c.JENKINS_TYPE] in kinds}


def tree(found: Fetched) -> dict[str, tuple[object, ...]]:
    return {
        node: (span.span_id, span.parent_id, span.name, span.attributes[c.TASK_RUN_RESULT])
        for node, span in elements(found).items()
    }


every_program = pytest.mark.parametrize("name", sorted(PROGRAMS))


@every_program
@pytest.mark.parametrize("plugin", [*SOURCES, "graph-view-2024", ""])
def test_every_source_gives_the_true_tree(name: str, plugin: str) -> None:
    played = build_of(name)
    found = fetched(name, frozenset({plugin} - {""}))
    assert found.plugin == (SOURCES.get(plugin, "") if found.flow.top else found.plugin)
    spans = elements(found)
    true = {one.id: one for one in played.elements if one.kind != model.AGENT}
    assert {node: span.name for node, span in spans.items() if span.name != "Wait for input"} == {
        node: one.name for node, one in true.items() if spans[node].name != "Wait for input"
    }
    by_span = {span.span_id: node for node, span in spans.items()}
    assert {node: by_span.get(span.parent_id or "") for node, span in spans.items()} == {
        node: one.parent for node, one in true.items()
    }
    wrong = {
        (one.name, node): (spans[node].attributes[c.TASK_RUN_RESULT], one.result)
        for node, one in true.items()
        if spans[node].attributes[c.TASK_RUN_RESULT] not in RESULTS[one.result]
    }
    assert wrong == {}


@every_program
def test_all_sources_agree(name: str) -> None:
    trees = {plugin: tree(fetched(name, frozenset({plugin} - {""}))) for plugin in [*SOURCES, "graph-view-2024", ""]}
    first = trees["graph-view"]
    assert {plugin for plugin, one in trees.items() if one != first} == set()


@every_program
@pytest.mark.parametrize("plugin", ["graph-view", "wfapi", OLDER])
def test_times_are_the_true_ones_to_the_second(name: str, plugin: str) -> None:
    spans = elements(fetched(name, frozenset({plugin})))
    off = {}
    for one in build_of(name).elements:
        span = spans.get(one.id)
        if one.kind == model.AGENT or span is None or c.JENKINS_TIMES_UNKNOWN in span.attributes:
            continue
        assert one.end_ms is not None
        differs = span.start_ns / MS - one.start_ms, span.end_ns / MS - one.end_ms
        if max(abs(differs[0]), abs(differs[1])) > CLOSE_MS and one.result not in (model.SKIPPED, model.NOT_BUILT):
            off[one.name, one.id] = differs
    assert off == {}


@every_program
@pytest.mark.parametrize("plugin", [*SOURCES, ""])
def test_what_is_inside_lies_within_what_is_around(name: str, plugin: str) -> None:
    found = fetched(name, frozenset({plugin} - {""}))
    made = {span.span_id: span for span in spans_of_build(found, BuildPlace(found.build.trace_id), {})}
    for span in made.values():
        outer = made.get(span.parent_id or "")
        if outer and span.attributes[c.JENKINS_TYPE] != c.TYPE_QUEUE:
            assert outer.start_ns <= span.start_ns, (span.name, outer.name)
            assert span.end_ns <= outer.end_ns, (span.name, outer.name)
        assert span.start_ns >= START_MS * MS or span.attributes[c.JENKINS_TYPE] == c.TYPE_QUEUE
        assert span.start_ns <= span.end_ns


@every_program
@pytest.mark.parametrize("plugin", ["graph-view", "wfapi"])
def test_agents_and_started_builds_are_the_true_ones(name: str, plugin: str) -> None:
    found = fetched(name, frozenset({plugin}))
    for one in build_of(name).elements:
        if one.kind == model.AGENT and one.given_ms is not None:
            assert found.agents.get(one.id) == one.agent, one.id
        elif one.kind == model.AGENT:
            assert one.id not in found.agents
        if one.started and not one.started.waits:
            # Such a step leaves no build number in its log.
            assert len(found.started[one.id]) <= 1
        elif one.started:
            assert [(build.job, build.number) for build in found.started[one.id]] == [(one.started.job, one.started.number)]


def test_answers_that_are_not_wrapped_are_read_too() -> None:
    assert tree(fetched("nested", frozenset({"graph-view"}), wrapped=False)) == tree(fetched("nested", frozenset()))


def test_a_plain_build_costs_two_requests_more_than_its_document() -> None:
    for plugin in ("graph-view", "wfapi"):
        with ModelJenkins([build_of("plain")], {plugin}) as jenkins:
            controller, build = Controller(jenkins.url), Build(ROOT, build_of("plain").job, build_of("plain").number)
            reader = Reader(controller, STEP)
            document = {build: own_document(controller, build, STEP)}
            reader.fetch(document, build.number)
            jenkins.forget_requests()
            reader.fetch(document, build.number)
            assert len(jenkins.requests) == 2, jenkins.requests
