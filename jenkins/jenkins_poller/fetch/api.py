"""Sends GET requests to a controller, with time limits, retries and typed errors.

The connection and the login come from python-jenkins. By default, python-jenkins has no time-out, asks for a crumb before a
GET, and raises the same exception for 401, 403 and 500. This module changes all three.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import jenkins
import requests
import tenacity
import urllib3
from requests.adapters import HTTPAdapter

from pipeline_trace.place.ci.jenkins import identity
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import network

from .rate import Rate

# The poller's log. Who does not set it up, as `why`, sees nothing of it.
_LOGGER = logging.getLogger("pipeline_trace.poll")
_LOGGER.addHandler(logging.NullHandler())

AT_ONCE = 4
TIMEOUT_SECONDS = (10.0, 60.0)
# Bytes of an answer, unpacked.
MOST_BYTES = 32 << 20
# If the controller itself does not answer; and if it is one answer that fails.
_TRIES = 4
_TRIES_OF_ONE = 2
_LONGEST_PAUSE = 60.0
# Bytes read at once.
_PIECE = 1 << 16


class ApiError(Exception):
    """The controller did not give the requested answer. The message says what to do.

    ``kind``: the type of error in one word: an HTTP status, or redirect, no_json, timeout, connection, certificate.
    """

    kind = ""


class Passing(ApiError):
    """A temporary error: the controller is unreachable, starting or overloaded, or the connection broke.

    ``retry_after``: seconds to wait, if the controller named them.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unreachable(Passing):
    """The controller itself does not answer: there is no connection, or it is starting or overloaded."""


class Malformed(ApiError):
    """The answer is not what it should be: no JSON, another thing than was asked for, or too large."""


class LoginRefused(ApiError):
    """401: the login is wrong."""


class Forbidden(ApiError):
    """403: the user has no permission, or there is no login."""


class Untrusted(ApiError):
    """The controller's certificate is not trusted, or the file of trusted certificates is unusable."""


class NotFound(ApiError):
    """404: the path does not exist, or the user may not see it."""


@dataclass(frozen=True)
class Login:
    """A user and the user's API token."""

    user: str
    token: str


class Controller:
    """Sends requests to one controller: at most AT_ONCE at the same time, over persistent connections."""

    def __init__(
        self,
        url: str,
        login: Login | None = None,
        *,
        first_pause: float = 0.5,
        per_second: float | None = None,
        stopping: threading.Event | None = None,
        observe: Callable[[str], None] = lambda kind: None,
    ) -> None:
        """``url``: the controller's address. ``first_pause``: seconds before the first retry; later pauses are longer.

        ``per_second``: how many requests may begin in a second; None: no limit. ``stopping``: when it is set, pauses end
        and no request is tried again. ``observe``: called after every request with "200" or the error (ApiError.kind).
        """
        self.url = url.rstrip("/")
        self.requests = 0
        self._observe = observe
        self._rate = Rate(per_second, stopping.wait if stopping else time.sleep)
        self._client = _Client(self.url, login)
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Passing),
            stop=_Enough() | tenacity.stop_when_event_set(stopping or threading.Event()),
            sleep=tenacity.sleep_using_event(stopping) if stopping else tenacity.nap.sleep,
            wait=_Pauses(first_pause),
            reraise=True,
        )

    @property
    def session(self) -> str:
        """Return what the controller calls its present run: another text after each restart; "" if it did not say."""
        return self._client.jenkins_session

    @property
    def now_ms(self) -> int | None:
        """Return the controller's own time of its last answer, milliseconds since the epoch; None if it did not say."""
        return self._client.now_ms

    def get(self, path: str, tree: str = "") -> Any:
        """Return the JSON of a path below the controller's address.

        Retries after temporary errors. Raises Passing after the last try, and LoginRefused, Forbidden, Untrusted, NotFound,
        Malformed.
        """
        query = {"tree": tree} if tree else None
        return self._retrying.copy()(self._once, lambda: self._client.fetch(f"{self.url}/{path}", query))

    def document(self, path: str, tree: str = "") -> Mapping[str, Any]:
        """Return the JSON object of a path. Raises as ``get``, and Malformed if the answer is not an object."""
        answer = self.get(path, tree)
        if not isinstance(answer, dict):
            raise Malformed(f"{self.url}/{path} did not answer with a JSON object; check what answers, for example a proxy")
        return answer

    def build(self, build: Build, rest: str, tree: str = "") -> Mapping[str, Any]:
        """Return the JSON object of a path below a build. Raises as ``document``."""
        return self.document(f"{build_path(build)}{rest}", tree)

    def text(self, path: str, most_bytes: int) -> str:
        """Return the text of a path; "" if it is longer than ``most_bytes``. Raises as ``get``."""
        return str(self._retrying.copy()(self._once, lambda: self._client.fetch_text(f"{self.url}/{path}", most_bytes)))

    def beginning(self, path: str, most_bytes: int) -> str:
        """Return the first ``most_bytes`` of a text. Raises as ``get``."""
        return str(self._retrying.copy()(self._once, lambda: self._client.fetch_beginning(f"{self.url}/{path}", most_bytes)))

    def _once(self, ask: Callable[[], Any]) -> Any:
        self._rate.wait()
        try:
            with self._slots:
                self.requests += 1
                answer = ask()
        except ApiError as error:
            self._observe(error.kind)
            raise
        self._observe("200")
        return answer


class _Enough(tenacity.stop.stop_base):
    """Stops after fewer tries if one answer fails than if the controller does not answer at all."""

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        return retry_state.attempt_number >= (_TRIES if isinstance(error, Unreachable) else _TRIES_OF_ONE)


class _Pauses(tenacity.wait.wait_base):
    """Pauses between tries: exponential with jitter, or as long as the controller asks for."""

    def __init__(self, first: float) -> None:
        self._wait = tenacity.wait_exponential(multiplier=first, max=30) + tenacity.wait_random(0, first)

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.retry_after if isinstance(error, Passing) else None
        return min(asked, _LONGEST_PAUSE) if asked is not None else self._wait(retry_state)


class _Client(jenkins.Jenkins):  # type: ignore[misc]
    """python-jenkins' connection and login, with the errors of this module."""

    def __init__(self, url: str, login: Login | None) -> None:
        with _Silence():
            super().__init__(url, login.user if login else None, login.token if login else None, timeout=TIMEOUT_SECONDS)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=AT_ONCE))
        self._session.headers["Accept"] = "application/json"
        # Do not take a login from ~/.netrc, and proxies and certificates only as below.
        self._session.trust_env = False
        self._settings = _settings(url, os.environ)
        self._has_login = login is not None
        self.jenkins_session = ""
        self.now_ms: int | None = None
        # Where the controller's address redirects to, if it does.
        self._url, self._secured_url = url, ""

    def _request(self, req: requests.Request, stream: bool | None = None) -> requests.Response:
        """Send a request, with the proxies and certificates that __init__ read once: reading them is slow."""
        if self._secured_url:
            req.url = self._secured_url + req.url.removeprefix(self._url)
        answer = self._send(req, stream)
        secured = network.secured(answer.url, answer.headers.get("Location", "")) if answer.is_redirect else ""
        if not secured:
            return answer
        answer.close()
        first, self._secured_url = not self._secured_url, network.secured(self._url, secured)
        if first:
            said = f"{_host(self._url)} redirects to https; use {self._secured_url} as the controller's address"
            _LOGGER.warning("%s", said)
        return self._send(requests.Request("GET", secured, headers=req.headers, auth=req.auth), stream)

    def _send(self, req: requests.Request, stream: bool | None) -> requests.Response:
        prepared = self._session.prepare_request(req)
        answer: requests.Response = self._session.send(prepared, **self._settings, stream=bool(stream))
        return answer

    def fetch(self, url: str, query: Mapping[str, str] | None) -> Any:
        """Return the JSON of a URL."""
        body = self._body(requests.Request("GET", url, params=query), url, MOST_BYTES)
        if body is None:
            raise _of("size", Malformed(f"{url} answered with more than {MOST_BYTES >> 20} MiB; it is not read"))
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            said = f"{url} answered without JSON; the controller may be starting, or {_LOGIN_HINT}"
            raise _of("no_json", Passing(said)) from None

    def fetch_text(self, url: str, most_bytes: int) -> str:
        """Return the text of a URL; "" if it is longer than ``most_bytes``."""
        body = self._body(requests.Request("GET", url), url, most_bytes)
        return (body or b"").decode("utf-8", "replace")

    def fetch_beginning(self, url: str, most_bytes: int) -> str:
        """Return the first ``most_bytes`` of the text of a URL."""
        body = self._body(requests.Request("GET", url), url, most_bytes, cut=True)
        return (body or b"").decode("utf-8", "replace")

    def _body(self, request: requests.Request, url: str, most_bytes: int, *, cut: bool = False) -> bytes | None:
        """Return an answer's body, unpacked. If it is longer than ``most_bytes``: None, or its beginning if ``cut``."""
        deadline = time.monotonic() + TIMEOUT_SECONDS[1]
        with _typed(url), self.jenkins_request(request, add_crumb=False, stream=True) as response:
            self.jenkins_session = response.headers.get("X-Jenkins-Session") or self.jenkins_session
            self.now_ms = _date_ms(response) or self.now_ms
            parts, size = list[bytes](), 0
            # Each piece as it comes: the time limit of requests holds for each of them, however many there are.
            while piece := response.raw.read1(_PIECE, decode_content=True):
                parts.append(piece)
                size += len(piece)
                if size > most_bytes:
                    return b"".join(parts)[:most_bytes] if cut else None
                if time.monotonic() > deadline:
                    raise requests.exceptions.ReadTimeout("its answer takes too long")
        return b"".join(parts)

    def _response_handler(self, response: requests.Response) -> requests.Response:
        try:
            return self._checked(response)
        except ApiError as error:
            # Read the page that came with the error, so that the connection can be used again.
            response.raw.read(_PIECE)
            response.close()
            raise _of("redirect" if response.is_redirect else str(response.status_code), error) from None

    def _checked(self, response: requests.Response) -> requests.Response:
        status, url = response.status_code, response.url.partition("?")[0]
        if response.is_redirect:
            raise Passing(f"{url} redirects to another page; check --jenkins-url (http or https?), or {_LOGIN_HINT}")
        if status == 401:
            raise LoginRefused(f"{_host(url)} refuses the login (401); check JENKINS_USER and JENKINS_API_TOKEN")
        if status == 403:
            missing = "the user needs permission to read it" if self._has_login else _LOGIN_HINT
            raise Forbidden(f"{url} is forbidden (403): {missing}")
        if status == 404:
            raise NotFound(f"{url} was not found (404); check the address and the user's permissions")
        if status in (429, 503):
            said = f"{_host(url)} answered {status}; it may be starting or overloaded, try again later"
            raise Unreachable(said, _retry_after(response))
        if status >= 500:
            raise Passing(f"{url} answered {status}; look for it in the controller's log")
        if status != 200:
            raise Passing(f"{url} answered {status}; check --jenkins-url")
        return response


def _settings(url: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what a session sends requests to a controller with. Certificates are always checked."""
    return {
        "proxies": network.proxies(url, environ),
        "verify": network.certificates(environ) or True,
        "timeout": TIMEOUT_SECONDS,
        # A redirect leads to a login page, or sends the token to another host.
        "allow_redirects": False,
    }


class _Silence(logging.Filter):
    """Stops python-jenkins from logging the values of JENKINS_API_EXTRA_HEADERS, which may be secret."""

    def __enter__(self) -> None:
        logging.getLogger().addFilter(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        return "JENKINS_API_EXTRA_HEADERS" not in record.getMessage()


def _of(kind: str, error: ApiError) -> ApiError:
    error.kind = kind
    return error


_LOGIN_HINT = "it needs a login: set JENKINS_USER and JENKINS_API_TOKEN"


@contextmanager
def _typed(url: str) -> Iterator[None]:
    """Turn errors of requests and python-jenkins into ApiError."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        said = f"the certificate of {_host(url)} is not trusted ({_reason(error)}); set REQUESTS_CA_BUNDLE to your CA's file"
        raise _of("certificate", Untrusted(said)) from None
    except (jenkins.TimeoutException, requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError) as error:
        if isinstance(error.__context__, requests.exceptions.ConnectTimeout):
            said = f"{_host(url)} does not answer ({_reason(error)}); check --jenkins-url"
            raise _of("timeout", Unreachable(said)) from None
        raise _of("timeout", Passing(f"{url} does not answer in time ({_reason(error)}); try again later")) from None
    except (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError) as error:
        raise _of("connection", Passing(f"the answer of {url} was cut off ({_reason(error)}); try again later")) from None
    except requests.exceptions.RequestException as error:
        said = f"{_host(url)} does not answer ({_reason(error)}); check --jenkins-url"
        raise _of("connection", Unreachable(said)) from None
    except OSError as error:
        raise _of("certificate", Untrusted(f"{error}; check REQUESTS_CA_BUNDLE or SSL_CERT_FILE")) from None


def job_path(full_name: str) -> str:
    """Return a job's path below the controller's address, with a slash at the end."""
    return identity.job_path(full_name)


def build_path(build: Build) -> str:
    """Return a build's path below the controller's address, with a slash at the end."""
    return build.path


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None


def _date_ms(response: requests.Response) -> int | None:
    try:
        return int(parsedate_to_datetime(response.headers.get("Date", "")).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError):
        return None


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _reason(error: BaseException) -> str:
    """Return the innermost reason of an error, without its prefix."""
    while True:
        inner = getattr(error, "reason", None) or next((a for a in error.args if isinstance(a, BaseException)), None)
        if not isinstance(inner, BaseException):
            text = str(inner or error)
            return text.rpartition(": ")[2] or type(error).__name__
        error = inner
