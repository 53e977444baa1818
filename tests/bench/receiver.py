"""An OTLP/HTTP receiver that counts spans, in a process of its own so that its CPU time is nobody else's.

Runs with the Python of the benchmark's environment, which has the protobuf messages: ``receiver.py`` prints its port.
GET answers with what came since the last GET.
"""

from __future__ import annotations

import gzip
import json
import subprocess
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from types import TracebackType
from urllib.request import urlopen


@dataclass(frozen=True)
class Received:
    """What came: spans with an id of their own, spans in all, requests."""

    distinct: int
    spans: int
    requests: int


class Receiver:
    """The receiver's process, seen by who measures. A context manager."""

    def __init__(self, python: Path) -> None:
        self._process = subprocess.Popen([python, __file__], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.pid = self._process.pid
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait()

    def take(self) -> Received:
        """Return what came since it was asked before."""
        with urlopen(self.url, timeout=60) as answer:
            return Received(**json.load(answer))


def serve() -> None:
    """Count until killed."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    lock = Lock()
    ids: list[bytes] = []
    requests = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body in two packets would wait for each other (Nagle).
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            nonlocal requests
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if not self.path.endswith("/v1/traces"):
                # Metrics: taken, not counted.
                self._answer(b"", "application/x-protobuf")
                return
            message = ExportTraceServiceRequest.FromString(body)
            scopes = [scope for resource in message.resource_spans for scope in resource.scope_spans]
            with lock:
                requests += 1
                ids.extend(span.span_id for scope in scopes for span in scope.spans)
            self._answer(b"", "application/x-protobuf")

        def do_GET(self) -> None:
            nonlocal requests
            with lock:
                counted = {"distinct": len(set(ids)), "spans": len(ids), "requests": requests}
                ids.clear()
                requests = 0
            self._answer(json.dumps(counted).encode(), "application/json")

        def _answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve()
