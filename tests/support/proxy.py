"""A small HTTP proxy: it forwards requests and tunnels (CONNECT), and alone knows where its names are."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import urlsplit


class Proxy:
    """A proxy at ``url``, from entering the context until its end.

    ``names``: host and port of names that nobody else resolves. ``asked``: the method and the target of each request so far.
    """

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        self.names = dict(names or {})
        self.asked: list[tuple[str, str]] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def place(self, target: str) -> str:
        """Return the host and port where a target really is."""
        return self.names.get(target.rpartition(":")[0] or target, target)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: Proxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._forward("GET")

    def do_POST(self) -> None:
        self._forward("POST")

    def _forward(self, method: str) -> None:
        url = urlsplit(self.path)
        self.server.proxy.asked.append((method, url.netloc))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        to = http.client.HTTPConnection(self.server.proxy.place(url.netloc))
        to.request(
            method,
            url._replace(scheme="", netloc="").geturl(),
            body,
            {name: value for name, value in self.headers.items() if name != "Host"},
        )
        answer = to.getresponse()
        data = answer.read()
        to.close()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type") or "")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_CONNECT(self) -> None:
        self.server.proxy.asked.append(("CONNECT", self.path))
        host, _, port = self.server.proxy.place(self.path).rpartition(":")
        with socket.create_connection((host, int(port))) as other:
            self.send_response(200, "Connection established")
            self.end_headers()
            there = threading.Thread(target=_pump, args=(other, self.connection), daemon=True)
            there.start()
            _pump(self.connection, other)
            there.join(5)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on stderr."""


def _pump(come: socket.socket, go: socket.socket) -> None:
    with suppress(OSError):
        while data := come.recv(1 << 16):
            go.sendall(data)
    with suppress(OSError):
        go.shutdown(socket.SHUT_WR)
