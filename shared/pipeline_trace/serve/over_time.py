"""Answers for the pages of a service, a job, a host and the platform over time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..figures.periods import periods_of
from ..figures.services import ServiceOverTime, service_over_time
from .pages import message_page
from .period import SERVICE, Asked, read_asked
from .reading import Reading, page
from .service_page import service_page


class OverTime:
    """The pages."""

    def __init__(self, reading: Reading, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        """``now_ns``: the time, in nanoseconds since the epoch."""
        self._reading = reading
        self._now_ns = now_ns

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route(SERVICE, self.service)]

    async def service(self, request: Request) -> Response:
        """Return the page of a service."""
        asked = read_asked(request.query_params)
        if not asked.name:
            return _nameless(SERVICE)
        return page(service_page(asked, await asyncio.to_thread(self._service, asked), store=self._reading.kept_in))

    def _service(self, asked: Asked) -> ServiceOverTime:
        periods = periods_of(asked.days, self._now_ns())
        with self._reading.open_lookup() as lookup:
            return service_over_time(lookup, asked.name, asked.environment, periods)


def _nameless(path: str) -> Response:
    return page(message_page("Not found", f"the address names none; write for example {path}?name=shop"), 404)
