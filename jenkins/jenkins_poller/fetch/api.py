"""Sends GET requests to a controller: at most a few at once, and again after errors that pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import tenacity

from pipeline_trace.place.ci.jenkins import identity
from pipeline_trace.place.ci.jenkins.identity import Build

from .client import AT_ONCE, LOGGER, Client, Login
from .errors import ApiError, Malformed, Passing, Unreachable, one_line
from .rate import Rate

__all__ = ["AT_ONCE", "Controller", "Login", "build_path", "job_path"]

# If the controller itself does not answer; and if it is one answer that fails.
_TRIES = 4
_TRIES_OF_ONE = 2
_LONGEST_PAUSE = 60.0
# Warnings about odd answers; each is logged once.
_MOST_WARNINGS = 100


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
        self._client = Client(self.url, login)
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._warned: set[str] = set()
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

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def warn(self, said: str) -> None:
        """Log a warning about an odd answer, once. ``said``: may have names from the answer in it."""
        said = one_line(said)
        if said in self._warned or len(self._warned) > _MOST_WARNINGS:
            return
        self._warned.add(said)
        further = "there are further odd answers; they are not told any more"
        LOGGER.warning("%s", said if len(self._warned) <= _MOST_WARNINGS else further)

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


def job_path(full_name: str) -> str:
    """Return a job's path below the controller's address, with a slash at the end."""
    return identity.job_path(full_name)


def build_path(build: Build) -> str:
    """Return a build's path below the controller's address, with a slash at the end."""
    return build.path
