"""What a path looks like: on a terminal, in a pipe, and whatever the spans say."""

from __future__ import annotations

import json
import random

import pytest
from support.pathways import GREEN, Story, printed, shared_build, told

from pipeline_trace.trace import conventions as c


def test_what_services_have_in_common_is_printed_once() -> None:
    lines = printed(told(shared_build()))
    assert [line[:15].rstrip() for line in lines if line.startswith(("merge", "mono/"))] == [
        "merge",
        "mono/orders int",
        "mono/orders sta",
        "mono/orders pro",
        "mono/shop integ",
        "mono/shop stagi",
        "mono/shop produ",
    ]
    assert sum(line.startswith("Can I deploy (mono/") for line in lines) == 2


def test_on_a_narrow_terminal_only_the_remarks_are_wrapped_and_in_a_pipe_nothing_is() -> None:
    story = Story()
    story.deploy(1, 0, 5, "staging", "a/job/with/a/name/that/is/rather/long/deploy", state=c.FAILURE, message="broke " * 20)
    narrow = printed(told(story), width=70, force_terminal=True)
    row = next(i for i, line in enumerate(narrow) if line.startswith("staging"))
    assert "✗ failed" in narrow[row]
    assert "ran 5.0 s" in narrow[row]
    assert max(map(len, narrow[row:])) <= 70
    (line,) = [line for line in printed(told(story), width=70) if line.startswith("staging")]
    assert line.endswith("a/job/with/a/name/that/is/rather/long/deploy#1")


@pytest.mark.parametrize("seed", range(40))
def test_whatever_spans_say_there_is_an_answer(seed: int) -> None:
    chance = random.Random(seed)
    story = shared_build()
    story.build(4, 100, *GREEN[:3], ("Approve", c.CANCELLATION), ("Deploy production", c.SKIP))
    story.playbook(5, 0, "prod", chance.choice(story.spans))
    names = sorted({name for span in story.spans for name in span.attributes})
    for span in story.spans:
        if chance.random() < 0.3:
            span.attributes[chance.choice(names)] = chance.choice(
                ("", "a/b#1", "production", c.SKIP, 7, True, 1.5, ["x"], [])
            )
        if chance.random() < 0.2:
            span.parent_id = chance.choice(story.spans).span_id
        if chance.random() < 0.1:
            span.end_ns = 0
    found = told(story)
    assert json.loads(json.dumps(found)) == found
    assert found["answer"]["answer"] in ("yes", "no", "not known")
    assert len(printed(found)) > 8


def test_what_a_span_says_cannot_write_on_the_terminal() -> None:
    story = Story()
    story.deploy(1, 0, 5, "staging", state=c.FAILURE, message="\x1b[2Jgone")
    assert "\x1b" not in "".join(printed(told(story)))


def test_a_terminal_of_60_columns_shows_each_step_in_whole_words() -> None:
    story = shared_build()
    lines = printed(told(story), width=60, force_terminal=True)
    row = next(i for i, line in enumerate(lines) if line.startswith("merge"))
    assert lines[row] == "merge  ✓ passed  ran 10.0 s"
    assert lines[row + 1].startswith("    2")
    assert all(len(line) <= 60 for line in lines[row:])
