"""Parts of a page that are sent when they change: each once, to each reader, whatever happens to the store or to readers."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import TypeVar

import pytest
from support.loops import ran

from pipeline_trace.delivery.destinations import SetupError
from pipeline_trace.serve.watching import Watch

T = TypeVar("T")
LOOK_SECONDS = 0.01
# A stream that goes on says something within this time.
SECONDS = 20.0
HELLO, UNREAD = "retry: 2000\n\n", ":\n\n"


class Parts:
    """Makes the parts that a test sets. ``looks``: how often they were made. ``go``: cleared, it hangs."""

    def __init__(self, **parts: str) -> None:
        self.now: Mapping[str, str] | Exception = parts
        self.looks = 0
        self.go = threading.Event()
        self.go.set()

    def __call__(self) -> Mapping[str, str]:
        self.go.wait(3 * SECONDS)
        self.looks += 1
        if isinstance(self.now, Exception):
            raise self.now
        return self.now

    async def looked(self, times: int = 3) -> None:
        """Wait until they were made again so often."""
        wanted = self.looks + times
        while self.looks < wanted:
            await asyncio.sleep(LOOK_SECONDS)


async def following(events: AsyncIterator[str]) -> dict[str, str]:
    """Return the next parts that are sent, by their ids."""
    while (text := await soon(anext(events))) in (HELLO, UNREAD) or not parts_in(text):
        pass
    return parts_in(text)


async def soon(what: Awaitable[T]) -> T:
    """Return what comes; TimeoutError if it does not."""
    return await asyncio.wait_for(what, SECONDS)


def parts_in(text: str) -> dict[str, str]:
    """Return the parts in some events, as a browser reads them. The time of the look is left out."""
    found: dict[str, str] = {}
    assert text.endswith("\n\n")
    for event in text.removesuffix("\n\n").split("\n\n"):
        name, data = event.split("\n")
        assert name.startswith("event: ")
        assert data.startswith("data: ")
        assert name.removeprefix("event: ") not in found
        found[name.removeprefix("event: ")] = json.loads(data.removeprefix("data: "))
    assert abs(found.pop("time") - time.time_ns() // 1000) < 60 * 10**6
    return found


def test_each_part_is_sent_once_and_again_when_it_has_changed() -> None:
    parts = Parts(now="<p>a\n\ndata: b</p>\r\u2028", where="w")

    async def read() -> None:
        events = Watch(parts, LOOK_SECONDS).events()
        assert await anext(events) == HELLO
        assert await following(events) == parts.now
        waiting = asyncio.create_task(following(events))
        await soon(parts.looked())
        assert not waiting.done()
        parts.now = {"now": "c", "where": "w"}
        assert await waiting == {"now": "c"}
        await events.aclose()

    ran(read())


def test_a_change_while_an_event_is_sent_is_the_next_event() -> None:
    parts = Parts(now="a")

    async def read() -> None:
        events = Watch(parts, LOOK_SECONDS).events()
        assert await following(events) == {"now": "a"}
        # The reader is slow: it asks for the next event only when that has been there for a while.
        parts.now = {"now": "b"}
        await soon(parts.looked())
        parts.go.clear()
        await asyncio.sleep(5 * LOOK_SECONDS)
        try:
            assert await following(events) == {"now": "b"}
        finally:
            parts.go.set()
        await events.aclose()

    ran(read())


def test_all_readers_get_all_and_the_parts_are_made_once_for_them() -> None:
    parts = Parts(now="a", where="w")

    async def read() -> None:
        watch = Watch(parts, LOOK_SECONDS)
        first = watch.events()
        assert await following(first) == parts.now
        later = [watch.events() for _ in range(20)]
        before = parts.looks
        assert [await following(events) for events in later] == [parts.now] * 20
        assert parts.looks - before < 20
        parts.now = {"now": "a", "where": "x"}
        assert [await following(events) for events in (first, *later)] == [{"where": "x"}] * 21
        for events in (first, *later):
            await events.aclose()

    ran(read())


@pytest.mark.parametrize("error", [SetupError("away"), sqlite3.OperationalError("database is locked"), ValueError("odd")])
def test_an_error_does_not_end_the_stream(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    parts = Parts(now="a")

    async def read() -> None:
        events = Watch(parts, LOOK_SECONDS).events()
        assert await following(events) == {"now": "a"}
        parts.now = error
        await soon(parts.looked())
        parts.now = {"now": "b"}
        assert await following(events) == {"now": "b"}
        await events.aclose()

    ran(read())
    # What nobody expects is said once, not at each look.
    assert [record.getMessage() for record in caplog.records] == (
        ["what runs now cannot be shown: ValueError: odd"] if isinstance(error, ValueError) else []
    )


def test_readers_that_go_away_are_forgotten_and_nobody_looks_for_them() -> None:
    parts = Parts(now="a")

    async def read() -> None:
        watch = Watch(parts, LOOK_SECONDS)
        readers = [watch.events() for _ in range(100)]
        for number, events in enumerate(readers):
            assert not watch.is_full(), number
            await anext(events)
        assert watch.is_full()
        await readers.pop().aclose()
        assert not watch.is_full()
        await soon(parts.looked())
        for events in readers:
            await events.aclose()
        # A look that has begun ends; then there is none.
        await asyncio.sleep(5 * LOOK_SECONDS)
        before = parts.looks
        await asyncio.sleep(5 * LOOK_SECONDS)
        assert parts.looks == before

    ran(read())


def test_a_reader_hears_the_time_after_each_look_that_could_read() -> None:
    parts = Parts(now="a")

    async def read() -> None:
        events = Watch(parts, LOOK_SECONDS).events()
        assert await following(events) == {"now": "a"}
        assert parts_in(await soon(anext(events))) == {}
        for problem in (SetupError("away"), ValueError("odd")):
            parts.now = problem
            while await soon(anext(events)) != UNREAD:
                pass
            assert [await soon(anext(events)) for _ in range(3)] == [UNREAD] * 3
            parts.now = {"now": "a"}
            while (text := await soon(anext(events))) == UNREAD:
                pass
            assert parts_in(text) == {}
        await events.aclose()

    ran(read())


def test_no_more_follow_than_may_though_all_come_at_once() -> None:
    async def read() -> None:
        watch = Watch(Parts(now="a"), LOOK_SECONDS)
        readers = [watch.events() for _ in range(120)]
        assert not watch.is_full()
        first = [await anext(events, None) for events in readers]
        assert (first.count(HELLO), first.count(None)) == (100, 20)
        for events in readers:
            await events.aclose()
        assert not watch.is_full()

    ran(read())


def test_a_reader_who_comes_later_gets_nothing_old() -> None:
    parts = Parts(now="old", where="w")

    async def read() -> None:
        watch = Watch(parts, LOOK_SECONDS)
        events = watch.events()
        assert await following(events) == parts.now
        await events.aclose()
        parts.now = {"now": "new", "where": "w"}
        events = watch.events()
        assert await following(events) == parts.now
        await events.aclose()

    ran(read())


def test_a_reader_whose_task_is_cancelled_is_forgotten() -> None:
    async def read() -> None:
        watch = Watch(Parts(now="a"), LOOK_SECONDS)

        async def follow() -> None:
            async for _ in watch.events():
                pass

        tasks = [asyncio.create_task(follow()) for _ in range(100)]
        await asyncio.sleep(LOOK_SECONDS)
        assert watch.is_full()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert not watch.is_full()

    ran(read())


def test_all_streams_end_when_the_server_does() -> None:
    parts = Parts(now="a")

    async def read() -> None:
        watch = Watch(parts, LOOK_SECONDS)
        first, second = watch.events(), watch.events()
        assert await following(first) == await following(second) == {"now": "a"}
        waiting = asyncio.create_task(anext(first, "the end"))
        await asyncio.sleep(LOOK_SECONDS)
        watch.close()
        assert await soon(waiting) == await soon(anext(second, "the end")) == "the end"
        # Who comes while it ends gets a whole answer, too.
        last = watch.events()
        assert [await soon(anext(last)), await soon(anext(last, "the end"))] == [HELLO, "the end"]
        before = parts.looks
        await asyncio.sleep(5 * LOOK_SECONDS)
        assert parts.looks <= before + 1

    ran(read())
