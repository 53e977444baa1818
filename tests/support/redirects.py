"""A web server that only redirects, as a front end does from http to https."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Redirects:
    """A server at ``url``. ``asked``: the paths of the requests so far, with queries."""

    url: str
    server: ThreadingHTTPServer
    asked: list[str] = field(default_factory=list)

    def secure(self, context: ssl.SSLContext) -> None:
        """Have it speak TLS from now on."""
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")


@contextmanager
def redirecting(target: Callable[[str], str], status: int = 301) -> Iterator[Redirects]:
    """Serve on 127.0.0.1. ``target``: from the path of a request, with its query, to the URL that it is redirected to."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            self.send_response(status)
            self.send_header("Location", target(self.path))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Redirects(f"http://127.0.0.1:{server.server_port}", server)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
