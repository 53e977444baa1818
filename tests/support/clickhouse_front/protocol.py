"""Requests and answers of ClickHouse's HTTP interface, as far as the Collector's exporter and clickhouse-connect use it."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qsl, urlsplit

from . import forms, native, users
from .engine import Answer, Engine, Statement
from .errors import Refusal
from .log import Log
from .users import User

# Of a request's first line, as ClickHouse's http_max_uri_size; Python's own limit is 64 KiB.
_LONGEST = 1 << 20
# Words of the interface: what else is in a query string is a setting, or param_NAME.
_WORDS = frozenset(
    (
        *("query", "query_id", "database", "default_format", "user", "password", "session_id", "session_timeout"),
        *("session_check", "compress", "decompress", "client_protocol_version", "wait_end_of_query", "buffer_size"),
        *("quota_key", "role", "stacktrace"),
    )
)


class Taken:
    """Names that only one request at a time may have: a session, the id of a query."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._lock = threading.Lock()

    def take(self, name: str) -> bool:
        """Return whether nobody had it; then the caller has."""
        with self._lock:
            free = name not in self._names
            self._names.add(name)
            return free

    def give_back(self, name: str) -> None:
        """Let others have it."""
        with self._lock:
            self._names.discard(name)


@dataclass
class House:
    """What all requests share. ``fault``: a file that says what goes wrong, if it is there."""

    engine: Engine
    users: dict[str, User]
    log: Log
    spool: Path
    fault: Path
    taken: Taken = field(default_factory=Taken)


class Handler(BaseHTTPRequestHandler):
    """One client's connection."""

    protocol_version = "HTTP/1.1"
    # Headers and body are two writes: without it the second waits for the client's word about the first.
    disable_nagle_algorithm = True
    house: House
    _cut_off = False

    def handle_one_request(self) -> None:
        """Answer one request, whatever its method."""
        self.raw_requestline = self.rfile.readline(_LONGEST + 1)
        if len(self.raw_requestline) > _LONGEST or not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        with ExitStack() as stack:
            body = stack.enter_context(self._body())
            if not self._go_wrong(body):
                self._answer(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the log tells what was asked."""

    def _answer(self, body: BinaryIO) -> None:
        split = urlsplit(self.path)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        if split.path == "/ping" or (self.command == "GET" and "query" not in query):
            self._reply(200, b"Ok.\n")
            return
        entry: dict[str, object] = {"query_id": query.get("query_id") or str(uuid.uuid4())}
        headers = {"X-ClickHouse-Query-Id": str(entry["query_id"])}
        try:
            if form := forms.fields(self.headers, _form(self.headers, body)):
                query, body = {**query, **form}, io.BytesIO()
            with ExitStack() as stack:
                answer = self._run(query, body, entry, stack)
            data, status, code = answer.data, 200, 0
            summary = {
                "read_rows": str(answer.read_rows),
                "read_bytes": str(answer.read_bytes),
                "result_rows": str(answer.result_rows),
                "result_bytes": str(len(data)),
                "elapsed_ns": str(int(answer.seconds * 1e9)),
            }
            headers["X-ClickHouse-Summary"] = json.dumps(summary)
            entry |= {"read_rows": answer.read_rows, "read_bytes": answer.read_bytes, "result_rows": answer.result_rows}
        except Refusal as refusal:
            # The engine knows one user, the interface several.
            said = str(refusal).replace("DB::Exception: default: ", f"DB::Exception: {entry.get('user')}: ", 1)
            text = f"{said} (version {self.house.engine.version} (official build))\n"
            data, status, code = text.encode(), refusal.status, refusal.code
            headers["X-ClickHouse-Exception-Code"] = str(code)
        self.house.log.add({**entry, "code": code, "status": status})
        self._reply(status, data, headers)

    def _run(self, query: dict[str, str], body: BinaryIO, entry: dict[str, object], stack: ExitStack) -> Answer:
        name, user = users.login(self.house.users, self.headers, query, self._certificate())
        inserting = query.get("query", "").lstrip()[:6].upper() == "INSERT"
        data = stack.enter_context(self._spooled(body)) if inserting else None
        asked = query.get("query", "") if inserting else "\n".join(filter(None, (query.get("query"), _text(body))))
        settings = {key: value for key, value in query.items() if key not in _WORDS and not key.startswith("param_")}
        parameters = {key[6:]: value for key, value in query.items() if key.startswith("param_")}
        entry |= {"user": name, "sql": asked, "settings": settings, "parameters": parameters}
        self._take(query, str(entry["query_id"]), stack)
        if query.get("compress") == "1" or query.get("decompress") == "1":
            raise Refusal("Code: 48. DB::Exception: The front of the tests has no lz4 and no zstd. (NOT_IMPLEMENTED)")
        profile = dict(user.settings)
        if self.command == "GET":
            profile.setdefault("readonly", "2")
        form = query.get("default_format") or self.headers.get("X-ClickHouse-Format") or "TabSeparated"
        statement = Statement(
            asked,
            query.get("database") or self.headers.get("X-ClickHouse-Database") or "default",
            form,
            profile,
            frozenset(user.changeable),
            settings,
            parameters,
            data,
        )
        answer = self.house.engine.run(statement)
        if form == "Native" and int(query.get("client_protocol_version") or 0) >= native.LAID_OUT:
            return replace(answer, data=native.newer(answer.data))
        return answer

    def _take(self, query: dict[str, str], query_id: str, stack: ExitStack) -> None:
        """Refuse what is under way already: two at once in a session, or with one query's id."""
        session = query.get("session_id")
        if session:
            if not self.house.taken.take(f"session {session}"):
                locked = f"Session {session} is locked by a concurrent client."
                raise Refusal(f"Code: 373. DB::Exception: {locked} (SESSION_IS_LOCKED)")
            stack.callback(self.house.taken.give_back, f"session {session}")
        if not self.house.taken.take(f"query {query_id}"):
            same = f"Query with id = {query_id} is already running."
            raise Refusal(f"Code: 216. DB::Exception: {same} (QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING)")
        stack.callback(self.house.taken.give_back, f"query {query_id}")

    def _go_wrong(self, body: BinaryIO) -> bool:
        """Do what the file of the fault says, if there is one and it is about this request; return whether that was all."""
        try:
            fault = json.loads(self.house.fault.read_text())
        except FileNotFoundError:
            return False
        asked = dict(parse_qsl(urlsplit(self.path).query)).get("query", "")
        if fault["matching"] and fault["matching"] not in asked + _text(body):
            body.seek(0)
            return False
        body.seek(0)
        if fault["kind"] == "hang":
            # For as long as the fault is there: the test takes it away, or the client goes.
            until = time.monotonic() + fault["seconds"]
            while time.monotonic() < until and self.house.fault.exists():
                time.sleep(0.02)
            return False
        self.close_connection = True
        if fault["kind"] == "status":
            self._reply(fault["status"], fault["text"].encode())
        elif fault["kind"] == "garbage":
            self.wfile.write(b"\x00\xff\x17 this is no HTTP \r\n\r\n\xfe" * 8)
        else:
            self._cut_off = True
            self._answer(body)
        return True

    def _reply(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("X-ClickHouse-Server-Display-Name", self.house.engine.name)
        self.send_header("X-ClickHouse-Timezone", self.house.engine.zone)
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        # More than there is, where the answer is cut: it may be empty.
        self.send_header("Content-Length", str(len(data) + self._cut_off))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if self._cut_off else data)
        self.wfile.flush()

    @contextmanager
    def _body(self) -> Iterator[BinaryIO]:
        """Return the request's body, unpacked, on the disk where it is large."""
        with tempfile.SpooledTemporaryFile(1 << 20, dir=self.house.spool) as raw:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    raw.write(self.rfile.read(size))
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass
            else:
                raw.write(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            raw.seek(0)
            if self.headers.get("Content-Encoding") == "gzip":
                yield io.BytesIO(gzip.decompress(raw.read()))
            else:
                yield raw

    @contextmanager
    def _spooled(self, body: BinaryIO) -> Iterator[Path]:
        """Return a file that holds what is to be inserted."""
        with tempfile.NamedTemporaryFile(dir=self.house.spool, suffix=".data") as file:
            shutil.copyfileobj(body, file)
            file.flush()
            yield Path(file.name)

    def _certificate(self) -> str:
        asked = getattr(self.connection, "getpeercert", None)
        subject = (asked() or {}).get("subject", ()) if asked else ()
        return next((value for part in subject for key, value in part if key == "commonName"), "")


def _text(body: BinaryIO) -> str:
    return body.read().decode(errors="replace")


def _form(headers: Mapping[str, str], body: BinaryIO) -> bytes:
    return body.read() if headers.get("Content-Type", "").startswith("multipart/") else b""
