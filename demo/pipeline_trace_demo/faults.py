"""Faults that a test can add to the answers of a replayed Jenkins."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from . import pages

Kind = Literal["status", "slow", "slow_body", "cut", "cut_json", "close", "html", "login", "gone", "starting"]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, and how to send it.

    ``delay`` and ``body_delay``: seconds to wait before the answer, and in the middle of its body. ``sent``: how many
    bytes of the body to send before closing the connection; None for all. ``close``: close without an answer.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]
    delay: float = 0.0
    body_delay: float = 0.0
    sent: int | None = None
    close: bool = False


def html(status: int, page: str, **headers: str) -> Answer:
    """Return an HTML page as an answer of Jenkins itself, with its headers."""
    return Answer(status, page.encode(), {**pages.JENKINS_HEADERS, "Content-Type": pages.HTML, **headers})


def authentication_required(path: str) -> Answer:
    """Return what Jenkins answers to a request without a login."""
    return html(403, pages.authentication_required(path))


@dataclass(frozen=True)
class Fault:
    """Changes the answers to the requests that match.

    A request matches if the regular expression ``match`` finds something in its ``path?query``: without the context path,
    and decoded once (``job/Team A/api/json?tree=jobs[name]``).

    Kinds: ``status`` (answer with ``status``, ``body``, ``content_type``, ``headers``), ``slow`` and ``slow_body`` (wait
    ``seconds`` before the answer, or in the middle of it), ``cut`` (close after half of the bytes that Content-Length
    names), ``cut_json`` (half of the JSON, with the right length), ``close`` (close without an answer), ``html`` (200 with
    a login page), ``login`` (403 to this request and to all later ones, until the faults are set again), ``gone`` (404),
    ``starting`` (503 of a controller that starts). The fault happens ``times`` times (None: always), but not to the first
    ``after`` matches.
    """

    match: str
    kind: Kind
    times: int | None = None
    after: int = 0
    status: int = 503
    body: str = ""
    content_type: str = pages.HTML
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"no such fault: {self.kind}")
        re.compile(self.match)


class Faults:
    """Faults, and how often each has matched. Thread-safe."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self._matched = [0] * len(self.faults)
        self._login_wanted = False
        self._lock = threading.Lock()

    def spoil(self, answer: Answer, target: str, path: str) -> Answer:
        """Return ``answer`` after the faults. ``target``: the decoded path and query. ``path``: the path as it was sent.

        If several faults match, only the first one happens, but all of them count the request.
        """
        with self._lock:
            happening = [fault for index, fault in enumerate(self.faults) if self._happens(index, target)]
            self._login_wanted = self._login_wanted or any(fault.kind == "login" for fault in happening[:1])
            login_wanted = self._login_wanted
        if login_wanted:
            return authentication_required(path)
        return _spoilt(answer, happening[0]) if happening else answer

    def _happens(self, index: int, target: str) -> bool:
        fault = self.faults[index]
        if not re.search(fault.match, target):
            return False
        self._matched[index] += 1
        happened = self._matched[index] - fault.after
        return happened > 0 and (fault.times is None or happened <= fault.times)


def _spoilt(answer: Answer, fault: Fault) -> Answer:
    half = len(answer.body) // 2
    spoilt = {
        "status": html(fault.status, fault.body, **{"Content-Type": fault.content_type, **fault.headers}),
        "slow": replace(answer, delay=fault.seconds),
        "slow_body": replace(answer, body_delay=fault.seconds),
        "cut": replace(answer, sent=half),
        "cut_json": replace(answer, body=answer.body[:half]),
        "close": replace(answer, close=True),
        "html": html(200, pages.login_page()),
        "gone": html(404, pages.not_found()),
        "starting": Answer(503, pages.starting().encode(), {"Content-Type": pages.HTML}),
    }
    return spoilt[fault.kind]
