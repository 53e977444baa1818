"""The tables of the Collector's clickhouseexporter, and spans written into them as it writes them, without it.

create(engine)
create_runs(engine)
insert(engine, spans)

``tests/engines`` holds both against the real exporter's.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from pipeline_trace import __version__
from pipeline_trace.delivery.destinations.otlp_records import request_of
from pipeline_trace.trace.span import ERROR, Attributes, Span
from support.clickhouse import Engine
from support.examples import CLICKHOUSE

# Wherever nothing else is said the exporter takes this codec.
_ZSTD = "CODEC(ZSTD(1))"
_WORD = "LowCardinality(String)"
_BATCH = 5000


def create(engine: Engine, *, database: str = "default", table: str = "otel_traces", as_json: bool = False) -> None:
    """Make the table of spans, that of when each trace was, and the view that fills the latter.

    ``as_json``: attributes in columns of type JSON (``json: true`` in the exporter), not Map.
    """
    engine.sql(f"CREATE DATABASE IF NOT EXISTS {database}")
    engine.sql(_spans_table(f"{database}.{table}", as_json))
    engine.sql(f"""CREATE TABLE {database}.{table}_trace_id_ts (
        TraceId String {_ZSTD}, Start DateTime CODEC(Delta, ZSTD(1)), End DateTime CODEC(Delta, ZSTD(1)),
        INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1
    ) ENGINE = MergeTree PARTITION BY toDate(Start) ORDER BY (TraceId, Start) SETTINGS ttl_only_drop_parts = 1""")
    engine.sql(f"""CREATE MATERIALIZED VIEW {database}.{table}_trace_id_ts_mv TO {database}.{table}_trace_id_ts AS
        SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End
        FROM {database}.{table} WHERE TraceId != '' GROUP BY TraceId""")


def create_logs(engine: Engine, *, database: str = "default", table: str = "otel_logs", events: bool = True) -> None:
    """Make the table of log records. ``events``: with the names of events, which older exporters leave out."""
    kind = f"Map({_WORD}, String)"
    columns = ["Timestamp DateTime64(9)", "TraceId String", "SpanId String", "TraceFlags UInt8", "SeverityText " + _WORD]
    columns += [
        "SeverityNumber UInt8",
        "ServiceName " + _WORD,
        "Body String",
        f"ResourceAttributes {kind}",
        "ScopeName String",
    ]
    columns += [f"LogAttributes {kind}", *(["EventName String"] if events else [])]
    engine.sql(f"CREATE DATABASE IF NOT EXISTS {database}")
    engine.sql(f"""CREATE TABLE {database}.{table} ({", ".join(columns)}) ENGINE = MergeTree
        PARTITION BY toDate(Timestamp) ORDER BY (toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)""")


def create_runs(
    engine: Engine, *, database: str = "default", table: str = "otel_traces", as_json: bool = False, fill: bool = True
) -> None:
    """Apply the example's runs.sql: make the table of runs and the view that fills it. ``fill``: from the spans there, too.

    Without its TTL: a test's spans may be of long ago.
    """
    for statement in runs_statements(database, table, as_json)[: None if fill else -1]:
        engine.sql(statement)


def runs_statements(database: str = "default", table: str = "otel_traces", as_json: bool = False) -> list[str]:
    """Return the statements of the example's runs.sql, without comments and TTL: its table, its view, what fills it."""
    text = (CLICKHOUSE / ("runs-json.sql" if as_json else "runs.sql")).read_text()
    text = re.sub(r"^(--|TTL) .*\n", "", text, flags=re.MULTILINE).replace("otel.otel_traces", f"{database}.{table}")
    return [statement for statement in text.split(";\n") if statement.strip()]


def insert(
    engine: Engine, spans: Iterable[Span], *, database: str = "default", table: str = "otel_traces", as_json: bool = False
) -> None:
    """Write spans as the exporter does after pipeline-trace sent them. ``as_json``: as the table was created."""
    rows = [encoded(_row(span, as_json)) for span in spans]
    for start in range(0, len(rows), _BATCH):
        body = "\n".join(rows[start : start + _BATCH]).encode()
        engine.send(body, query=f"INSERT INTO {database}.{table} FORMAT JSONEachRow")


def insert_open(
    engine: Engine, spans: Iterable[Span], told_ns: int, *, database: str = "default", events: bool = True, **more: object
) -> None:
    """Write the log records of open spans, told at a time. ``more``: attributes in place of those that are told."""
    request = request_of(list(spans), 30.0)
    records = ((of, log) for of in request.resource_logs for log in of.scope_logs[0].log_records)
    for of, log in records:
        resource, attributes = (
            {pair.key: as_text(_value(pair.value)) for pair in pairs} for pairs in (of.resource.attributes, log.attributes)
        )
        row = {
            "Timestamp": _seconds(told_ns),
            "TraceId": log.trace_id.hex(),
            "SpanId": log.span_id.hex(),
            "Body": log.body.string_value,
            "ResourceAttributes": resource,
            "LogAttributes": {**attributes, **more},
            **({"EventName": log.event_name} if events else {}),
        }
        engine.send(f"INSERT INTO {database}.otel_logs FORMAT JSONEachRow {json.dumps(row)}".encode())


def _value(value: AnyValue) -> object:
    """Return a value of OTLP as ours."""
    kind = value.WhichOneof("value")
    return [_value(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind)


def as_text(value: object) -> str:
    """Return an attribute's value as it stands in a Map."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    return value if isinstance(value, str) else encoded(_as_go(value))


def encoded(value: object) -> str:
    """Return compact JSON, with all letters as they are."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _spans_table(name: str, as_json: bool) -> str:
    kind = "JSON" if as_json else f"Map({_WORD}, String)"
    plain = [*((column, "String") for column in ("TraceId", "SpanId", "ParentSpanId", "TraceState"))]
    plain += [(column, _WORD) for column in ("SpanName", "SpanKind", "ServiceName")]
    plain += _attributes("Resource", kind, as_json)
    plain += [("ScopeName", "String"), ("ScopeVersion", "String")]
    plain += _attributes("Span", kind, as_json)
    plain += [("Duration", "UInt64"), ("StatusCode", _WORD), ("StatusMessage", "String")]
    plain += [("Events", f"Nested(Timestamp DateTime64(9), Name {_WORD}, Attributes {kind})")]
    plain += [("Links", f"Nested(TraceId String, SpanId String, TraceState String, Attributes {kind})")]
    lines = ["Timestamp DateTime64(9) CODEC(Delta, ZSTD(1))", *(f"{column} {type_} {_ZSTD}" for column, type_ in plain)]
    lines += [f"INDEX {index} GRANULARITY 1" for index in (_JSON_INDEXES if as_json else _MAP_INDEXES)]
    order = "ServiceName, SpanName, toDateTime(Timestamp)" + (", Timestamp" if as_json else "")
    return f"""CREATE TABLE {name} ({", ".join(lines)}) ENGINE = MergeTree
        PARTITION BY toDate(Timestamp) ORDER BY ({order}) SETTINGS ttl_only_drop_parts = 1"""


_MAP_INDEXES = (
    "idx_trace_id TraceId TYPE bloom_filter(0.001)",
    "idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01)",
    "idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01)",
    "idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01)",
    "idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01)",
    "idx_duration Duration TYPE minmax",
)
_JSON_INDEXES = (
    "idx_res_attr_keys ResourceAttributesKeys TYPE bloom_filter(0.01)",
    "idx_span_attr_keys SpanAttributesKeys TYPE bloom_filter(0.01)",
    "idx_duration Duration TYPE minmax",
)


def _attributes(of: str, kind: str, as_json: bool) -> list[tuple[str, str]]:
    """Return the columns of attributes; beside JSON stands one with their names."""
    keys = [(f"{of}AttributesKeys", f"Array({_WORD})")] if as_json else []
    return [(f"{of}Attributes", kind), *keys]


def _row(span: Span, as_json: bool) -> dict[str, Any]:
    def kept(attributes: Attributes) -> dict[str, Any]:
        return {key: _as_go(value) if as_json else as_text(value) for key, value in attributes.items()}

    keys = {
        "ResourceAttributesKeys": sorted(span.resource),
        "SpanAttributesKeys": sorted(span.attributes),
    }
    return {
        "Timestamp": _seconds(span.start_ns),
        "TraceId": span.trace_id,
        "SpanId": span.span_id,
        "ParentSpanId": span.parent_id or "",
        "SpanName": span.name,
        "SpanKind": span.kind.capitalize(),
        "ServiceName": as_text(span.resource.get("service.name", "")),
        "ResourceAttributes": kept(span.resource),
        "ScopeName": "pipeline-trace",
        "ScopeVersion": __version__,
        "SpanAttributes": kept(span.attributes),
        # Unsigned: that of a span that ends before its start, or is open, is huge.
        "Duration": (span.end_ns - span.start_ns) % (1 << 64),
        "StatusCode": span.status_code.capitalize(),
        # The protocol has one for errors alone.
        "StatusMessage": span.status_message if span.status_code == ERROR else "",
        "Events.Timestamp": [_seconds(event.time_ns) for event in span.events],
        "Events.Name": [event.name for event in span.events],
        "Events.Attributes": [kept(event.attributes) for event in span.events],
        "Links.TraceId": [link.trace_id for link in span.links],
        "Links.SpanId": [link.span_id for link in span.links],
        "Links.TraceState": ["" for _ in span.links],
        "Links.Attributes": [kept(link.attributes) for link in span.links],
        **(keys if as_json else {}),
    }


def _as_go(value: Any) -> Any:
    """Return what Python writes as the JSON that Go makes of ``value``: 2.0 is 2 there."""
    if isinstance(value, list | tuple):
        return [_as_go(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e21 else value


def _seconds(nanoseconds: int) -> str:
    # All ten digits: fewer are taken for a date.
    return f"{nanoseconds // 10**9:010}.{nanoseconds % 10**9:09}"


def _number(value: float) -> str:
    """Return a float as JavaScript writes it, which is how the exporter does."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        return f"{Decimal(repr(value)):f}".removesuffix(".0")
    digits, _, exponent = repr(value).partition("e")
    return f"{digits.removesuffix('.0')}e{int(exponent):+}"
