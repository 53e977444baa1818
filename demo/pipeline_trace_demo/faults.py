"""What can go wrong between a client and Jenkins, on request."""

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
    """An HTTP answer and how it is sent.

    ``delay`` and ``body_delay``: seconds to wait before the answer and in the middle of its body. ``sent``: how many
    bytes of the body are sent before the connection is closed; None: all of them. ``close``: no answer at all.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]
    delay: float = 0.0
    body_delay: float = 0.0
    sent: int | None = None
    close: bool = False


def html(status: int, page: str, **headers: str) -> Answer:
    """Return an answer of Jenkins' own with an HTML page."""
    return Answer(status, page.encode(), {**pages.JENKINS_HEADERS, "Content-Type": pages.HTML, **headers})


def authentication_required(path: str) -> Answer:
    """Return what Jenkins answers to a request without a login."""
    return html(403, pages.authentication_required(path))


@dataclass(frozen=True)
class Fault:
    """Spoils the answers to requests whose ``path?query`` the regular expression ``match`` finds something in.

    The path is without the context path, and path and query are decoded once (``job/Team A/api/json?tree=jobs[name]``).

    Kinds: ``status`` (``status``, ``body``, ``content_type``, ``headers``), ``slow`` and ``slow_body`` (wait
    ``seconds`` before the answer, or in its middle), ``cut`` (half of what Content-Length says, then closed),
    ``cut_json`` (half of the JSON, well sent), ``close`` (closed without an answer), ``html`` (200 with a login page),
    ``login`` (403 to this and, until the faults are set anew, to every later request), ``gone`` (404), ``starting``
    (503 of a controller that starts). It happens ``times`` times (None: always), after the first ``after`` matches.
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
    """Faults and how often each has matched. Safe to use from several threads."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self._matched = [0] * len(self.faults)
        self._login_wanted = False
        self._lock = threading.Lock()

    def spoil(self, answer: Answer, target: str, path: str) -> Answer:
        """Return ``answer`` as the faults leave it; ``target``: the decoded path and query; ``path``: as it was sent.

        Of several faults that match, the first one happens; the others count the request all the same.
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
