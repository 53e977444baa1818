"""The HTTP server of a replay. It logs requests and sends answers, complete or with faults."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .faults import Answer

_REASONS = {status.value: status.phrase for status in HTTPStatus}

Answerer = Callable[[str, str, str | None], Answer]
"""Returns the answer to a request, from its method, its path with query, and its Authorization header."""


@dataclass(frozen=True)
class Request:
    """A request.

    ``path``: as sent, with query and context path. ``status``: 0 if the connection was closed without an answer; None
    until the answer. ``started``, ``ended``: seconds of the monotonic clock. ``authorized``: whether there was an
    Authorization header. ``concurrent``: how many requests the server handled when it began, including this one.
    """

    method: str
    path: str
    started: float
    authorized: bool
    concurrent: int
    status: int | None = None
    ended: float | None = None


class RequestLog:
    """The requests so far. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0
        self.reset()

    @property
    def requests(self) -> list[Request]:
        """The requests, in the order in which they began."""
        with self._lock:
            return list(self._requests.values())

    @property
    def most_at_once(self) -> int:
        """The maximum number of requests that the server handled at the same time."""
        with self._lock:
            return max((request.concurrent for request in self._requests.values()), default=0)

    def reset(self) -> None:
        """Forget the requests. Requests without an answer still count as concurrent."""
        with self._lock:
            self._requests: dict[object, Request] = {}

    def begin(self, method: str, path: str, authorized: bool) -> object:
        """Log the beginning of a request. Return its key for ``end``."""
        key = object()
        with self._lock:
            self._under_way += 1
            self._requests[key] = Request(method, path, time.monotonic(), authorized, self._under_way)
        return key

    def end(self, key: object, status: int) -> None:
        """Log the end of a request. ``key``: from ``begin``."""
        with self._lock:
            self._under_way -= 1
            if key in self._requests:
                self._requests[key] = replace(self._requests[key], status=status, ended=time.monotonic())


class Server(ThreadingHTTPServer):
    """Serves on 127.0.0.1 in other threads, from ``start`` to ``stop``. ``port``: 0 for any free port."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, answerer: Answerer, log: RequestLog) -> None:
        self.answerer = answerer
        self.log = log
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        super().__init__(("127.0.0.1", port), _Handler)

    def start(self) -> None:
        """Start to answer requests."""
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port and all connections, including those that clients keep alive."""
        self.stopping.set()
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
            self._thread = None
        self.server_close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            _shut(connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Store the connection, then serve it in a thread."""
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection after its last request."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report errors, except those of clients that closed the connection."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        key = self.server.log.begin(self.command, self.path, "Authorization" in self.headers)
        status = 0
        try:
            self._drain()
            answer = self.server.answerer(self.command, self.path, self.headers.get("Authorization"))
            self.server.stopping.wait(answer.delay)
            status = 0 if answer.close else answer.status
            data, rest = self._bytes(answer)
            self.wfile.write(data)
            self.server.stopping.wait(answer.body_delay)
            self.wfile.write(rest[:-1])
        finally:
            # Before the last byte: when a client has its answer, the log must show the request as ended.
            self.server.log.end(key, status)
        self.wfile.write(rest[-1:])

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def _drain(self) -> None:
        # Otherwise the server would read the rest of the body as the next request.
        self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _bytes(self, answer: Answer) -> tuple[bytes, bytes]:
        """Return the bytes to send before and after ``body_delay``. The second part is empty only if nothing is sent."""
        if answer.close:
            self.close_connection = True
            return b"", b""
        fields = {"Server": "Jetty(10.0.24)", "Date": self.date_time_string(), **answer.headers}
        lines = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        lines += [f"Content-Length: {len(answer.body)}", "", ""]
        self.close_connection = self.close_connection or answer.sent is not None
        head = "\r\n".join(lines).encode("latin-1")
        body = b"" if self.command == "HEAD" else answer.body[: answer.sent]
        if answer.body_delay:
            return head + body[: len(body) // 2], body[len(body) // 2 :]
        return b"", head + body

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing to stderr."""


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already
