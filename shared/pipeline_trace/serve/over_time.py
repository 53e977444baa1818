"""Answers for the pages of a service, a job, a host and the platform over time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..answers.verdicts import Verdicts
from ..figures.cost import NO_PRICES, Prices
from ..figures.hosts import host_over_time
from ..figures.jobs import job_over_time, parts_over_time
from ..figures.periods import Periods, periods_of
from ..figures.platform import platform_over_time
from ..figures.recorded import recorded
from ..figures.services import service_over_time
from ..lookup.lookup import Lookup
from .host_page import host_page
from .job_page import job_page, parts_page
from .pages import message_page
from .period import HOST, JOB, PLATFORM, SERVICE, Around, Asked, read_asked
from .platform_page import platform_page
from .reading import Reading, page
from .service_page import service_page

_Write = Callable[[Lookup, Asked, Periods], Callable[[Around], str]]


class OverTime:
    """The pages."""

    def __init__(
        self,
        reading: Reading,
        verdicts: Verdicts,
        prices: Prices = NO_PRICES,
        *,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """``prices``: of executors. ``now_ns``: the time, in nanoseconds since the epoch."""
        self._reading = reading
        self._verdicts = verdicts
        self._prices = prices
        self._now_ns = now_ns

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(SERVICE, self.service),
            Route(JOB, self.job),
            Route(HOST, self.host),
            Route(PLATFORM, self.platform),
        ]

    async def service(self, request: Request) -> Response:
        """Return the page of a service."""
        return await self._answer(request, self._service)

    async def job(self, request: Request) -> Response:
        """Return the page of a job, or that of its tasks and hosts."""
        return await self._answer(request, _parts if read_asked(request.query_params).parts else self._job)

    async def host(self, request: Request) -> Response:
        """Return the page of a host."""
        return await self._answer(request, _host)

    async def platform(self, request: Request) -> Response:
        """Return the page of the platform."""
        return page(await asyncio.to_thread(self._written, read_asked(request.query_params), self._platform))

    def _service(self, lookup: Lookup, asked: Asked, periods: Periods) -> Callable[[Around], str]:
        found = service_over_time(lookup, asked.name, asked.environment, periods, self._verdicts.on)
        return lambda around: service_page(asked, found, around)

    def _job(self, lookup: Lookup, asked: Asked, periods: Periods) -> Callable[[Around], str]:
        found = job_over_time(lookup, asked.name, periods, self._verdicts.on)
        return lambda around: job_page(asked, found, around)

    def _platform(self, lookup: Lookup, asked: Asked, periods: Periods) -> Callable[[Around], str]:
        found = platform_over_time(lookup, periods, self._verdicts.on)
        return lambda around: platform_page(asked, found, around)

    async def _answer(self, request: Request, write: _Write) -> Response:
        path, asked = request.url.path, read_asked(request.query_params)
        if not asked.name:
            return page(message_page("Not found", f"the address names none; write for example {path}?name=shop"), 404)
        return page(await asyncio.to_thread(self._written, asked, write))

    def _written(self, asked: Asked, write: _Write) -> str:
        with self._reading.open_lookup() as lookup:
            written = write(lookup, asked, recorded(lookup, periods_of(asked.days, self._now_ns())))
            around = Around(self._reading.kept_in, lookup.notice, self._prices, self._reading.source)
        return written(around)


def _parts(lookup: Lookup, asked: Asked, periods: Periods) -> Callable[[Around], str]:
    found = parts_over_time(lookup, asked.name, periods)
    return lambda around: parts_page(asked, found, periods, around)


def _host(lookup: Lookup, asked: Asked, periods: Periods) -> Callable[[Around], str]:
    found = host_over_time(lookup, asked.name, periods)
    return lambda around: host_page(asked, found, around)
