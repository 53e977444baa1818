"""A ClickHouse for tests: chdb, which is ClickHouse's own engine, behind a small server that speaks its HTTP interface.

with Engine(folder) as engine:
    engine.sql("SELECT count() AS spans FROM otel_traces")  # [{"spans": 7}]
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import urlencode

import pytest

import support
from support import processes
from support.clickhouse_front.users import User
from support.otlp_receiver import free_port

__all__ = ["Asked", "Engine", "EngineError", "Fault", "Tls", "User", "needs_engine"]

_VENV = support.ROOT / ".venvs/engine"
_HOST = "127.0.0.1"

needs_engine = pytest.mark.skipif(
    not (_VENV / ".done").exists(), reason="chdb is not set up by `make .venvs/engine/.done`: it takes its package from PyPI"
)


class EngineError(Exception):
    """What the server refused. ``status``: HTTP's; ``code``: ClickHouse's, e.g. 60; the text is the answer."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(text)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Fault:
    """What goes wrong, of every request or of those in whose SQL ``matching`` stands.

    ``status`` answers with that status and text, ``garbage`` with bytes that are no HTTP. ``cut`` closes the connection in
    the middle of the answer. ``hang`` answers only after ``seconds``, or when the fault is over. For a server that refuses
    connections, kill the engine.
    """

    kind: Literal["hang", "status", "garbage", "cut"]
    status: int = 503
    text: str = "Service unavailable\n"
    seconds: float = 60
    matching: str = ""


@dataclass(frozen=True)
class Asked:
    """A statement in the engine's log. ``code``: 0, or of the error. The counters are the engine's, 0 where it refused."""

    query_id: str
    code: int
    status: int
    user: str = ""
    sql: str = ""
    settings: Mapping[str, str] | None = None
    parameters: Mapping[str, str] | None = None
    read_rows: int = 0
    read_bytes: int = 0
    result_rows: int = 0


@dataclass(frozen=True)
class Tls:
    """Files of ``support.tls.authority``: a server's key with its certificate, and the authority.

    ``clients``: who has no certificate of the authority's is not served.
    """

    certificate: Path
    authority: Path
    clients: bool = False


class Engine:
    """A server that runs from entering the context until its end. Its data are in its folder and outlive a kill."""

    def __init__(
        self, folder: Path, *, users: Mapping[str, User] | None = None, tls: Tls | None = None, zone: str = "UTC"
    ) -> None:
        """``users``: by their names, beside ``default``, who has no password and may all. ``zone``: the server's own."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._tls, self._zone = folder, tls, zone
        self.users = {"default": User(), **(users or {})}
        self.port = free_port()
        self.url = f"{'https' if tls else 'http'}://{_HOST}:{self.port}"
        (folder / "users.json").write_text(json.dumps({name: asdict(user) for name, user in self.users.items()}))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Engine:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    @property
    def said(self) -> str:
        """Return what the server wrote about itself: nothing, unless it is broken."""
        return (self._folder / "said").read_text()

    def start(self) -> None:
        """Start it on the data that are there; return when it takes requests."""
        words = [str(_VENV / "bin/python"), "-m", "clickhouse_front", str(self._folder), str(self.port)]
        if self._tls:
            words += ["--certificate", str(self._tls.certificate)]
            words += ["--clients", str(self._tls.authority)] if self._tls.clients else []
        env = {"PATH": os.defpath, "PYTHONPATH": str(support.TESTS / "support"), "TZ": self._zone}
        with (self._folder / "said").open("ab") as said:
            # It ends when its input does: with these tests, however they end.
            self._process = subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=said, stderr=said)
        processes.wait_for(self._ready, "engine that listens", 30)

    def kill(self) -> None:
        """Kill it, unless it has ended; from then on connections are refused."""
        if self._process:
            self._process.kill()
            self._process.wait()
            assert self._process.stdin
            self._process.stdin.close()

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        """Let requests go wrong while the context is open."""
        path = self._folder / "fault.json"
        path.with_suffix(".new").write_text(json.dumps(asdict(fault)))
        path.with_suffix(".new").replace(path)
        try:
            yield
        finally:
            path.unlink()

    def log(self) -> list[Asked]:
        """Return all that it was asked since its folder is there, the oldest first; what it still works on is not in it."""
        with suppress(FileNotFoundError):
            return [Asked(**json.loads(line)) for line in (self._folder / "log.jsonl").read_text().splitlines()]
        return []

    def sql(self, text: str, user: str = "default", seconds: float = 60, **settings: object) -> list[dict[str, Any]]:
        """Return the rows of a statement, each by the names of its columns. Raises EngineError, OSError."""
        body = self.send(text.encode(), user, seconds, default_format="JSONEachRow", **settings)
        return [json.loads(line) for line in body.splitlines()]

    def send(self, body: bytes, user: str = "default", seconds: float = 60, **query: object) -> bytes:
        """Return the answer to a request with these words in its query string. Raises EngineError, OSError."""
        login = base64.b64encode(f"{user}:{self.users[user].password}".encode()).decode()
        url = f"{self.url}/?{urlencode({name: str(value) for name, value in query.items()})}"
        request = urllib.request.Request(url, body, {"Authorization": f"Basic {login}"})
        try:
            with _opener(self._tls).open(request, timeout=seconds) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            code = int(error.headers.get("X-ClickHouse-Exception-Code") or 0)
            raise EngineError(error.code, code, error.read().decode(errors="replace")) from None

    def _ready(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self.said
        return processes.listens(self.port)


def _opener(tls: Tls | None) -> urllib.request.OpenerDirector:
    """Return what opens URLs: with the test's own authority, and through no proxy."""
    context = ssl.create_default_context(cafile=tls.authority) if tls else None
    if context and tls and tls.clients:
        context.load_cert_chain(tls.certificate)
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
