"""A cell of a multi-configuration (matrix) project: a build without a span of its own, in the build that runs it."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline_trace.place.ci import PER_BUILD
from pipeline_trace.place.ci.jenkins import documents
from pipeline_trace.place.ci.jenkins.chain import BuildPlace
from pipeline_trace.place.ci.jenkins.identity import Build, build_on_page, build_url_parts, job_in_path
from pipeline_trace.place.ci.jenkins.inside import ControllerAnswer, build_of, locate
from pipeline_trace.place.w3c import Place

ROOT = "https://ci.example.com"
WHOLE = Build(ROOT, "multi", 3)
CELL = Build(ROOT, "multi", 3, "REGION=eu")
SPAN = WHOLE.span_id("configuration", "REGION=eu")
ENV = {
    "JENKINS_URL": f"{ROOT}/",
    "BUILD_URL": f"{ROOT}/job/multi/REGION=eu/3/",
    "BUILD_NUMBER": "3",
    "JOB_NAME": "multi/REGION=eu",
    "REGION": "eu",
}


def standing(environ: dict[str, str], answer: ControllerAnswer | None = None, trace_per: str = "pipeline") -> Place:
    place = locate(environ, lambda build: answer, trace_per)
    assert place is not None
    return place


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        (f"{ROOT}/job/multi/REGION=eu/3/", (ROOT, "multi", 3, "REGION=eu")),
        (f"{ROOT}/job/multi/REGION%3Deu/3", (ROOT, "multi", 3, "REGION=eu")),
        (f"{ROOT}/jenkins/job/a/job/multi/OS=linux,JAVA=17/3/", (f"{ROOT}/jenkins", "a/multi", 3, "OS=linux,JAVA=17")),
        (f"{ROOT}/job/multi/OS=%C3%BC%20x,P=a%2Fb/3/", (ROOT, "multi", 3, "OS=ü x,P=a/b")),
        (f"{ROOT}/job/multi/default/3/", (ROOT, "multi", 3, "default")),
        (f"{ROOT}/job/team/job/REGION=eu/3/", (ROOT, "team/REGION=eu", 3, "")),
    ],
)
def test_the_url_of_a_cell_names_its_project_and_its_axes(url: str, parts: tuple[str, str, int, str]) -> None:
    assert build_url_parts(url) == parts


@pytest.mark.parametrize("url", [f"{ROOT}/job/multi/eu/3/", f"{ROOT}/REGION=eu/3/", f"{ROOT}/view/multi/REGION=eu/3/"])
def test_what_is_no_cell_is_no_build(url: str) -> None:
    assert build_url_parts(url) is None


@pytest.mark.parametrize(
    "path", ["job/multi/REGION=eu/3/", "job/a%20b/job/multi/OS=%C3%BC%20x,P=a%2Fb/3/", "job/a/job/b%252Fc/7/"]
)
def test_a_builds_path_is_that_of_its_url(path: str) -> None:
    build = build_on_page(f"{ROOT}/{path}")
    assert build is not None
    assert build.path == path


def test_a_cell_has_the_ids_of_its_span_in_the_build() -> None:
    assert (CELL.trace_id, CELL.run_span_id, CELL.name) == (WHOLE.trace_id, SPAN, "multi#3")
    assert CELL.key != WHOLE.key
    assert CELL.run_span_id != Build(ROOT, "multi", 3, "REGION=us").run_span_id


def test_the_build_inside_a_cell_is_told_by_its_url() -> None:
    assert build_of(ENV) == CELL


@pytest.mark.parametrize(
    ("name", "variables", "build"),
    [
        ("a/multi/REGION=eu", {"REGION": "eu"}, Build(ROOT, "a/multi", 3, "REGION=eu")),
        ("multi/OS=linux,JAVA=17", {"OS": "linux", "JAVA": "17"}, Build(ROOT, "multi", 3, "OS=linux,JAVA=17")),
        ("multi/OS=linux,JAVA=17", {"OS": "linux"}, Build(ROOT, "multi/OS=linux,JAVA=17", 3)),
        ("team/REGION=eu", {}, Build(ROOT, "team/REGION=eu", 3)),
        ("team/REGION=eu", {"REGION": "us"}, Build(ROOT, "team/REGION=eu", 3)),
        ("REGION=eu", {"REGION": "eu"}, Build(ROOT, "REGION=eu", 3)),
        ("team/app", {}, Build(ROOT, "team/app", 3)),
    ],
)
def test_without_a_url_the_axes_in_the_environment_tell_a_cell(name: str, variables: dict[str, str], build: Build) -> None:
    assert build_of({"JENKINS_URL": f"{ROOT}/", "BUILD_NUMBER": "3", "JOB_NAME": name, **variables}) == build


@pytest.mark.parametrize("per", ["pipeline", PER_BUILD])
def test_where_nobody_answers_the_cells_number_is_that_of_the_build(per: str) -> None:
    place = standing(ENV, None, per)
    assert (place.trace_id, place.parent_id, dict(place.attributes)) == (WHOLE.trace_id, SPAN, {})
    assert place.resource["cicd.pipeline.name"] == "multi"
    assert place.resource["cicd.pipeline.run.id"] == "3"
    assert place.resource["cicd.pipeline.run.url.full"] == ENV["BUILD_URL"]


def test_the_answer_gives_the_trace_of_the_chain() -> None:
    root = Build(ROOT, "root", 1).trace_id
    place = standing(ENV, ControllerAnswer(BuildPlace(root, WHOLE.run_span_id), starter=WHOLE))
    assert (place.trace_id, place.parent_id) == (root, SPAN)


def test_a_cell_of_an_earlier_number_hangs_below_the_run_that_its_cause_names() -> None:
    """The poller leaves out what a build only took over, so there is no span of the cell."""
    later = Build(ROOT, "multi", 5)
    place = standing(ENV, ControllerAnswer(BuildPlace(later.trace_id, later.run_span_id), starter=later))
    assert (place.trace_id, place.parent_id) == (later.trace_id, later.run_span_id)


def test_a_cell_that_another_job_started_keeps_its_span() -> None:
    place = standing(ENV, ControllerAnswer(BuildPlace(WHOLE.trace_id), starter=Build(ROOT, "other", 9)))
    assert place.parent_id == SPAN


@pytest.mark.parametrize(
    ("cause", "upstream"),
    [
        ({"upstreamProject": "multi/REGION=eu", "upstreamUrl": "job/multi/REGION=eu/"}, CELL),
        ({"upstreamProject": "a/multi/REGION=eu", "upstreamUrl": "job/a/job/multi/REGION=eu/"},
         Build(ROOT, "a/multi", 3, "REGION=eu")),
        ({"upstreamProject": "team/REGION=eu", "upstreamUrl": "job/team/job/REGION=eu/"}, Build(ROOT, "team/REGION=eu", 3)),
        ({"upstreamProject": "multi"}, WHOLE),
        ({"upstreamProject": "multi", "upstreamUrl": 7}, WHOLE),
        ({"upstreamProject": ["multi"], "upstreamUrl": "job/multi/"}, None),
        ({"upstreamProject": "", "upstreamUrl": "job/multi/"}, None),
    ],
)  # fmt: skip
def test_a_cause_names_a_cell_by_its_path(cause: dict[str, Any], upstream: Build | None) -> None:
    data = {"_class": "hudson.model.Cause$UpstreamCause", "upstreamBuild": 3, **cause}
    document = {"actions": [{"_class": "hudson.model.CauseAction", "causes": [data]}]}
    (found,) = documents.facts_of(Build(ROOT, "app", 1), document).causes
    assert found.build == upstream


@pytest.mark.parametrize("path", ["", "/", "job", "job/", "default", "x/default", "job/default"])
def test_short_paths_have_no_cell(path: str) -> None:
    assert job_in_path(path)[2] == ""
