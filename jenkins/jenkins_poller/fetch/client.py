"""The connection to a controller: login, certificates, proxies, redirects, typed errors, and answers that are bounded.

The connection and the login come from python-jenkins. By default, python-jenkins has no time-out, asks for a crumb before a
GET, and raises the same exception for 401, 403 and 500. This module changes all three.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import jenkins
import requests
import urllib3

from pipeline_trace.delivery.destinations import deadline
from pipeline_trace.trace import network

from . import bodies
from .errors import ApiError, Forbidden, LoginRefused, Malformed, NotFound, Passing, Unreachable, Untrusted, one_line

# The poller's log. Who does not set it up, as `why`, sees nothing of it.
LOGGER = logging.getLogger("pipeline_trace.poll")
LOGGER.addHandler(logging.NullHandler())

AT_ONCE = 4
# Seconds for a connection, and for a whole answer.
TIMEOUT_SECONDS = (10.0, 60.0)
# Bytes of an answer, unpacked.
MOST_BYTES = 32 << 20
# Bytes that are read at once, and of the page that comes with an error.
_PIECE = 1 << 16
# Letters of a name that the controller gives its run.
_LONGEST_NAME = 200
_LONGEST_REASON = 200


@dataclass(frozen=True)
class Login:
    """A user and the user's API token."""

    user: str
    token: str


# Reads pieces with a Content-Encoding up to so many bytes.
_Read = Callable[[Iterable[bytes], str, int], bytes]


class Client(jenkins.Jenkins):  # type: ignore[misc]
    """python-jenkins' connection and login, with the errors of this module."""

    def __init__(self, url: str, login: Login | None) -> None:
        with _Silence():
            super().__init__(url, login.user if login else None, login.token if login else None, timeout=TIMEOUT_SECONDS)
        # Until when the answer to a thread's request must be whole: a time of the monotonic clock.
        # Not through ``self``: the connections of a client that nobody uses any more are closed at once.
        self._limits = limits = threading.local()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, deadline.adapter(lambda: float(limits.until)))
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": bodies.ENCODING})
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
            LOGGER.warning("%s", said)
        return self._send(requests.Request("GET", secured, headers=req.headers, auth=req.auth), stream)

    def _send(self, req: requests.Request, stream: bool | None) -> requests.Response:
        prepared = self._session.prepare_request(req)
        answer: requests.Response = self._session.send(prepared, **self._settings, stream=bool(stream))
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def fetch(self, url: str, query: Mapping[str, str] | None) -> Any:
        """Return the JSON of a URL."""
        too_large = Malformed(f"{url} answered with more than {MOST_BYTES >> 20} MiB, or too many values; it is not read")
        try:
            return bodies.parsed(self._body(requests.Request("GET", url, params=query), url, MOST_BYTES))
        except bodies.TooLarge:
            raise _of("size", too_large) from None
        except bodies.Broken:
            said = f"{url} answered without JSON; the controller may be starting, or {_LOGIN_HINT}"
            raise _of("no_json", Passing(said)) from None

    def fetch_text(self, url: str, most_bytes: int) -> str:
        """Return the text of a URL; "" if it is longer than ``most_bytes``."""
        try:
            body = self._body(requests.Request("GET", url), url, most_bytes)
        except bodies.TooLarge:
            return ""
        except bodies.Broken as error:
            raise _of("connection", Passing(f"the answer of {url} is broken ({error}); try again later")) from None
        return body.decode("utf-8", "replace")

    def fetch_beginning(self, url: str, most_bytes: int) -> str:
        """Return the first ``most_bytes`` of the text of a URL."""
        try:
            body = self._body(requests.Request("GET", url), url, most_bytes, bodies.beginning)
        except bodies.Broken as error:
            raise _of("connection", Passing(f"the answer of {url} is broken ({error}); try again later")) from None
        return body.decode("utf-8", "replace")

    def _body(self, request: requests.Request, url: str, most_bytes: int, read: _Read = bodies.whole) -> bytes:
        """Return an answer's body, unpacked. Raises ApiError, and what ``read`` raises."""
        self._limits.until = time.monotonic() + TIMEOUT_SECONDS[1]
        with _typed(url), self.jenkins_request(request, add_crumb=False, stream=True) as response:
            self.jenkins_session = response.headers.get("X-Jenkins-Session", "")[:_LONGEST_NAME] or self.jenkins_session
            self.now_ms = _date_ms(response) or self.now_ms
            packed = response.raw.stream(_PIECE, decode_content=False)
            return read(packed, response.headers.get("Content-Encoding", ""), most_bytes)

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


LOGIN_NEEDED = "export JENKINS_USER=… JENKINS_API_TOKEN=… (a user with Overall/Read and Job/Read)"
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


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdecimal() else None


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
            text = one_line(str(inner or error), _LONGEST_REASON)
            return text.rpartition(": ")[2] or type(error).__name__
        error = inner
