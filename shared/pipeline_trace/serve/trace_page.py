"""Answers with the page of a trace, GET /trace/ID; of one that goes on, its changes follow: GET /trace/ID/events."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from ..delivery.destinations import SetupError
from ..lookup.lookup import NotFoundError
from . import pages
from .following import Following
from .reading import HEADERS, Reading, page

# Pages are large. This is how many are made at the same time.
_PAGES_AT_ONCE = 2
_LOOK_SECONDS = 2.0
# A source that only tells by being read is asked less often.
_READ_SECONDS = 15.0
# Looks at a trace take at most one in so many parts of a processor.
_SHARE = 5
# How long a page that nobody has open is kept. Its browser asks again after a break.
_KEPT_SECONDS = 30.0
# Spans come late, from other machines: a trace has ended when it stays as it is for so long.
_SETTLED_SECONDS = 8.0
# Each reader holds a connection, and each trace is in memory.
_MOST_READERS = 100
_MOST_TRACES = 20
_MOST_SPANS = 100_000
_log = logging.getLogger(__name__)


class TracePages:
    """The pages of traces, and who follows which of them. Use it in one event loop."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._look_seconds = _LOOK_SECONDS if reading.state_of else _READ_SECONDS
        self._pages = asyncio.Semaphore(_PAGES_AT_ONCE)
        # One after the other: what follows must not take more than one processor.
        self._looks = asyncio.Lock()
        self._followed: dict[tuple[str, str], _Followed] = {}
        self._closed = False

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/trace/{trace_id}/events", self.events), Route("/trace/{trace_id}", self.answer)]

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        for followed in self._followed.values():
            followed.looked.set()

    async def answer(self, request: Request) -> Response:
        """Return a trace's page, in its current state."""
        reference, here = request.path_params["trace_id"], str(request.base_url)
        known = self._followed.get((reference, here))
        following = known.following if known else Following(self._reading, reference, here)
        async with self._pages:
            try:
                await asyncio.to_thread(following.look)
            except NotFoundError as error:
                return page(pages.message_page("Not found", str(error)), 404)
            events = f"/trace/{quote(following.reference, safe='')}/events" if self._keep(following, here) else ""
            text = await asyncio.to_thread(following.page, events)
        # The page contains its own policy.
        return HTMLResponse(text, headers=HEADERS)

    async def events(self, request: Request) -> Response:
        """Send what changes in a trace's page to a reader who names what it has, until the trace has ended."""
        reference, here = request.path_params["trace_id"], str(request.base_url)
        if self._is_full():
            return Response(status_code=204, headers=HEADERS)
        followed = self._followed.get((reference, here))
        if followed is None:
            following = Following(self._reading, reference, here)
            try:
                async with self._looks:
                    await asyncio.to_thread(following.look)
            except NotFoundError:
                return Response(status_code=204, headers=HEADERS)
            followed = self._keep(following, here, ended=True)
            if followed is None:
                return Response(status_code=204, headers=HEADERS)
        followed.left_at = time.monotonic()
        # After a break a browser names what it got last.
        mark = request.headers.get("last-event-id") or request.query_params.get("since", "")
        return StreamingResponse(self._stream(followed, mark), headers=HEADERS, media_type="text/event-stream")

    def _keep(self, following: Following, here: str, *, ended: bool = False) -> _Followed | None:
        """Keep a trace that goes on, to be followed. Return None where it has ended, or there are too many.

        ``ended``: also one that has ended: a reader waits to hear that.
        """
        key = following.reference, here
        if key not in self._followed:
            if self._closed or not (following.goes_on or ended) or not self._has_room(following.spans):
                return None
            self._followed[key] = followed = _Followed(following)
            followed.task = asyncio.create_task(self._follow(key, followed))
        found = self._followed[key]
        return found if following.goes_on or ended else None

    def _is_full(self) -> bool:
        return sum(one.readers for one in self._followed.values()) >= _MOST_READERS

    def _has_room(self, spans: int) -> bool:
        others = list(self._followed.values())
        return len(others) < _MOST_TRACES and spans + sum(one.following.spans for one in others) <= _MOST_SPANS

    async def _stream(self, followed: _Followed, mark: str) -> AsyncIterator[str]:
        if self._is_full():
            # Many came at once. The browser asks again, and is told.
            return
        followed.readers += 1
        try:
            yield "retry: 2000\n\n"
            while not self._closed:
                # Before what is new: what changes while it is sent is not missed.
                looked = followed.looked
                change = await asyncio.to_thread(followed.following.since, mark)
                if change:
                    mark, text = change
                    yield f"id: {mark}\nevent: change\ndata: {text}\n\n"
                if followed.ended:
                    yield "event: end\ndata: {}\n\n"
                    return
                # It finds out, too, whether the reader is still there. Where nothing can be read, that is what is said.
                yield ":\n\n" if followed.unread else f"event: time\ndata: {time.time_ns() // 1000}\n\n"
                await looked.wait()
        finally:
            followed.readers -= 1
            followed.left_at = time.monotonic()

    async def _follow(self, key: tuple[str, str], followed: _Followed) -> None:
        """Look at a trace until nobody has its page open any more."""
        try:
            while not self._closed and (followed.readers or time.monotonic() - followed.left_at < _KEPT_SECONDS):
                took = await self._look(followed) if followed.readers else 0.0
                looked, followed.looked = followed.looked, asyncio.Event()
                looked.set()
                await asyncio.sleep(max(self._look_seconds, took * (_SHARE - 1)))
        finally:
            self._followed.pop(key, None)
            followed.looked.set()

    async def _look(self, followed: _Followed) -> float:
        """Look at a trace once. Return how much of a processor's time that took, in seconds."""
        following, took = followed.following, 0.0
        async with self._looks:
            try:
                changed, took = await asyncio.to_thread(_timed, following)
                if changed:
                    followed.changed_at = time.monotonic()
                followed.said = followed.unread = False
            except NotFoundError:
                # It was removed. Who has it open keeps it.
                pass
            except (SetupError, sqlite3.Error):
                followed.unread = True
            except Exception as error:
                if not followed.said:
                    _log.warning("a trace cannot be followed: %s: %s", type(error).__name__, error)
                followed.said = followed.unread = True
            settled = time.monotonic() - followed.changed_at > _SETTLED_SECONDS
            followed.ended = not following.goes_on and settled
            return took


def _timed(following: Following) -> tuple[bool, float]:
    began = time.thread_time()
    changed = following.look()
    return changed, time.thread_time() - began


class _Followed:
    """A trace that is followed. ``readers``: how many have its page open. ``looked``: set when it was looked at again.

    ``unread``: whether it could not be read last. ``said``: whether the reason was logged.
    """

    def __init__(self, following: Following) -> None:
        self.following = following
        self.readers = 0
        self.left_at = time.monotonic()
        self.changed_at = time.monotonic()
        self.ended = False
        self.unread = False
        self.said = False
        self.looked = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
