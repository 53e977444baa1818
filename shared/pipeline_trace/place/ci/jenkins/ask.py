"""Asks the controller for facts about a build, from inside the build, within a strict time limit.

A forked child process asks, and is killed at the time limit: timeouts do not apply to DNS lookups and slow responses. A
thread is not possible, because ansible-playbook forks.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import select
import signal
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import HTTPRedirectHandler, Request, build_opener

from . import documents
from .chain import BuildPlace, Cause, Facts, Gone, Unanswered, place_of_build
from .graph import nodes_by_id as read_graph
from .identity import Build, build_url_parts
from .inside import ControllerAnswer

SECONDS = 2.0
_LARGEST = 20 << 20


def ask_controller(build: Build, environ: Mapping[str, str], known: BuildPlace | None = None) -> ControllerAnswer | None:
    """Return the controller's answer about a build, or None if there is none within SECONDS.

    Uses JENKINS_USER and JENKINS_API_TOKEN if both are set, else anonymous access. ``known``: the build's place, if known;
    then this does not ask for the builds that started it.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python warns about a fork with threads. This child only asks, and ends with _exit.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _child(writing, build, environ, known)
    os.close(writing)
    try:
        data = _read(reading, time.monotonic() + SECONDS)
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(child, 0)
    if not data:
        return None
    # Safe to unpickle: our own child process wrote it.
    answer: ControllerAnswer | None = pickle.loads(data)
    return answer


def _child(pipe: int, build: Build, environ: Mapping[str, str], known: BuildPlace | None) -> None:
    """Ask, write the answer, and end the process without the parent's exit handlers."""
    try:
        data = pickle.dumps(_answer(build, _Client(environ), known))
        while data:
            data = data[os.write(pipe, data) :]
    except BaseException:  # noqa: S110 - after any error here, the parent continues without an answer
        pass
    finally:
        os._exit(0)


def _read(pipe: int, deadline: float) -> bytes:
    """Return all data until the end of the pipe; empty if the end does not come before the deadline."""
    chunks: list[bytes] = []
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            return b""
        chunk = os.read(pipe, 1 << 16)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)


def _answer(build: Build, client: _Client, known: BuildPlace | None) -> ControllerAnswer | None:
    try:
        facts = client.facts(build)
    except (Gone, Unanswered):
        return None
    whole = True
    try:
        placed = known or place_of_build(build, client)
    except (Gone, Unanswered):
        # The id of the stage does not depend on the trace, so the parent span is still right.
        placed, whole = BuildPlace(build.trace_id), False
    nodes = read_graph(documents.graph_nodes(client.documents[build]))
    return ControllerAnswer(placed, facts.parameters, nodes, client.clock_skew_ms, whole)


class _NoRedirect(HTTPRedirectHandler):
    """Follows no redirect: it could lead to a login page, or send the token to another host."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


@dataclass
class _Client:
    environ: Mapping[str, str]
    clock_skew_ms: int | None = None

    def __post_init__(self) -> None:
        self.documents: dict[Build, Mapping[str, Any]] = {}
        self._opener = build_opener(_NoRedirect)
        by_url = build_url_parts(self.environ.get("BUILD_URL", ""))
        # Ask at the URL that builds use. PIPELINE_TRACE_JENKINS_URL only changes the identity.
        self._address = (by_url[0] if by_url else self.environ.get("JENKINS_URL", "")).rstrip("/")

    def facts(self, build: Build) -> Facts:
        """See Fetch.facts."""
        own = not self.documents
        tree = documents.TREE
        if own:
            tree = tree.replace("actions[", f"actions[{documents.GRAPH_TREE},", 1)
        if build not in self.documents:
            self.documents[build] = self._get(f"{_path(build)}/api/json?tree={tree}")
        return documents.facts_of(build, self.documents[build])

    def starter(self, upstream: Build, started: Build, cause: Cause) -> str:
        """See Fetch.starter. The parent of a process is its stage; only the poller needs the exact parent of the build."""
        return upstream.run_span_id

    def _get(self, path: str) -> Mapping[str, Any]:
        request = Request(f"{self._address}/{path}", headers=self._headers())
        try:
            with self._opener.open(request, timeout=SECONDS) as response:
                date, body = response.headers.get("Date"), response.read(_LARGEST)
        except HTTPError as error:
            error.close()
            raise (Gone if error.code in (403, 404) else Unanswered)(f"status {error.code}") from None
        except (OSError, ValueError) as error:
            raise Unanswered(str(error)) from None
        self._compare_clocks(date)
        try:
            document = json.loads(body)
        except ValueError:
            raise Unanswered("no JSON") from None
        if not isinstance(document, Mapping):
            raise Unanswered("no JSON object")
        return document

    def _headers(self) -> dict[str, str]:
        user, token = self.environ.get("JENKINS_USER"), self.environ.get("JENKINS_API_TOKEN")
        if not (user and token):
            return {}
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode("ascii")}

    def _compare_clocks(self, date: str | None) -> None:
        if date and self.clock_skew_ms is None:
            with suppress(TypeError, ValueError):
                self.clock_skew_ms = round((time.time() - parsedate_to_datetime(date).timestamp()) * 1000)


def _path(build: Build) -> str:
    return "".join(f"job/{quote(name, safe='')}/" for name in build.job.split("/")) + str(build.number)
