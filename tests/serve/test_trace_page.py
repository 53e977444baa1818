"""A trace that is followed: who is sent what and when, what is read for it, and that nothing goes on without a reader."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse
from support.loops import ran
from support.report_samples import TRACE, make

from pipeline_trace.delivery.destinations import SetupError
from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.delivery.home import Home, find_home
from pipeline_trace.lookup.lookup import Lookup, NotFoundError, local_lookup
from pipeline_trace.lookup.source import Remembered
from pipeline_trace.lookup.standing import Opened
from pipeline_trace.serve import trace_page
from pipeline_trace.serve.following import Following
from pipeline_trace.serve.reading import Reading
from pipeline_trace.serve.trace_page import TracePages
from pipeline_trace.serve.trace_spans import Found
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

SECONDS = 20.0
PLAYBOOK, TASK = make("p", None, "playbook site.yml", 0, None), make("t", "p", "Restart", 3, None)
DONE = make("d", "p", "Copy", 1, 2)
HERE = "http://127.0.0.1:4318/"


@dataclass
class Machine:
    """What a server reads: a store, and open spans that a test sets. ``reads``: how often the trace was read."""

    home: Home
    opened: Sequence[Opened] = ()
    reads: int = 0
    problem: Exception | None = None
    told: list[str] = field(default_factory=list)

    def store(self, *spans: Span) -> None:
        with closing(Store(self.home.store)) as store:
            store.deliver(spans, 60.0)

    def open_lookup(self, remembered: Remembered | None = None) -> Any:
        self.reads += 1
        if self.problem:
            raise self.problem
        return closing(local_lookup(self.home, remembered=remembered))

    def state_of(self, trace_ids: Collection[str]) -> object:
        with closing(Store(self.home.store)) as store:
            return [store.count(one) for one in sorted(trace_ids)]

    @property
    def reading(self) -> Reading:
        return Reading(cast(Any, None), self.open_lookup, lambda: list(self.opened), "store", state_of=self.state_of)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "trace-home").mkdir()
    found = Machine(find_home({"PIPELINE_TRACE_HOME": str(tmp_path / "trace-home")}))
    found.store(DONE)
    found.opened = [Opened(PLAYBOOK), Opened(TASK)]
    return found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often."""
    for name, seconds in {"_LOOK_SECONDS": 0.01, "_SETTLED_SECONDS": 0.05}.items():
        monkeypatch.setattr(trace_page, name, seconds)


def asked(trace_id: str = TRACE, query: str = "", last: str = "") -> Request:
    """Return a request for a trace's page or events."""
    headers = [(b"host", b"127.0.0.1:4318"), *([(b"last-event-id", last.encode())] if last else [])]
    scope = {"type": "http", "method": "GET", "scheme": "http", "server": ("127.0.0.1", 4318), "path": "/", "root_path": ""}
    return Request({**scope, "headers": headers, "query_string": query.encode(), "path_params": {"trace_id": trace_id}})


class Stream:
    """The events that a reader gets."""

    def __init__(self, answer: Any) -> None:
        assert isinstance(answer, StreamingResponse)
        assert answer.media_type == "text/event-stream"
        self._pieces = cast(AsyncIterator[str], answer.body_iterator)
        self.mark = ""

    async def piece(self) -> str:
        return await asyncio.wait_for(anext(self._pieces), SECONDS)

    async def next(self, kind: str = "change") -> Any:
        """Return the data of the next event of a kind."""
        while True:
            told = dict(line.partition(": ")[::2] for line in (await self.piece()).strip().split("\n"))
            self.mark = told.get("id", self.mark)
            if told.get("event") == kind:
                return json.loads(told["data"])
            assert told.get("event", "time") == "time", told

    async def rest(self) -> str:
        """Return what comes until the stream ends."""

        async def read() -> str:
            return "".join([piece async for piece in self._pieces])

        return await asyncio.wait_for(read(), SECONDS)

    async def leave(self) -> None:
        await cast(Any, self._pieces).aclose()


def mark_in(page: Any) -> str:
    """Return the mark of a page that was sent."""
    data = bytes(page.body).decode().split('id="trace-data">')[1].split("</script>")[0]
    return str(json.loads(data)["live"]["mark"])


async def until(condition: Callable[[], bool]) -> None:
    async def wait() -> None:
        while not condition():
            await asyncio.sleep(0.005)

    await asyncio.wait_for(wait(), SECONDS)


def ended(span: Span, after_ns: int = 10**10) -> Span:
    return Span(span.trace_id, span.span_id, span.parent_id, span.name, span.start_ns, span.start_ns + after_ns)


def names(change: Any) -> list[str]:
    """Return the names of rows in a change whose texts are all in it."""
    return [change["texts"][row[1]] for _, row, _ in change["rows"]]


def test_who_has_the_page_is_sent_what_ends_and_then_the_end(machine: Machine) -> None:
    async def read() -> None:
        pages = TracePages(machine.reading)
        page = await pages.answer(asked())
        stream = Stream(await pages.events(asked(query=f"since={mark_in(page)}")))
        assert await stream.next("time") > 10**15
        machine.store(ended(TASK))
        change = await stream.next()
        assert (change["whole"], len(change["rows"])) == (False, 1)
        machine.store(ended(PLAYBOOK, 10**11))
        change = await stream.next()
        assert change["parts"]["result"] == "unset"
        await stream.next("end")
        with pytest.raises(StopAsyncIteration):
            await stream.piece()
        # Whoever loads it now gets a page that asks for nothing.
        assert b"trace-data" in (last := await pages.answer(asked())).body
        assert b"EventSource" not in last.body

    ran(read())


def test_a_browser_that_comes_back_names_what_it_had(machine: Machine) -> None:
    async def read() -> None:
        pages = TracePages(machine.reading)
        first = Stream(await pages.events(asked(query="since=gone.1.2.3")))
        whole = await first.next()
        assert (whole["whole"], sorted(names(whole))) == (True, ["Copy", "Restart", "playbook site.yml"])
        await first.leave()
        machine.store(ended(TASK))
        second = Stream(await pages.events(asked(query="since=gone.1.2.3", last=first.mark)))
        change = await second.next()
        assert (change["whole"], len(change["rows"])) == (False, 1)
        pages.close()

    ran(read())


def test_nothing_is_read_while_nothing_changes_and_once_for_all_readers(machine: Machine) -> None:
    async def read() -> None:
        pages = TracePages(machine.reading)
        mark = mark_in(await pages.answer(asked()))
        streams = [Stream(await pages.events(asked(query=f"since={mark}"))) for _ in range(5)]
        for stream in streams:
            await stream.next("time")
        machine.reads = 0
        for stream in streams:
            for _ in range(5):
                await stream.next("time")
        assert machine.reads == 0
        machine.store(ended(TASK))
        for stream in streams:
            assert len((await stream.next())["rows"]) == 1
        assert machine.reads == 1
        machine.opened = [Opened(PLAYBOOK, 99)]
        for stream in streams:
            assert (await stream.next())["parts"]["title"].startswith("Not heard of: ")
        assert machine.reads == 2
        pages.close()

    ran(read())


def test_what_an_open_span_waits_for_is_news(machine: Machine) -> None:
    async def read() -> None:
        pages = TracePages(machine.reading)
        mark = mark_in(await pages.answer(asked()))
        stream = Stream(await pages.events(asked(query=f"since={mark}")))
        await stream.next("time")
        waiting = replace(
            TASK, attributes={c.WAIT_KIND: c.WAIT_AGENT, c.WAIT_FOR: "macos", c.WAIT_REASON: "all are offline"}
        )
        machine.opened = [Opened(PLAYBOOK), Opened(waiting)]
        stands = (await stream.next())["parts"]["#stands"]
        assert "for an agent (macos): all are offline" in stands
        assert "Bring an agent with the label macos online." in stands
        assert '<span class="owner o-ops">Ops</span>' in stands
        # Nobody knows whether it still waits.
        machine.opened = [Opened(PLAYBOOK), Opened(waiting, 99)]
        assert "for an agent" not in (await stream.next())["parts"]["#stands"]
        pages.close()

    ran(read())


def test_of_a_source_that_only_tells_by_being_read_it_is_read(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_page, "_READ_SECONDS", 0.01)

    async def read() -> None:
        pages = TracePages(replace(machine.reading, state_of=None))
        mark = mark_in(await pages.answer(asked()))
        stream = Stream(await pages.events(asked(query=f"since={mark}")))
        machine.store(ended(TASK))
        seen: list[Any] = []
        # What goes on takes longer each time: that is new, too.
        while not any(change["rows"] for change in seen):
            seen.append(await stream.next())
        assert [len(change["rows"]) for change in seen if change["rows"]] == [1]
        pages.close()

    ran(read())


def test_a_page_that_nobody_has_open_is_forgotten(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_page, "_KEPT_SECONDS", 0.1)

    async def read() -> None:
        pages = TracePages(machine.reading)
        # The page itself may be forgotten already.
        stream = Stream(await pages.events(asked()))
        mark = (await stream.next())["mark"]
        await stream.leave()
        await until(lambda: not pages._followed)
        machine.reads = 0
        await asyncio.sleep(0.05)
        assert machine.reads == 0
        # It is read anew for who comes back.
        again = Stream(await pages.events(asked(query=f"since={mark}")))
        assert (await again.next())["whole"]
        pages.close()

    ran(read())


def test_what_cannot_be_read_now_is_read_again(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    async def read() -> None:
        pages = TracePages(machine.reading)
        mark = mark_in(await pages.answer(asked()))
        stream = Stream(await pages.events(asked(query=f"since={mark}")))
        for problem in (SetupError("busy"), ValueError("a bug")):
            machine.problem = problem
            machine.opened = [*machine.opened, Opened(make(f"{problem}", "p", f"{problem}", 4, None))]
            while await stream.piece() != ":\n\n":
                pass
            assert [await stream.piece() for _ in range(3)] == [":\n\n"] * 3
        machine.problem = None
        change = await stream.next()
        assert len(change["rows"]) >= 2
        pages.close()

    ran(read())
    assert [record.getMessage() for record in caplog.records] == ["a trace cannot be followed: ValueError: a bug"]


def test_of_a_removed_trace_the_reader_keeps_what_he_has(machine: Machine) -> None:
    async def read() -> None:
        pages = TracePages(machine.reading)
        mark = mark_in(await pages.answer(asked()))
        stream = Stream(await pages.events(asked(query=f"since={mark}")))
        machine.problem, machine.opened = NotFoundError("it is gone"), []
        for _ in range(5):
            await stream.next("time")
        pages.close()

    ran(read())


def test_readers_and_traces_have_limits_and_then_pages_do_not_follow(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read() -> None:
        pages = TracePages(machine.reading)
        assert (await pages.events(asked("f" * 32))).status_code == 204
        monkeypatch.setattr(trace_page, "_MOST_SPANS", 2)
        assert b"EventSource" not in (await pages.answer(asked())).body
        assert (await pages.events(asked())).status_code == 204
        monkeypatch.setattr(trace_page, "_MOST_SPANS", 100)
        monkeypatch.setattr(trace_page, "_MOST_TRACES", 0)
        assert (await pages.events(asked())).status_code == 204
        monkeypatch.setattr(trace_page, "_MOST_TRACES", 1)
        assert b"EventSource" in (await pages.answer(asked())).body
        monkeypatch.setattr(trace_page, "_MOST_READERS", 1)
        stream = Stream(await pages.events(asked()))
        await stream.next()
        assert (await pages.events(asked())).status_code == 204
        pages.close()

    ran(read())


def test_closing_ends_all_streams(machine: Machine) -> None:
    async def read() -> None:
        pages = TracePages(machine.reading)
        streams = [Stream(await pages.events(asked())) for _ in range(3)]
        for stream in streams:
            await stream.next()
        pages.close()
        for stream in streams:
            assert "event: end" not in await stream.rest()

    ran(read())


def test_the_latest_trace_stays_the_one_that_it_was(machine: Machine) -> None:
    async def read() -> None:
        pages = TracePages(machine.reading)
        body = bytes((await pages.answer(asked("latest"))).body).decode()
        assert f'"events":"/trace/{TRACE}/events"' in body
        pages.close()

    ran(read())


def test_the_verdict_is_made_again_when_something_failed_only(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(self: Following, lookup: Lookup, found: Found, *more: Any) -> Any:
        made.append(len(found.spans))
        return judge(self, lookup, found, *more)

    judge = Following._judge
    monkeypatch.setattr(Following, "_judge", counted)
    following = Following(machine.reading, TRACE, HERE)
    following.look()
    task = make("one", "p", "One", 4, 5, ansible_type="task", ansible_result="ok")
    machine.store(task)
    assert following.look()
    assert made == [3]
    failed = make("two", "p", "Two", 4, 5, ansible_type="task", ansible_result="failed")
    failed.fail("broken")
    machine.store(failed)
    assert following.look()
    assert made == [3, 5]
