"""A web server that fails a few times first: `python flaky.py PORT TIMES reset|503|429|slow FOLDER`.

The first requests get the fault, later ones the folder's files; a POST or PUT gets 201.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import struct
import sys
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class Handler(SimpleHTTPRequestHandler):
    """Answers with the fault while some are left."""

    left = 0
    fault = ""

    def parse_request(self) -> bool:
        """Fail this request if it is one of the first."""
        if not super().parse_request():
            return False
        if Handler.left <= 0:
            return True
        Handler.left -= 1
        if Handler.fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif Handler.fault == "slow":
            time.sleep(4)
        else:
            self.send_response(int(Handler.fault))
            self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "0")
            self.end_headers()
        return False

    def do_POST(self) -> None:
        """Take the body."""
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PUT = do_POST

    def finish(self) -> None:
        """End the connection; it may be closed already."""
        with contextlib.suppress(OSError):
            super().finish()


def main() -> None:
    """Serve until the process ends."""
    port, times, Handler.fault, folder = sys.argv[1:]
    Handler.left = int(times)
    ThreadingHTTPServer(("127.0.0.1", int(port)), functools.partial(Handler, directory=folder)).serve_forever()


if __name__ == "__main__":
    main()
