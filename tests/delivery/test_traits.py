"""The columns beside the spans: filled when a span is written, and later for what older programs write."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline_trace.delivery.destinations import filling
from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.delivery.destinations.tables import STEPS
from pipeline_trace.delivery.migrations import upgrade
from pipeline_trace.lookup.local import LocalSource
from pipeline_trace.lookup.source import Wanted, Window
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id, trace_id
from pipeline_trace.trace.span import Link, Span, encode

OLD_STEPS = {number: STEPS[number] for number in (4, 5)}
COMMIT = "4f1c2d9e0b7a51cd7e7b0a2e65a1c0de12345678"


def run(number: int, result: str = c.SUCCESS, **more: str) -> Span:
    """Return the run of a build."""
    span = Span(trace_id(("t", str(number))), span_id(("s", str(number))), None, "RUN shop/deploy", number, number + 5)
    span.attributes = {c.JENKINS_TYPE: c.TYPE_RUN, c.PIPELINE_RESULT: result, c.VCS_HEAD_REVISION: COMMIT, **more}
    span.resource = {c.SERVICE_NAME: "ci.example.com", c.PIPELINE_NAME: "shop/deploy", c.PIPELINE_RUN_ID: str(number)}
    return span


def insert_as_0_1_0(database: sqlite3.Connection, *spans: Span) -> None:
    """Insert spans as a program of 0.1.0 does: seven values, all of the span in the last one."""
    for span in spans:
        row = (span.trace_id, span.span_id, span.parent_id, span.end_ns, "shop/deploy", "1", encode(span.to_dict()))
        database.execute("INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (trace_id, span_id) DO NOTHING", row)
    database.commit()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "traces.db"


@pytest.fixture
def old(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a store of the version before."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        upgrade(database, OLD_STEPS, "old")
        yield database


def asked(path: Path) -> list[str]:
    """Return the numbers of the builds of the commit, newest first, as `path` asks."""
    with closing(LocalSource(Store(path))) as source:
        found = source.noted([[Wanted("revision", COMMIT[:7], begins=True)]], 100)
    return [str(span.resource[c.PIPELINE_RUN_ID]) for span in found]


def left_to_read(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as database:
        return filling.is_behind(database)


def test_a_store_of_the_version_before_answers_with_all_that_is_in_it(path: Path, old: sqlite3.Connection) -> None:
    insert_as_0_1_0(old, *(run(number) for number in range(1, 8)))
    assert asked(path) == ["7", "6", "5", "4", "3", "2", "1"]
    assert not left_to_read(path)


def test_what_an_older_program_adds_later_is_in_the_next_answer(path: Path, old: sqlite3.Connection) -> None:
    insert_as_0_1_0(old, run(1))
    assert asked(path) == ["1"]
    insert_as_0_1_0(old, run(2))
    Store(path).deliver([run(3)], 5)
    assert left_to_read(path)
    assert asked(path) == ["3", "2", "1"]
    assert not left_to_read(path)


def test_what_a_program_of_this_version_writes_is_read_at_once(path: Path) -> None:
    Store(path).deliver([run(1), run(2)], 5)
    assert not left_to_read(path)
    assert asked(path) == ["2", "1"]


def test_delivering_into_an_old_store_does_not_wait_until_it_is_read(path: Path, old: sqlite3.Connection) -> None:
    insert_as_0_1_0(old, *(run(number) for number in range(1, 8)))
    Store(path).deliver([run(9)], 5)
    assert left_to_read(path)


def test_an_older_program_that_delivers_a_span_again_changes_nothing(path: Path) -> None:
    Store(path).deliver([run(1)], 5)
    with closing(sqlite3.connect(path)) as database:
        insert_as_0_1_0(database, run(1, c.FAILURE))
    assert not left_to_read(path)
    assert Store(path).trace(run(1).trace_id) == [run(1)]


def test_what_an_older_program_removes_is_gone_from_all_tables(path: Path) -> None:
    Store(path).deliver([run(1), run(2)], 5)
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM spans WHERE trace_id = ?", (run(1).trace_id,))
        database.commit()
        tables = ("traits", "resources", "unread")
        assert [database.execute(f"SELECT count(*) FROM {name}").fetchone() for name in tables] == [(1,), (1,), (0,)]
    assert asked(path) == ["2"]


def test_a_row_that_cannot_be_read_stops_no_other(path: Path, old: sqlite3.Connection) -> None:
    insert_as_0_1_0(old, run(1), run(2))
    for number, body in enumerate(("{", "[]", "7", '{"trace_id": 5}', ""), 3):
        row = (run(number).trace_id, run(number).span_id, None, 5, None, None, body)
        old.execute("INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    old.commit()
    assert asked(path) == ["2", "1"]
    assert not left_to_read(path)
    assert Store(path).trace(run(3).trace_id) == []


def test_pieces_come_one_after_another_and_each_is_told(
    path: Path, old: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "_PIECE", 3)
    insert_as_0_1_0(old, *(run(number) for number in range(1, 8)))
    told: list[float] = []
    Store(path).catch_up(told.append)
    assert told[0] == 0
    assert told == sorted(told)
    assert len(told) == 3
    assert len(asked(path)) == 7


FILL_AND_DIE = """
import os, sys
from pathlib import Path
from pipeline_trace.delivery.destinations import filling
from pipeline_trace.delivery.destinations.store import Store
filling._PIECE = 3
def told(done):
    if done > 0:
        os.kill(os.getpid(), 9)
Store(Path(sys.argv[1])).catch_up(told)
"""


@pytest.mark.process
def test_a_killed_upgrade_goes_on_where_it_was(path: Path, old: sqlite3.Connection) -> None:
    insert_as_0_1_0(old, *(run(number) for number in range(1, 8)))
    done = subprocess.run([sys.executable, "-c", FILL_AND_DIE, str(path)], check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM traits").fetchone() == (3,)
    assert len(asked(path)) == 7


def test_while_another_process_holds_the_file_the_answer_says_what_it_lacks(path: Path, old: sqlite3.Connection) -> None:
    insert_as_0_1_0(old, run(1))
    Store(path).deliver([run(2)], 5)
    old.execute("BEGIN IMMEDIATE")
    with closing(LocalSource(Store(path, busy_seconds=0.1))) as source:
        found = source.noted([[Wanted("pipeline", "shop/deploy")]], 10)
        assert [span.start_ns for span in found] == [2]
        assert "not in the answer yet" in source.notice
    old.rollback()
    assert asked(path) == ["2", "1"]


def test_a_resource_is_kept_once_a_trace(path: Path) -> None:
    spans = [run(1) for _ in range(20)]
    for number, span in enumerate(spans):
        span.span_id = span_id(("many", str(number)))
    Store(path).deliver(spans, 5)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM resources").fetchone() == (1,)
    assert {tuple(span.resource.items()) for span in Store(path).trace(run(1).trace_id)} == {tuple(run(1).resource.items())}


@pytest.mark.parametrize("length", [10, 899, 900, 5_000, 200_000])
def test_a_span_of_any_length_comes_out_as_it_went_in(path: Path, length: int) -> None:
    span = run(1, text="é🚀" * length, status="a")
    span.links = [Link("2" * 32, "3" * 16, {"a": 1})]
    span.kind = "SERVER"
    span.fail("no")
    Store(path).deliver([span], 5)
    assert Store(path).trace(span.trace_id) == [span]


@pytest.mark.parametrize("name", ["resource_id", "name", 'x"', "é"])
def test_no_name_of_an_attribute_makes_a_span_one_of_an_older_program(path: Path, name: str) -> None:
    Store(path).deliver([run(1, **{name: '{"resource_id":'})], 5)
    assert not left_to_read(path)
    assert Store(path).trace(run(1).trace_id) == [run(1, **{name: '{"resource_id":'})]


def test_half_a_character_in_a_trait_breaks_no_delivery(path: Path) -> None:
    span = run(1)
    span.resource = {**span.resource, c.PIPELINE_NAME: "shop/\udce9"}
    Store(path).deliver([span], 5)
    with closing(LocalSource(Store(path))) as source:
        assert len(source.runs(Window(), 10)) == 1
