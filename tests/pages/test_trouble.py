"""What failed, in one line each: the line that decides, not what a log ends with; and since when, beside the verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from support.accounts import account
from support.report_samples import make

from pipeline_trace.lookup import tree
from pipeline_trace.report.headline import Headline, since_view
from pipeline_trace.report.html import page_html
from pipeline_trace.report.trouble import find_trouble
from pipeline_trace.trace import conventions as c

LOG = """TASK [Check] ****
fatal: [web1]: FAILED! => {
    "changed": false,
    "msg": "version 1.8.0 reports: missing setting DB_URL"
}

PLAY RECAP ****
web1                       : ok=4    changed=1    unreachable=0    failed=1    skipped=0
web2                       : ok=4    changed=1    unreachable=0    failed=0    skipped=0
"""


def told(log: str, deciding: str) -> dict[str, Any]:
    step = make("step", None, "Shell Script", 0, 9, jenkins_type="step", jenkins_log=log)
    step.attributes[c.TASK_RUN_RESULT] = c.FAILURE
    step.fail("script returned exit code 2")
    roots = tree.build_tree([step])
    (entry,) = find_trouble(roots, list(tree.walk(roots)), {step.span_id: deciding} if deciding else {}).entries
    return entry


def test_a_line_that_decides_is_found_within_json_and_shown_alone() -> None:
    entry = told(LOG, "version 1.8.0 reports: missing setting DB_URL")
    assert entry["cause"] == "version 1.8.0 reports: missing setting DB_URL"
    assert entry["log"][entry["marked"]].strip() == '"msg": "version 1.8.0 reports: missing setting DB_URL"'


def test_a_playbooks_recap_is_no_cause() -> None:
    assert told(LOG, "")["cause"] == '"msg": "version 1.8.0 reports: missing setting DB_URL"'


def test_a_log_that_says_nothing_has_no_line_for_a_cause() -> None:
    assert told("}\n---\n", "")["cause"] == "script returned exit code 2"


def test_since_when_it_fails_and_what_was_green_last_stand_beside_the_verdict() -> None:
    known = account()
    text = page_html(
        [make("run", None, "RUN app", 0, 9, jenkins_type="run")], headline=Headline(known.verdict, account=known)
    )
    assert [row["label"] for row in since_view(known)] == ["Since", "Last green"]
    shown = text.partition('<dl class="since">')[2].partition("</dl>")[0]
    assert "<dt>Since</dt>" in shown
    assert '<time datetime="' in shown
    assert 'rel="noopener noreferrer"' in shown


def test_what_a_build_calls_its_page_is_no_script() -> None:
    known = account()
    assert known.streak
    first = replace(known.streak.first, url="javascript:alert(1)", name="app#1")
    lines = [
        part
        for row in since_view(replace(known, build=None, streak=replace(known.streak, first=first)))
        for line in row["lines"]
        for part in line
    ]
    assert [part["url"] for part in lines if part["text"] == "app#1"] == [""]
