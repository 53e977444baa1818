"""How the list catches up with a store: in which order, that it ends, and that no page waits for all of it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest
from support import put
from support.loops import ran

from pipeline_trace.delivery.home import Home, find_home
from pipeline_trace.delivery.journal import Writer
from pipeline_trace.delivery.reader import Reader
from pipeline_trace.serve import backlog, listing
from pipeline_trace.serve.backlog import Backlog
from pipeline_trace.serve.index import Filter, Index, save
from pipeline_trace.serve.listing import Page, TraceList
from pipeline_trace.serve.pages import read_query, traces_page
from pipeline_trace.serve.writer import StoreWriter
from pipeline_trace.trace.span import Span

T = TypeVar("T")
MINUTE = 60 * 10**9


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return find_home({"PIPELINE_TRACE_HOME": str(tmp_path / "trace-home")})


@pytest.fixture
def index(place: Home) -> Index:
    found = Index(place.store)
    found.prepare()
    return found


@pytest.fixture
def database(place: Home, index: Index) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(place.store, isolation_level=None)) as connection:
        yield connection


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than three changed traces are many."""
    monkeypatch.setattr(backlog, "_AT_ONCE", 3)
    monkeypatch.setattr(backlog, "_SPANS", 4)


def span(trace: int, number: int = 1, *, end: int) -> Span:
    return Span(f"{trace:032x}", f"{number:016x}", None, f"trace {trace}", 1, end * MINUTE)


def arrived(database: sqlite3.Connection, seconds: int, *traces: int) -> None:
    for trace in traces:
        database.execute("UPDATE changed_traces SET arrived_s = ? WHERE trace_id = ?", (seconds, f"{trace:032x}"))


def number_of(trace_id: str) -> int:
    return int(trace_id, 16)


def next_of(found: Backlog, database: sqlite3.Connection) -> list[int]:
    """Return the numbers of the traces in a pass's next piece, each piece with as few as possible, and save their lines."""
    changes = found.changes(0)
    save(database, changes)
    return [number_of(change.trace_id) for change in changes]


def put_old(place: Home, database: sqlite3.Connection, count: int) -> None:
    """Store traces from 1 on, each with one span, that came long ago. A higher number ended later."""
    numbers = range(1, count + 1)
    put(place.store, *(span(trace, end=trace) for trace in numbers))
    arrived(database, 100, *numbers)


def all_of(found: Backlog, database: sqlite3.Connection) -> list[int]:
    numbers: list[int] = []
    while piece := next_of(found, database):
        numbers += piece
    return numbers


@pytest.mark.usefixtures("many")
def test_of_many_the_newest_by_their_end_are_first(place: Home, index: Index, database: sqlite3.Connection) -> None:
    ends = {3: 50, 1: 40, 7: 30, 2: 20, 9: 10, 5: 5}
    for trace, end in sorted(ends.items()):
        # Each has an old span too.
        put(place.store, span(trace, 1, end=1), span(trace, 2, end=end))
    arrived(database, 100, *ends)
    assert all_of(index.backlog(), database) == list(ends)
    assert index.waiting() == 0


@pytest.mark.usefixtures("many")
def test_what_comes_in_between_is_before_what_is_old(place: Home, index: Index, database: sqlite3.Connection) -> None:
    put_old(place, database, 7)
    found = index.backlog()
    assert next_of(found, database) == [7]
    # By its own times it is the oldest.
    put(place.store, span(20, end=0))
    assert next_of(found, database) == [20, 6]
    assert all_of(found, database) == [5, 4, 3, 2, 1]


@pytest.mark.usefixtures("many")
def test_a_pass_ends_though_traces_grow_all_the_time(place: Home, index: Index, database: sqlite3.Connection) -> None:
    put_old(place, database, 7)
    found, numbers = index.backlog(), list[int]()
    for growth in range(2, 30):
        put(place.store, span(7, growth, end=7), span(1, growth, end=1))
        piece = next_of(found, database)
        if not piece:
            break
        numbers += piece
    # The growing ones are read again at most once each: the next pass reads the rest.
    assert set(numbers) >= {2, 3, 4, 5, 6}
    assert max(numbers.count(trace) for trace in (1, 7)) <= 2
    assert not piece


def test_of_few_one_that_grows_holds_up_no_other(place: Home, index: Index, database: sqlite3.Connection) -> None:
    put(place.store, span(1, end=1), span(2, end=2))
    arrived(database, 100, 2)
    found = index.backlog()
    assert next_of(found, database) == [1]
    put(place.store, span(1, 2, end=1))
    assert next_of(found, database) == [2]
    assert next_of(found, database) == []
    assert index.waiting() == 1


@pytest.mark.usefixtures("many")
def test_what_a_kill_left_undone_is_done_at_the_next_start(place: Home, index: Index, database: sqlite3.Connection) -> None:
    put_old(place, database, 9)
    killed = index.backlog()
    assert next_of(killed, database) == [9]
    # Read, but not saved.
    assert [number_of(change.trace_id) for change in killed.changes(0)] == [8]
    again = Index(place.store)
    again.prepare()
    assert all_of(again.backlog(), database) == [8, 7, 6, 5, 4, 3, 2, 1]
    assert again.find(Filter(), 1).total == 9


def test_a_trace_that_is_left_out_stays_marked(place: Home, index: Index, database: sqlite3.Connection) -> None:
    put(place.store, span(1, end=1), span(2, end=2))
    assert all_of(index.backlog([f"{2:032x}"]), database) == [1]
    assert index.waiting() == 1
    assert all_of(index.backlog(), database) == [2]


def test_a_trace_without_a_span_that_can_be_read_is_not_waited_for(
    place: Home, index: Index, database: sqlite3.Connection
) -> None:
    put(place.store, span(1, end=1))
    database.execute("UPDATE spans SET body = '{}'")
    assert all_of(index.backlog(), database) == [1]
    assert index.waiting() == 0
    assert index.find(Filter(), 1).total == 0


def asked(place: Home, index: Index, ask: Callable[[TraceList], Awaitable[T]]) -> T:
    """Return what is asked of the list, in a new event loop."""

    async def main() -> T:
        writer = StoreWriter(place.store)
        try:
            return await ask(TraceList(place, index, writer))
        finally:
            await writer.close()

    return ran(main())


def text_of(page: Page) -> str:
    return traces_page(read_query({}), page, store="traces.db", here="http://127.0.0.1:4318")


def test_a_page_does_not_wait_for_the_whole_list_and_reloads_by_itself_until_it_is_whole(
    place: Home, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(place.store, *(span(trace, end=trace) for trace in range(1, 8)))
    go_on = asyncio.Event()
    put_line = StoreWriter.call

    async def held(writer: StoreWriter, job: Callable[[sqlite3.Connection], object]) -> object:
        await go_on.wait()
        return await put_line(writer, job)

    monkeypatch.setattr(StoreWriter, "call", held)

    async def ask(traces: TraceList) -> tuple[Page, Page]:
        monkeypatch.setattr(listing, "_PAGE_SECONDS", 0)
        first = await traces.page(Filter(), 1)
        go_on.set()
        assert await traces.refresh(60)
        monkeypatch.setattr(listing, "_PAGE_SECONDS", 60)
        return first, await traces.page(Filter(), 1)

    first, last = asked(place, index, ask)
    assert (first.behind, first.total) == (7, 0)
    assert "Still reading 7 more traces, the newest first." in text_of(first)
    assert "data-again" in text_of(first)
    assert (last.behind, last.total) == (0, 7)
    assert "Still reading" not in text_of(last)
    assert "data-again" not in text_of(last).partition("<script")[0]


def test_a_page_has_what_was_stored_while_a_pass_was_at_its_end(
    place: Home, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(place.store, span(1, end=1))
    monkeypatch.setattr(listing, "_PAGE_SECONDS", 60)
    changes = Backlog.changes

    def late(found: Backlog, most_seconds: float) -> list[backlog.Change]:
        piece = changes(found, most_seconds)
        if not piece and not index.find(Filter(), 1).total > 1:
            # The pass has seen nothing more. Only now it comes.
            put(place.store, span(2, end=2))
        return piece

    async def ask(traces: TraceList) -> Page:
        monkeypatch.setattr(Backlog, "changes", late)
        first = asyncio.create_task(traces.refresh(60))
        await asyncio.sleep(0)
        while traces._pass is None:
            await asyncio.sleep(0.001)
        page = await traces.page(Filter(), 1)
        await first
        return page

    assert asked(place, index, ask).total == 2


def test_a_store_that_another_process_holds_is_not_whole_and_no_error(
    place: Home, index: Index, database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(place.store, span(1, end=1))

    async def busy(*_: object) -> None:
        raise sqlite3.OperationalError("database is locked")

    async def ask(traces: TraceList) -> tuple[bool, Page]:
        with monkeypatch.context() as patch:
            patch.setattr(StoreWriter, "call", busy)
            return await traces.refresh(60), await traces.page(Filter(), 1)

    _, page = asked(place, index, ask)
    assert page.behind == 1


def test_old_traces_are_known_when_the_walk_has_come_to_its_end(
    place: Home, index: Index, database: sqlite3.Connection, many: None
) -> None:
    put_old(place, database, 5)
    found = index.backlog()
    walking = [found.walking]
    while next_of(found, database):
        walking.append(found.walking)
        # What comes all the time does not belong to them.
        if len(walking) < 20:
            put(place.store, span(100 + len(walking), end=1))
    assert walking[:5] == [True] * 5
    assert not any(walking[7:])
    assert len(walking) == 20


def test_lines_leave_time_to_the_spans_that_come_in(place: Home, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    put(place.store, *(span(trace, end=trace) for trace in range(1, 4)))
    monkeypatch.setattr(listing, "_PIECE_SECONDS", 0)
    monkeypatch.setattr(listing, "_PAUSE_SECONDS", 0.001)
    slept: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        slept.append(seconds)
        await sleep(seconds)

    async def ask(traces: TraceList) -> tuple[int, int]:
        monkeypatch.setattr(asyncio, "sleep", noted)
        await traces.refresh(60)
        idle = len(slept)
        put(place.store, *(span(trace, 2, end=trace) for trace in range(1, 4)))
        changes = Backlog.changes

        def busy(found: Backlog, most_seconds: float) -> list[backlog.Change]:
            traces._writer.puts += 1
            return changes(found, most_seconds)

        monkeypatch.setattr(Backlog, "changes", busy)
        await traces.refresh(60)
        return idle, len(slept)

    # A pause after each piece, the last one that finds nothing included.
    assert asked(place, index, ask) == (0, 4)


def test_a_running_trace_has_one_line_and_is_read_into_the_list_when_it_has_ended(
    place: Home, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reader, "written", lambda _: True)
    monkeypatch.setattr(listing, "_PAGE_SECONDS", 60)
    root = Span(f"{1:032x}", f"{1:016x}", None, "playbook", 1)
    writer = Writer(place.journals)
    writer.open(root)
    put(place.store, Span(root.trace_id, f"{2:016x}", root.span_id, "host", 1, 2))

    async def ask(traces: TraceList) -> tuple[Page, int, Page]:
        first = await traces.page(Filter(), 1)
        left = index.waiting()
        root.end_ns = 5
        put(place.store, root)
        return first, left, await traces.page(Filter(), 1)

    first, left, last = asked(place, index, ask)
    assert ([one.name for one in first.running], first.traces, left) == (["playbook"], [], 1)
    assert (last.running, [one.name for one in last.traces]) == ([], ["playbook"])
    writer.discard()


def test_the_page_names_a_journal_that_is_too_large(place: Home, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place.journals / "00000000000000000001-1.journal"
    path.touch(mode=0o600)
    with path.open("r+b") as file:
        file.truncate(200 << 20)
    monkeypatch.setattr(listing, "_PAGE_SECONDS", 0)
    monkeypatch.setattr(Reader, "written", lambda _: False)

    async def ask(traces: TraceList) -> Page:
        return await traces.page(Filter(), 1)

    text = text_of(asked(place, index, ask))
    assert f"{path} (210 MB)" in text
    assert "pipeline-trace ship" in text
