"""An HTTP server that replays a recorded Jenkins controller, for `pipeline-trace demo` and for tests.

with Replay(Recording.load("recording.jsonl")) as jenkins:
    requests.get(f"{jenkins.url}/api/json?tree=jobs[name]")
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from . import pages
from .answering import credentials, of_container, of_document, of_jenkins, of_plugin, who_am_i
from .exchanges import decode, keyed
from .faults import Answer, Fault, Faults, authentication_required, html
from .hierarchy import resolve
from .links import relink
from .logs import is_html
from .recording import Documents, Recording
from .server import Request, RequestLog, Server
from .times import TimeMap

__all__ = ["Fault", "Recording", "Replay", "Request", "TimeMap"]

_DOCUMENT = "/api/json"


class Replay:
    """A replayed Jenkins controller on 127.0.0.1. It answers from the start of the context to its end.

    ``recordings``: one or more recordings of one controller. ``time_map``: from recorded to shown times; None to show the
    recorded times. ``moment_ms``: the moment of recorded time to show, milliseconds since the epoch; None for the last
    state. ``login``: the user and token that clients must send; None if everyone may read. ``context_path``: for example
    '/jenkins', or ''. ``root_url``: the address in ``url`` fields; None for the server's own. ``port``: 0 for any free
    port. Raises OSError if the port is in use.

    Attributes and methods are thread-safe.
    """

    def __init__(
        self,
        recordings: Recording | Sequence[Recording],
        *,
        time_map: TimeMap | None = None,
        moment_ms: int | None = None,
        login: tuple[str, str] | None = None,
        context_path: str = "",
        root_url: str | None = None,
        port: int = 0,
    ) -> None:
        self.context_path = context_path.rstrip("/")
        self.login = login
        self._log = RequestLog()
        self._server = Server(port, self._answer, self._log)
        self.url = f"http://127.0.0.1:{self._server.server_port}{self.context_path}"
        self.root_url = (root_url or self.url).rstrip("/")
        self._lock = threading.RLock()
        self._faults = Faults()
        self._time_map = time_map
        self._moment = moment_ms
        self.load(recordings)

    def __enter__(self) -> Replay:
        self._server.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server and close its connections."""
        self._server.stop()

    @property
    def recording(self) -> Recording:
        """The recording that the server replays."""
        return self._recording

    @property
    def moment(self) -> int | None:
        """The moment of recorded time to show, ms since the epoch; None for the last state. Can be set at any time."""
        return self._moment

    @moment.setter
    def moment(self, moment_ms: int | None) -> None:
        with self._lock:
            self._moment = moment_ms
            self._changed()

    @property
    def time_map(self) -> TimeMap | None:
        """The map from recorded to shown times; None to show the recorded times. Can be set at any time."""
        return self._time_map

    @time_map.setter
    def time_map(self, time_map: TimeMap | None) -> None:
        with self._lock:
            self._time_map = time_map
            self._changed()

    @property
    def faults(self) -> Sequence[Fault]:
        """The faults in the answers. Can be set at any time, which resets their counts."""
        return self._faults.faults

    @faults.setter
    def faults(self, faults: Iterable[Fault]) -> None:
        self._faults = Faults(faults)

    @property
    def documents(self) -> dict[str, Any]:
        """The ``api/json`` documents that the server shows now, by URL path. Do not change them."""
        return self._shown()[0]

    @property
    def requests(self) -> list[Request]:
        """The requests so far, in the order in which they began."""
        return self._log.requests

    @property
    def most_at_once(self) -> int:
        """The maximum number of requests that the server handled at the same time."""
        return self._log.most_at_once

    def reset(self) -> None:
        """Forget the requests so far."""
        self._log.reset()

    def load(self, recordings: Recording | Sequence[Recording]) -> None:
        """Replay other recordings from now on. Forgets all drops and edits."""
        parts = [recordings] if isinstance(recordings, Recording) else recordings
        recording = Recording.combine(parts)
        with self._lock:
            self._recording = recording
            self._drops: list[Callable[[Documents], Documents]] = []
            self._edits: list[tuple[str, Callable[[Any], Any]]] = []
            self._changed()

    def drop_job(self, full_name: str) -> None:
        """Remove a job or folder, as if it had been deleted."""
        self._drop(lambda documents: documents.without_job(full_name))

    def drop_build(self, full_name: str, number: int) -> None:
        """Remove a build, as if it had been deleted. Its number stays in use."""
        self._drop(lambda documents: documents.without_build(full_name, number))

    def edit(self, path: str, function: Callable[[Any], Any]) -> None:
        """Change the document at a URL path without context path, for example ``/job/a/1/api/json``.

        ``function`` gets a copy of the document that clients see. It changes the copy and returns None, or it returns
        another document. It runs again each time the documents are composed, for example after a new moment is set. Lists
        that show the document show the change too. Raises KeyError if there is no such document.
        """
        with self._lock:
            self._edits.append((decode(path).rstrip("/"), function))
            self._changed()
            try:
                self._shown()
            except KeyError:
                self._edits.pop()
                raise

    def _drop(self, drop: Callable[[Documents], Documents]) -> None:
        with self._lock:
            self._drops.append(drop)
            self._changed()

    def _changed(self) -> None:
        self._cached: tuple[dict[str, Any], Documents] | None = None

    def _shown(self) -> tuple[dict[str, Any], Documents]:
        """Return the ``api/json`` documents and the other answers of this moment. They are not changed later."""
        with self._lock:
            if self._cached is None:
                self._cached = self._put_together()
            return self._cached

    def _put_together(self) -> tuple[dict[str, Any], Documents]:
        documents = self._recording.at(self._moment)
        for drop in self._drops:
            documents = drop(documents)
        if self._time_map is not None:
            documents = documents.move(self._time_map)
        # `rebase` copies the documents, so edits do not change the recording.
        documents = documents.rebase(self.root_url)
        for path, body in documents.answers.items():
            documents.answers[path] = relink(body, self.context_path, is_html=is_html(path))
        composed = documents.compose()
        for path, function in self._edits:
            _apply(function, path, composed, documents.answers)
        return composed, documents

    def _answer(self, method: str, target: str, authorization: str | None) -> Answer:
        path, _, query = target.partition("?")
        answer = self._refused(method, path, authorization)
        if answer is None:
            inner = path.removeprefix(self.context_path)
            if inner == path and self.context_path:
                answer = of_container(404, "Not Found", path)
            else:
                answer = self._found(decode(inner).rstrip("/"), query, authorization)
        asked = decode(path.removeprefix(self.context_path)) + (f"?{unquote(query)}" if query else "")
        return self._faults.spoil(answer, asked, path)

    def _refused(self, method: str, path: str, authorization: str | None) -> Answer | None:
        """Return the answer to a request that is not allowed; None if it is allowed."""
        if self.login is not None:
            if authorization is None and not path.endswith("/whoAmI/api/json"):
                return authentication_required(path)
            if authorization is not None and credentials(authorization) != self.login:
                return of_container(401, "Unauthorized", path, {"WWW-Authenticate": 'Basic realm="Jenkins"'})
        if method not in ("GET", "HEAD"):
            return of_container(403, "No valid crumb was included in the request", path)
        return None

    def _found(self, path: str, query: str, authorization: str | None) -> Answer:
        composed, documents = self._shown()
        if path == "/whoAmI/api/json":
            return of_jenkins(who_am_i(authorization))
        if path == "":
            return html(200, pages.dashboard())
        resolved = resolve(path, composed)
        if resolved is None:
            return html(404, pages.not_found())
        if resolved.endswith(_DOCUMENT):
            key = resolved.removesuffix(_DOCUMENT)
            if key in composed:
                return of_document(composed[key], query)
        else:
            answer = of_plugin(keyed(resolved, query), query, documents)
            if answer is not None:
                return answer
        missing = keyed(resolved.removesuffix(_DOCUMENT), query)
        return html(404, documents.missing.get(missing) or pages.not_found())


def _apply(function: Callable[[Any], Any], path: str, composed: dict[str, Any], answers: dict[str, Any]) -> None:
    """Edit the document or answer at ``path``. Objects are changed in place, because lists share them."""
    is_document = path.endswith(_DOCUMENT) or path in composed
    found, key = (composed, path.removesuffix(_DOCUMENT)) if is_document else (answers, path)
    before = found[key]
    after = function(before)
    if after is None:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        after = dict(after)
        before.clear()
        before.update(after)
    else:
        found[key] = after
