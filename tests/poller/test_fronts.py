"""A web front before the controller that packs, cuts, redirects or swallows answers: all is read, or one line says why."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
import support

from jenkins_poller.fetch.api import Controller
from pipeline_trace_demo.replay import Replay

# What the front makes of the controller's body: all bytes that it sends.
Way = Callable[[bytes], bytes]
JSON = "Content-Type: application/json"


def answer(status: str, *headers: str, body: bytes = b"", version: str = "1.1") -> bytes:
    """Return an answer after which the front closes the connection."""
    return "\r\n".join([f"HTTP/{version} {status}", *headers, "", ""]).encode() + body


def sized(body: bytes, *headers: str, size: int | None = None) -> bytes:
    """Return an answer with a length. ``size``: another one than the body's."""
    length = len(body) if size is None else size
    return answer("200 OK", JSON, f"Content-Length: {length}", *headers, body=body)


def chunked(body: bytes, *, cut: bool = False) -> bytes:
    """Return an answer in pieces. ``cut``: without the last ones."""
    pieces = [body[at : at + 700] for at in range(0, len(body), 700)]
    sent = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
    last = b"" if cut else b"0\r\n\r\n"
    return answer(
        "200 OK", JSON, "Transfer-Encoding: chunked", body=b"".join(sent[: len(sent) // 2] if cut else sent) + last
    )


PACKED = "Content-Encoding: gzip"
RIGHT: dict[str, Way] = {
    "gzip": lambda body: sized(gzip.compress(body), PACKED),
    "chunked": chunked,
    "HTTP/1.0": lambda body: answer("200 OK", JSON, version="1.0", body=body),
    "mark": lambda body: sized(b"\xef\xbb\xbf" + body),
    "latin-1": lambda body: answer("200 OK", f"{JSON};charset=ISO-8859-1", f"Content-Length: {len(body)}", body=body),
}
# With what the line says.
WRONG: dict[str, tuple[Way, str]] = {
    "gzip cut": (lambda body: sized(gzip.compress(body)[:-20], PACKED), "answered without JSON"),
    "no gzip": (lambda body: sized(body, PACKED), "answered without JSON"),
    "cut": (lambda body: sized(body[: len(body) // 2], size=len(body)), "was cut off (IncompleteRead"),
    "chunks cut": (lambda body: chunked(body, cut=True), "was cut off"),
    "login": (lambda _: answer("302 Found", "Location: /login?from=%2F"), "redirects to another page"),
    "https": (lambda _: answer("301 Moved", "Location: https://jenkins.example.com/"), "(http or https?)"),
    "page": (lambda _: answer("200 OK", "Content-Type: text/html", body=b"<html>Sign in</html>"), "answered without JSON"),
    "204": (lambda _: answer("204 No Content"), "answered 204"),
    "empty": (lambda _: sized(b""), "answered without JSON"),
    "date": (lambda _: answer("503 Busy", "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT"), "answered 503"),
    "negative": (lambda _: answer("429 Busy", "Retry-After: -1"), "answered 429"),
    "teapot": (lambda _: answer("418 Teapot"), "answered 418"),
}


@contextmanager
def front(jenkins: Replay, way: Way) -> Iterator[str]:
    """Give the URL of a front before a controller."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(way(requests.get(jenkins.url + self.path, timeout=30).content))
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def jenkins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    monkeypatch.setitem(Controller.__init__.__kwdefaults__, "first_pause", 0.001)
    with Replay(support.recording("10")) as replay:
        yield replay


@pytest.mark.parametrize("way", RIGHT)
def test_an_answer_in_another_form_is_read(env: dict[str, str], jenkins: Replay, way: str) -> None:
    with front(jenkins, RIGHT[way]) as url:
        done = support.poll(url, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "5 builds read" in done.stdout


@pytest.mark.parametrize("way", WRONG)
def test_a_front_that_answers_wrong_is_one_line_and_nothing_half_is_written(
    env: dict[str, str], jenkins: Replay, way: str
) -> None:
    make, said = WRONG[way]
    with front(jenkins, make) as url:
        done = support.poll(url, env=env)
        (line,) = done.stderr.splitlines()
        assert (done.returncode, done.stdout) == (1, "")
        assert said in line
        assert url in line
        assert support.journals(env) == []
        assert support.stored(env) == []
