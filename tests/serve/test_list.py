"""The list's index, its filters and what is kept: on stores of their own, without a server."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from support import put
from support.report_samples import sample

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.serve.index import PAGE, Filter, Index, save
from pipeline_trace.serve.pages import read_query
from pipeline_trace.serve.retention import Keep, remove_some
from pipeline_trace.serve.summary import summarise
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

HOUR = 3600 * 10**9


def span(trace: int, number: int = 1, *, name: str = "root", end_ns: int = 2 * HOUR, **attributes: Any) -> Span:
    parent = None if number == 1 else f"{1:016x}"
    return Span(f"{trace:032x}", f"{number:016x}", parent, name, HOUR, end_ns, attributes=attributes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "traces.db"


@pytest.fixture
def index(path: Path) -> Index:
    found = Index(path)
    found.prepare()
    return found


@pytest.fixture
def database(path: Path, index: Index) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def refresh(index: Index, database: sqlite3.Connection) -> None:
    while changes := index.backlog().changes(1.0):
        save(database, changes)


def listed(index: Index, database: sqlite3.Connection, **wanted: Any) -> list[str]:
    """Return the names found, and see that Filter.matches, which running traces are asked with, agrees with the SQL."""
    refresh(index, database)
    everything = index.find(Filter(), 1).traces
    found = index.find(Filter(**wanted), 1)
    assert found.total == len(found.traces)
    assert list(found.traces) == [summary for summary in everything if Filter(**wanted).matches(summary)]
    return sorted(summary.name for summary in found.traces)


def test_a_trace_in_one_line() -> None:
    spans = sample()
    found = summarise(spans[0].trace_id, spans)
    assert (found.name, found.result) == ("RUN app-build#42", "failure")
    assert found.url == spans[0].attributes.get(c.PIPELINE_RUN_URL, spans[0].resource.get(c.PIPELINE_RUN_URL))
    assert found.environments == ("staging",)
    assert found.commits == ("4f1c2d9e0b7a6c5d4e3f2a1b0c9d8e7f6a5b4c3d",)
    assert found.spans == len(spans)
    for text in ("web3", "app-deploy #17", "connection refused", "main", spans[0].trace_id):
        assert text in found.search


def test_attributes_of_other_types_do_no_harm() -> None:
    odd = span(1, **{c.DEPLOYMENT_ENVIRONMENT: ["a"], c.PIPELINE_RUN_URL: 5, c.VCS_HEAD_REVISION: True})
    odd.resource = {c.PIPELINE_RUN_URL: "http://[", c.PIPELINE_NAME: ["x"], c.PIPELINE_RUN_ID: 5}
    found = summarise(odd.trace_id, [odd])
    assert (found.environments, found.commits, found.url) == ((), (), "")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "ftp://x/", "//x"])
def test_only_web_addresses_are_links(url: str) -> None:
    assert summarise("1" * 32, [span(1, **{c.PIPELINE_RUN_URL: url})]).url == ""


def test_what_was_there_before_and_what_others_store_later_are_listed(path: Path) -> None:
    put(path, span(1, name="before"))
    index = Index(path)
    index.prepare()
    index.prepare()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        assert listed(index, database) == ["before"]
        put(path, span(2, name="after"))
        assert listed(index, database) == ["after", "before"]


def test_a_line_follows_what_comes_later(path: Path, index: Index, database: sqlite3.Connection) -> None:
    put(path, span(1, 2, name="child first"))
    assert listed(index, database) == ["child first"]
    put(path, span(1, name="then its parent"))
    assert listed(index, database) == ["then its parent"]
    assert index.waiting() == 0


def test_what_comes_while_a_line_is_made_is_not_forgotten(path: Path, index: Index, database: sqlite3.Connection) -> None:
    put(path, span(1, 2, name="child"))
    changes = index.backlog().changes(1.0)
    put(path, span(1, name="late root"))
    save(database, changes)
    assert index.waiting() == 1
    assert listed(index, database) == ["late root"]


def test_a_second_delivery_changes_no_line(path: Path, index: Index, database: sqlite3.Connection) -> None:
    put(path, span(1))
    refresh(index, database)
    put(path, span(1))
    assert index.waiting() == 0


def test_filters(path: Path, index: Index, database: sqlite3.Connection) -> None:
    failed = span(1, name="Déploy API", **{c.DEPLOYMENT_ENVIRONMENT: "production", c.PIPELINE_RESULT: "failure"})
    child = span(1, 2, name="web1", **{c.DEPLOYMENT_ENVIRONMENT: "staging", c.VCS_HEAD_REVISION: "4f1c2d9e"})
    late = span(2, name="100%_sure", end_ns=9 * HOUR, **{c.PIPELINE_RESULT: "success", c.VCS_HEAD_REVISION: "4f1cffff"})
    late.start_ns = 8 * HOUR
    put(path, failed, child, late)
    assert listed(index, database) == ["100%_sure", "Déploy API"]
    assert listed(index, database, words=("DÉPLOY", "web1")) == ["Déploy API"]
    assert listed(index, database, words=("déploy", "web2")) == []
    assert listed(index, database, words=("%_",)) == ["100%_sure"]
    assert listed(index, database, words=(f"{2:032x}",)) == ["100%_sure"]
    assert listed(index, database, result="failure") == ["Déploy API"]
    assert listed(index, database, environment="staging") == ["Déploy API"]
    assert listed(index, database, environment="stag") == []
    assert listed(index, database, commit="4f1c") == ["100%_sure", "Déploy API"]
    assert listed(index, database, commit="4f1c2") == ["Déploy API"]
    assert listed(index, database, commit="%") == []
    assert listed(index, database, since_ns=3 * HOUR) == ["100%_sure"]
    assert listed(index, database, until_ns=3 * HOUR) == ["Déploy API"]
    assert listed(index, database, since_ns=3 * HOUR, until_ns=4 * HOUR) == []
    assert index.environments() == ["production", "staging"]


def test_pages_are_the_newest_first(path: Path, index: Index, database: sqlite3.Connection) -> None:
    spans = [span(number + 1, name=f"{number}") for number in range(PAGE + 5)]
    for number, one in enumerate(spans):
        one.start_ns = number
    put(path, *spans)
    refresh(index, database)
    first, second = index.find(Filter(), 1), index.find(Filter(), 2)
    assert [summary.name for summary in first.traces] == [f"{n}" for n in range(PAGE + 4, 4, -1)]
    assert [summary.name for summary in second.traces] == ["4", "3", "2", "1", "0"]
    assert (first.total, second.total) == (PAGE + 5, PAGE + 5)
    assert not index.find(Filter(), 3).traces
    assert index.find(Filter(), 1, without=[spans[-1].trace_id]).total == PAGE + 4


def test_traces_that_begin_in_the_future_come_last(path: Path, index: Index, database: sqlite3.Connection) -> None:
    future = 4_070_908_800 * 10**9
    starts = [*(future + number for number in range(PAGE + 2)), *range(PAGE + 5)]
    put(path, *(Span(f"{n + 1:032x}", f"{1:016x}", None, "root", start, start + 1) for n, start in enumerate(starts)))
    refresh(index, database)
    pages = [index.find(Filter(), number) for number in (1, 2, 3, 4)]
    found = [summary.start_ns for page in pages for summary in page.traces]
    assert found == [*range(PAGE + 5)][::-1] + [future + number for number in range(PAGE + 2)][::-1]
    assert [len(page.traces) for page in pages] == [PAGE, PAGE, 7, 0]
    assert {page.total for page in pages} == {2 * PAGE + 7}


def test_half_a_character_in_a_name_is_listed(path: Path, index: Index, database: sqlite3.Connection) -> None:
    put(path, span(1, name="half \ud800"))
    assert len(listed(index, database)) == 1


def test_other_peoples_resources_can_be_stored(path: Path) -> None:
    odd = span(1)
    odd.resource = {c.PIPELINE_NAME: ["a list"], c.PIPELINE_RUN_ID: 42}
    other = span(2)
    other.resource = {c.PIPELINE_NAME: "half \ud800", c.PIPELINE_RUN_ID: True}
    put(path, odd, other)
    store = Store(path)
    assert store.trace(odd.trace_id) == [odd]
    assert store.trace(other.trace_id) == [other]
    store.close()


def test_the_query_is_read_leniently() -> None:
    asked = read_query({"q": " a  b ", "commit": "4F1C", "from": "2025-03-05T16:30", "to": "soon", "page": "-3", "x": "y"})
    assert (asked.wanted.words, asked.wanted.commit, asked.page) == (("a", "b"), "4f1c", 1)
    assert asked.wanted.since_ns == int(datetime(2025, 3, 5, 16, 30, tzinfo=timezone.utc).timestamp()) * 10**9
    assert asked.wanted.until_ns is None
    assert asked.typed["from"] == "2025-03-05T16:30:00"
    berlin = read_query({"from": "2025-03-05T17:30+01:00", "to": "0001-01-01T00:00+14:00"})
    assert (berlin.wanted.since_ns, berlin.typed["from"]) == (asked.wanted.since_ns, asked.typed["from"])
    assert "0001-01-01" in berlin.problem
    assert "soon" in asked.problem
    assert read_query({"page": "7"}).page == 7
    assert read_query({"page": "9" * 30}).page == 1


def arrive(database: sqlite3.Connection, trace: int, age: float) -> None:
    database.execute("UPDATE traces SET arrived_s = ? WHERE trace_id = ?", (int(time.time() - age), f"{trace:032x}"))


def left(path: Path) -> dict[str, int]:
    store = Store(path)
    found = {f"{trace:032x}"[-1]: len(store.trace(f"{trace:032x}")) for trace in range(1, 10)}
    store.close()
    return {trace: count for trace, count in found.items() if count}


def test_old_traces_are_removed_whole(path: Path, index: Index, database: sqlite3.Connection) -> None:
    put(path, *(span(trace, number) for trace in (1, 2, 3) for number in (1, 2)))
    refresh(index, database)
    arrive(database, 1, 5000)
    arrive(database, 2, 4000)
    assert remove_some(database, Keep(3600, 1 << 40)).traces == 2
    assert not any(remove_some(database, Keep(3600, 1 << 40)))
    assert left(path) == {"3": 2}
    assert len(listed(index, database)) == 1


def test_age_counts_from_the_last_span_that_came_not_from_the_traces_own_times(
    path: Path, index: Index, database: sqlite3.Connection
) -> None:
    put(path, span(1))
    refresh(index, database)
    assert not any(remove_some(database, Keep(3600, 1 << 40)))
    arrive(database, 1, 5000)
    put(path, span(1, 2))
    assert not any(remove_some(database, Keep(3600, 1 << 40)))
    refresh(index, database)
    assert not any(remove_some(database, Keep(3600, 1 << 40)))
    assert left(path) == {"1": 2}


def test_a_first_start_removes_nothing_for_its_age(path: Path) -> None:
    put(path, span(1), span(2, end_ns=time.time_ns()))
    index = Index(path)
    index.prepare()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        refresh(index, database)
        assert not any(remove_some(database, Keep(3600, 1 << 40)))
    assert left(path) == {"1": 1, "2": 1}


def test_size_removes_the_oldest_and_keeps_the_newest(path: Path, index: Index, database: sqlite3.Connection) -> None:
    # What repeats would be compressed.
    large = {"text": random.Random(1).randbytes(100_000).hex()}
    put(path, *(span(trace, number, **large) for trace in range(1, 6) for number in (1, 2)))
    refresh(index, database)
    # They came within the same second: the one that began first is the oldest.
    database.execute("UPDATE traces SET start_ns = arrived_s + CAST(substr(trace_id, -1) AS INTEGER)")
    while any(remove_some(database, Keep(1e9, 700_000))):
        pass
    assert left(path) == {"4": 2, "5": 2}
    while any(remove_some(database, Keep(1e9, 0))):
        pass
    assert left(path) == {"5": 2}


def test_a_line_is_read_as_it_was_written(path: Path, index: Index, database: sqlite3.Connection) -> None:
    put(path, *sample())
    refresh(index, database)
    store = Store(path)
    expected = {trace_id: summarise(trace_id, store.trace(trace_id)) for trace_id in {one.trace_id for one in sample()}}
    store.close()
    assert {summary.trace_id: summary for summary in index.find(Filter(), 1).traces} == expected


def results(index: Index, database: sqlite3.Connection) -> dict[str, str]:
    refresh(index, database)
    refresh(index, database)
    return {found.name: found.result for found in index.find(Filter(), 1).traces}


def child(trace: int, parent: int, name: str) -> Span:
    one = span(trace, 5, name=name, **{c.TASK_RUN_RESULT: c.SUCCESS})
    one.parent_id = f"{parent:016x}"
    return one


def test_a_trace_that_is_half_here_is_listed_as_incomplete(index: Index, database: sqlite3.Connection, path: Path) -> None:
    put(path, child(1, 99, "half"))
    assert results(index, database) == {"half": "incomplete"}
    put(path, Span(f"{1:032x}", f"{99:016x}", None, "root", HOUR, 2 * HOUR, attributes={c.TASK_RUN_RESULT: c.SUCCESS}))
    assert results(index, database) == {"root": "success"}


def test_a_parent_in_another_trace_makes_it_whole_whichever_comes_first(
    index: Index, database: sqlite3.Connection, path: Path
) -> None:
    put(path, child(1, 99, "early"))
    assert results(index, database) == {"early": "incomplete"}
    put(path, Span(f"{2:032x}", f"{99:016x}", None, "root", HOUR, 2 * HOUR, attributes={c.TASK_RUN_RESULT: c.SUCCESS}))
    assert results(index, database) == {"early": "success", "root": "success"}
    put(path, child(3, 99, "late"))
    assert results(index, database) == {"early": "success", "late": "success", "root": "success"}


def test_two_traces_that_are_in_each_other_end_the_work(index: Index, database: sqlite3.Connection, path: Path) -> None:
    one, other = child(1, 7, "one"), child(2, 5, "other")
    other.span_id = f"{7:016x}"
    put(path, one, other)
    assert results(index, database) == {"one": "success", "other": "success"}
    assert index.waiting() == 0
