"""Hostile bodies: a limit of a request holds before memory or time is spent, and its message says what to do."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import threading
import time
import zlib
from contextlib import ExitStack
from dataclasses import replace
from threading import Event
from typing import Any

import grpc
import pytest
import requests
import support
from support.loops import ran
from support.serving import Server, call

from pipeline_trace.serve import bodies, jsontext, wire
from pipeline_trace.serve.bodies import JSON, PROTOBUF
from pipeline_trace.serve.budget import BodyError, Budget, StoppingError
from pipeline_trace.serve.intake import BusyError, Intake
from pipeline_trace.serve.limits import Limits
from pipeline_trace.serve.receiver import Received, receive
from pipeline_trace.trace.span import Span

SMALL = Limits(body_bytes=1 << 20, members=3, spans=10, items=100, depth=5, row_bytes=100_000, json_marks=1000)


def read(body: bytes, kind: str = PROTOBUF, limits: Limits = SMALL, stopping: Event | None = None) -> Received:
    budget = Budget(limits, stopping)
    return receive(bodies.parse(body, kind, budget), budget)


def refused(body: bytes, kind: str = PROTOBUF, limits: Limits = SMALL) -> BodyError:
    with pytest.raises(BodyError) as caught:
        read(body, kind, limits)
    assert "\n" not in str(caught.value)
    return caught.value


def varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def span(number: int = 1, more: bytes = b"") -> bytes:
    times = b"\x39" + struct.pack("<Q", 1000) + b"\x41" + struct.pack("<Q", 2000)
    return field(1, b"\1" * 16) + field(2, struct.pack(">Q", number)) + field(5, b"a") + times + more


def request(*spans: bytes, resource: bytes = b"", scope: bytes = b"") -> bytes:
    return field(1, field(1, resource) + field(2, field(1, scope) + b"".join(field(2, one) for one in spans)))


def pair(key: bytes, value: bytes) -> bytes:
    return field(1, key) + field(2, value)


def nested(depth: int) -> bytes:
    value = field(1, b"x")
    for _ in range(depth):
        value = field(5, field(1, value))
    return value


def nested_json(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return value


def request_json(**more: object) -> bytes:
    one = {"traceId": "1" * 32, "spanId": "2" * 16, "name": "a", "startTimeUnixNano": "1", "endTimeUnixNano": "2", **more}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [one]}]}]}).encode()


# What is read


def test_a_request_is_read_as_the_library_reads_it() -> None:
    inner = field(2, span(1)) + field(1, field(1, b"lib")) + b"\x50\x07" + field(2, span(2))
    # The resource comes last and in two parts; unknown fields of each wire type and a group stand between.
    unknown = b"\x50\x01" + b"\x55abcd" + b"\x51abcdefgh" + field(99, b"x") + b"\x53\x50\x01\x54"
    first, second = (field(1, pair(key, field(1, b"v"))) for key in (b"k", b"l"))
    body = unknown + field(1, unknown + field(2, inner) + field(1, first) + field(1, second)) + unknown
    found = read(body)
    assert [one.span_id for one in found.spans] == ["0" * 15 + "1", "0" * 15 + "2"]
    assert found.spans[0].resource == {"k": "v", "l": "v"}
    assert found.spans[0].attributes == {"otel.scope.name": "lib"}


@pytest.mark.parametrize(
    "body",
    [
        b"\x0a",
        b"\x0a\x05abc",
        b"\x0b" * 99,
        b"\x0c",
        b"\x0b",
        b"\x0e\x00",
        b"\x02\x00",
        b"\xff" * 20,
        field(1, b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
        request(b"\xff"),
        request(field(1, b"\1" * 16) + b"\x0f"),
    ],
)
def test_bytes_that_are_no_protobuf_are_said_to_be_none(body: bytes) -> None:
    assert "not a valid ExportTraceServiceRequest in protobuf" in str(refused(body))


# Limits


def test_spans_are_limited() -> None:
    assert len(read(request(*map(span, range(1, 11)))).spans) == 10
    error = refused(request(*map(span, range(1, 12))))
    assert error.too_large
    assert "more than 10 spans" in str(error)
    assert "send_batch_max_size" in str(error)


@pytest.mark.parametrize(
    "more",
    [
        field(9, b"") * 101,
        field(11, b"") * 101,
        field(13, b"") * 101,
        field(11, field(3, b"") * 60) * 2,
        field(9, pair(b"k", field(5, field(1, b"") * 101))),
        field(9, pair(b"k", field(6, field(1, b"") * 101))),
        field(9, pair(b"k", field(5, field(1, field(5, field(1, b"") * 50)) * 2))),
    ],
)
def test_attributes_events_links_and_values_are_limited(more: bytes) -> None:
    error = refused(request(span(1, more)))
    assert error.too_large
    assert "more than 100 attributes, events, links and values" in str(error)


def test_empty_resources_and_scopes_are_limited() -> None:
    assert refused(b"\x0a\x00" * 101).too_large
    assert refused(field(1, b"\x12\x00" * 101)).too_large


def test_a_resource_that_each_span_repeats_is_limited() -> None:
    large = field(1, pair(b"k", field(1, b"x" * 30_000)))
    assert len(read(request(*map(span, range(1, 4)), resource=large)).spans) == 3
    assert "leave out large resource attributes" in str(refused(request(*map(span, range(1, 5)), resource=large)))
    assert refused(request(*map(span, range(1, 5)), scope=field(1, b"x" * 30_000))).too_large


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_values_in_each_other_are_limited(kind: str) -> None:
    def body(depth: int) -> bytes:
        if kind == JSON:
            return request_json(attributes=[{"key": "k", "value": nested_json(depth)}])
        return request(span(1, field(9, pair(b"k", nested(depth)))))

    assert len(read(body(5), kind).spans) == 1
    for depth in (6, 60, 300):
        error = refused(body(depth), kind)
        assert not error.too_large
        assert "nested deeper than 5" in str(error)


def test_deep_json_of_any_kind_is_one_line() -> None:
    for body in (b"[" * 100_000, b'{"a":' * 100_000, b'{"resourceSpans":' * 50_000):
        assert "nested deeper than" in str(refused(body, JSON, Limits()))


def test_values_in_json_are_limited_before_they_are_read() -> None:
    for body in (b"[" + b"[]," * 1001, b"{" + b",".join(b'"%d":0' % n for n in range(1100)) + b"}"):
        error = refused(body, JSON)
        assert error.too_large
        assert "more than 1000 values in JSON" in str(error)


@pytest.mark.parametrize("text", ["[{," * 5000, '\\"[{,' * 3000, "\\" * 4000 + "{" * 2000, "é,🚀{" * 2000])
def test_marks_within_a_text_of_json_do_not_count(text: str) -> None:
    (found,) = read(request_json(attributes=[{"key": "k", "value": {"stringValue": text}}]), JSON).spans
    assert found.attributes == {"k": text}


def test_members_of_a_gzip_body_are_limited() -> None:
    three = gzip.compress(b"a", mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(b"b" * 200_000, mtime=0)
    assert bodies.unpack(three, "gzip", Budget(SMALL)) == b"a" + b"b" * 200_000
    with pytest.raises(BodyError, match="more than 3 members; compress the whole body as one"):
        bodies.unpack(three + gzip.compress(b"", mtime=0), "gzip", Budget(SMALL))
    with pytest.raises(BodyError, match="more than 3 members"):
        bodies.unpack(zlib.compress(b"") * 4, "deflate", Budget(SMALL))


# Time and memory


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(b"\x0a\x00" * (8 << 20), PROTOBUF, id="resources"),
        pytest.param(field(1, b"\x12\x00" * (8 << 20)), PROTOBUF, id="scopes"),
        pytest.param(field(1, field(2, b"\x12\x00" * (8 << 20))), PROTOBUF, id="spans"),
        pytest.param(b"\x50\x00" * (8 << 20), PROTOBUF, id="numbers"),
        pytest.param(b"[" + b"[]," * (5 << 20), JSON, id="lists"),
    ],
)
def test_sixteen_megabytes_of_nothing_are_refused_before_the_library_sees_them(
    monkeypatch: pytest.MonkeyPatch, body: bytes, kind: str
) -> None:
    monkeypatch.setattr(jsontext.json, "loads", lambda text: pytest.fail("read"))
    assert refused(body, kind).too_large


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
@pytest.mark.parametrize("number", [9, 11, 13])
def test_a_span_of_too_many_things_is_rejected_and_the_others_are_stored(kind: str, number: int) -> None:
    name = {9: "attributes", 11: "events", 13: "links"}[number]
    many = request_json(**{name: [{}] * 21}) if kind == JSON else request(span(1, field(number, b"") * 21), span(2))
    limits = replace(SMALL, span_items=20)
    found = read(many, kind, limits)
    assert (len(found.spans), found.rejected) == (0 if kind == JSON else 1, 1)
    assert found.reason == "a span with more than 20 attributes, events, links and values; send fewer of them"


@pytest.mark.parametrize("number", [9, 11, 13])
def test_a_span_of_sixteen_megabytes_of_nothing_is_rejected_unread(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    large, sizes = span(1, field(number, b"") * (8 << 20)), []
    given = wire._parsed

    def parsed(kind: Any, data: bytes, budget: Budget) -> Any:
        sizes.append(len(data))
        return given(kind, data, budget)

    monkeypatch.setattr(wire, "_parsed", parsed)
    found = read(request(large, span(2)), limits=Limits())
    assert ([one.span_id for one in found.spans], found.rejected) == (["0" * 15 + "2"], 1)
    assert found.reason == "a span of more than 1048576 bytes with its resource; cut its attributes and events"
    assert max(sizes) < 100


def test_a_large_resource_or_scope_rejects_its_spans_unread() -> None:
    for more in ({"resource": b"\x1a\x00" * (1 << 20)}, {"scope": b"\x1a\x00" * (1 << 20)}):
        found = read(request(span(1), span(2), **more), limits=Limits())
        assert (found.spans, found.rejected) == ([], 2)
    text = {"key": "k", "value": {"stringValue": "x" * 60}}
    assert read(request_json(attributes=[text]), JSON, replace(SMALL, span_bytes=100)).rejected == 1


def test_a_body_of_empty_members_is_refused_at_once() -> None:
    body = gzip.compress(b"", mtime=0) * 800_000
    began = time.process_time()
    with pytest.raises(BodyError, match="members"):
        bodies.unpack(body, "gzip", Budget(Limits()))
    assert time.process_time() - began < 1


def test_what_waits_for_the_disk_is_limited_in_spans_too() -> None:
    """A small body can become many spans, and all requests together wait for one disk."""

    class SlowDisk:
        def __init__(self) -> None:
            self.done = asyncio.Event()

        async def put(self, _spans: object) -> None:
            await self.done.wait()

    async def run() -> None:
        disk = SlowDisk()
        intake = Intake(disk, replace(SMALL, waiting_items=40))  # type: ignore[arg-type]
        body = request(*map(span, range(1, 5)))

        async def take() -> Received:
            with intake.hold() as hold:
                return await intake.take(body, PROTOBUF, "", hold)

        first = asyncio.ensure_future(take())
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="send the request again later"):
            await take()
        disk.done.set()
        assert len((await first).spans) == 4
        # The first one counts no longer; and one alone may be of any size.
        assert len((await take()).spans) == 4

    ran(run())


# The server ends


def test_reading_and_unpacking_stop_when_the_server_ends() -> None:
    stopping = Event()
    stopping.set()
    with pytest.raises(StoppingError, match="send the request again later"):
        read(request(span(1)), stopping=stopping)
    with pytest.raises(StoppingError):
        read(request_json(), JSON, stopping=stopping)
    with pytest.raises(StoppingError):
        bodies.unpack(gzip.compress(b"x"), "gzip", Budget(SMALL, stopping))


def post(server: Server, body: bytes, kind: str = PROTOBUF, encoding: str = "") -> int:
    headers = {"Content-Type": kind, "Content-Encoding": encoding}
    return requests.post(server.traces, data=body, headers=headers, timeout=60).status_code


@pytest.mark.process
def test_hostile_bodies_do_not_take_the_memory_of_the_machine(env: dict[str, str]) -> None:
    with Server(env) as server:
        assert post(server, b"\x0a\x00" * (8 << 20)) == 413
        with pytest.raises(grpc.RpcError) as caught:
            call(server, field(1, field(2, b"\x12\x00" * (7 << 20))))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        # One span too many things, which is rejected alone.
        assert post(server, request(span(1, b"\x5a\x00" * (7 << 20)))) == 200
        assert post(server, b'{"a":[' + b"{}," * (5 << 20) + b"0]}", JSON) == 413
        assert post(server, gzip.compress(b"", mtime=0) * 800_000, encoding="gzip") == 400
        assert post(server, gzip.compress(b"\0" * (1 << 26), mtime=0) * 90, encoding="gzip") == 413
        # Gigabytes without the limits.
        assert server.peak_kb() < 300_000
        assert post(server, request(span())) == 200
    assert len(support.stored(env)) == 1


@pytest.mark.process
@pytest.mark.slow
def test_term_ends_the_server_in_time_whatever_is_in_hand(env: dict[str, str]) -> None:
    """Without the limits, the library reads for half a minute, and no thread of Python's can be interrupted."""
    busy = request_json(events=[{}] * 5_000_000)
    with Server(env, limits={"json_marks": 1 << 30, "items": 1 << 30, "body_bytes": 1 << 30}) as server:
        assert post(server, request(span())) == 200

        answers: list[int] = []
        sender = threading.Thread(target=lambda: answers.append(post(server, busy, JSON)))
        sender.start()
        time.sleep(2)
        began = time.monotonic()
        status, said = server.end()
        assert time.monotonic() - began < 10
        sender.join()
    assert answers == [503]
    last = "pipeline-trace: requests were not read within 8 s after the signal; their clients send them again\n"
    # A fast machine is past what cannot be interrupted when the signal comes. Then there is nothing to say.
    assert (status, said) in ((0, last), (0, ""))
    assert [one["trace_id"] for one in support.stored(env)] == ["01" * 16]


@pytest.mark.process
@pytest.mark.slow
def test_at_the_end_one_line_says_how_many_did_not_read_their_answer(env: dict[str, str]) -> None:
    trace = "ab" * 16
    support.store_spans(env, [Span(trace, f"{at:016x}", None, "x" * 1000, 10**18, 10**18 + 1) for at in range(1, 20_001)])
    with Server(env) as server, ExitStack() as stack:
        for _ in range(3):
            reader = stack.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            reader.connect(("127.0.0.1", server.port))
            reader.sendall(b"GET /trace/%s.json HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (trace.encode(), server.port))
            assert reader.recv(1)
        cut = "pipeline-trace: 3 answers were cut off: their clients had not read them 5 s after the signal\n"
        assert server.end() == (0, cut)
