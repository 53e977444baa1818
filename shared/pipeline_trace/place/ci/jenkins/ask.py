"""Asks the controller for facts about a build, from inside the build, within a strict time limit.

A forked child process asks, and is killed at the time limit: timeouts do not apply to DNS lookups and slow responses. A
thread is not possible, because ansible-playbook forks.
"""

from __future__ import annotations

import base64
import io
import json
import os
import pickle
import select
import signal
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from ....trace import network
from . import documents, stages
from .chain import BuildPlace, Cause, Facts, Gone, Unanswered, place_of_build
from .graph import Stage
from .graph import nodes_by_id as read_graph
from .identity import Build, build_url_parts
from .inside import ControllerAnswer

SECONDS = 2.0
_LARGEST = 20 << 20
# What tells an agent is in the first line of a log.
_LARGEST_LOG = 1 << 16
_MOST_LOGS = 8


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
    return _last(data)


def _child(pipe: int, build: Build, environ: Mapping[str, str], known: BuildPlace | None) -> None:
    """Ask, write the answers, and end the process without the parent's exit handlers."""
    try:
        for answer in _answers(build, _Client(environ), environ, known):
            data = pickle.dumps(answer)
            while data:
                data = data[os.write(pipe, data) :]
    except BaseException:  # noqa: S110 - after any error here, the parent continues without an answer
        pass
    finally:
        os._exit(0)


def _read(pipe: int, deadline: float) -> bytes:
    """Return the data until the end of the pipe or until the deadline."""
    chunks: list[bytes] = []
    # Not select(): it takes no descriptor above 1023, and Ansible may have many forks.
    waiting = select.poll()
    waiting.register(pipe, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not waiting.poll(left * 1000):
            return b"".join(chunks)
        chunk = os.read(pipe, 1 << 16)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)


def _last(data: bytes) -> ControllerAnswer | None:
    """Return the last whole answer in the data, or None. Each one says more than the one before it."""
    stream, answer = io.BytesIO(data), None
    with suppress(EOFError, pickle.UnpicklingError):
        while True:
            # Safe to unpickle: our own child process wrote it.
            answer = pickle.load(stream)
    return answer


def _answers(
    build: Build, client: _Client, environ: Mapping[str, str], known: BuildPlace | None
) -> Iterator[ControllerAnswer]:
    """Yield the answer, and a second one if the logs of agents tell the process' stage. Yields none if there is none."""
    try:
        facts = client.facts(build)
    except (Gone, Unanswered):
        return
    whole = True
    try:
        placed = known or place_of_build(build, client)
    except (Gone, Unanswered):
        # The id of the stage does not depend on the trace, so the parent span is still right.
        placed, whole = BuildPlace(build.trace_id), False
    nodes = read_graph(documents.graph_nodes(client.documents[build]))
    starter = next((cause.build for cause in facts.causes if cause.build), None)
    answer = ControllerAnswer(placed, facts.parameters, nodes, client.clock_skew_ms, whole, starter)
    yield answer
    found = stages.candidates(environ.get("STAGE_NAME", ""), nodes, environ)
    if len(found) > 1 and all(map(stages.is_running, found)):
        stage = _stage_by_agent(build, client, found, answer)
        if stage:
            yield replace(answer, stage=stage)


def _stage_by_agent(build: Build, client: _Client, found: Sequence[Stage], answer: ControllerAnswer) -> str:
    """Return the node id of the only stage on the agent and in the workspace of this process; empty if there is none."""
    blocks = stages.agents_of(found, answer.nodes)
    asked = list(dict.fromkeys(block for own in blocks.values() for block in own))[:_MOST_LOGS]
    here = {block for block in asked if stages.runs_here(client.log(build, block), client.environ)}
    told = [id_ for id_, own in blocks.items() if here & set(own)]
    return told[0] if len(told) == 1 else ""


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
class _Client:
    environ: Mapping[str, str]
    clock_skew_ms: int | None = None

    def __post_init__(self) -> None:
        self.documents: dict[Build, Mapping[str, Any]] = {}
        by_url = build_url_parts(self.environ.get("BUILD_URL", ""))
        # Ask at the URL that builds use. PIPELINE_TRACE_JENKINS_URL only changes the identity.
        self._address = (by_url.root if by_url else self.environ.get("JENKINS_URL", "")).rstrip("/")
        self._opener = _opener(self._address, self.environ)

    def facts(self, build: Build) -> Facts:
        """See Fetch.facts."""
        own = not self.documents
        tree = documents.TREE
        if own:
            tree = tree.replace("actions[", f"actions[{documents.GRAPH_TREE},", 1)
        if build not in self.documents:
            self.documents[build] = self._get(f"{build.path}api/json?tree={tree}")
        return documents.facts_of(build, self.documents[build])

    def starter(self, upstream: Build, started: Build, cause: Cause) -> str:
        """See Fetch.starter. The parent of a process is its stage; only the poller needs the exact parent of the build."""
        return upstream.run_span_id

    def log(self, build: Build, node_id: str) -> str:
        """Return the begin of a node's log; empty if there is none."""
        try:
            body = self._read(f"{build.path}execution/node/{node_id}/log/logText/progressiveText?start=0", _LARGEST_LOG)
        except (Gone, Unanswered):
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
                date, body, answered = response.headers.get("Date"), bytes(response.read(most)), response.geturl()
        except HTTPError as error:
            error.close()
            raise (Gone if error.code in (403, 404) else Unanswered)(f"status {error.code}") from None
        except (OSError, ValueError, HTTPException) as error:
            raise Unanswered(str(error)) from None
        # After a redirect, the next question goes to where it led.
        self._address = answered.removesuffix(f"/{path}") if answered.endswith(f"/{path}") else self._address
        self._compare_clocks(date)
        return body

    def _headers(self) -> dict[str, str]:
        user, token = self.environ.get("JENKINS_USER"), self.environ.get("JENKINS_API_TOKEN")
        if not (user and token):
            return {}
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode("ascii")}

    def _compare_clocks(self, date: str | None) -> None:
        if date and self.clock_skew_ms is None:
            with suppress(TypeError, ValueError, OverflowError):
                self.clock_skew_ms = round((time.time() - parsedate_to_datetime(date).timestamp()) * 1000)
