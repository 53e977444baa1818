"""Templates of users: they run in a sandbox with limits, and an error is one line."""

from __future__ import annotations

import time

import pytest

from pipeline_trace.notify.settings import JSON, SLACK, TEAMS
from pipeline_trace.notify.template import TemplateError, body_from

pytestmark = pytest.mark.process

VALUES = {"owner": "ops", "job": "shop", "line": 'a "quoted" line', "times": 3, "more": 0}


def test_a_template_makes_the_text_for_slack_and_teams_and_the_body_for_json() -> None:
    assert body_from("*{{ owner | upper }}* {{ job }} <!here>", SLACK, VALUES) == {"text": "*OPS* shop <!here>"}
    card = body_from("{{ owner }}\n{{ line }}", TEAMS, VALUES)["attachments"][0]["content"]
    assert [block["inlines"][0]["text"] for block in card["body"]] == ["ops", 'a "quoted" line']
    body = body_from('{"content": {{ line | tojson }}, "n": {{ times }}}', JSON, VALUES)
    assert body == {"content": 'a "quoted" line', "n": 3}


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ self.__init__.__globals__ }}",
        "{{ (job | attr('__class__')).__bases__ }}",
        "{{ '{0.__class__.__mro__}'.format(job) }}",
        "{{ lipsum.__globals__ }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ missing }}",
        "{% if %}",
        "   ",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 9999999999 }}",
        "{{ '%9999999999s' % 1 }}",
        "{{ job.ljust(9999999999) }}",
        "{{ 9 ** (9 ** 9) }}",
        "{% for a in range(99999) %}{{ a }}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    ],
)
def test_a_template_that_escapes_fails_or_never_ends_is_one_line(template: str) -> None:
    begun = time.monotonic()
    with pytest.raises(TemplateError) as error:
        body_from(template, SLACK, VALUES)
    assert time.monotonic() - begun < 30
    assert str(error.value).startswith("PIPELINE_TRACE_NOTIFY_TEMPLATE: ")
    assert len(str(error.value).splitlines()) == 1
    assert "object at 0x" not in str(error.value)


def test_a_template_that_makes_no_json_says_how_to_write_texts() -> None:
    with pytest.raises(TemplateError, match="tojson"):
        body_from('{"content": "{{ line }}"}', JSON, VALUES)
