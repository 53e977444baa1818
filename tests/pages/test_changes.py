"""What of a page is new since a reader had it. A reader of each state gets what all readers of the newest one have."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.changing import changed, page_data
from support.report_samples import make, many, sample, seconds

from pipeline_trace.report.changes import Changes
from pipeline_trace.report.html import Known
from pipeline_trace.report.live import LivePage
from pipeline_trace.report.rowdata import Rows
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span


class Reader:
    """Has a page, and puts what is new into it, as report-renew.js does."""

    def __init__(self) -> None:
        self.mark = ""
        self.texts: list[str] = []
        self.resources: list[Any] = []
        self.rows: list[tuple[Any, str]] = []
        self.parts: dict[str, Any] = {}

    def take(self, change: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Take what is new; as text, as it comes. Return it."""
        if change is None:
            return None
        told = json.loads(json.dumps(change))
        if told["whole"]:
            self.texts, self.resources, self.rows = [], [], []
        self.texts += told["texts"]
        self.resources += told["resources"]
        pairs = iter(told["gone"])
        dropped = {*zip(pairs, pairs, strict=True), *(self._key(row) for _, row, _ in told["rows"])}
        old = [one for one in self.rows if self._key(one[0]) not in dropped]
        self.rows = []
        for at, row, side in told["rows"]:
            while len(self.rows) < at:
                self.rows.append(old.pop(0))
            self.rows.append((row, side))
        self.rows += old
        self.parts.update(told["parts"])
        self.mark = told["mark"]
        return change

    def _key(self, row: Sequence[Any]) -> tuple[str, str]:
        return self.texts[row[7]], self.texts[row[6]]

    def has(self) -> tuple[Any, ...]:
        """Return all of it, with texts instead of their places."""
        return self.texts, self.resources, self.rows, self.parts


def took(changes: Changes, rows: Rows, spans: Sequence[Span], **parts: Any) -> bool:
    """Put a state of the trace into changes."""
    return changes.take(page_data(spans, rows), parts)


def names_of(change: Mapping[str, Any], reader: Reader) -> list[str]:
    """Return the names of the rows in a change."""
    return [reader.texts[row[1]] for _, row, _ in change["rows"]]


@pytest.mark.parametrize("seed", range(20))
def test_every_reader_has_the_newest_state_whatever_it_had_before(seed: int) -> None:
    chance, changes, rows = random.Random(seed), Changes(), Rows()
    everything, readers = sample(), [Reader() for _ in range(6)]
    spans = everything[:3]
    for state in range(25):
        spans = [*spans]
        for _ in range(chance.randrange(4)):
            changed(chance, spans, everything)
        took(changes, rows, spans, word=state // 5)
        data = page_data(spans, rows)
        for reader in readers:
            if chance.random() < 0.4:
                reader.take(changes.since(reader.mark))
                assert [row for row, _ in reader.rows] == json.loads(json.dumps(data.rows))
                assert "".join(side for _, side in reader.rows) == data.sides
                assert reader.has()[:2] == (data.tables.texts(), data.tables.resources())
                assert reader.parts == {"word": state // 5}
                assert changes.since(reader.mark) is None


def test_only_what_is_new_is_sent() -> None:
    changes, rows, reader, spans = Changes(), Rows(), Reader(), many(2000)
    assert took(changes, rows, spans, first="a", second="b")
    whole = reader.take(changes.since(""))
    assert whole
    assert (whole["whole"], len(whole["rows"])) == (True, len(spans))

    assert not took(changes, rows, spans, first="a", second="b")
    assert changes.since(reader.mark) is None

    ended = replace(spans[700], end_ns=spans[700].end_ns + 10**9)
    new = make("new", "root", "A new step", 2, None)
    assert took(changes, rows, [*spans[:700], ended, *spans[701:], new], first="a", second="c")
    change = reader.take(changes.since(reader.mark))
    assert change
    assert not change["whole"]
    assert sorted(names_of(change, reader)) == sorted([ended.name, "A new step"])
    assert change["parts"] == {"second": "c"}
    assert len(json.dumps(change)) < 1500

    assert took(changes, rows, spans, first="a", second="c")
    change = reader.take(changes.since(reader.mark))
    assert change
    assert change["gone"] == [new.trace_id, new.span_id]
    assert names_of(change, reader) == [spans[700].name]


@pytest.mark.parametrize(
    "mark", ["", "x", "1.2.3.4", "{}.1.2", "{}.999.0.0", "{}.-1.0.0", "{}.1e3.0.0", "{}.0000000001.0.0"]
)
def test_a_mark_of_nothing_that_is_known_gets_all(mark: str) -> None:
    changes, rows, reader = Changes(), Rows(), Reader()
    took(changes, rows, sample())
    change = reader.take(changes.since(mark.format(changes.mark.split(".")[0])))
    assert change
    assert change["whole"]
    assert len(reader.rows) == len(sample())


def test_another_server_knows_no_mark_of_the_one_before() -> None:
    reader, before, after = Reader(), Changes(), Changes()
    took(before, Rows(), sample())
    reader.take(before.since(reader.mark))
    took(after, Rows(), sample()[:4])
    change = reader.take(after.since(reader.mark))
    assert change
    assert change["whole"]
    assert len(reader.rows) == 4


def test_rows_that_stay_are_not_made_again() -> None:
    rows, spans = Rows(), many(500)
    first = page_data(spans, rows).rows
    second = page_data([replace(span) for span in spans], rows).rows
    assert all(one is other for one, other in zip(first, second, strict=True))
    ended = [replace(span, name="another") if span is spans[7] else span for span in spans]
    third = page_data(ended, rows).rows
    assert len({id(row) for row in third} - {id(row) for row in second}) == 1


def live(spans: Sequence[Span], silent: Mapping[str, int] | None = None) -> tuple[LivePage, dict[str, Any]]:
    """Return a page of spans, and what a reader who has nothing is sent."""
    page = LivePage(lambda: seconds(500))
    page.take(spans, Known(silent=silent or {}))
    change = page.since("")
    assert change
    return page, change


def test_a_page_goes_on_while_a_span_is_open_or_something_has_not_arrived() -> None:
    ended = [make("run", None, "RUN app", 0, 60, jenkins_type="run", cicd_pipeline_result="success")]
    assert not live(ended)[0].goes_on
    assert live([*ended, make("s", "run", "late", 1, None)])[0].goes_on
    assert live([make("s", "run", "orphan", 1, 2)])[0].goes_on


def test_what_is_not_heard_of_is_never_said_to_run_or_to_have_succeeded() -> None:
    root, task = make("p", None, "playbook site.yml", 0, None), make("t", "p", "Restart", 3, None)
    page, change = live([root, task], {root.span_id: seconds(90), task.span_id: seconds(95)})
    assert change["parts"]["title"] == "Not heard of: playbook site.yml"
    assert "Not heard of since" in change["parts"]["#head"]
    assert "<dd>1 min 35 s or longer</dd>" in change["parts"]["#head"]
    assert "Stood at" in change["parts"]["#stands"]
    assert change["parts"]["silent"] == [0, 90_000_000, 1, 95_000_000]
    data = json.loads(page.page("").split('id="trace-data">')[1].split("</script>")[0])
    assert {data["states"][row[3]] for row in data["rows"]} == {"incomplete"}
    assert page.goes_on

    # One of them is heard of: the trace runs.
    _, change = live([root, task], {task.span_id: seconds(95)})
    assert change["parts"]["title"] == "Running: playbook site.yml"
    assert "Stands at" in change["parts"]["#stands"]
    assert "Restart" not in change["parts"]["#stands"]

    failed = replace(task, status_code="ERROR", attributes={c.TASK_RUN_RESULT: c.FAILURE}, end_ns=seconds(97))
    _, change = live([root, failed], {root.span_id: seconds(90)})
    assert change["parts"]["title"] == "Not heard of: playbook site.yml"
