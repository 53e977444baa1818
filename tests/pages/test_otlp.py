"""Spans as OTLP's JSON: as the specification has it, and as a receiver reads it again."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.others import Plugin
from support.report_samples import TRACE, hostile_spans, make, many, sample

from pipeline_trace.report.otlp import lines_of
from pipeline_trace.serve import jsontext, receiver
from pipeline_trace.serve.budget import Budget
from pipeline_trace.serve.limits import Limits
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import ERROR, Event, Link, Span


def written(*spans: Span) -> Any:
    (line,) = lines_of(spans)
    return json.loads(line)


def read(line: str) -> list[Span]:
    """Return the spans of a request as our receiver reads them."""
    budget = Budget(Limits(), threading.Event())
    received = receiver.receive(jsontext.batches(line.encode(), budget), budget)
    assert (received.rejected, received.reason) == (0, "")
    return received.spans


def by_id(spans: list[Span]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(span.trace_id, span.span_id): span.to_dict() for span in spans}


def test_it_is_written_as_the_specification_says() -> None:
    span = make("x", "above", "RUN app", 0, 1, jenkins_type="run", count=3, share=0.5, ok=True, list=["a", 1])
    span.kind, span.status_code, span.status_message = "SERVER", ERROR, "broke"
    span.resource = {c.SERVICE_NAME: "jenkins"}
    span.events, span.links = [Event("trigger", span.start_ns, {"who": "mara"})], [Link("a" * 32, "b" * 16)]
    assert written(span) == {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "jenkins"}}]},
                "scopeSpans": [
                    {
                        "scope": {},
                        "spans": [
                            {
                                "traceId": TRACE,
                                "spanId": span.span_id,
                                "parentSpanId": span.parent_id,
                                "name": "RUN app",
                                "kind": 2,
                                "startTimeUnixNano": "1741188612250000000",
                                "endTimeUnixNano": "1741188613250000000",
                                "attributes": [
                                    {"key": "jenkins.type", "value": {"stringValue": "run"}},
                                    {"key": "count", "value": {"intValue": "3"}},
                                    {"key": "share", "value": {"doubleValue": 0.5}},
                                    {"key": "ok", "value": {"boolValue": True}},
                                    {
                                        "key": "list",
                                        "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}]}},
                                    },
                                ],
                                "events": [
                                    {
                                        "timeUnixNano": "1741188612250000000",
                                        "name": "trigger",
                                        "attributes": [{"key": "who", "value": {"stringValue": "mara"}}],
                                    }
                                ],
                                "links": [{"traceId": "a" * 32, "spanId": "b" * 16}],
                                "status": {"code": 2, "message": "broke"},
                            }
                        ],
                    }
                ],
            }
        ]
    }


def test_the_official_messages_take_it() -> None:
    (line,) = lines_of(sample())
    request = ExportTraceServiceRequest()
    # Not ids: the library wants them in base64, and OTLP's JSON in hexadecimal.
    json_format.ParseDict(json.loads(line), request, ignore_unknown_fields=False)
    spans = [span for one in request.resource_spans for two in one.scope_spans for span in two.spans]
    assert len(spans) == len(sample())


@pytest.mark.parametrize("spans", [sample(), many(500), Plugin().spans], ids=["sample", "many", "other tools"])
def test_a_receiver_reads_the_same_spans(spans: list[Span]) -> None:
    (line,) = lines_of(spans)
    assert by_id(read(line)) == by_id(spans)


def test_the_library_that_made_a_span_and_what_was_dropped_stay() -> None:
    span = make("x", None, "one", 0, 1)
    span.attributes = {c.SCOPE_NAME: "io.jenkins", c.SCOPE_VERSION: "3", c.DROPPED_EVENTS: 7, "own": "x"}
    document = written(span)["resourceSpans"][0]["scopeSpans"][0]
    assert document["scope"] == {"name": "io.jenkins", "version": "3"}
    assert document["spans"][0]["droppedEventsCount"] == 7
    assert document["spans"][0]["attributes"] == [{"key": "own", "value": {"stringValue": "x"}}]
    assert read(next(lines_of([span])))[0].attributes == span.attributes


ODD: dict[str, list[Any]] = {
    c.SCOPE_NAME: [5, True, ["a"]],
    c.SCOPE_VERSION: [["a"], 1.5],
    c.DROPPED_ATTRIBUTES: ["many", -1, 2**40, True, 1.5, ["1"]],
    c.DROPPED_EVENTS: [-1, 2**32],
    c.DROPPED_LINKS: [2**40, "3"],
    "count": [2**63, -(2**63) - 1, 2**70],
    "counts": [[1, 2**70]],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in ODD.items() for value in values])
def test_one_odd_span_leaves_all_readable(name: str, value: Any) -> None:
    odd = make("x", None, "odd", 0, 1)
    odd.attributes = {name: value}
    (line,) = lines_of([odd, make("y", None, "fine", 0, 1)])
    request = json_format.ParseDict(json.loads(line), ExportTraceServiceRequest(), ignore_unknown_fields=False)
    found = [span for one in request.resource_spans for two in one.scope_spans for span in two.spans]
    assert {span.name: [pair.key for pair in span.attributes] for span in found} == {"odd": [name], "fine": []}
    (sent,) = (span for span in read(line) if span.name == "odd")
    assert str(sent.attributes[name]).replace("'", "") == str(value).replace("'", "")


@pytest.mark.parametrize("name", [c.SCOPE_NAME, "own", c.SERVICE_NAME])
def test_half_a_character_leaves_all_readable(name: str) -> None:
    odd = make("x", None, "odd \ud800", 0, 1)
    odd.attributes = {name: "\ud800x", "\udfff": "y"}
    odd.resource = dict(odd.attributes)
    odd.fail("\udc80")
    odd.events = [Event("\ud800", odd.start_ns, {"\ud800": "\ud800"})]
    (line,) = lines_of([odd])
    json_format.Parse(line, ExportTraceServiceRequest(), ignore_unknown_fields=False)


def test_spans_of_one_resource_and_one_library_stand_together() -> None:
    document = written(*sample())
    assert [len(one["scopeSpans"]) for one in document["resourceSpans"]] == [1, 1]


def test_numbers_that_json_does_not_have_are_words() -> None:
    span = make("x", None, "one", 0, 1, nan=float("nan"), most=float("inf"), least=float("-inf"))
    values = [one["value"] for one in written(span)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"]]
    assert values == [{"doubleValue": "NaN"}, {"doubleValue": "Infinity"}, {"doubleValue": "-Infinity"}]


def test_hostile_texts_stay_one_line_of_ascii() -> None:
    (line,) = lines_of(hostile_spans())
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert len(read(line)) == len(hostile_spans())


def test_spans_that_still_run_are_left_out() -> None:
    open_one = make("y", None, "two", 0, None)
    assert len(read(next(lines_of([make("x", None, "one", 0, 1), open_one])))) == 1
    assert written(open_one) == {"resourceSpans": []}
    assert written() == {"resourceSpans": []}


def test_a_large_trace_is_several_requests_each_of_which_a_receiver_takes() -> None:
    spans = many(25_000)
    lines = list(lines_of(spans))
    assert len(lines) > 2
    assert all(len(line) < Limits().body_bytes // 2 for line in lines)
    assert by_id([span for line in lines for span in read(line)]) == by_id(spans)


def test_secrets_of_other_tools_are_masked_and_the_spans_stay_as_they_are() -> None:
    token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
    span = make("x", None, f"push token={token}", 0, 1, note=f"token={token}")
    span.fail(f"token={token}")
    span.events, span.resource = [Event("say", span.start_ns, {"text": f"token={token}"})], {"text": f"token={token}"}
    before = span.to_dict()
    assert token not in next(lines_of([span]))
    assert span.to_dict() == before
