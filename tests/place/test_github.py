"""GitHub Actions: the identifiers are the Collector's githubreceiver's, computed here once more by hand."""

from __future__ import annotations

import hashlib

import pytest

from pipeline_trace.place.locate import is_in_ci, locate
from pipeline_trace.trace.ids import key_trace_id

# The variables that GitHub's "Default environment variables" lists, with its examples.
ENV = {
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_ACTOR": "octocat",
    "GITHUB_API_URL": "https://api.github.com",
    "GITHUB_BASE_REF": "",
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_HEAD_REF": "",
    "GITHUB_JOB": "deploy",
    "GITHUB_REF": "refs/heads/feature-branch-1",
    "GITHUB_REF_NAME": "feature-branch-1",
    "GITHUB_REF_TYPE": "branch",
    "GITHUB_REPOSITORY": "octocat/Hello-World",
    "GITHUB_REPOSITORY_OWNER": "octocat",
    "GITHUB_RUN_ATTEMPT": "3",
    "GITHUB_RUN_ID": "1658821493",
    "GITHUB_RUN_NUMBER": "42",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_SHA": "ffac537e6cbbf934b08745a378932722df287a53",
    "GITHUB_WORKFLOW": "My test workflow",
    "RUNNER_NAME": "Hosted Agent",
    "RUNNER_OS": "Linux",
}
PULL = {
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_REF": "refs/pull/17/merge",
    "GITHUB_REF_NAME": "17/merge",
    "GITHUB_HEAD_REF": "fix/login",
    "GITHUB_BASE_REF": "main",
}


@pytest.mark.parametrize(("number", "attempt"), [("1658821493", "3"), ("12345", "1"), ("54321", "2")])
def test_the_trace_and_the_parent_are_the_receivers(number: str, attempt: str) -> None:
    place = locate({**ENV, "GITHUB_RUN_ID": number, "GITHUB_RUN_ATTEMPT": attempt}, None)
    trace = hashlib.sha256(f"{number}{attempt}t".encode()).digest()[:16]
    root = hashlib.sha256(f"{number}{attempt}s".encode()).digest()[8:16]
    assert (place.trace_id, place.parent_id) == (trace.hex(), root.hex())


def test_the_identifiers_of_one_run_as_literals() -> None:
    """Computed with coreutils: printf 123451t | sha256sum, first 32 digits; printf 123451s | sha256sum, digits 17 to 32."""
    place = locate({**ENV, "GITHUB_RUN_ID": "12345", "GITHUB_RUN_ATTEMPT": "1"}, None)
    assert place.trace_id == "5c89a9ce56397ace4b0fd1e7c1e458a5"
    assert place.parent_id == "c502e123463f2eea"


def test_two_attempts_are_two_traces() -> None:
    assert locate(ENV, None).trace_id != locate({**ENV, "GITHUB_RUN_ATTEMPT": "4"}, None).trace_id


def test_a_server_without_attempts_counts_as_the_first() -> None:
    without = {name: value for name, value in ENV.items() if name != "GITHUB_RUN_ATTEMPT"}
    assert locate(without, None).trace_id == locate({**ENV, "GITHUB_RUN_ATTEMPT": "1"}, None).trace_id


def test_a_push_says_what_it_is_of() -> None:
    place = locate(ENV, None)
    assert place.resource == {
        "cicd.pipeline.name": "My test workflow",
        "cicd.pipeline.run.id": "1658821493",
        "cicd.pipeline.run.url.full": "https://github.com/octocat/Hello-World/actions/runs/1658821493/attempts/3",
        "cicd.worker.name": "Hosted Agent",
        "vcs.provider.name": "github",
        "vcs.repository.url.full": "https://github.com/octocat/Hello-World",
        "vcs.repository.name": "Hello-World",
        "vcs.owner.name": "octocat",
        "vcs.ref.head.name": "feature-branch-1",
        "vcs.ref.head.type": "branch",
        "vcs.ref.head.revision": "ffac537e6cbbf934b08745a378932722df287a53",
    }
    assert place.attributes == {"cicd.pipeline.task.name": "deploy"}
    assert (place.sampled, place.warnings) == (True, ())


def test_a_pull_request_says_its_branches_and_number_and_not_the_merge_that_is_on_no_branch() -> None:
    found = locate({**ENV, **PULL}, None).resource
    assert found["vcs.ref.head.name"] == "fix/login"
    assert found["vcs.ref.base.name"] == "main"
    assert found["vcs.change.id"] == "17"
    assert found["vcs.ref.head.type"] == "branch"
    assert "vcs.ref.head.revision" not in found


def test_the_order_is_traceparent_then_key_then_the_run() -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    given = locate({**ENV, "TRACEPARENT": traceparent, "PIPELINE_TRACE_KEY": "rel-1"}, None)
    assert (given.trace_id, given.parent_id) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert given.resource["cicd.pipeline.run.id"] == "1658821493"
    keyed = locate({**ENV, "PIPELINE_TRACE_KEY": "rel-1"}, None)
    assert (keyed.trace_id, keyed.parent_id) == (key_trace_id("rel-1"), None)
    malformed = locate({**ENV, "TRACEPARENT": "junk"}, None)
    assert malformed.trace_id == locate(ENV, None).trace_id
    assert len(malformed.warnings) == 1


def test_who_only_says_so_is_not_inside() -> None:
    assert is_in_ci(ENV)
    assert not is_in_ci({"GITHUB_ACTIONS": "true"})
    assert not is_in_ci({"GITHUB_RUN_ID": "5"})
