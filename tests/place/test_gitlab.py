"""GitLab CI: what a pipeline's predefined variables say."""

from __future__ import annotations

from pipeline_trace.place.locate import is_in_ci, locate
from pipeline_trace.trace.ids import key_trace_id

# From GitLab's "Predefined CI/CD variables reference".
ENV = {
    "CI": "true",
    "GITLAB_CI": "true",
    "CI_SERVER_URL": "https://gitlab.example.com:8080",
    "CI_PIPELINE_ID": "1001",
    "CI_PIPELINE_IID": "7",
    "CI_PIPELINE_SOURCE": "push",
    "CI_PIPELINE_URL": "https://gitlab.example.com:8080/group/app/-/pipelines/1001",
    "CI_JOB_ID": "50",
    "CI_JOB_NAME": "deploy to staging",
    "CI_JOB_STAGE": "deploy",
    "CI_JOB_URL": "https://gitlab.example.com:8080/group/app/-/jobs/50",
    "CI_JOB_TOKEN": "64-aB3dEfGhIjKlMnOpQrSt",
    "CI_PROJECT_NAME": "app",
    "CI_PROJECT_NAMESPACE": "group",
    "CI_PROJECT_PATH": "group/app",
    "CI_PROJECT_URL": "https://gitlab.example.com:8080/group/app",
    "CI_REPOSITORY_URL": "https://gitlab-ci-token:64-aB3dEfGhIjKlMnOpQrSt@gitlab.example.com:8080/group/app.git",
    "CI_COMMIT_SHA": "1ecfd275763eff1d6b4844ea3168962458c9f27a",
    "CI_COMMIT_REF_NAME": "main",
    "CI_COMMIT_BRANCH": "main",
    "CI_RUNNER_ID": "12",
    "CI_RUNNER_DESCRIPTION": "shared-runner-3",
}
MERGE = {
    "CI_PIPELINE_SOURCE": "merge_request_event",
    "CI_COMMIT_REF_NAME": "refs/merge-requests/33/head",
    "CI_MERGE_REQUEST_IID": "33",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "fix/login",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
}


def test_all_jobs_of_a_pipeline_are_roots_of_one_trace() -> None:
    first, second = locate(ENV, None), locate({**ENV, "CI_JOB_ID": "51", "CI_JOB_NAME": "smoke"}, None)
    assert first.trace_id == second.trace_id != locate({**ENV, "CI_PIPELINE_ID": "1002"}, None).trace_id
    assert first.parent_id is None
    assert locate({**ENV, "CI_SERVER_URL": "https://gitlab.example.org"}, None).trace_id != first.trace_id


def test_a_branch_pipeline_says_what_it_is_of() -> None:
    place = locate(ENV, None)
    assert place.resource == {
        "cicd.pipeline.name": "group/app",
        "cicd.pipeline.run.id": "1001",
        "cicd.pipeline.run.url.full": ENV["CI_PIPELINE_URL"],
        "cicd.worker.id": "12",
        "cicd.worker.name": "shared-runner-3",
        "vcs.provider.name": "gitlab",
        "vcs.repository.url.full": "https://gitlab.example.com:8080/group/app",
        "vcs.repository.name": "app",
        "vcs.owner.name": "group",
        "vcs.ref.head.name": "main",
        "vcs.ref.head.type": "branch",
        "vcs.ref.head.revision": "1ecfd275763eff1d6b4844ea3168962458c9f27a",
    }
    assert place.attributes == {
        "cicd.pipeline.task.name": "deploy to staging",
        "cicd.pipeline.task.run.id": "50",
        "cicd.pipeline.task.run.url.full": ENV["CI_JOB_URL"],
    }
    assert ENV["CI_JOB_TOKEN"] not in repr(place)


def test_a_merge_request_says_its_branches_and_number() -> None:
    found = locate({**ENV, **MERGE}, None).resource
    assert found["vcs.ref.head.name"] == "fix/login"
    assert found["vcs.ref.base.name"] == "main"
    assert found["vcs.change.id"] == "33"


def test_a_tag_is_told_from_a_branch() -> None:
    found = locate({**ENV, "CI_COMMIT_REF_NAME": "v1.2", "CI_COMMIT_TAG": "v1.2"}, None).resource
    assert (found["vcs.ref.head.name"], found["vcs.ref.head.type"]) == ("v1.2", "tag")


def test_a_key_comes_before_the_pipeline() -> None:
    assert locate({**ENV, "PIPELINE_TRACE_KEY": "rel-1"}, None).trace_id == key_trace_id("rel-1")


def test_little_is_needed() -> None:
    least = {"GITLAB_CI": "true", "CI_PIPELINE_ID": "5"}
    assert is_in_ci(least)
    assert locate(least, None).resource == {"cicd.pipeline.run.id": "5", "vcs.provider.name": "gitlab"}
    assert not is_in_ci({"GITLAB_CI": "true"})
