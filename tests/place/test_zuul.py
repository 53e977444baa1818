"""Zuul: what a job puts into the environment of its builds."""

from __future__ import annotations

from pipeline_trace.place.locate import is_in_ci, locate

# zuul_legacy_vars of zuul-jobs, and the two that docs/joining.md adds.
ENV = {
    "ZUUL_UUID": "d8c6e3b9f3f24f4d9c1f9d7a4a3c2b10",
    "ZUUL_BUILDSET": "6a1b0c2d3e4f5a6b7c8d9e0f1a2b3c4d",
    "ZUUL_JOB": "deploy-app",
    "ZUUL_PIPELINE": "gate",
    "ZUUL_PROJECT": "org/app",
    "ZUUL_SHORT_PROJECT_NAME": "app",
    "ZUUL_BRANCH": "main",
    "ZUUL_CHANGE": "1234",
    "ZUUL_PATCHSET": "2",
    "ZUUL_VOTING": "True",
}


def test_the_builds_of_a_buildset_are_one_trace() -> None:
    place = locate(ENV, None)
    assert place.trace_id == locate({**ENV, "ZUUL_UUID": "0" * 31 + "1"}, None).trace_id
    assert place.trace_id != locate({**ENV, "ZUUL_BUILDSET": "0" * 31 + "2"}, None).trace_id
    assert place.parent_id is None
    assert place.resource == {
        "cicd.pipeline.name": "gate",
        "cicd.pipeline.run.id": ENV["ZUUL_BUILDSET"],
        "vcs.repository.name": "org/app",
        "vcs.ref.head.name": "main",
        "vcs.ref.head.type": "branch",
        "vcs.change.id": "1234",
    }
    assert place.attributes == {"cicd.pipeline.task.name": "deploy-app", "cicd.pipeline.task.run.id": ENV["ZUUL_UUID"]}


def test_a_job_that_hands_on_the_old_variables_alone_is_a_trace_of_its_build() -> None:
    old = {name: value for name, value in ENV.items() if name not in ("ZUUL_BUILDSET", "ZUUL_JOB")}
    place = locate(old, None)
    assert place.resource["cicd.pipeline.run.id"] == ENV["ZUUL_UUID"]
    assert place.trace_id != locate(ENV, None).trace_id


def test_a_tag_or_merged_change_says_its_commit() -> None:
    assert locate({**ENV, "ZUUL_NEWREV": "a" * 40}, None).resource["vcs.ref.head.revision"] == "a" * 40


def test_other_variables_of_zuul_are_not_a_build() -> None:
    assert is_in_ci(ENV)
    assert not is_in_ci({"ZUUL_PIPELINE": "gate"})
