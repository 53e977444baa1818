"""Every answer is bounded, in bytes, in values and in time, whatever the controller sends."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import pytest
import support
import tenacity
from support import hostile
from support.hostile import Pieces, answering, head
from support.polling import Polling

from jenkins_poller.fetch import client
from jenkins_poller.fetch.api import Controller
from jenkins_poller.fetch.errors import ApiError, Malformed, Passing
from pipeline_trace_demo.replay import Fault, Replay

MIB = 1 << 20
CHUNKED, GZIP = "Transfer-Encoding: chunked", "Content-Encoding: gzip"
SPACES = b" " * MIB


def chunks(body: Iterator[bytes]) -> Iterator[bytes]:
    for piece in body:
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def bomb(mib: int) -> bytes:
    """Return JSON of so many MiB, packed a thousandfold."""
    packing = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([packing.compress(b"{}"), *(packing.compress(SPACES) for _ in range(mib)), packing.flush()])


ENDLESS = {
    "plain": lambda: chain([head()], repeat(SPACES)),
    "with a length": lambda: chain([head(f"Content-Length: {40 * MIB}")], repeat(SPACES, 40)),
    "chunked": lambda: chain([head(CHUNKED)], chunks(repeat(SPACES))),
    "packed": lambda: [head(GZIP), bomb(40)],
    "packed and chunked": lambda: chain([head(GZIP, CHUNKED)], chunks(repeat(bomb(40), 1))),
    "many values": lambda: [head(), b"[" + b"[],{}," * 2_000_000 + b"0]"],
}


def error_of(answer: Pieces, path: str = "api/json") -> ApiError:
    with answering(lambda _: answer) as jenkins:
        controller = Controller(jenkins.url, first_pause=0.001)
        with pytest.raises(ApiError) as error:
            controller.get(path)
    assert len(str(error.value).splitlines()) == 1
    return error.value


@pytest.mark.parametrize("name", ENDLESS)
def test_an_answer_has_at_most_32_mib_and_is_not_asked_for_again(name: str) -> None:
    with answering(lambda _: ENDLESS[name]()) as jenkins:
        with pytest.raises(Malformed, match="more than 32 MiB") as error:
            Controller(jenkins.url, first_pause=0.001).get("api/json")
        assert len(jenkins.asked) == 1
    assert error.value.kind == "size"


@pytest.mark.parametrize("name", ["plain", "chunked", "packed"])
def test_a_log_that_is_too_large_is_empty(name: str) -> None:
    with answering(lambda _: ENDLESS[name]()) as jenkins:
        assert Controller(jenkins.url).text("consoleText", 32 * MIB) == ""


@pytest.mark.parametrize("lines", [(), (GZIP,), (GZIP, CHUNKED), ("Content-Encoding: deflate",)])
def test_whatever_is_within_the_limit_is_read(lines: tuple[str, ...]) -> None:
    body = b'{"a":"%b"}' % (b"x" * (32 * MIB - 8))
    if GZIP in lines:
        body = gzip.compress(body)
    elif lines:
        body = zlib.compress(body)
    sent = chunks(iter([body])) if CHUNKED in lines else [body]
    with answering(lambda _: chain([head(*lines)], sent)) as jenkins:
        assert len(Controller(jenkins.url).document("api/json")["a"]) == 32 * MIB - 8


def test_what_is_packed_twice_is_not_unpacked() -> None:
    twice = gzip.compress(gzip.compress(b"{}"))
    error = error_of([head("Content-Encoding: gzip, gzip"), twice])
    assert isinstance(error, Passing)


def test_a_packed_answer_takes_no_more_memory_than_its_limit() -> None:
    packed = bomb(400)
    with answering(lambda _: [head(GZIP), packed]) as jenkins:
        tracemalloc.start()
        try:
            with pytest.raises(Malformed):
                Controller(jenkins.url).get("api/json")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 80 * MIB


@pytest.mark.parametrize("sent", [gzip.compress(b"{}")[:-9], b"no gzip", b""], ids=["cut", "not packed", "empty"])
def test_a_packed_answer_that_is_broken_is_told(sent: bytes) -> None:
    assert "without JSON" in str(error_of([head(GZIP), sent]))
    with answering(lambda _: [head(GZIP), sent]) as jenkins, pytest.raises(Passing, match="is broken"):
        Controller(jenkins.url, first_pause=0.001).text("consoleText", MIB)


@pytest.mark.parametrize("body", [b"[" * 100_000, b"9" * 5000, b'{"a": ', b"\xff\xfe", b"nul", b""])
def test_what_is_no_json_is_told(body: bytes) -> None:
    assert "without JSON" in str(error_of([head(), body]))


def dripping(first: bytes, drop: bytes) -> Iterator[bytes]:
    yield first
    for _ in range(400):
        time.sleep(0.05)
        yield drop


DRIPPING = {
    "the first line": (b"HTTP/1.1 200 ", b"O"),
    "header lines": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
    "one header line": (b"HTTP/1.1 200 OK\r\nX-A: ", b"b"),
    "the body": (head("Content-Length: 100000"), b" "),
    "the body without a length": (head(), b" "),
    "chunks": (head(CHUNKED), b"1\r\n \r\n"),
    "the length of a chunk": (head(CHUNKED), b"0"),
    "a packed body": (head(GZIP), b"\x1f\x8b\x08"),
    "the page of an error": (b"HTTP/1.1 500 Oops\r\n\r\n", b"<p>"),
}


@pytest.mark.parametrize("name", DRIPPING)
def test_an_answer_that_drips_ends_with_the_time_limit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", (10.0, 0.4))
    with answering(lambda _: dripping(*DRIPPING[name])) as jenkins:
        controller = Controller(jenkins.url, first_pause=0.001)
        began = time.monotonic()
        with pytest.raises(Passing, match="does not answer in time") as error:
            controller.get("api/json")
        assert time.monotonic() - began < 5
    assert error.value.kind == "timeout"


def test_each_answer_on_a_connection_has_a_time_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", (10.0, 2.0))
    with Replay(support.recording("10")) as jenkins:
        jenkins.faults = [Fault("", "slow", seconds=0.6)]
        controller = Controller(jenkins.url)
        for _ in range(4):
            controller.get("api/json")
        assert len(jenkins.requests) == 4


@pytest.mark.parametrize("value", ["9" * 30, "9" * 400, "\xb2", "-1", "soon", "1e9", "inf", "nan"])
def test_whatever_the_controller_asks_to_wait_is_at_most_a_minute(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(tenacity.nap, "sleep", waited.append)
    answer = f"HTTP/1.1 503 Busy\r\nConnection: close\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
    with answering(lambda _: [answer]) as jenkins, pytest.raises(Passing, match="503"):
        Controller(jenkins.url, first_pause=0.001).get("api/json")
    assert waited
    assert max(waited) <= 60


HOSTILE: dict[str, Pieces] = {
    "endless": [head(CHUNKED), b"%x\r\n%b\r\n" % (33 * MIB, b" " * 33 * MIB)],
    "packed": [head(GZIP), bomb(40)],
    "nothing": [],
    "no HTTP": [b"\0" * 1000],
    "long line": [b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * 100_000, b"\r\n\r\n{}"],
    "many headers": [b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 1000, b"\r\n{}"],
    "list": hostile.of_json([]),
    "null": hostile.of_json(None),
    "text": hostile.of_json("x" * 10_000),
    "odd length": [head("Content-Length: -5"), b"x"],
    "odd chunk": [head(CHUNKED), b"zz\r\n"],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_controller_is_one_line_and_the_cursor_stays(tmp_path: Path, name: str) -> None:
    with answering(lambda _: HOSTILE[name]) as jenkins:
        polling = Polling(tmp_path / "poller", jenkins)
        assert len(polling.failing()) < 500
        assert polling.state.cursors() == {}
        polling.state.close()
