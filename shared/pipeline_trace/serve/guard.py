"""Checks requests: known Host and Origin headers, and the token or a proxy's login if there is one.

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

from . import bodies, health
from .trusted import TrustedHeader

COOKIE = "pipeline_trace"
LOGIN = "/login"
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class AccessRules:
    """The rules for requests. ``token``: "" if there is none. ``trusted``: the header of a proxy that logs people in.

    ``names``: the accepted Host headers, in lower case, without a port. ``any_address``: accept every IP address. A web
    page cannot make one point to this server.
    """

    token: str
    names: frozenset[str]
    any_address: bool
    trusted: TrustedHeader | None = None

    @property
    def cookie(self) -> str:
        """Return the cookie's value. The browser stores it instead of the token."""
        return hmac.new(self.token.encode(), b"pipeline-trace serve, a browser", sha256).hexdigest()


def rules(address: str, token: str, more_names: Iterable[str], trusted: TrustedHeader | None = None) -> AccessRules:
    """Return the rules for a server that listens on this address. ``more_names``: other accepted Host headers."""
    own: set[str] = set()
    if not is_loopback(address):
        own = {socket.gethostname(), socket.getfqdn(), address}
    names = _LOOPBACK_NAMES | {name.lower() for name in (*own, *more_names)}
    return AccessRules(token, names, not is_loopback(address), trusted)


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
    """Return whether a request has the token as a bearer token, as OTLP exporters send it, or needs none.

    A proxy's header does not count here: spans are taken with the token only. The proxy adds the header to whatever a
    browser sends, also to what a web page made it send, and programs that send spans cannot log in at such a proxy.
    """
    if not rules.token:
        return rules.trusted is None
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and same(given.strip(), rules.token)


def said_of_token(rules: AccessRules, where: str) -> str:
    """Return what to do about a request without the token. ``where``: how to send it."""
    if rules.token:
        return f"the token is missing or wrong; send the {where}"
    return "spans are taken with a token only; start pipeline-trace serve with PIPELINE_TRACE_SERVE_TOKEN or --token-file"


def logged_in(rules: AccessRules, headers: Mapping[str, str]) -> bool:
    """Return whether the browser has logged in with the token."""
    # Without a token, everybody can compute the cookie.
    if not rules.token:
        return False
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
        reads = scope["method"] in ("GET", "HEAD")
        # Probes come with any Host header. Their answers say nothing.
        if reads and scope["path"] in health.PATHS:
            return None
        said = problem(self._rules, headers)
        if said:
            return _answer(headers, 403, 7, said)
        if reads or scope["path"] == LOGIN:
            return self._refused_page(scope, headers)
        return None if authorised(self._rules, headers) else self._without_token(headers)

    def _refused_page(self, scope: Scope, headers: Headers) -> Response | None:
        rules, trusted = self._rules, self._rules.trusted
        said = trusted.problem(scope) if trusted else ""
        if said:
            return _answer(headers, 400, 3, said)
        if authorised(rules, headers) or logged_in(rules, headers) or (trusted and trusted.names_user(scope)):
            return None
        if not rules.token:
            return _answer(headers, 403, 7, "nobody is logged in; open these pages at the address of the proxy before them")
        if scope["path"] == LOGIN:
            return None
        if "text/html" in headers.get("accept", ""):
            asked = scope["path"] + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
            return RedirectResponse(f"{LOGIN}?next={quote(asked, safe='')}", 303)
        return self._without_token(headers)

    def _without_token(self, headers: Headers) -> Response:
        said = said_of_token(self._rules, "header Authorization: Bearer TOKEN")
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
