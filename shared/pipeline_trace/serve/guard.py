"""Who may ask: known Host and Origin headers only, and with a token where one is set.

A page on the web can make a browser on this machine send requests here: under a name of its own that it points at 127.0.0.1
(DNS rebinding; the Host header is that name), or straight to this address (the Origin header is the page's).
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from . import bodies

COOKIE = "pipeline_trace"
LOGIN = "/login"
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Rules:
    """``token``: empty where none is asked for. ``names``: Host headers that are ours, in lower case, without a port.

    ``any_address``: IP addresses are ours, too: nobody can point one that is not theirs at us.
    """

    token: str
    names: frozenset[str]
    any_address: bool

    @property
    def cookie(self) -> str:
        """Return what a browser shows instead of the token, so that it need not keep that."""
        return hmac.new(self.token.encode(), b"pipeline-trace serve, a browser", sha256).hexdigest()


def rules(address: str, token: str, more_names: Iterable[str]) -> Rules:
    """Return the rules for a server that listens at this address."""
    own: set[str] = set()
    if not is_loopback(address):
        own = {socket.gethostname(), socket.getfqdn(), address}
    return Rules(token, _LOOPBACK_NAMES | {name.lower() for name in (*own, *more_names)}, not is_loopback(address))


def is_loopback(address: str) -> bool:
    """Tell whether only this machine reaches this address. A name but localhost counts as one that others reach."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def problem(rules: Rules, headers: Mapping[str, str]) -> str:
    """Return what is wrong with a request's Host or Origin header, or nothing."""
    host = headers.get("host", "")
    if not _is_ours(rules, _host(f"//{host}")):
        return f"the name {host!r} in the Host header is none of this server's; --allow-host adds it"
    origin = headers.get("origin")
    if origin is not None and _place(origin) != host.lower():
        return f"requests from pages of {origin!r} are refused"
    return ""


def authorised(rules: Rules, headers: Mapping[str, str]) -> bool:
    """Tell whether a request has the token: as a bearer, as OTLP exporters send it."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return not rules.token or (scheme.lower() == "bearer" and same(given.strip(), rules.token))


def logged_in(rules: Rules, headers: Mapping[str, str]) -> bool:
    """Tell whether a browser has logged in."""
    try:
        given = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return False
    return given is not None and same(given.value, rules.cookie)


def same(given: str, wanted: str) -> bool:
    """Compare secrets; how long it takes tells nothing."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


class Guard:
    """ASGI middleware: answers for the application where a request may not come in."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        refused = self._refused(scope) if scope["type"] == "http" else None
        await (refused or self._app)(scope, receive, send)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        said = problem(self._rules, headers)
        if said:
            return _answer(headers, 403, 7, said)
        if scope["path"] == LOGIN or authorised(self._rules, headers):
            return None
        if scope["method"] in ("GET", "HEAD"):
            if logged_in(self._rules, headers):
                return None
            if "text/html" in headers.get("accept", ""):
                asked = scope["path"] + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
                return RedirectResponse(f"{LOGIN}?next={quote(asked, safe='')}", 303)
        return _answer(headers, 401, 16, "the token is missing or wrong", {"WWW-Authenticate": "Bearer"})


def _answer(headers: Headers, status: int, code: int, said: str, more: Mapping[str, str] | None = None) -> Response:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in (bodies.PROTOBUF, bodies.JSON):
        return Response(bodies.refusal(kind, code, said), status, more, kind)
    return PlainTextResponse(f"{said}\n", status, more)


def _is_ours(rules: Rules, name: str) -> bool:
    if name in rules.names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return rules.any_address


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").removesuffix(".")
    except ValueError:
        return ""


def _place(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
