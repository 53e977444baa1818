"""Looks which tables and columns a server has. The records are of one server, read once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from ...delivery.destinations import SetupError
from ...trace.traits import Trait
from . import errors
from .address import Address
from .columns import Bound

TIMES, RUNS = "_trace_id_ts", "_runs"
_NEEDED = frozenset(
    {
        *("Timestamp", "TraceId", "SpanId", "ParentSpanId", "SpanName", "SpanKind", "ServiceName", "ScopeName"),
        *("ScopeVersion", "ResourceAttributes", "SpanAttributes", "Duration", "StatusCode", "StatusMessage"),
        *("Events.Timestamp", "Events.Name", "Events.Attributes", "Links.TraceId", "Links.SpanId", "Links.Attributes"),
    }
)
_NEEDED_OF_LOGS = frozenset({"Timestamp", "TraceId", "SpanId", "ResourceAttributes", "LogAttributes"})
# What the table of runs has beside the columns of spans: examples/clickhouse/runs.sql.
RUN_TRAITS: tuple[Trait, ...] = get_args(Trait)
RUN_COLUMNS = ("Kind", "Level", "Name", *(trait.capitalize() for trait in RUN_TRAITS))


@dataclass(frozen=True)
class Logs:
    """The table of log records, in SQL. ``as_json``: attributes are in columns of the type JSON, not Map.

    ``has_events``: it has the names of events, which older exporters leave out.
    """

    table: str
    as_json: bool
    has_events: bool


@dataclass(frozen=True)
class Schema:
    """The tables of one server, in SQL. ``times``: when traces were, ``runs``: the table of runs; "" where it is missing.

    ``as_json``: attributes are in columns of the type JSON, not Map. ``logs``: None where there are none.
    """

    spans: str
    times: str
    runs: str
    as_json: bool
    logs: Logs | None = None


def question(address: Address) -> tuple[str, Bound]:
    """Return the query for the columns of all tables that count."""
    bound = Bound()
    names = [address.table, address.table + TIMES, address.table + RUNS, _logs_name(address)]
    sql = f"""SELECT table, name, type FROM system.columns
        WHERE database = {bound.text(address.database)} AND table IN {bound.texts(names)} LIMIT 1000"""
    return sql, bound


def schema_of(address: Address, rows: Iterable[Sequence[Any]]) -> Schema:
    """Return the tables from the answer. Raises SetupError if the one with the spans is missing, or is another one."""
    columns: dict[str, dict[str, str]] = defaultdict(dict)
    for table, name, kind in rows:
        columns[str(table)][str(name)] = str(kind)
    spans = columns[address.table]
    if not spans:
        raise SetupError(f"{address}: {errors.missing(address)}")
    lacking = sorted(_NEEDED - spans.keys())
    if lacking:
        raise _other(address, f"lacks {', '.join(lacking[:3])}{' and others' if lacking[3:] else ''}")
    kind = spans["SpanAttributes"]
    if not kind.startswith(("Map", "JSON")):
        raise _other(address, f"has SpanAttributes of type {kind}, not Map or JSON")
    times = {"TraceId", "Start", "End"} <= columns[address.table + TIMES].keys()
    runs = (_NEEDED | {*RUN_COLUMNS}) <= columns[address.table + RUNS].keys()
    return Schema(
        _named(address, ""),
        _named(address, TIMES) if times else "",
        _named(address, RUNS) if runs else "",
        kind.startswith("JSON"),
        _logs_of(address, columns[_logs_name(address)]),
    )


def _logs_name(address: Address) -> str:
    """Return the name of the table of logs beside that of spans, as the exporter calls both."""
    name = address.table.removesuffix("traces")
    return f"{name}logs" if name != address.table else "otel_logs"


def _logs_of(address: Address, columns: Mapping[str, str]) -> Logs | None:
    kind = columns.get("LogAttributes", "")
    if not columns.keys() >= _NEEDED_OF_LOGS or not kind.startswith(("Map", "JSON")):
        return None
    return Logs(f"`{address.database}`.`{_logs_name(address)}`", kind.startswith("JSON"), "EventName" in columns)


def _other(address: Address, how: str) -> SetupError:
    return SetupError(f"{address}: the table {how}; name the table of spans that the Collector's clickhouse exporter fills")


def _named(address: Address, suffix: str) -> str:
    return f"`{address.database}`.`{address.table}{suffix}`"
