"""Runs until its input ends: ``python -m clickhouse_front FOLDER PORT [--certificate PEM [--clients PEM]]``."""

from __future__ import annotations

import argparse
import os
import ssl
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

from . import users
from .engine import Engine
from .log import Log
from .protocol import Handler, House


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    tls: ssl.SSLContext | None = None

    def finish_request(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        """Shake hands in the connection's own thread: one that says nothing keeps no other waiting."""
        if not self.tls:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        """Say nothing of clients that went away, or that have no certificate."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _tls(certificate: Path, clients: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if clients:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Serve on the loopback address until the parent ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--certificate", type=Path, help="the server's, with its key: HTTPS instead of HTTP")
    parser.add_argument("--clients", type=Path, help="the authority of clients' certificates, without which none is served")
    options = parser.parse_args()
    folder: Path = options.folder
    (folder / "spool").mkdir(exist_ok=True)
    known = users.load(folder / "users.json")
    Handler.house = House(Engine(folder / "data"), known, Log(folder / "log.jsonl"), folder / "spool", folder / "fault.json")
    threading.Thread(target=_end_with_parent, daemon=True).start()
    server = _Server(("127.0.0.1", options.port), Handler)
    if options.certificate:
        server.tls = _tls(options.certificate, options.clients)
    server.serve_forever()


main()
