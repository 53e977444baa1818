"""What messages say, and that nothing in a log can mention people, become a link, or break the form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline_trace.notify import forms
from pipeline_trace.notify.message import message_of, values_of
from pipeline_trace.notify.outcome import Failing, Outcome, failed, passed
from pipeline_trace.notify.settings import FORMS, JSON, SLACK, TEAMS
from pipeline_trace.notify.told import Story
from pipeline_trace.ownership.verdict import Verdict
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import ERROR, Span

SINCE = 1_796_000_000 * 10**9
URL = "https://jenkins.example.com/job/shop/job/deploy/47/"
FAILING = Failing(
    "ops", "host_unreachable", 0.85, "web2 could not be reached", "Ops looks at web2.", "shop/deploy#47", URL, SINCE
)
DEV = Failing("dev", "test_failure", 0.9, "1 failed", "Dev looks.", "shop/deploy#46", URL, SINCE)


def story(now: Failing | None = FAILING, told: Failing | None = None, job: str = "shop/deploy") -> Story:
    return Story(Outcome("", job, "production", SINCE, "a" * 32, "b" * 16, now), told)


def test_a_failure_that_begins_names_team_job_kind_line_and_next_step() -> None:
    assert message_of([story()]).text.splitlines() == [
        "Ops should look: shop/deploy to production fails with host_unreachable (85% sure).",
        "web2 could not be reached",
        "Since 2026-11-30 00:53:20Z, last in shop/deploy#47.",
        "Next: Ops looks at web2.",
        URL,
    ]


def test_a_change_names_what_it_was_before_and_an_end_what_is_over() -> None:
    assert message_of([story(told=DEV)]).head.endswith("(85% sure). Before, it was Dev, test_failure.")
    over = message_of([story(None, DEV)])
    assert over.head == "shop/deploy to production passes again."
    assert over.lines == ["It failed since 2026-11-30 00:53:20Z: Dev, test_failure."]


def test_nobody_is_blamed_where_the_owner_is_unknown() -> None:
    head = message_of([story(Failing("unknown", "unknown", 0.3, "", "", "a#1", "", SINCE))]).head
    assert head == "It is not known who should look: shop/deploy to production fails."


def test_a_message_that_is_sent_again_has_the_same_id_and_another_one_has_not() -> None:
    assert message_of([story()]).id == message_of([story()]).id != message_of([story(job="other")]).id


HOSTILE = "<!channel> <https://evil.example|click> @here & `x` <@U123> @Channel"


def test_slack_reads_no_mention_and_no_link_in_a_text() -> None:
    hostile = Failing("dev", "kind", 0.9, HOSTILE, HOSTILE, "a|b>#1", "https://ci.example/a|b>c/", SINCE)
    text = forms.body_of(SLACK, message_of([story(hostile, job=HOSTILE)]), {})["text"]
    body, _, link = text.rpartition("\n")
    assert "<" not in body
    assert ">" not in body.replace("\n> ", "\n")
    assert "@here" not in text.lower()
    assert "@channel" not in text.lower()
    assert link == "<https://ci.example/a%7Cb&gt;c/|a b&gt;#1>"


def test_teams_gets_runs_of_text_that_are_shown_as_they_are() -> None:
    hostile = Failing("dev", "kind", 0.9, "[x](https://evil.example) <at>all</at>", "", "a#1", URL, SINCE)
    body = forms.body_of(TEAMS, message_of([story(hostile)]), {})
    card = body["attachments"][0]["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "a#1", "url": URL}]


def test_plain_json_has_all_values_by_name() -> None:
    values = values_of([story()])
    body = forms.body_of(JSON, message_of([story()]), values)
    assert body == values
    assert (body["state"], body["owner"], body["environment"], body["run"], body["more"]) == (
        "begun",
        "ops",
        "production",
        "shop/deploy#47",
        0,
    )
    assert set(values_of([story(), story(job="other")])) == set(values)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_takes_every_state(form: str) -> None:
    for stories in ([story()], [story(told=DEV)], [story(None, DEV)], [story(), story(None, DEV, job="other")]):
        assert json.loads(json.dumps(forms.body_of(form, message_of(stories), values_of(stories))))


def run(**more: Any) -> Span:
    attributes = {c.PIPELINE_NAME: "shop", c.PIPELINE_RUN_ID: "4", c.PIPELINE_RUN_URL: URL, c.PIPELINE_RESULT: "failure"}
    return Span("a" * 32, "b" * 16, None, "RUN shop", 1, 2, status_code=ERROR, attributes={**attributes, **more})


def test_secrets_of_a_build_are_masked_in_every_text() -> None:
    token = "ghp_" + "a1B2" * 9
    verdict = Verdict("dev", "kind", 0.9, [f"curl -H 'Authorization: Bearer {token}'"], f"Dev looks at {token}.")
    span = run(**{c.PIPELINE_NAME: f"job-{token}", c.PIPELINE_RUN_URL: f"https://u:{token}@ci.example/job/x/1/"})
    outcome = failed(span, verdict)
    assert token not in json.dumps(outcome.to_dict())
    assert outcome.failing
    assert outcome.failing.line


def test_a_long_line_with_odd_characters_is_one_short_line() -> None:
    outcome = failed(run(), Verdict("dev", "kind", 0.9, ["a\u202eb\x1b[31m\n" + "x" * 5000], ""))
    assert outcome.failing
    assert outcome.failing.line.isprintable()
    assert len(outcome.failing.line) < 340


def test_an_outcome_survives_its_json_form() -> None:
    for outcome in (failed(run(), Verdict("ops", "kind", 0.8, ["line"])), passed(run())):
        assert type(outcome).from_dict(json.loads(json.dumps(outcome.to_dict()))) == outcome
