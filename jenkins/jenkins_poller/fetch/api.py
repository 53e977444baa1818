"""The controller's answers, over python-jenkins: paths, ``tree=``, limits, typed errors.

python-jenkins has no time-out by default, asks for a crumb before a GET, and makes one error of 401, 403 and 500; all three
are set right here.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import jenkins
import requests
import tenacity
from requests.adapters import HTTPAdapter

from pipeline_trace.place.ci.jenkins.identity import Build

from .rate import Rate

AT_ONCE = 4
TIMEOUT_SECONDS = (10.0, 60.0)
_TRIES = 4
_LONGEST_PAUSE = 60.0


class ApiError(Exception):
    """The controller did not answer what was asked. The message says what to do.

    ``kind``: in short what went wrong: an HTTP status, or redirect, no_json, timeout, connection, certificate.
    """

    kind = ""


class Passing(ApiError):
    """It may answer another time: unreachable, starting, overloaded, cut off. ``retry_after``: seconds, where it said so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LoginRefused(ApiError):
    """401: the login is wrong."""


class Forbidden(ApiError):
    """403: no permission, or no login."""


class Untrusted(ApiError):
    """Its certificate is not trusted, or the file of trusted ones cannot be used."""


class NotFound(ApiError):
    """404: it is not there, or may not be seen."""


@dataclass(frozen=True)
class Login:
    """A user and its API token."""

    user: str
    token: str


class Controller:
    """Asks one controller; at most AT_ONCE requests at once, over kept connections."""

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
        """``url``: the address to ask. ``first_pause``: seconds before the second try of a request; then ever longer.

        ``per_second``: how many requests may begin in a second, None: any. ``stopping``: ends all pauses, after which
        nothing is tried again. ``observe`` is called after every request with what went wrong (ApiError.kind), or "200".
        """
        self.url = url.rstrip("/")
        self.requests = 0
        self._observe = observe
        self._rate = Rate(per_second, stopping.wait if stopping else time.sleep)
        self._client = _Client(self.url, login)
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Passing),
            stop=tenacity.stop_after_attempt(_TRIES) | tenacity.stop_when_event_set(stopping or threading.Event()),
            sleep=tenacity.sleep_using_event(stopping) if stopping else tenacity.nap.sleep,
            wait=_Pauses(first_pause),
            reraise=True,
        )

    def get(self, path: str, tree: str = "") -> Any:
        """Return the JSON of a path below the controller's address.

        Raises Passing after several tries, LoginRefused, Forbidden, NotFound.
        """
        query = {"tree": tree} if tree else None
        return self._retrying.copy()(self._once, lambda: self._client.fetch(f"{self.url}/{path}", query))

    def document(self, path: str, tree: str = "") -> Mapping[str, Any]:
        """Return the JSON object of a path. Raises as ``get``, Passing where it is something else."""
        answer = self.get(path, tree)
        if not isinstance(answer, dict):
            raise Passing(f"{self.url}/{path} answered with no JSON object; something stands between us and the controller")
        return answer

    def build(self, build: Build, rest: str, tree: str = "") -> Mapping[str, Any]:
        """Return the JSON object of a path below a build."""
        return self.document(f"{build_path(build)}{rest}", tree)

    def text(self, path: str, most_bytes: int) -> str:
        """Return the text of a path, nothing where it is longer. Raises as ``get``."""
        return str(self._retrying.copy()(self._once, lambda: self._client.fetch_text(f"{self.url}/{path}", most_bytes)))

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


class _Pauses(tenacity.wait.wait_base):
    """Longer and longer, with jitter; what the controller asks for, where it does."""

    def __init__(self, first: float) -> None:
        self._wait = tenacity.wait_exponential(multiplier=first, max=30) + tenacity.wait_random(0, first)

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.retry_after if isinstance(error, Passing) else None
        return min(asked, _LONGEST_PAUSE) if asked is not None else self._wait(retry_state)


class _Client(jenkins.Jenkins):  # type: ignore[misc]
    """python-jenkins' connection and login, without what it makes of errors."""

    def __init__(self, url: str, login: Login | None) -> None:
        with _Silence():
            super().__init__(url, login.user if login else None, login.token if login else None, timeout=TIMEOUT_SECONDS)
        # Checked whatever PYTHONHTTPSVERIFY says. Where this is True, requests looks at REQUESTS_CA_BUNDLE.
        self._session.verify = (not os.environ.get("REQUESTS_CA_BUNDLE") and os.environ.get("SSL_CERT_FILE")) or True
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=AT_ONCE))
        self._session.headers["Accept"] = "application/json"
        # A redirect leads to a login page, or takes the token to another host.
        self._session.max_redirects = 0
        settings = self._session.merge_environment_settings(url, {}, None, self._session.verify, None)
        self._settings = {**settings, "timeout": TIMEOUT_SECONDS}
        # A ~/.netrc is no place where our login comes from.
        self._session.trust_env = False
        self._has_login = login is not None

    def _request(self, req: requests.Request, stream: bool | None = None) -> requests.Response:
        """Send a request. The proxies and certificates of the environment were looked up once: that costs as much."""
        answer: requests.Response = self._session.send(
            self._session.prepare_request(req), **{**self._settings, "stream": bool(stream)}
        )
        return answer

    def fetch(self, url: str, query: Mapping[str, str] | None) -> Any:
        """Return the JSON of a URL."""
        with _typed(url):
            return self.jenkins_request(requests.Request("GET", url, params=query), add_crumb=False).json()

    def fetch_text(self, url: str, most_bytes: int) -> str:
        """Return the text of a URL, nothing where it is longer."""
        parts, size = list[bytes](), 0
        with _typed(url), self.jenkins_request(requests.Request("GET", url), add_crumb=False, stream=True) as response:
            for part in response.iter_content(1 << 16):
                parts.append(part)
                size += len(part)
                if size > most_bytes:
                    return ""
        return b"".join(parts).decode("utf-8", "replace")

    def _response_handler(self, response: requests.Response) -> requests.Response:
        try:
            return self._checked(response)
        except ApiError as error:
            raise _of(str(response.status_code), error) from None

    def _checked(self, response: requests.Response) -> requests.Response:
        status, url = response.status_code, response.url.partition("?")[0]
        if status == 401:
            raise LoginRefused(f"{_host(url)} refuses the login (401); check JENKINS_USER and JENKINS_API_TOKEN")
        if status == 403:
            missing = "the user may not read it" if self._has_login else _LOGIN_HINT
            raise Forbidden(f"{url} is forbidden (403): {missing}")
        if status == 404:
            raise NotFound(f"{url} is not there (404), or may not be seen")
        if status == 429 or status >= 500:
            raise Passing(f"{_host(url)} answered {status}; it may be starting or overloaded", _retry_after(response))
        if status != 200:
            raise Passing(f"{url} answered {status}")
        return response


class _Silence(logging.Filter):
    """python-jenkins logs the values of JENKINS_API_EXTRA_HEADERS, which may be secret, when it is made."""

    def __enter__(self) -> None:
        logging.getLogger().addFilter(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        return "JENKINS_API_EXTRA_HEADERS" not in record.getMessage()


def _of(kind: str, error: ApiError) -> ApiError:
    error.kind = kind
    return error


_LOGIN_HINT = "it wants a login: set JENKINS_USER and JENKINS_API_TOKEN"


@contextmanager
def _typed(url: str) -> Iterator[None]:
    """Make errors of ours of what goes wrong on the way."""
    try:
        yield
    except requests.exceptions.TooManyRedirects:
        raise _of("redirect", Passing(f"{url} leads to a login page; {_LOGIN_HINT}")) from None
    except requests.exceptions.JSONDecodeError:
        said = f"{url} answered with no JSON; the controller may be starting, or {_LOGIN_HINT}"
        raise _of("no_json", Passing(said)) from None
    except requests.exceptions.SSLError as error:
        said = f"{_host(url)} is not trusted ({_reason(error)}); name your CA's file in REQUESTS_CA_BUNDLE"
        raise _of("certificate", Untrusted(said)) from None
    except (jenkins.TimeoutException, requests.exceptions.RequestException) as error:
        kind = "timeout" if isinstance(error, jenkins.TimeoutException) else "connection"
        said = f"{_host(url)} does not answer ({_reason(error)}); check --jenkins-url"
        raise _of(kind, Passing(said)) from None
    except OSError as error:
        raise _of("certificate", Untrusted(f"{error}; check REQUESTS_CA_BUNDLE or SSL_CERT_FILE")) from None


def job_path(full_name: str) -> str:
    """Return a job's path below the controller's address, with a slash at its end."""
    return "".join(f"job/{quote(name, safe='')}/" for name in full_name.split("/"))


def build_path(build: Build) -> str:
    """Return a build's path below the controller's address, with a slash at its end."""
    return f"{job_path(build.job)}{build.number}/"


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _reason(error: BaseException) -> str:
    """Return the innermost reason of an error, short."""
    while True:
        inner = getattr(error, "reason", None) or next((a for a in error.args if isinstance(a, BaseException)), None)
        if not isinstance(inner, BaseException):
            text = str(inner or error)
            return text.rpartition(": ")[2] or type(error).__name__
        error = inner
