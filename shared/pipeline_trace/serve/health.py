"""Answers the probes of load balancers: /healthz (the process answers) and /readyz (it can read what it is asked for).

Anybody may ask, under any name. So the answers are fixed words; what is wrong goes to the log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ..trace.redact import masked

_HEALTH = "/healthz"
_READY = "/readyz"
PATHS = (_HEALTH, _READY)
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_CACHED_SECONDS = 1.0
_PATIENCE_SECONDS = 3.0
_log = logging.getLogger(__name__)


class Health:
    """The two answers. ``ready``: returns "" or what keeps this server from answering questions; it runs in a thread."""

    def __init__(self, ready: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._ready = ready
        self._clock = clock
        self._check: asyncio.Task[None] | None = None
        self._checked = 0.0
        self._problem = ""

    def routes(self) -> list[Route]:
        """Return the routes of both."""
        return [Route(_HEALTH, self.health), Route(_READY, self.readiness)]

    async def health(self, request: Request) -> Response:
        """Return the answer to the question whether this process answers."""
        return PlainTextResponse("ok\n", headers=_HEADERS)

    async def readiness(self, request: Request) -> Response:
        """Return the answer to the question whether this server can answer questions, asked at most once a second."""
        if self._check is None or (self._check.done() and self._clock() - self._checked >= _CACHED_SECONDS):
            self._check = asyncio.create_task(self._look())
        # A check that hangs goes on, and no second one is begun: many probes must not take all threads.
        done, _ = await asyncio.wait({self._check}, timeout=_PATIENCE_SECONDS)
        if done and not self._problem:
            return PlainTextResponse("ready\n", headers=_HEADERS)
        return PlainTextResponse("not ready\n", 503, _HEADERS)

    async def _look(self) -> None:
        try:
            found = await asyncio.to_thread(self._ready)
        except Exception as error:
            found = str(error) or type(error).__name__
        if found != self._problem:
            _log.warning("%s", f"not ready: {masked(found)}" if found else "ready again")
        self._problem, self._checked = found, self._clock()
