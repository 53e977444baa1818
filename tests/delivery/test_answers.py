"""What an answer means: only OTLP's own is a delivery, and each other one says what answered and what to do."""

from __future__ import annotations

import json
from email.utils import formatdate

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from pipeline_trace.delivery.destinations import Accepted, DeliveryError, answers, transport
from pipeline_trace.delivery.destinations.answers import HttpAnswer

NOW = 1_800_000_000.0
PAGE = b"<!doctype html>\n<title>Sign in</title><form>Please sign in</form>"
PARSE = transport.Watch(ExportTraceServiceResponse).parse


def partial(rejected: int, message: str = "") -> bytes:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = rejected
    answer.partial_success.error_message = message
    return answer.SerializeToString()


def read(status: int, content_type: str = "", body: bytes = b"", **more: object) -> Accepted | DeliveryError:
    return answers.http(HttpAnswer(status, "Reason", content_type, body, **more), PARSE, NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "content_type", "body", "accepted"),
    [
        (200, "application/x-protobuf", b"", Accepted()),
        (200, "", b"", Accepted()),
        (202, "", b"", Accepted()),
        (204, "", b"", Accepted()),
        (200, "text/html", b"", Accepted()),
        (200, "text/plain", b"\r\n", Accepted()),
        (200, "application/x-protobuf", partial(0), Accepted()),
        (200, "application/x-protobuf; charset=utf-8", partial(2, "no"), Accepted(2, "no")),
        # A field that a newer OTLP may have.
        (200, "application/x-protobuf", b"\x7a\x01x", Accepted()),
        (200, "application/json", b"{}", Accepted()),
        (200, "Application/JSON; charset=utf-8", b' {"partialSuccess": {}}', Accepted()),
        (200, "application/json", b'{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}', Accepted(3, "no")),
        (200, "application/json", b'{"partial_success":{"rejected_spans":3}}', Accepted(3)),
        (200, "application/json", b'{"partialSuccess":null}', Accepted()),
        # Without a content type, the body must prove what it is.
        (200, "", partial(1, "no"), Accepted(1, "no")),
        (200, "", b"{}", Accepted()),
    ],
)
def test_an_answer_of_an_otlp_receiver_is_a_delivery(
    status: int, content_type: str, body: bytes, accepted: Accepted
) -> None:
    assert read(status, content_type, body) == accepted


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (200, "text/html", PAGE),
        (202, "text/html; charset=utf-8", PAGE),
        (200, "", PAGE),
        (200, "application/x-protobuf", PAGE),
        (200, "application/json", PAGE),
        (200, "text/plain", b"OK"),
        (200, "text/plain", partial(1, "no")),
        (200, "application/octet-stream", partial(1, "no")),
        (200, "", b"\x7a\x01x"),
        (200, "", b"\x00" * 500),
        (200, "", bytes(range(256))),
        (200, "application/json", b'{"error": "log in first"}'),
        (200, "application/json", b'{"partialSuccess": {"rejectedSpans": "many"}}'),
        (200, "application/json", b'{"partialSuccess": {"rejectedSpans": 1.5}}'),
        (200, "application/json", b'{"partialSuccess": "yes"}'),
        (200, "application/json", b"[]"),
        (200, "application/json", b"[" * 100_000),
        (200, "application/json", b"\xff"),
    ],
)
def test_anything_else_is_not_delivered(status: int, content_type: str, body: bytes) -> None:
    result = read(status, content_type, body)
    assert isinstance(result, DeliveryError)
    assert (result.foreign, result.refused, result.unfit) == (True, False, False)
    assert "\n" not in str(result)


def test_an_answer_without_end_is_not_otlps() -> None:
    result = read(200, "application/x-protobuf", b"", whole=False)
    assert isinstance(result, DeliveryError)
    assert result.foreign


def test_the_line_says_what_answered_and_what_to_do_and_masks_secrets() -> None:
    said = str(read(200, "text/html; charset=utf-8", b"<title>token=hunter2hunter2</title>\n" + b"x" * 5000))
    assert said.startswith('answered 200 with text/html ("<title>token=***')
    assert "set OTEL_EXPORTER_OTLP_ENDPOINT to the receiver itself" in said
    assert "hunter2" not in said
    assert len(said) < 400


def test_a_refusal_says_the_receivers_own_words() -> None:
    assert str(read(429, "text/plain", b"the key\n is  unknown")) == '429 Reason ("the key is unknown")'
    assert str(read(429, "application/x-protobuf", b"\x08\x07")) == "429 Reason"


def test_a_text_for_people_is_passed_on_whole_and_its_own_advice_is_enough() -> None:
    advice = f"spans go elsewhere; {'x' * 100} set OTEL_EXPORTER_OTLP_ENDPOINT=http://here:4318"
    assert str(read(404, "text/plain", advice.encode(), path="/v1/traces")) == f'404 Reason ("{advice}")'
    assert str(read(404, "text/html", advice.encode())).endswith("all of it")
    assert len(str(read(429, "text/plain", b"y" * 5000))) < 400


def test_the_message_of_otlps_answer_is_passed_on() -> None:
    assert str(read(429, "application/x-protobuf", b"\x08\x07", message="too\nmuch")) == '429 Reason ("too much")'


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "401 Reason; check the login in OTEL_EXPORTER_OTLP_HEADERS"),
        (403, "403 Reason; check the login in OTEL_EXPORTER_OTLP_HEADERS"),
        (404, "404 Reason; check the path /v1/{traces}: OTEL_EXPORTER_OTLP_ENDPOINT is only what comes before /v1/, "),
        (405, "405 Reason; check the path /v1/{traces}: "),
        (304, "304 Reason; set OTEL_EXPORTER_OTLP_ENDPOINT to the receiver itself, and OTEL_EXPORTER_OTLP_HEADERS if it"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, said: str) -> None:
    assert str(read(status, path="/v1/{traces}")).startswith(said)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_says_where_to_without_its_secrets(status: int) -> None:
    said = str(read(status, "text/html", PAGE, location="https://ann:hunter2hunter2@login/?a=1\r\n\x1b[31m"))
    assert said.startswith(f"{status} Reason, to https://")
    assert "login/?a=1" in said
    assert "; set OTEL_EXPORTER_OTLP_ENDPOINT to the receiver itself" in said
    assert "hunter2" not in said
    assert said.isprintable()


def test_a_secret_in_a_path_is_masked() -> None:
    assert "hunter2" not in str(read(404, path="/token=hunter2hunter2/v1/traces"))


@pytest.mark.parametrize(
    ("code", "remedy"),
    [("UNAUTHENTICATED", "check the login in"), ("PERMISSION_DENIED", "check the login in"), ("UNIMPLEMENTED", "set OTEL_")],
)
def test_a_refusal_over_grpc_says_what_to_do(code: str, remedy: str) -> None:
    assert str(answers.grpc(code, "no")).startswith(f"{code}: no; {remedy}")


@pytest.mark.parametrize(
    ("status", "body", "flags"),
    [
        (400, b"", {"unfit"}),
        (422, b"", {"unfit"}),
        (400, b"http: request body too large", {"unfit", "too_large"}),
        (413, b"", {"too_large"}),
        (500, b"rpc error: received message larger than max (9 vs. 4)", {"too_large"}),
        (429, b"request too large for the rate limit", {"passing"}),
        (401, b"", set()),
        (403, b"", set()),
        (302, b"", set()),
        (500, b"", set()),
        (429, b"", {"passing"}),
        (503, b"", {"passing"}),
    ],
)
def test_a_refusal_over_http(status: int, body: bytes, flags: set[str]) -> None:
    assert flags_of(read(status, "text/plain", body)) == flags


@pytest.mark.parametrize(
    ("code", "details", "flags"),
    [
        ("INVALID_ARGUMENT", "no", {"unfit"}),
        ("RESOURCE_EXHAUSTED", "grpc: received message larger than max (4200000 vs. 4194304)", {"too_large", "passing"}),
        ("RESOURCE_EXHAUSTED", "Received message larger than max (9 vs. 4)", {"too_large", "passing"}),
        ("RESOURCE_EXHAUSTED", "gRPC message exceeds maximum size 4194304: 5000000", {"too_large", "passing"}),
        ("RESOURCE_EXHAUSTED", "request exceeds the maximum ingestion rate", {"passing"}),
        ("RESOURCE_EXHAUSTED", "RATE_LIMITED: ingestion rate limit (9 bytes) exceeded, adding 512 bytes", {"passing"}),
        ("OUT_OF_RANGE", "Error, decoded message length too large", {"too_large"}),
        ("RESOURCE_EXHAUSTED", "TRACE_TOO_LARGE: max size of trace exceeded", {"passing"}),
        ("RESOURCE_EXHAUSTED", "", {"passing"}),
        ("PERMISSION_DENIED", "no", set()),
        ("UNAVAILABLE", "Socket closed", {"passing"}),
        ("UNAVAILABLE", "failed to connect to all addresses; Connection refused", {"refused"}),
        ("UNAVAILABLE", "DNS resolution failed for collector:4317", {"refused"}),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", set()),
    ],
)
def test_a_refusal_over_grpc(code: str, details: str, flags: set[str]) -> None:
    assert flags_of(answers.grpc(code, details)) == flags


def flags_of(error: object) -> set[str]:
    return {name for name in ("refused", "unfit", "too_large", "foreign", "passing") if getattr(error, name)}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("999999999", 86_400.0),
        ("9" * 5000, None),
        ("-5", None),
        ("soon", None),
        ("", None),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        ("Wed, 99 Foo 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    assert answers.retry_after(text, NOW) == seconds


def test_the_time_that_a_receiver_asks_for_is_kept() -> None:
    result = read(429, "application/json", json.dumps({}).encode(), retry_after="7")
    assert isinstance(result, DeliveryError)
    assert result.wait == 7.0
    assert answers.grpc("UNAVAILABLE", "", 1e9).wait == 86_400.0
