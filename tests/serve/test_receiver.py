"""OTLP bodies -> spans: what any sender sends survives, what cannot be a span is counted, bad bodies are told from good."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from support.peer_bodies import OTEL_CLI, OTEL_CLI_ZERO, PARENT, SPAN, TRACE, TRACEPUSHER
from support.report_samples import sample

from pipeline_trace.delivery.destinations.otlp import _span_maker
from pipeline_trace.serve import bodies
from pipeline_trace.serve.bodies import JSON, PROTOBUF
from pipeline_trace.serve.budget import BodyError, Budget
from pipeline_trace.serve.limits import Limits
from pipeline_trace.serve.receiver import Received, receive
from pipeline_trace.trace.span import Event, Link, Span, encode

LIMIT = 1 << 20


def read(body: bytes, kind: str, **limits: int) -> Received:
    budget = Budget(Limits(**limits))
    return receive(bodies.parse(body, kind, budget), budget)


def span_json(**more: Any) -> dict[str, Any]:
    times = {"startTimeUnixNano": "1000", "endTimeUnixNano": "2000"}
    return {"traceId": TRACE, "spanId": SPAN, "name": "a", **times, **more}


def request_json(*spans: object, resource: object = None) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {"attributes": resource or []}, "scopeSpans": [{"spans": list(spans)}]}]}


def from_json(*spans: object, **more: Any) -> Received:
    return read(json.dumps(request_json(*spans, **more)).encode(), JSON)


def one(**more: Any) -> Span:
    received = from_json(span_json(**more))
    assert (received.rejected, len(received.spans)) == (0, 1), received.reason
    # What is stored must be readable again.
    assert Span.from_dict(json.loads(encode(received.spans[0].to_dict()))) == received.spans[0]
    return received.spans[0]


def attribute(value: object) -> Any:
    return one(attributes=[{"key": "a", "value": value}]).attributes["a"]


def test_our_own_spans_are_what_they_were() -> None:
    spans = sample()
    sent = encode_spans(_span_maker()(spans)).SerializeToString()
    received = read(sent, PROTOBUF)
    assert received.rejected == 0
    assert sorted(encode(span.to_dict()) for span in received.spans) == sorted(encode(span.to_dict()) for span in spans)


def test_otel_cli_in_protobuf() -> None:
    received = read(OTEL_CLI, PROTOBUF)
    assert received == Received(
        [
            Span(
                TRACE,
                SPAN,
                PARENT,
                "make test",
                1764000000000000000,
                1764000004500000000,
                kind="CLIENT",
                status_code="ERROR",
                status_message="exit status 2",
                attributes={
                    "otel.scope.name": "github.com/equinix-labs/otel-cli",
                    "otel.scope.version": "0.4.5",
                    "process.command": "make",
                    "attempt": 2,
                    "clean": True,
                },
                events=[Event("linked", 1764000001000000000)],
                resource={"service.name": "otel-cli"},
            )
        ]
    )


def test_otel_cli_with_a_zero_traceparent_is_rejected_and_counted() -> None:
    assert read(OTEL_CLI_ZERO, PROTOBUF) == Received([], 1, f"invalid trace id '{'0' * 32}'")


def test_tracepusher_in_json_with_enum_names_and_snake_case() -> None:
    (span,) = read(TRACEPUSHER, JSON).spans
    assert (span.trace_id, span.span_id, span.parent_id) == (TRACE, SPAN, PARENT)
    assert (span.start_ns, span.end_ns) == (1764000000000000000, 1764000002000000000)
    assert (span.kind, span.status_code, span.attributes["attempts"]) == ("INTERNAL", "OK", 3)
    assert span.events == [Event("retried", 1764000001000000000, {"why": "503"})]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"stringValue": "ü 🚀"}, "ü 🚀"),
        ({"boolValue": False}, False),
        ({"intValue": "-9223372036854775808"}, -(1 << 63)),
        ({"intValue": 7}, 7),
        ({"doubleValue": 1.5}, 1.5),
        ({"doubleValue": "NaN"}, "NaN"),
        ({"doubleValue": "-Infinity"}, "-Infinity"),
        ({"bytesValue": "AAH/"}, "AAH/"),
        ({"arrayValue": {"values": [{"stringValue": "x"}, {"stringValue": "y"}]}}, ["x", "y"]),
        ({"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "y"}, {}]}}, [1, "y", ""]),
        ({"arrayValue": {}}, []),
        (
            {"arrayValue": {"values": [{"arrayValue": {"values": [{"intValue": "1"}]}}, {"kvlistValue": {}}]}},
            ["[1]", "{}"],
        ),
        (
            {"kvlistValue": {"values": [{"key": "ü", "value": {"arrayValue": {"values": [{"doubleValue": "Infinity"}]}}}]}},
            '{"ü":["Infinity"]}',
        ),
        ({}, ""),
        (None, ""),
        ({"unknownValue": 5}, ""),
    ],
)
def test_every_kind_of_attribute_survives(value: object, expected: object) -> None:
    found = attribute(value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("sent", "kind"),
    [(0, "INTERNAL"), (1, "INTERNAL"), (2, "SERVER"), (5, "CONSUMER"), (99, "INTERNAL"), ("SPAN_KIND_CLIENT", "CLIENT")],
)
def test_kinds(sent: object, kind: str) -> None:
    assert one(kind=sent).kind == kind


def test_unknown_fields_and_values_are_ignored() -> None:
    span = one(kind="SPAN_KIND_NEW", status={"code": 77, "other": 1}, flags=257, newField={"deep": [1, {"a": None}]})
    assert (span.kind, span.status_code) == ("INTERNAL", "UNSET")


def test_ids_in_capitals_are_the_same_ids() -> None:
    span = one(traceId=TRACE.upper(), parentSpanId=PARENT.upper())
    assert (span.trace_id, span.parent_id) == (TRACE, PARENT)


@pytest.mark.parametrize("parent", ["", "0" * 16, None])
def test_an_empty_or_zero_parent_is_none(parent: str | None) -> None:
    assert one(parentSpanId=parent).parent_id is None


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"traceId": "0" * 32}, "invalid trace id"),
        ({"traceId": TRACE[:-2]}, "invalid trace id"),
        ({"traceId": "no digits at all"}, "invalid trace id"),
        ({"traceId": None}, "invalid trace id"),
        ({"spanId": "0" * 16}, "invalid span id"),
        ({"spanId": TRACE}, "invalid span id"),
        ({"parentSpanId": "abcd"}, "invalid parent span id"),
        ({"startTimeUnixNano": 0, "endTimeUnixNano": "0"}, "no start time and no end time"),
        ({"endTimeUnixNano": str(1 << 63)}, "a time after"),
        ({"name": 5}, "it is malformed: "),
        ({"startTimeUnixNano": -5}, "it is malformed: "),
        ({"attributes": [{"key": "a", "value": {"intValue": str(1 << 70)}}]}, "it is malformed: "),
    ],
)
def test_what_cannot_be_a_span_is_counted_and_the_rest_taken(wrong: dict[str, Any], reason: str) -> None:
    received = from_json(span_json(**wrong), span_json(name="good"), span_json(**wrong))
    assert [span.name for span in received.spans] == ["good"]
    assert received.rejected == 2
    assert received.reason.startswith(reason)


def test_a_missing_time_is_the_other_one() -> None:
    assert one(endTimeUnixNano="0").end_ns == 1000
    assert one(startTimeUnixNano=None).start_ns == 2000


def test_links_and_events_that_cannot_be_stored_are_counted() -> None:
    good = {"traceId": TRACE, "spanId": PARENT, "attributes": [{"key": "why", "value": {"stringValue": "x"}}]}
    span = one(
        links=[good, {"traceId": "0" * 32, "spanId": SPAN}],
        events=[{"timeUnixNano": "5", "name": "e"}, {"timeUnixNano": str((1 << 64) - 1), "name": "late"}],
        droppedLinksCount=2,
        droppedAttributesCount=4,
    )
    assert (span.links, span.events) == ([Link(TRACE, PARENT, {"why": "x"})], [Event("e", 5)])
    assert span.attributes == {
        "otel.dropped_links_count": 3,
        "otel.dropped_events_count": 1,
        "otel.dropped_attributes_count": 4,
    }


def test_half_a_character_becomes_a_question_mark_and_a_whole_one_stays() -> None:
    body = json.dumps(request_json(span_json(name="cut \ud83d, whole 🚀, \\ud800"))).encode()
    (span,) = read(body, JSON).spans
    assert span.name == "cut ?, whole 🚀, \\ud800"


@pytest.mark.parametrize("body", [b"{}", b'{"resourceSpans":[]}', b'{"resourceSpans":null}', b' {"resourceMetrics":[{}]}'])
def test_a_request_without_spans_is_one(body: bytes) -> None:
    assert read(body, JSON) == Received()
    assert read(b"", PROTOBUF) == Received()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\xfa",
        b"<html>",
        b'{"resourceSpans":{}}',
        b'{"resourceSpans":[1]}',
        b'{"resourceSpans":"x"}',
        json.dumps(request_json(span_json(name=5))).encode(),
        json.dumps(request_json(span_json(startTimeUnixNano=-5))).encode(),
        json.dumps(request_json(span_json(startTimeUnixNano="soon"))).encode(),
        json.dumps(request_json(span_json(attributes=[{"key": "a", "value": {"intValue": str(1 << 70)}}]))).encode(),
        OTEL_CLI,
    ],
)
def test_bad_json_is_said_in_one_line(body: bytes) -> None:
    with pytest.raises(BodyError, match=r"not a (JSON object|valid ExportTraceServiceRequest in JSON)[^\n]*$") as caught:
        read(body, JSON)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("body", [b"{}", b"\x0a\xff", OTEL_CLI[:-3], TRACEPUSHER])
def test_bad_protobuf_is_said(body: bytes) -> None:
    with pytest.raises(BodyError, match="the body is not a valid ExportTraceServiceRequest in protobuf"):
        read(body, PROTOBUF)


def test_deep_attributes_do_not_break_the_receiver() -> None:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(120):
        value = {"arrayValue": {"values": [value]}}
    with pytest.raises(BodyError):
        attribute(value)


# Without a time: each worker names its tests by them.
_PACKED = gzip.compress(OTEL_CLI, mtime=0)


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        (_PACKED, "gzip"),
        (gzip.compress(OTEL_CLI[:100], mtime=0) + gzip.compress(OTEL_CLI[100:], mtime=0), "gzip"),
        (zlib.compress(OTEL_CLI), "deflate"),
        (OTEL_CLI, ""),
    ],
)
def test_packed_bodies(packed: bytes, encoding: str) -> None:
    assert bodies.unpack(packed, encoding, Budget(Limits(body_bytes=LIMIT))) == OTEL_CLI


@pytest.mark.parametrize("packed", [OTEL_CLI, _PACKED[:-4], _PACKED[:20], b"\x1f\x8b"])
def test_badly_packed_bodies(packed: bytes) -> None:
    with pytest.raises(BodyError) as caught:
        bodies.unpack(packed, "gzip", Budget(Limits(body_bytes=LIMIT)))
    assert not caught.value.too_large


def test_a_small_body_may_not_unpack_to_a_large_one() -> None:
    exact = gzip.compress(bytes(LIMIT))
    assert len(bodies.unpack(exact, "gzip", Budget(Limits(body_bytes=LIMIT)))) == LIMIT
    for bomb in (gzip.compress(bytes(LIMIT + 1)), exact + gzip.compress(b"x"), gzip.compress(bytes(LIMIT * 50))):
        with pytest.raises(BodyError) as caught:
            bodies.unpack(bomb, "gzip", Budget(Limits(body_bytes=LIMIT)))
        assert caught.value.too_large


def test_answers_are_in_the_requests_form() -> None:
    assert bodies.answer(PROTOBUF) == b""
    assert json.loads(bodies.answer(JSON)) == {}
    partial = {"rejectedSpans": "2", "errorMessage": "why"}
    assert json.loads(bodies.answer(JSON, rejected=2, reason="why")) == {"partialSuccess": partial}
    read = ExportTraceServiceResponse.FromString(bodies.answer(PROTOBUF, rejected=2, reason="why"))
    assert (read.partial_success.rejected_spans, read.partial_success.error_message) == (2, "why")
    assert json.loads(bodies.refusal(JSON, 3, "why")) == {"code": 3, "message": "why"}
    assert Status.FromString(bodies.refusal(PROTOBUF, 3, "why")) == Status(code=3, message="why")
