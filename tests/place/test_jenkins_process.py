"""A process inside a build: what its environment says, and what the controller adds."""

from __future__ import annotations

from typing import Any

import pytest
from support.graphs import node, recorded

from pipeline_trace.place import locate as locating
from pipeline_trace.place.ci import PER_BUILD
from pipeline_trace.place.ci import is_in_jenkins as inside
from pipeline_trace.place.ci.jenkins.chain import BuildPlace
from pipeline_trace.place.ci.jenkins.graph import FlowNode
from pipeline_trace.place.ci.jenkins.graph import nodes_by_id as read_graph
from pipeline_trace.place.ci.jenkins.identity import Build, build_url_parts, normalised_url
from pipeline_trace.place.ci.jenkins.inside import ControllerAnswer, build_of, locate, missing_variable_hint
from pipeline_trace.place.w3c import Place
from pipeline_trace.trace.ids import key_trace_id

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
ENV = {
    "JENKINS_URL": "https://ci.example.com/",
    "BUILD_URL": "https://ci.example.com/job/app/7/",
    "BUILD_NUMBER": "7",
    "JOB_NAME": "app",
    "NODE_NAME": "agent-1",
}
BUILD = Build("https://ci.example.com", "app", 7)
STAGE = BUILD.span_id("stage", "Deploy", "0")
ROOT_TRACE = Build("https://ci.example.com", "root", 1).trace_id


def silent(build: Build) -> ControllerAnswer | None:
    return None


def never(build: Build) -> ControllerAnswer | None:
    raise AssertionError("nobody is to be asked")


def answering(**fields: Any) -> Any:
    return lambda build: ControllerAnswer(**{"place": BuildPlace(ROOT_TRACE), **fields})


def standing(environ: dict[str, str], ask: Any = silent, trace_per: str = "pipeline") -> Place:
    place = locate(environ, ask, trace_per)
    assert place is not None
    return place


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in ENV.items() if name not in names}


def graph(*stages: tuple[str, bool]) -> dict[str, FlowNode]:
    """Return the graph of a run with stages beside each other, each open or closed."""
    documents = [node(2, "Start of Pipeline", "first"), node(3, "Execute in parallel : Start", "start", 2)]
    for number, (name, is_open) in enumerate(stages):
        first = 10 * (number + 1)
        documents += [node(first, "Branch: b", "start", 3), node(first + 1, "Stage : Start", "start", first)]
        documents += [node(first + 2, name, "start", first + 1)]
        documents += [] if is_open else [node(first + 3, "Stage : Body : End", "end", first + 2)]
    return read_graph(documents)


# URLs


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://ci.example.com", "https://ci.example.com"),
        ("https://ci.example.com/", "https://ci.example.com"),
        ("  https://ci.example.com/ \n", "https://ci.example.com"),
        ("HTTPS://CI.Example.COM/Jenkins/", "https://ci.example.com/Jenkins"),
        ("https://ci.example.com:443/", "https://ci.example.com"),
        ("http://ci.example.com:80", "http://ci.example.com"),
        ("http://ci.example.com:443", "http://ci.example.com:443"),
        ("https://ci.example.com:80", "https://ci.example.com:80"),
        ("http://localhost:8080/jenkins//", "http://localhost:8080/jenkins"),
        ("https://user:secret@ci.example.com/", "https://ci.example.com"),
        ("https://ci.example.com/?x=1#top", "https://ci.example.com"),
        ("http://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080"),
        ("http://[::1]/", "http://[::1]"),
        ("http://[::1]:80/ci/", "http://[::1]/ci"),
        ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
    ],
)
def test_a_controllers_url_has_one_form(url: str, normal: str) -> None:
    assert normalised_url(url) == normal
    assert normalised_url(normal) == normal


@pytest.mark.parametrize(
    "url",
    ["", "ci.example.com", "//ci.example.com", "ftp://ci.example.com", "http://", "http:///x", "http://[::1", "http://h:port/",
     "http://h:99999/", "file:///etc"],
)  # fmt: skip
def test_what_is_no_url_of_a_controller_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        normalised_url(url)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://ci/job/app/7/", ("https://ci", "app", 7)),
        ("https://ci/job/app/7", ("https://ci", "app", 7)),
        (" https://ci/job/app/7/\n", ("https://ci", "app", 7)),
        ("https://ci:8443/jenkins/job/app/7/", ("https://ci:8443/jenkins", "app", 7)),
        ("https://ci/a/b/job/app/7/", ("https://ci/a/b", "app", 7)),
        ("http://[::1]:8080/job/app/7/", ("http://[::1]:8080", "app", 7)),
        ("https://ci/job/Team%20A/job/sub/job/leaf%20job/12/", ("https://ci", "Team A/sub/leaf job", 12)),
        ("https://ci/job/d%C3%A9ploy%20%C3%BCn%C3%AF/1/", ("https://ci", "déploy ünï", 1)),
        ("https://ci/job/multi/job/feature%252Flogin/3/", ("https://ci", "multi/feature%2Flogin", 3)),
        ("https://ci/job/job/7/", ("https://ci", "job", 7)),
        ("https://ci/job/job/job/x/7/", ("https://ci", "job/x", 7)),
        ("https://ci/job/x/job/job/7/", ("https://ci", "x/job", 7)),
        ("https://ci/job/job/job/job/7/", ("https://ci", "job/job", 7)),
        ("https://ci/jenkins/job/job/job/x/7/", ("https://ci/jenkins", "job/x", 7)),
        ("https://ci/job/42/7/", ("https://ci", "42", 7)),
    ],
)
def test_a_builds_url_names_controller_job_and_number(url: str, parts: tuple[str, str, int]) -> None:
    assert build_url_parts(url) == (*parts, "")


@pytest.mark.parametrize(
    "url",
    ["", "app#7", "https://ci/", "https://ci/7/", "https://ci/job/app/", "https://ci/job/app/lastBuild/", "https://ci/view/7/",
     "/job/app/7/", "https:///job/app/7/", "https://ci/job/7", "https://ci/job/app/-7/", "https://ci/job/app/7x/",
     "http://[::1/job/app/7/", "https://ci/job/app/²/", "https://ci/job/app/７/"],
)  # fmt: skip
def test_what_is_no_builds_url_is_none_and_no_error(url: str) -> None:
    if url.endswith("７/"):
        # Digits of other scripts are no build number, or at least the same one.
        assert build_url_parts(url) in (None, ("https://ci", "app", 7, ""))
    else:
        assert build_url_parts(url) is None


# The build


@pytest.mark.parametrize(
    ("environ", "is_inside"),
    [
        (ENV, True),
        ({"BUILD_NUMBER": "7", "JENKINS_URL": "http://x"}, True),
        ({"BUILD_NUMBER": "7", "JENKINS_HOME": "/x"}, True),
        ({"BUILD_NUMBER": "7", "JENKINS_NODE_COOKIE": "x"}, True),
        ({"BUILD_NUMBER": "7", "PIPELINE_TRACE_JENKINS_URL": "http://x"}, True),
        ({"JENKINS_URL": "http://x"}, False),
        ({"BUILD_NUMBER": "7"}, False),
        ({"BUILD_NUMBER": "", "JENKINS_URL": "http://x"}, False),
        ({"CI": "true", "GITHUB_RUN_ID": "5"}, False),
        ({}, False),
    ],
)
def test_a_process_is_inside_a_build_where_jenkins_says_so(environ: dict[str, str], is_inside: bool) -> None:
    assert inside(environ) is is_inside


def test_the_build_is_that_of_the_url() -> None:
    assert build_of(ENV) == BUILD


@pytest.mark.parametrize(
    ("change", "controller"),
    [
        ({"JENKINS_URL": "HTTPS://CI.example.com:443"}, "https://ci.example.com"),
        ({"JENKINS_URL": ""}, "https://ci.example.com"),
        ({"PIPELINE_TRACE_JENKINS_URL": "http://inside:8080/jenkins/"}, "http://inside:8080/jenkins"),
        ({"JENKINS_URL": "http://[::1]:8080/", "BUILD_URL": "http://[::1]:8080/job/app/7/"}, "http://[::1]:8080"),
        (
            {"JENKINS_URL": "http://ci/jenkins/", "BUILD_URL": "http://ci/jenkins/job/app/7/"},
            "http://ci/jenkins",
        ),
    ],
)
def test_the_controller_is_the_configured_one(change: dict[str, str], controller: str) -> None:
    assert build_of({**ENV, **change}) == Build(controller, "app", 7)


def test_the_job_comes_from_the_url_since_an_agent_in_the_c_locale_mangles_its_name() -> None:
    environ = {**ENV, "BUILD_URL": "https://ci.example.com/job/Team%20A/job/d%C3%A9ploy/7/", "JOB_NAME": "Team A/d?ploy"}
    assert build_of(environ) == Build("https://ci.example.com", "Team A/déploy", 7)


def test_the_jobs_name_stands_in_for_a_missing_url() -> None:
    environ = {**without("BUILD_URL"), "JOB_NAME": "Team A/multi/feature%2Flogin"}
    assert build_of(environ) == Build("https://ci.example.com", "Team A/multi/feature%2Flogin", 7)


@pytest.mark.parametrize(
    "environ",
    [
        without("BUILD_URL", "JOB_NAME"),
        without("BUILD_URL", "JENKINS_URL"),
        {**without("BUILD_URL"), "BUILD_NUMBER": "seven"},
        {**without("BUILD_URL"), "BUILD_NUMBER": "²"},
        {**ENV, "JENKINS_URL": "nonsense"},
        {**ENV, "BUILD_URL": "http://[::1/job/app/7/", "JENKINS_URL": "http://[::1/"},
        {"BUILD_NUMBER": "7", "JENKINS_HOME": "/x"},
    ],
)
def test_a_build_that_cannot_be_told_is_none_and_no_error(environ: dict[str, str]) -> None:
    assert build_of(environ) is None
    assert locate(environ, never) is None


def test_without_a_builds_url_one_line_names_the_setting_and_the_variable() -> None:
    for environ in (without("BUILD_URL", "JOB_NAME"), without("BUILD_URL", "JENKINS_URL")):
        said = missing_variable_hint(environ)
        assert "PIPELINE_TRACE_JENKINS_URL" in said
        assert "Jenkins URL" in said
        assert len(said.splitlines()) == 1


def test_a_build_that_cannot_be_told_gets_a_trace_of_its_own_and_one_warning() -> None:
    place = locating.locate({"BUILD_NUMBER": "7", "JENKINS_HOME": "/x", "JENKINS_NODE_COOKIE": "x"}, None)
    assert place.parent_id is None
    assert len(place.warnings) == 1


# Where it stands


@pytest.mark.parametrize("stage", [{}, {"STAGE_NAME": ""}])
def test_without_a_stage_the_parent_is_the_run(stage: dict[str, str]) -> None:
    place = standing({**ENV, **stage})
    assert (place.trace_id, place.parent_id, dict(place.attributes)) == (BUILD.trace_id, BUILD.run_span_id, {})


def test_where_nobody_can_be_asked_the_first_stage_of_the_name_is_assumed() -> None:
    place = standing({**ENV, "STAGE_NAME": "Deploy"})
    assert (place.trace_id, place.parent_id) == (BUILD.trace_id, STAGE)
    assert place.attributes == {"jenkins.stage.assumed": True}
    assert place.warnings == ()


@pytest.mark.parametrize("name", ["D?ploy", "Déploy", "D\udcc3\udca9ploy"])
def test_a_name_that_the_locale_may_have_mangled_is_not_assumed(name: str) -> None:
    place = standing({**ENV, "STAGE_NAME": name})
    assert place.parent_id == BUILD.run_span_id
    assert "jenkins.stage.assumed" not in place.attributes


def test_the_answer_gives_the_trace_and_the_stage() -> None:
    place = standing({**ENV, "STAGE_NAME": "Deploy"}, answering(nodes=graph(("Deploy", True), ("Other", True))))
    assert (place.trace_id, place.parent_id, dict(place.attributes)) == (ROOT_TRACE, STAGE, {})


@pytest.mark.parametrize(
    ("stages", "occurrence"),
    [
        ([("Deploy", False)], "0"),
        ([("Deploy", False), ("Deploy", True)], "1"),
        ([("Deploy", True), ("Deploy", False)], "0"),
        ([("Deploy", False), ("Deploy", False), ("Deploy", True), ("Deploy", False)], "2"),
    ],
)
def test_of_several_stages_of_a_name_it_is_the_one_in_progress(stages: list[tuple[str, bool]], occurrence: str) -> None:
    place = standing({**ENV, "STAGE_NAME": "Deploy"}, answering(nodes=graph(*stages)))
    assert place.parent_id == BUILD.span_id("stage", "Deploy", occurrence)
    assert dict(place.attributes) == {}


@pytest.mark.parametrize(
    ("stages", "candidates"),
    [
        ([("Deploy", True), ("Deploy", True)], ["0", "1"]),
        ([("Deploy", True), ("Deploy", False), ("Deploy", True)], ["0", "2"]),
        ([("Deploy", False), ("Deploy", False)], ["0", "1"]),
    ],
)
def test_where_it_may_be_several_the_parent_is_the_run_and_the_candidates_are_named(
    stages: list[tuple[str, bool]], candidates: list[str]
) -> None:
    place = standing({**ENV, "STAGE_NAME": "Deploy"}, answering(nodes=graph(*stages)))
    assert place.parent_id == BUILD.run_span_id
    assert place.attributes == {"jenkins.stage.candidates": [BUILD.span_id("stage", "Deploy", n) for n in candidates]}


def test_a_stage_that_the_controller_does_not_know_is_the_run() -> None:
    place = standing({**ENV, "STAGE_NAME": "Set by hand"}, answering(nodes=graph(("Deploy", True))))
    assert (place.parent_id, dict(place.attributes)) == (BUILD.run_span_id, {})


def test_a_recorded_graph_in_the_middle_of_its_run() -> None:
    documents = [document for document in recorded("20", "parallel-nested") if int(document["id"]) <= 48]
    nodes = read_graph(documents)
    place = standing({**ENV, "STAGE_NAME": "Setup"}, answering(nodes=nodes))
    assert place.parent_id == BUILD.span_id("stage", "Setup", "1")
    assert standing({**ENV, "STAGE_NAME": "Run"}, answering(nodes=nodes)).parent_id == BUILD.span_id("stage", "Run", "0")


def test_an_answer_without_a_graph_leaves_the_stage_assumed() -> None:
    place = standing({**ENV, "STAGE_NAME": "Deploy"}, answering())
    assert (place.trace_id, place.parent_id) == (ROOT_TRACE, STAGE)
    assert place.attributes == {"jenkins.stage.assumed": True}


def test_with_one_trace_a_build_nobody_is_asked() -> None:
    place = standing({**ENV, "STAGE_NAME": "Deploy"}, never, PER_BUILD)
    assert (place.trace_id, place.parent_id) == (BUILD.trace_id, STAGE)


def test_a_traceparent_that_is_a_parameter_names_the_trace_and_the_parent_is_still_the_stage() -> None:
    environ = {**ENV, "STAGE_NAME": "Deploy", "TRACEPARENT": TRACEPARENT, "TRACESTATE": "a=b"}
    ask = answering(place=BuildPlace(TRACE, SPAN), parameters={"TRACEPARENT": TRACEPARENT}, nodes=graph(("Deploy", True)))
    place = standing(environ, ask)
    assert (place.trace_id, place.parent_id, place.tracestate) == (TRACE, STAGE, "a=b")


@pytest.mark.parametrize("parameters", [{}, {"TRACEPARENT": f"00-{TRACE}-{'1' * 16}-01"}])
def test_a_traceparent_of_another_value_is_the_parent_itself(parameters: dict[str, str]) -> None:
    environ = {**ENV, "STAGE_NAME": "Deploy", "TRACEPARENT": TRACEPARENT}
    place = standing(environ, answering(parameters=parameters, nodes=graph(("Deploy", True))))
    assert (place.trace_id, place.parent_id) == (TRACE, SPAN)
    assert [(link.trace_id, link.span_id) for link in place.links] == [(ROOT_TRACE, STAGE)]


def test_a_traceparent_that_nobody_confirms_is_the_parent_itself() -> None:
    place = standing({**ENV, "TRACEPARENT": TRACEPARENT})
    assert (place.trace_id, place.parent_id) == (TRACE, SPAN)


@pytest.mark.parametrize("ask", [silent, answering()])
def test_flag_00_emits_nothing(ask: Any) -> None:
    assert not standing({**ENV, "TRACEPARENT": f"00-{TRACE}-{SPAN}-00"}, ask).sampled


def test_flag_00_that_is_a_parameter_emits_nothing() -> None:
    unsampled = f"00-{TRACE}-{SPAN}-00"
    ask = answering(place=BuildPlace(TRACE, SPAN, (), False), parameters={"TRACEPARENT": unsampled})
    assert not standing({**ENV, "TRACEPARENT": unsampled}, ask).sampled


def test_flag_00_that_a_replay_copied_is_no_parent_and_does_not_silence_it() -> None:
    unsampled = f"00-{TRACE}-{SPAN}-00"
    place = standing({**ENV, "TRACEPARENT": unsampled}, answering(parameters={"TRACEPARENT": unsampled}))
    assert (place.trace_id, place.parent_id, place.sampled) == (ROOT_TRACE, BUILD.run_span_id, True)


def test_a_chain_that_is_not_recorded_is_not_recorded_here_either() -> None:
    assert not standing(ENV, answering(place=BuildPlace(TRACE, SPAN, (), False))).sampled


def test_a_malformed_traceparent_counts_as_absent_with_one_warning() -> None:
    place = standing({**ENV, "TRACEPARENT": "junk"}, answering())
    assert (place.trace_id, len(place.warnings)) == (ROOT_TRACE, 1)


def test_a_key_that_is_a_parameter_names_the_trace() -> None:
    environ = {**ENV, "PIPELINE_TRACE_KEY": "rel-1"}
    ask = answering(place=BuildPlace(key_trace_id("rel-1")), parameters={"PIPELINE_TRACE_KEY": "rel-1"})
    place = standing(environ, ask)
    assert (place.trace_id, place.parent_id, place.warnings) == (key_trace_id("rel-1"), BUILD.run_span_id, ())


@pytest.mark.parametrize("parameters", [{}, {"PIPELINE_TRACE_KEY": "another"}])
def test_a_key_that_is_no_parameter_is_ignored_with_one_warning(parameters: dict[str, str]) -> None:
    place = standing({**ENV, "PIPELINE_TRACE_KEY": "rel-1"}, answering(parameters=parameters))
    assert place.trace_id == ROOT_TRACE
    assert len(place.warnings) == 1
    assert "parameter" in place.warnings[0]


def test_the_clocks_difference_is_told_only_where_it_is_known() -> None:
    assert standing(ENV, answering(clock_skew_ms=-1500)).attributes == {"jenkins.clock_skew_ms": -1500}
    assert standing(ENV, answering(clock_skew_ms=0)).attributes == {"jenkins.clock_skew_ms": 0}
    assert "jenkins.clock_skew_ms" not in standing(ENV, answering()).attributes


def test_spans_of_a_process_carry_its_run_and_its_worker() -> None:
    assert standing(ENV).resource == {
        "cicd.pipeline.name": "app",
        "cicd.pipeline.run.id": "7",
        "cicd.pipeline.run.url.full": "https://ci.example.com/job/app/7/",
        "cicd.worker.name": "agent-1",
    }
    assert "cicd.worker.name" not in standing(without("NODE_NAME")).resource
    assert "cicd.pipeline.run.url.full" not in standing(without("BUILD_URL")).resource


def test_baggage_is_handed_on() -> None:
    assert standing({**ENV, "BAGGAGE": "team=x"}).baggage == "team=x"
