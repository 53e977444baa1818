"""A webhook for tests: a real HTTP server that answers as it is told, and keeps what it was sent."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from support import processes

# What an address has that nobody may see.
SECRET = "T0123456/B0123456/x9Y8z7W6v5U4t3S2"


@dataclass(frozen=True)
class Reply:
    """An answer. ``kind``: "status", "hang" (none until the server closes) or "reset" (the connection breaks)."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = "status"


HANG, RESET = Reply(kind="hang"), Reply(kind="reset")


class Hook:
    """A webhook at ``url``, from entering the context until its end. ``replies``: for the next requests; then it is 200.

    ``sent``: the bodies that were answered with a 2xx. ``asked``: the bodies of all requests.
    """

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.always: Reply | None = None
        self.sent: list[Any] = []
        self.asked: list[Any] = []
        self.closed = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.hook = self
        self.url = f"http://127.0.0.1:{self._server.server_port}/services/{SECRET}"

    def __enter__(self) -> Hook:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, count: int, seconds: float = 30) -> list[Any]:
        """Return the bodies that arrived, when there are so many."""
        processes.wait_for(lambda: len(self.sent) >= count, f"{count} messages", seconds)
        return list(self.sent)

    def reply(self) -> Reply:
        """Return the answer to the next request."""
        return self.always or (self.replies.pop(0) if self.replies else Reply())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hook: Hook

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        hook = self.server.hook
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        reply = hook.reply()
        hook.asked.append(body)
        if reply.kind == "hang":
            hook.closed.wait(60)
            return
        if reply.kind == "reset":
            # Closing at once, with no time to linger, sends a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        if 200 <= reply.status < 300:
            hook.sent.append(body)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on stderr."""


def texts(bodies: Sequence[Any], of: Callable[[Any], str] = lambda body: str(body["text"])) -> list[str]:
    """Return the first line of each message."""
    return [of(body).partition("\n")[0] for body in bodies]
