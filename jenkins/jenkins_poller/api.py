"""The controller's answers, over python-jenkins: paths, ``tree=``, limits, typed errors.

python-jenkins has no time-out by default, asks for a crumb before a GET, and makes one error of 401, 403 and 500; all three
are set right here.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import jenkins
import requests
import tenacity
from requests.adapters import HTTPAdapter

from pipeline_trace.ci.jenkins import Build

AT_ONCE = 4
TIMEOUT_SECONDS = (10.0, 60.0)
_TRIES = 4
_LONGEST_PAUSE = 60.0


class ApiError(Exception):
    """The controller did not answer what was asked. The message says what to do."""


class Passing(ApiError):
    """It may answer another time: unreachable, starting, overloaded, cut off. ``retry_after``: seconds, where it said so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LoginRefused(ApiError):
    """401: the login is wrong."""


class Forbidden(ApiError):
    """403: no permission, or no login."""


class NotFound(ApiError):
    """404: it is not there, or may not be seen."""


@dataclass(frozen=True)
class Login:
    """A user and its API token."""

    user: str
    token: str


class Controller:
    """Asks one controller; at most AT_ONCE requests at once, over kept connections."""

    def __init__(self, url: str, login: Login | None = None, *, first_pause: float = 0.5) -> None:
        """``url``: the address to ask. ``first_pause``: seconds before the second try of a request; then ever longer."""
        self.url = url.rstrip("/")
        self.requests = 0
        self._client = _Client(self.url, login)
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Passing),
            stop=tenacity.stop_after_attempt(_TRIES),
            wait=_Pauses(first_pause),
            reraise=True,
        )

    def get(self, path: str, tree: str = "") -> Any:
        """Return the JSON of a path below the controller's address.

        Raises Passing after several tries, LoginRefused, Forbidden, NotFound.
        """
        return self._retrying.copy()(self._once, path, tree)

    def document(self, path: str, tree: str = "") -> Mapping[str, Any]:
        """Return the JSON object of a path. Raises as ``get``, Passing where it is something else."""
        answer = self.get(path, tree)
        if not isinstance(answer, dict):
            raise Passing(f"{self.url}/{path} answered with no JSON object; something stands between us and the controller")
        return answer

    def build(self, build: Build, rest: str, tree: str = "") -> Mapping[str, Any]:
        """Return the JSON object of a path below a build."""
        return self.document(f"{build_path(build)}{rest}", tree)

    def _once(self, path: str, tree: str) -> Any:
        with self._slots:
            self.requests += 1
            return self._client.fetch(f"{self.url}/{path}", {"tree": tree} if tree else None)


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
        super().__init__(url, login.user if login else None, login.token if login else None, timeout=TIMEOUT_SECONDS)
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
        answer: requests.Response = self._session.send(self._session.prepare_request(req), **self._settings)
        return answer

    def fetch(self, url: str, query: Mapping[str, str] | None) -> Any:
        try:
            response = self.jenkins_request(requests.Request("GET", url, params=query), add_crumb=False)
            return response.json()
        except requests.exceptions.TooManyRedirects:
            raise Passing(f"{url} leads to a login page; {_LOGIN_HINT}") from None
        except requests.exceptions.JSONDecodeError:
            raise Passing(f"{url} answered with no JSON; the controller may be starting, or {_LOGIN_HINT}") from None
        except (jenkins.TimeoutException, requests.exceptions.RequestException) as error:
            raise Passing(f"{_host(url)} does not answer ({_reason(error)}); check --jenkins-url") from None

    def _response_handler(self, response: requests.Response) -> requests.Response:
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


_LOGIN_HINT = "it wants a login: set JENKINS_USER and JENKINS_API_TOKEN"


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
