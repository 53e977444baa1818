"""OTLP log records -> open spans: ours survive as they were, whoever passes them on; those of others are left out."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from support.spans import span

from pipeline_trace.delivery.destinations.otlp_records import request_of
from pipeline_trace.serve import bodies
from pipeline_trace.serve.bodies import JSON, PROTOBUF
from pipeline_trace.serve.budget import BodyError, Budget
from pipeline_trace.serve.limits import Limits
from pipeline_trace.serve.records import Heard, Records, receive_records
from pipeline_trace.serve.signals import LOGS
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import SERVER

OPEN = replace(
    span(2, 1, start=5, end=0, name="playbook site.yml"),
    kind=SERVER,
    attributes={c.ANSIBLE_TYPE: "playbook", c.ANSIBLE_CHECK_MODE: True, "n": 3, "x": 1.5, "list": ["a", "b"]},
    resource={c.SERVICE_NAME: "ansible", c.HOST_NAME: "agent-1"},
)


def read(body: bytes, kind: str = PROTOBUF, **limits: int) -> Records:
    budget = Budget(replace(Limits(), **limits), signal=LOGS)
    return receive_records(bodies.parse(body, kind, budget), budget)


def as_json(request: ExportLogsServiceRequest) -> bytes:
    """Return a request in OTLP's JSON, with ids as hexadecimal digits."""
    data = json_format.MessageToDict(request)
    for of_resource, resource in zip(data["resourceLogs"], request.resource_logs, strict=True):
        for of_scope, scope in zip(of_resource["scopeLogs"], resource.scope_logs, strict=True):
            for record, sent in zip(of_scope["logRecords"], scope.log_records, strict=True):
                record |= {"traceId": sent.trace_id.hex(), "spanId": sent.span_id.hex()}
    return json.dumps(data).encode()


def changed(**attributes: Any) -> Records:
    """Return what becomes of our record with other values; None takes an attribute away."""
    request = request_of([OPEN], 30.0)
    (record,) = request.resource_logs[0].scope_logs[0].log_records
    for name, value in attributes.items():
        kept = [pair for pair in record.attributes if pair.key != getattr(c, name)]
        del record.attributes[:]
        record.attributes.extend(kept if value is None else [*kept, KeyValue(key=getattr(c, name), value=value)])
    return read(request.SerializeToString())


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_our_own_open_spans_are_what_they_were(kind: str) -> None:
    root = span(1, end=0, name="root")
    request = request_of([root, OPEN], 30.0)
    found = read(as_json(request) if kind == JSON else request.SerializeToString(), kind)
    (told_ns,) = {one.told_ns for one in found.heard}
    assert found == Records([Heard(root, 30.0, told_ns), Heard(OPEN, 30.0, told_ns)])
    assert abs(told_ns - time.time_ns()) < 600 * 10**9


def test_what_a_name_calls_a_secret_is_not_kept() -> None:
    told = replace(OPEN, attributes={**OPEN.attributes, "jenkins.parameter.DB_PASSWORD": "Zq7xVrT4mKp9"})
    (found,) = read(request_of([told], 30.0).SerializeToString()).heard
    assert found.span.attributes["jenkins.parameter.DB_PASSWORD"] == "***"


def test_what_is_told_together_with_a_run_names_it() -> None:
    ours, odd = (replace(OPEN, attributes={**OPEN.attributes, c.OPEN_TOLD_WITH: value}) for value in ("00000000000000aa", 7))
    found = read(request_of([ours, odd], 30.0).SerializeToString())
    assert [one.told_with for one in found.heard] == ["00000000000000aa", ""]
    assert [one.span for one in found.heard] == [OPEN, OPEN]


def test_what_a_record_has_for_those_who_read_logs() -> None:
    request = request_of([OPEN], 30.0)
    (record,) = request.resource_logs[0].scope_logs[0].log_records
    assert record.event_name == "pipeline_trace.span.open"
    assert record.severity_text == "INFO"
    assert record.body.string_value.startswith("open for ")
    assert record.body.string_value.endswith(" s: playbook site.yml")
    assert record.time_unix_nano == record.observed_time_unix_nano > 1_700_000_000_000_000_000


def test_spans_of_one_resource_share_it() -> None:
    other = replace(OPEN, span_id="9" * 16, resource={c.SERVICE_NAME: "other"})
    request = request_of([OPEN, other, replace(OPEN, span_id="8" * 16)], 30.0)
    counts = [len(resource.scope_logs[0].log_records) for resource in request.resource_logs]
    assert counts == [2, 1]


def test_a_large_open_span_is_cut_and_one_that_cannot_be_written_left_out() -> None:
    large = replace(OPEN, attributes={"text": "x" * 200_000})
    odd = replace(OPEN, span_id="9" * 16, attributes={"n": 1 << 70})
    request = request_of([odd, large], 30.0)
    assert request.ByteSize() < 16_000
    (heard,) = read(request.SerializeToString()).heard
    assert heard.span.attributes[c.LEFT_OUT_CHARACTERS] > 180_000
    assert heard.span.name == "playbook site.yml"


def test_records_of_others_are_left_out_without_a_word() -> None:
    request = request_of([OPEN], 30.0)
    records = request.resource_logs[0].scope_logs[0].log_records
    records.extend([LogRecord(body=AnyValue(string_value="hello")), LogRecord(event_name="browser.page_view")])
    found = read(request.SerializeToString())
    assert ([one.span for one in found.heard], found.rejected, found.reason) == ([OPEN], 0, "")
    assert bodies.answer(PROTOBUF, LOGS, rejected=found.rejected, reason=found.reason) == b""


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"OPEN_NAME": None}, "malformed name"),
        ({"OPEN_NAME": AnyValue(int_value=1)}, "malformed name"),
        ({"OPEN_START": None}, "malformed time"),
        ({"OPEN_START": AnyValue(string_value="now")}, "malformed time"),
        ({"OPEN_START": AnyValue(int_value=-1)}, "malformed time"),
        ({"OPEN_PARENT": AnyValue(string_value="zz")}, "malformed parent id"),
        ({"OPEN_KIND": None}, "unknown kind"),
    ],
)
def test_a_malformed_record_is_rejected_with_the_reason(attributes: dict[str, Any], reason: str) -> None:
    found = changed(**attributes)
    assert (found.heard, found.rejected) == ([], 1)
    assert reason in found.reason
    answer = bodies.answer(PROTOBUF, LOGS, rejected=found.rejected, reason=found.reason)
    assert ExportLogsServiceResponse.FromString(answer).partial_success.rejected_log_records == 1


def test_a_malformed_record_stops_no_other() -> None:
    request = request_of([OPEN, replace(OPEN, span_id="0" * 16), replace(OPEN, span_id="9" * 16)], 30.0)
    found = read(request.SerializeToString())
    assert ([one.span.span_id for one in found.heard], found.rejected) == ([OPEN.span_id, "9" * 16], 1)


def test_a_record_that_is_no_otlp_stops_no_other() -> None:
    data = json.loads(as_json(request_of([OPEN, replace(OPEN, span_id="9" * 16)], 30.0)))
    (first, _second) = data["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    first["timeUnixNano"] = 1 << 70
    found = read(json.dumps(data).encode(), JSON)
    assert ([one.span.span_id for one in found.heard], found.rejected) == (["9" * 16], 1)
    assert found.reason.startswith("it is malformed: ")


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [
        (AnyValue(double_value=0.5), 0.5),
        (AnyValue(int_value=60), 60.0),
        (None, 30.0),
        (AnyValue(double_value=-1.0), 30.0),
        (AnyValue(double_value=1e9), 30.0),
        (AnyValue(double_value=float("nan")), 30.0),
        (AnyValue(string_value="often"), 30.0),
    ],
)
def test_how_often_it_is_told(interval: AnyValue | None, seconds: float) -> None:
    (heard,) = changed(OPEN_INTERVAL=interval).heard
    assert heard.interval == seconds


def test_who_else_tells_it_stays_known() -> None:
    request = request_of([OPEN], 30.0)
    request.resource_logs[0].scope_logs[0].scope.CopyFrom(InstrumentationScope(name="other", version="2"))
    (heard,) = read(request.SerializeToString()).heard
    assert heard.span.attributes[c.SCOPE_NAME] == "other"


def test_limits_hold_as_for_spans() -> None:
    body = request_of([OPEN, replace(OPEN, span_id="9" * 16)], 30.0).SerializeToString()
    with pytest.raises(BodyError, match=r"more than 1 log records; send smaller batches .*OTEL_BLRP_MAX_EXPORT_BATCH_SIZE"):
        read(body, spans=1)
    with pytest.raises(BodyError, match="more than 5 attributes"):
        read(body, items=5)
    found = read(body, span_items=5)
    assert (found.heard, found.rejected) == ([], 2)
    assert "an open span of more than" in found.reason
    # Nobody knows whose a record is that is too large to be looked at.
    assert read(body, span_bytes=10) == Records()


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_a_body_that_is_none_says_what_was_expected(kind: str) -> None:
    with pytest.raises(BodyError, match=r"not a (valid ExportLogsServiceRequest|JSON object)"):
        read(b"\x0a\xff" if kind == PROTOBUF else b"[]", kind)


def test_a_run_is_named_by_an_id_or_not_at_all() -> None:
    for odd in ("x" * 900_000, "", "00000000000000AA", 7):
        (one,) = read(request_of([replace(OPEN, attributes={c.OPEN_TOLD_WITH: odd})], 30.0).SerializeToString()).heard or [
            None
        ]
        assert one is None or one.told_with == ""
