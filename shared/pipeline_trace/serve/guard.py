"""Checks requests: known Host and Origin headers, and the token if there is one.

A web page can make a browser on this machine send requests to this server: under the page's own name, which then points at
127.0.0.1 (DNS rebinding; the Host header has that name), or directly to this address (the Origin header names the page).
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
class AccessRules:
    """The rules for requests. ``token``: "" if none is required.

    ``names``: the accepted Host headers, in lower case, without a port. ``any_address``: accept every IP address. A web
    page cannot make one point to this server.
    """

    token: str
    names: frozenset[str]
    any_address: bool

    @property
    def cookie(self) -> str:
        """Return the cookie's value. The browser stores it instead of the token."""
        return hmac.new(self.token.encode(), b"pipeline-trace serve, a browser", sha256).hexdigest()


def rules(address: str, token: str, more_names: Iterable[str]) -> AccessRules:
    """Return the rules for a server that listens on this address. ``more_names``: other accepted Host headers."""
    own: set[str] = set()
    if not is_loopback(address):
        own = {socket.gethostname(), socket.getfqdn(), address}
    return AccessRules(token, _LOOPBACK_NAMES | {name.lower() for name in (*own, *more_names)}, not is_loopback(address))


def is_loopback(address: str) -> bool:
    """Return whether only this machine reaches this address. A name other than localhost counts as reachable by others."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def problem(rules: AccessRules, headers: Mapping[str, str]) -> str:
    """Return the problem with a request's Host or Origin header; "" if there is none."""
    host = headers.get("host", "")
    if not _is_ours(rules, _host(f"//{host}")):
        return f"the Host header has the unknown name {host!r}; to accept it, start pipeline-trace serve with --allow-host"
    origin = headers.get("origin")
    if origin is not None and _place(origin) != host.lower():
        return f"requests from pages of {origin!r} are not allowed; open the pages of this server directly"
    return ""


def authorised(rules: AccessRules, headers: Mapping[str, str]) -> bool:
    """Return whether a request has the token as a bearer token, as OTLP exporters send it, or needs none."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return not rules.token or (scheme.lower() == "bearer" and same(given.strip(), rules.token))


def logged_in(rules: AccessRules, headers: Mapping[str, str]) -> bool:
    """Return whether the browser has logged in."""
    try:
        given = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return False
    return given is not None and same(given.value, rules.cookie)


def same(given: str, wanted: str) -> bool:
    """Return whether two secrets are equal, in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


class Guard:
    """ASGI middleware: answers a request that is not allowed, and passes on the others."""

    def __init__(self, app: ASGIApp, rules: AccessRules) -> None:
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
        said = "the token is missing or wrong; send the header Authorization: Bearer TOKEN"
        return _answer(headers, 401, 16, said, {"WWW-Authenticate": "Bearer"})


def _answer(headers: Headers, status: int, code: int, said: str, more: Mapping[str, str] | None = None) -> Response:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in (bodies.PROTOBUF, bodies.JSON):
        return Response(bodies.refusal(kind, code, said), status, more, kind)
    return PlainTextResponse(f"{said}\n", status, more)


def _is_ours(rules: AccessRules, name: str) -> bool:
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
