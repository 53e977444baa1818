"""Reads a controller's answers from inside a build, with the standard library alone."""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from ....trace import network
from . import documents
from .chain import Cause, Facts, Gone, Unanswered
from .identity import Build, build_url_parts

# Of the build and of everything above it, seconds; also for a single answer.
SECONDS = 2.0
# As many as the poller reads. Jenkins does not list them in order, so a part of them tells nothing.
MOST_NODES = 20_000
_GRAPH = f"{documents.GRAPH_TREE}{{0,{MOST_NODES + 1}}}"
_LARGEST = 20 << 20
# What tells an agent is in the first line of a log.
_LARGEST_LOG = 1 << 16
_GONE = ("status 403", "status 404")
_LOGIN_PAGE = re.compile(r"login|signin|auth|sso|saml|securityrealm", re.IGNORECASE)


def login_of(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Return JENKINS_USER and JENKINS_API_TOKEN; None if one of them is not set."""
    user, token = environ.get("JENKINS_USER"), environ.get("JENKINS_API_TOKEN")
    return (user, token) if user and token else None


class Refused(Exception):
    """The controller does not let this process read. The text says how it answered."""


class _Redirects(HTTPRedirectHandler):
    """Follows only a redirect to https on the same host: others lead to a login page, or send the token to another host."""

    # Python 3.10 does not know this status.
    http_error_308 = HTTPRedirectHandler.http_error_302

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        secured = network.secured(req.full_url, newurl)
        login = req.get_header("Authorization")
        return Request(secured, headers={"Authorization": login} if login else {}) if secured else None


def _opener(url: str, environ: Mapping[str, str]) -> OpenerDirector:
    """Return what opens URLs of a host, with the proxies and certificates of the environment. Raises OSError."""
    handlers: list[Any] = [ProxyHandler(network.proxies(url, environ)), _Redirects()]
    certificates = network.certificates(environ)
    if certificates:
        import ssl

        is_folder = os.path.isdir(certificates)
        context = ssl.create_default_context(
            cafile=None if is_folder else certificates, capath=certificates if is_folder else None
        )
        handlers.append(HTTPSHandler(context=context))
    return build_opener(*handlers)


@dataclass
class Client:
    """Asks at the URL that builds use. ``clock_skew_ms``: see ControllerAnswer."""

    environ: Mapping[str, str]
    clock_skew_ms: int | None = None

    def __post_init__(self) -> None:
        self.documents: dict[Build, Mapping[str, Any]] = {}
        self.login = login_of(self.environ)
        by_url = build_url_parts(self.environ.get("BUILD_URL", ""))
        # PIPELINE_TRACE_JENKINS_URL only changes the identity.
        self._address = (by_url.root if by_url else self.environ.get("JENKINS_URL", "")).rstrip("/")
        self._opener = _opener(self._address, self.environ)

    def facts(self, build: Build, *, graph: bool = False) -> Facts:
        """See Fetch.facts. ``graph``: ask for the flow graph too. Raises Refused for the first build: a process is in it."""
        if build not in self.documents:
            tree = documents.TREE.replace("actions[", f"actions[{_GRAPH},", 1) if graph else documents.TREE
            try:
                self.documents[build] = self._get(f"{build.path}api/json?tree={tree}")
            except Refused as refused:
                if not self.documents:
                    raise
                raise (Gone if str(refused) in _GONE else Unanswered)(str(refused)) from None
        return documents.facts_of(build, self.documents[build])

    def graph(self, build: Build) -> list[Mapping[str, Any]]:
        """Return the nodes of a build's flow graph; none if there is no answer, or more than MOST_NODES."""
        nodes = documents.graph_nodes(self.documents.get(build, {}))
        if not nodes:
            with suppress(Gone, Unanswered, Refused):
                nodes = documents.graph_nodes(self._get(f"{build.path}api/json?tree=actions[_class,{_GRAPH}]"))
        return nodes if len(nodes) <= MOST_NODES else []

    def starter(self, upstream: Build, started: Build, cause: Cause) -> str:
        """See Fetch.starter. The parent of a process is its stage; only the poller needs the exact parent of the build."""
        return upstream.run_span_id

    def log(self, build: Build, node_id: str) -> str:
        """Return the begin of a node's log; empty if there is none."""
        try:
            body = self._read(f"{build.path}execution/node/{node_id}/log/logText/progressiveText?start=0", _LARGEST_LOG)
        except (Gone, Unanswered, Refused):
            return ""
        return body.decode("utf-8", "replace")

    def _get(self, path: str) -> Mapping[str, Any]:
        try:
            document = json.loads(self._read(path, _LARGEST))
        except (ValueError, RecursionError):
            raise Unanswered("no JSON") from None
        if not isinstance(document, Mapping):
            raise Unanswered("no JSON object")
        return document

    def _read(self, path: str, most: int) -> bytes:
        url = f"{self._address}/{path}"
        try:
            with self._opener.open(Request(url, headers=self._headers()), timeout=SECONDS) as response:
                headers, body, answered = response.headers, bytes(response.read(most)), response.geturl()
        except HTTPError as error:
            error.close()
            raise self._failure(error.code, error.headers.get("Location") or "") from None
        except (OSError, ValueError, HTTPException) as error:
            raise Unanswered(str(error)) from None
        # After a redirect, the next question goes to where it led.
        self._address = answered.removesuffix(f"/{path}") if answered.endswith(f"/{path}") else self._address
        self._compare_clocks(headers.get("Date"))
        if headers.get_content_type() == "text/html" and "Content-Type" in headers:
            raise Refused("a page")
        return body

    def _failure(self, status: int, location: str) -> Exception:
        if status in (401, 403) or (300 <= status < 400 and _LOGIN_PAGE.search(location)):
            return Refused(f"status {status}" if status >= 400 else "a login page")
        if status == 404:
            # Of builds that somebody may not see, Jenkins says that they do not exist.
            return Gone("status 404") if self.login else Refused("status 404")
        return Unanswered(f"status {status}")

    def _headers(self) -> dict[str, str]:
        if self.login is None:
            return {}
        user, token = self.login
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode("ascii")}

    def _compare_clocks(self, date: str | None) -> None:
        if date and self.clock_skew_ms is None:
            with suppress(TypeError, ValueError, OverflowError):
                self.clock_skew_ms = round((time.time() - parsedate_to_datetime(date).timestamp()) * 1000)
