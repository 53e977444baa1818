"""Gives a trace as OTLP's JSON: GET /trace/ID.json."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ..lookup.lookup import NotFoundError
from ..report import otlp
from ..trace.span import Span
from . import pages
from .bodies import JSON
from .reading import HEADERS, Reading, page

# Traces may be large. This is how many are read at the same time.
_AT_ONCE = 2


class Exports:
    """Answers with traces."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._busy = asyncio.Semaphore(_AT_ONCE)

    def route(self) -> Route:
        """Return the route. It stands before that of a trace's page."""
        return Route("/trace/{trace_id}.json", self.answer)

    async def answer(self, request: Request) -> Response:
        """Return a trace as a file that can be sent to any receiver."""
        async with self._busy:
            try:
                spans = await asyncio.to_thread(self._spans, request.path_params["trace_id"])
            except NotFoundError as error:
                return page(pages.message_page("Not found", str(error)), 404)
        name = f'attachment; filename="trace-{spans[0].trace_id[:12]}.json"'
        # In pieces: all of it may be ten times as large as its spans are in the store.
        lines = (f"{line}\n".encode() for line in otlp.lines_of(spans))
        return StreamingResponse(lines, 200, {**HEADERS, "Content-Disposition": name}, JSON)

    def _spans(self, reference: str) -> list[Span]:
        with self._reading.open_lookup() as lookup:
            return lookup.spans(reference)
