"""Defines the routes of the web server."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from ..answers.verdicts import Verdicts
from ..delivery.destinations import ONLY_TRACES, SetupError
from ..figures.cost import NO_PRICES, Prices
from . import pages
from .comparing import Comparisons
from .exporting import Exports
from .guard import COOKIE, LOGIN, AccessRules, Guard, same
from .health import Health
from .intake import Intake
from .limits import Limits
from .listing import with_told
from .over_http import Export
from .over_time import OverTime
from .reading import HEADERS, Reading, page
from .signals import LOGS, TRACES
from .trace_page import TracePages
from .views import Views

_LOGIN_BYTES = 10_000
_LOGIN_SECONDS = 30 * 86400


def application(
    reading: Reading,
    limits: Limits,
    rules: AccessRules,
    ready: Callable[[], str],
    intake: Intake | None = None,
    prices: Prices = NO_PRICES,
) -> Starlette:
    """Return the application that answers HTTP requests, and whose ``state.end_streams`` ends those that would go on.

    ``ready``: see Health. ``intake``: None to take no spans. ``prices``: of executors.
    """
    web = _Web(rules, limits, reading, takes_spans=intake is not None)
    verdicts = Verdicts()
    views, traces = Views(reading, verdicts, takes_spans=intake is not None), TracePages(reading)
    found = Starlette(
        routes=[
            *(_taking(intake, limits) if intake else [Route("/v1/{signal:path}", _no_spans, methods=["POST"])]),
            *views.routes(),
            *OverTime(reading, verdicts, prices).routes(),
            Route(pages.TRACES, web.traces),
            Exports(reading).route(),
            Comparisons(reading).route(),
            *traces.routes(),
            Route(LOGIN, web.login, methods=["GET", "POST"]),
            *Health(ready).routes(),
        ],
        middleware=[Middleware(Guard, rules=rules)],
        exception_handlers={
            HTTPException: _problem,
            ClientDisconnect: _gone,
            SetupError: _unavailable,
            sqlite3.Error: _unavailable,
        },
    )

    def end_streams() -> None:
        views.end_streams()
        traces.close()

    found.state.end_streams = end_streams
    return found


def _taking(intake: Intake, limits: Limits) -> list[Route]:
    """Return the routes on which spans come in."""
    exports = {signal.path: Export(signal, intake, limits) for signal in (TRACES, LOGS)}
    return [
        *(Route(path, export.answer, methods=["POST"]) for path, export in exports.items()),
        # Some exporters add the slash.
        *(Route(f"{path}/", export.answer, methods=["POST"]) for path, export in exports.items()),
        Route("/v1/{signal:path}", _other_signals, methods=["POST"]),
    ]


class _Web:
    """The pages."""

    def __init__(self, rules: AccessRules, limits: Limits, reading: Reading, *, takes_spans: bool) -> None:
        self._rules = rules
        self._limits = limits
        self._reading = reading
        self._takes_spans = takes_spans

    async def traces(self, request: Request) -> Response:
        """Return the page with the list."""
        asked = pages.read_query(request.query_params)
        found = with_told(
            await self._reading.listing.page(asked.wanted, asked.page), await asyncio.to_thread(self._reading.open_spans)
        )
        here = str(request.base_url).rstrip("/") if self._takes_spans else ""
        return page(pages.traces_page(asked, found, store=self._reading.kept_in, here=here))

    async def login(self, request: Request) -> Response:
        """Return the login page, or check the token and set a cookie."""
        if request.method != "POST":
            then, trusted = _local(request.query_params.get("next", "/")), self._rules.trusted
            if trusted and trusted.names_user(request.scope):
                return RedirectResponse(then, 303, HEADERS)
            return page(pages.login_page(then=then, wrong=False))
        try:
            body = await asyncio.wait_for(_body(request), self._limits.body_seconds)
        except asyncio.TimeoutError:
            raise HTTPException(408, headers={"Connection": "close"}) from None
        form = parse_qs(body.decode("utf-8", "replace"))
        then = _local(form.get("next", ["/"])[0])
        if not (self._rules.token and same(form.get("token", [""])[0].strip(), self._rules.token)):
            return page(pages.login_page(then=then, wrong=True), 401)
        answer = RedirectResponse(then, 303, HEADERS)
        answer.set_cookie(COOKIE, self._rules.cookie, max_age=_LOGIN_SECONDS, httponly=True, samesite="lax")
        return answer


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LOGIN_BYTES:
            raise HTTPException(413)
    return body


def _local(target: str) -> str:
    """Return the target if it is a path on this server; else "/"."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable() else "/"


async def _no_spans(request: Request) -> Response:
    raise HTTPException(404, "this server only shows traces; send spans to the Collector that fills its source")


async def _other_signals(request: Request) -> Response:
    if request.url.path.rstrip("/").endswith((TRACES.path, LOGS.path)):
        raise HTTPException(404)
    raise HTTPException(404, f"{ONLY_TRACES} and open spans; set OTEL_METRICS_EXPORTER=none")


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if "text/html" in request.headers.get("accept", ""):
        return page(pages.message_page(error.detail, request.url.path), error.status_code, error.headers)
    is_bare = error.detail == HTTPStatus(error.status_code).phrase
    said = _address(request) if is_bare and request.method == "POST" and error.status_code in (404, 405) else error.detail
    return PlainTextResponse(f"{said}\n", error.status_code, {**HEADERS, **(error.headers or {})})


def _address(request: Request) -> str:
    """Return where spans are taken, for an exporter that sends them elsewhere: mostly its variable is wrong."""
    here = str(request.base_url).rstrip("/")
    return (
        f"spans are taken at {here}/v1/traces; set OTEL_EXPORTER_OTLP_ENDPOINT={here} (without /v1/traces), "
        f"or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT={here}/v1/traces"
    )


async def _unavailable(request: Request, error: Exception) -> Response:
    return page(pages.message_page("Cannot read the store", f"{error}; reload the page in a few seconds"), 503)


async def _gone(request: Request, error: Exception) -> Response:
    # The client is gone: nobody reads this.
    return Response(status_code=400)
