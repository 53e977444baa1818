"""Concourse: a build's metadata, and the TRACEPARENT that it sets where its tracing is on."""

from __future__ import annotations

from pipeline_trace.place.locate import is_in_ci, locate

# From Concourse's "Implementing a Resource Type", Metadata.
ENV = {
    "BUILD_ID": "31337",
    "BUILD_NAME": "12",
    "BUILD_JOB_NAME": "deploy",
    "BUILD_PIPELINE_NAME": "app",
    "BUILD_TEAM_NAME": "main",
    "ATC_EXTERNAL_URL": "https://concourse.example.com",
}


def test_a_build_is_a_trace() -> None:
    place = locate(ENV, None)
    assert place.trace_id == locate({**ENV, "BUILD_JOB_NAME": "other"}, None).trace_id
    assert place.trace_id != locate({**ENV, "BUILD_ID": "31338"}, None).trace_id
    assert place.parent_id is None
    assert place.resource == {
        "cicd.pipeline.name": "app/deploy",
        "cicd.pipeline.run.id": "31337",
        "cicd.pipeline.run.url.full": "https://concourse.example.com/builds/31337",
    }


def test_a_one_off_build_has_no_pipeline() -> None:
    one_off = {name: ENV[name] for name in ("BUILD_ID", "BUILD_TEAM_NAME", "ATC_EXTERNAL_URL")}
    assert locate(one_off, None).resource["cicd.pipeline.name"] == "one-off"


def test_concourses_own_traceparent_is_the_parent() -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for environ in ({**ENV, "TRACEPARENT": traceparent}, {"TRACEPARENT": traceparent}):
        place = locate(environ, None)
        assert (place.trace_id, place.parent_id) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


def test_a_build_id_alone_is_not_concourses() -> None:
    assert is_in_ci(ENV)
    assert not is_in_ci({"BUILD_ID": "5"})
    assert not is_in_ci({"ATC_EXTERNAL_URL": "https://x.example.com"})
