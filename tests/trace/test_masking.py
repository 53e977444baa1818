"""All texts of a span, of a place and of a resource are masked at one point each. All secrets here are made up."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline_trace.ownership.verdict import Verdict
from pipeline_trace.place import locate
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace import masking, resource
from pipeline_trace.trace.span import AttributeValue, Event, Link, Span

WORD = "Zq7xVrT4mKp9"
TOLD = f"password={WORD}"


def test_every_text_of_a_span_is_masked_and_its_ids_stay() -> None:
    link = Link("1" * 32, "2" * 16, {"a": TOLD})
    span = Span(
        trace_id="3" * 32, span_id="4" * 16, parent_id=None, name=TOLD, start_ns=1, status_message=TOLD,
        attributes={"a": TOLD, "b": ["x", TOLD], "c": 3, "d": True}, events=[Event(TOLD, 5, {"a": TOLD})], links=[link],
            resource={"a": TOLD},
    )  # fmt: skip
    masking.mask(span)
    assert WORD not in json.dumps(span.to_dict())
    assert (span.trace_id, span.span_id, span.links[0].trace_id) == ("3" * 32, "4" * 16, "1" * 32)
    assert span.attributes == {"a": "password=***", "b": ["x", "password=***"], "c": 3, "d": True}
    once = json.dumps(span.to_dict())
    masking.mask(span)
    assert json.dumps(span.to_dict()) == once


def test_resource_attributes_of_the_environment_are_masked_by_their_values_and_names() -> None:
    environ = {
        "OTEL_SERVICE_NAME": f"ansible https://bob:{WORD}@host",
        "OTEL_RESOURCE_ATTRIBUTES": f"team=web,db.password={WORD},url=https%3A%2F%2Fbob%3A{WORD}%40host%2Fx"
        f",api_token={WORD}",
    }
    found = resource.from_environment(environ, "x")
    assert WORD not in json.dumps(found)
    assert found["team"] == "web"
    assert found["db.password"] == found["api_token"] == "***"
    assert found["url"] == "https://***@host/x"


SYSTEMS = {
    "jenkins": {
        "BUILD_NUMBER": "5",
        "JENKINS_URL": f"https://bob:{WORD}@ci/",
        "BUILD_URL": f"https://bob:{WORD}@ci/job/a%20{TOLD}/5/",
        "JOB_NAME": f"a {TOLD}",
        "NODE_NAME": f"node {TOLD}",
        "BRANCH_NAME": f"branch {TOLD}",
        "GIT_URL": f"https://bob:{WORD}@git/x",
    },
    "github": {
        "GITHUB_ACTIONS": "true",
        "GITHUB_RUN_ID": "5",
        "GITHUB_SERVER_URL": f"https://bob:{WORD}@gh",
        "GITHUB_REPOSITORY": "a/b",
        "GITHUB_WORKFLOW": TOLD,
        "GITHUB_JOB": TOLD,
        "RUNNER_NAME": TOLD,
        "GITHUB_REF_NAME": TOLD,
        "GITHUB_HEAD_REF": TOLD,
    },
    "gitlab": {
        "GITLAB_CI": "true",
        "CI_PIPELINE_ID": "5",
        "CI_JOB_NAME": TOLD,
        "CI_JOB_URL": f"https://gl/x?private_token={WORD}",
        "CI_PIPELINE_URL": f"https://bob:{WORD}@gl/x",
        "CI_RUNNER_DESCRIPTION": TOLD,
        "CI_COMMIT_REF_NAME": TOLD,
    },
    "concourse": {
        "ATC_EXTERNAL_URL": f"https://bob:{WORD}@atc",
        "BUILD_ID": "5",
        "BUILD_PIPELINE_NAME": TOLD,
        "BUILD_JOB_NAME": TOLD,
    },
    "zuul": {"ZUUL_UUID": "0" * 32, "ZUUL_PROJECT": TOLD, "ZUUL_PIPELINE": TOLD, "ZUUL_BRANCH": TOLD},
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_a_ci_system_says_of_its_run_is_masked(system: str) -> None:
    place = locate.locate(SYSTEMS[system], None, "build")
    assert place.resource or place.attributes
    said = json.dumps([place.resource, place.attributes, [dataclasses.asdict(link) for link in place.links], place.warnings])
    assert WORD not in said


def test_a_place_keeps_its_ids_whatever_is_masked() -> None:
    plain = {"BUILD_NUMBER": "5", "JENKINS_URL": "https://ci/", "BUILD_URL": "https://ci/job/ghp_0123456789abcdefABCDEF/5/"}
    from pipeline_trace.place.ci.jenkins.identity import Build

    place = locate.locate(plain, None, "build")
    assert place.trace_id == Build("https://ci", "ghp_0123456789abcdefABCDEF", 5).trace_id
    assert "ghp_" not in json.dumps(dict(place.resource))


def test_a_verdict_shows_no_secret() -> None:
    masked = Verdict("dev", "x", 0.5, [f"line {TOLD}"], f"call https://bob:{WORD}@host").masked()
    assert WORD not in json.dumps(masked.to_dict())
    assert masked.evidence == ["line password=***"]


SECRETS = (
    "jenkins.parameter.DB_PASSWORD",
    "jenkins.parameter.API_TOKEN",
    "jenkins.parameter.KEY",
    "jenkins.parameter.auth.key",
    "db.password",
    "count.password",
    "http.request.header.authorization",
    "process.environment_variable.GITHUB_TOKEN",
)
OPEN = (
    "jenkins.parameter.ENV",
    "jenkins.parameter.token_count",
    "password_rotated_days",
    "messaging.kafka.message.key",
    "aws.s3.key",
    "feature_flag.key",
    "gen_ai.usage.input_tokens",
    "k8s.secret.name",
    "session.id",
)


def holding(values: dict[str, Any]) -> Span:
    link = Link("1" * 32, "2" * 16, values)
    return Span(
        trace_id="3" * 32, span_id="4" * 16, parent_id=None, name="x", start_ns=1, attributes=values, resource=values,
        events=[Event("said", 5, values)], links=[link],
    )  # fmt: skip


@pytest.mark.parametrize("value", [WORD, [WORD, "b"], 7355608, 1.5, True])
@pytest.mark.parametrize("name", SECRETS)
def test_what_a_name_calls_a_secret_is_hidden_wherever_it_stands_in_a_span(name: str, value: AttributeValue) -> None:
    sent = holding({name: value, "a": "b"})
    found = masking.by_names(sent)
    hidden = ["***", "***"] if isinstance(value, list) else "***"
    holders = [found.attributes, found.resource, found.events[0].attributes, found.links[0].attributes]
    assert holders == [{name: hidden, "a": "b"}] * 4
    assert sent.attributes[name] == value
    assert masking.by_names(found) == found


@pytest.mark.parametrize("name", OPEN)
def test_other_names_keep_their_values(name: str) -> None:
    sent = holding({name: WORD})
    assert masking.by_names(sent) is sent


def test_no_name_of_ours_is_that_of_a_secret() -> None:
    names = [value for key, value in vars(c).items() if key.isupper() and isinstance(value, str)]
    assert len(names) > 100
    for name in names:
        sent = holding({name: WORD})
        # Without names, the values that Jenkins' plugin lists are secrets.
        assert masking.by_names(sent) is sent or name == c.PLUGIN_PARAMETER_VALUES


def test_an_empty_value_stays() -> None:
    sent = holding({"db.password": ""})
    assert masking.by_names(sent) is sent


@pytest.mark.parametrize(
    ("names", "values", "shown"),
    [
        (["DB_PASSWORD", "ENV"], [WORD, "prod"], ["***", "prod"]),
        (["ENV", "TOKEN", "X"], ["prod", WORD, "1"], ["prod", "***", "1"]),
        (["ENV"], ["prod"], ["prod"]),
        # Nobody knows whose each of them is.
        (["ENV"], ["prod", WORD], ["***", "***"]),
        (None, [WORD], ["***"]),
        (["DB_PASSWORD"], WORD, "***"),
    ],
)
def test_the_parameters_that_jenkins_plugin_lists_are_hidden_by_their_place(names: Any, values: Any, shown: Any) -> None:
    said = {c.PLUGIN_PARAMETER_VALUES: values, **({c.PLUGIN_PARAMETER_NAMES: names} if names else {})}
    assert masking.by_names(holding(said)).attributes == {**said, c.PLUGIN_PARAMETER_VALUES: shown}


@pytest.mark.process
def test_names_that_the_user_adds_count_from_the_first_span_on(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text("name: magicword\n")
    code = "from pipeline_trace.trace import redact; print(redact.is_secret_name('app.magicword'))"
    environ = {**os.environ, masking.SECRETS: str(file)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
