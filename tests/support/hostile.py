"""A controller that answers whatever a test sends, byte for byte."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Pieces = Iterable[bytes]
Answer = Callable[[str], Pieces]
"""Returns what is sent for a path with query: a whole HTTP answer, in pieces. Then the connection is closed."""


@dataclass
class Hostile:
    """A server at ``url``. ``asked``: the paths of the requests so far, with queries."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def answering(answer: Answer) -> Iterator[Hostile]:
    """Serve on 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            self.close_connection = True
            # The client goes when it has enough.
            with suppress(OSError):
                for piece in answer(self.path):
                    self.wfile.write(piece)
                    self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Hostile(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


# When every answer is given: no clock of a test's machine says which build is in the future.
DATE = "Date: Mon, 30 Nov 2026 12:00:00 GMT"


def head(*lines: str) -> bytes:
    """Return the head of an answer with status 200, with further header lines."""
    return "\r\n".join(
        ["HTTP/1.1 200 OK", "Connection: close", DATE, "Content-Type: application/json", *lines, "", ""]
    ).encode()


def of_json(document: object) -> Pieces:
    """Return an answer with JSON."""
    body = json.dumps(document).encode()
    return [head(f"Content-Length: {len(body)}"), body]
