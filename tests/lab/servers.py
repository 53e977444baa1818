"""Web servers with a fault: in the connection, in TLS, in the status or in the content."""

from __future__ import annotations

import re
import socket
import socketserver
import struct
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any

from lab.certificates import Certificates
from lab.model import Reply, Site
from lab.network import NAMES

# With these nothing listens at the name's address.
_SILENT = ("refused", "no-route", "connect-timeout", "name-unknown", "dns-down")
_PORTAL = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Sign in to continue</h1></body></html>\n"
_PHRASES = {407: "Proxy Authentication Required", 413: "Request Entity Too Large", 503: "Service Temporarily Unavailable"}


class Server:
    """A site with its fault, from entering the context until its end."""

    def __init__(self, site: Site, fault: str, certificates: Certificates) -> None:
        self.site, self.fault, self.certificates = site, fault, certificates
        # Connections and faulty answers so far.
        self.asked = self.faulty = 0
        self._server: socketserver.ThreadingTCPServer | None = None

    @property
    def silent(self) -> bool:
        """Whether nobody listens: then nothing is ever asked."""
        return self.fault in _SILENT

    def __enter__(self) -> Server:
        if not self.silent:
            address = (NAMES[self.site.host], self.site.port or (443 if self.site.tls else 80))
            self._server = _Listener(address, _handler(self))
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    def is_faulty(self, path: str) -> bool:
        """Return whether this answer has the fault, and count it."""
        if not re.search(self.site.at, path) or (self.site.times and self.faulty >= self.site.times):
            return False
        self.faulty += 1
        return True


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients break off: that is what they are here for."""


def _handler(owner: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(_Answers):
        server_of_case = owner

    return Handler


class _Answers(BaseHTTPRequestHandler):
    server_of_case: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "nginx", ""
    # A client that says nothing does not keep a thread.
    timeout = 30

    def setup(self) -> None:
        owner = self.server_of_case
        owner.asked += 1
        if owner.fault == "reset":
            _reset(self.request)
        if owner.fault == "closed":
            with suppress(OSError):
                self.request.recv(1)
            self.request.close()
        if owner.site.tls and owner.fault not in ("reset", "closed", "tls-plain", "hang"):
            self.request = owner.certificates.context(owner.fault).wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        if self.server_of_case.fault == "hang":
            time.sleep(self.timeout)
        with suppress(OSError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        """The log is the tool's."""

    def answer(self) -> None:
        """Answer one request, of whatever method."""
        owner = self.server_of_case
        sent = int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Expect", "").lower() == "100-continue" or sent:
            self.rfile.read(sent)
        page = owner.site.pages.get(self.path) or owner.site.pages.get(self.path.partition("?")[0])
        fault = owner.fault if owner.is_faulty(self.path) else ""
        if fault.startswith("http-"):
            self._send(_status(int(fault[5:]), "json" in self.headers.get("Accept", "")))
        elif fault == "redirect-loop":
            self._send(Reply(status=302, headers={"Location": self.path}))
        elif fault in ("html", "empty"):
            self._send(Reply(_PORTAL if fault == "html" else b"", "text/html; charset=utf-8"))
        elif page and fault in ("truncated", "reset-midway", "stalled"):
            self._send_half(page, fault)
        elif page and fault == "corrupt":
            middle = len(page.body) // 2
            self._send(Reply(page.body[:middle] + bytes(8) + page.body[middle + 8 :], page.type, page.status, page.headers))
        else:
            self._send(page or _status(404, "json" in self.headers.get("Accept", "")))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def _send(self, reply: Reply, length: int | None = None) -> None:
        self.send_response(reply.status, _phrase(reply.status))
        self.send_header("Content-Type", reply.type)
        self.send_header("Content-Length", str(len(reply.body) if length is None else length))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def _send_half(self, page: Reply, fault: str) -> None:
        half = Reply(page.body[: len(page.body) // 2], page.type, page.status, page.headers)
        self._send(half, len(page.body))
        self.wfile.flush()
        self.close_connection = True
        if fault == "stalled":
            time.sleep(self.timeout)
        elif fault == "reset-midway":
            time.sleep(0.1)
            _reset(self.connection)


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _phrase(status: int) -> str:
    return _PHRASES.get(status) or HTTPStatus(status).phrase


def _status(status: int, json: bool) -> Reply:
    headers = {
        401: {"WWW-Authenticate": 'Basic realm="registry"'},
        407: {"Proxy-Authenticate": 'Basic realm="proxy"'},
        429: {"Retry-After": "1"},
    }.get(status, {})
    line = f"{status} {_phrase(status)}"
    if json:
        body = f'{{"errors":[{{"status":{status},"message":"{_phrase(status)}"}}]}}'
        return Reply(body.encode(), "application/json", status, headers)
    head = f"<html>\n<head><title>{line}</title></head>\n<body>\n"
    page = f"{head}<center><h1>{line}</h1></center>\n<hr><center>nginx</center>\n</body>\n</html>\n"
    return Reply(page.encode(), "text/html", status, headers)
