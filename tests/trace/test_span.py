"""The span record and its JSON form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline_trace.trace.span import ERROR, SERVER, Event, Link, Span, SpanError, encode

TRACE, ID, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
START, END = 1_790_000_000_000_000_001, 1_790_000_001_000_000_002


def sample() -> Span:
    return Span(
        TRACE,
        ID,
        PARENT,
        "Deploy 🚀 to prod",
        START,
        END,
        kind=SERVER,
        attributes={"text": "ü", "flag": True, "count": 3, "share": 0.5, "names": ["a", "b"], "none": []},
        events=[Event("changed", START + 1, {"item": "x"})],
        links=[Link(TRACE, PARENT, {"jenkins.link": "upstream"})],
        resource={"service.name": "ansible"},
    )


def form(**change: Any) -> dict[str, Any]:
    return {**json.loads(encode(sample().to_dict())), **change}


def without(name: str) -> dict[str, Any]:
    data = form()
    del data[name]
    return data


def test_a_span_survives_its_json_form() -> None:
    span = sample()
    span.fail("exit status 1")
    again = Span.from_dict(json.loads(encode(span.to_dict())))
    assert again == span
    assert (again.status_code, again.status_message) == (ERROR, "exit status 1")


def test_times_keep_every_nanosecond() -> None:
    again = Span.from_dict(form())
    assert (again.start_ns, again.end_ns) == (START, END)


def test_types_of_attribute_values_survive() -> None:
    attributes = Span.from_dict(form()).attributes
    assert {name: type(value) for name, value in attributes.items()} == {
        "text": str, "flag": bool, "count": int, "share": float, "names": list, "none": list,
    }  # fmt: skip


def test_the_json_form_has_the_fields_that_show_promises() -> None:
    data = sample().to_dict()
    assert list(data) == [
        "trace_id", "span_id", "parent_span_id", "name", "kind", "start_unix_nano", "end_unix_nano", "status",
        "attributes", "events", "links", "resource",
    ]  # fmt: skip
    assert data["status"] == {"code": "UNSET", "message": ""}
    assert data["events"] == [{"name": "changed", "time_unix_nano": START + 1, "attributes": {"item": "x"}}]
    assert data["links"] == [{"trace_id": TRACE, "span_id": PARENT, "attributes": {"jenkins.link": "upstream"}}]


def test_a_root_has_no_parent_and_an_open_span_no_end() -> None:
    again = Span.from_dict(form(parent_span_id=None, end_unix_nano=0))
    assert (again.parent_id, again.end_ns) == (None, 0)


@pytest.mark.parametrize("name", ["two\nlines", "\r\u2028\x85", 'quo"te', "nul\0", "🚀", "half \ud83d", "\udce9"])
def test_any_name_is_one_line_of_ascii(name: str) -> None:
    span = sample()
    span.name = name
    line = encode(span.to_dict())
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert Span.from_dict(json.loads(line)).name == name


def test_values_that_are_no_json_become_text() -> None:
    assert json.loads(encode({"path": SpanError("x")})) == {"path": "x"}


def test_fields_of_a_newer_writer_are_ignored() -> None:
    assert Span.from_dict(form(flags=1, type="span", scope={"name": "x"})) == Span.from_dict(form())


@pytest.mark.parametrize("name", sorted(form()))
def test_a_missing_field_is_refused(name: str) -> None:
    with pytest.raises(SpanError):
        Span.from_dict(without(name))


MALFORMED_IDS = [
    "", "0" * 16, "B7AD6B7169203331", "b7ad6b716920333", "b7ad6b71692033311", "xyz-6b7169203331", None, 5, ["b"],
    "0x" + "b" * 14, "+" + "b" * 15, "-" + "b" * 15, "b" * 14 + " b", " " + "b" * 15, "b" * 7 + "_" + "b" * 8, "१" * 16,
]  # fmt: skip


@pytest.mark.parametrize("value", MALFORMED_IDS)
def test_a_malformed_span_id_is_refused(value: object) -> None:
    with pytest.raises(SpanError):
        Span.from_dict(form(span_id=value))


@pytest.mark.parametrize("value", ["", "0" * 16, "B7AD6B7169203331", 5, ["b"], "0x" + "b" * 14])
def test_a_malformed_parent_id_is_refused(value: object) -> None:
    with pytest.raises(SpanError):
        Span.from_dict(form(parent_span_id=value))


@pytest.mark.parametrize("value", ["", "0" * 32, TRACE.upper(), TRACE[:-1], ID, 1, None, "0x" + TRACE[2:], "+" + TRACE[1:]])
def test_a_malformed_trace_id_is_refused(value: object) -> None:
    with pytest.raises(SpanError):
        Span.from_dict(form(trace_id=value))


WRONG: list[tuple[str, Any]] = [
    ("name", None), ("name", 5), ("name", ["x"]),
    ("start_unix_nano", None), ("start_unix_nano", "1"), ("start_unix_nano", 1.5), ("start_unix_nano", True),
    ("end_unix_nano", "now"), ("end_unix_nano", None),
    ("kind", "WORKER"), ("kind", None), ("kind", []), ("kind", {}),
    ("status", None), ("status", "OK"), ("status", []), ("status", {}),
    ("status", {"code": "FINE", "message": ""}), ("status", {"code": [], "message": ""}), ("status", {"code": "OK"}),
    ("attributes", None), ("attributes", 5), ("attributes", "text"), ("attributes", ["a"]),
    ("events", None), ("events", 5), ("events", ["x"]), ("events", [{}]), ("events", [None]),
    ("links", None), ("links", [{}]), ("links", "x"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_field_of_the_wrong_shape_is_refused(name: str, value: object) -> None:
    with pytest.raises(SpanError):
        Span.from_dict(form(**{name: value}))


LATE: list[tuple[str, Any]] = [
    ("resource", None), ("resource", "text"), ("resource", ["a"]), ("resource", 5),
    ("status", {"code": "ERROR", "message": 5}),
    ("events", [{"name": 5, "time_unix_nano": 1, "attributes": {}}]),
    ("events", [{"name": "x", "time_unix_nano": "1", "attributes": {}}]),
    ("links", [{"trace_id": TRACE, "span_id": "x", "attributes": {}}]),
    ("links", [{"trace_id": None, "span_id": ID, "attributes": {}}]),
    ("end_unix_nano", 2**63), ("start_unix_nano", 2**70), ("start_unix_nano", -1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), LATE)
def test_what_would_break_a_destination_is_refused_when_it_is_read(name: str, value: object) -> None:
    """One such line must not stop the delivery of all others (the store and the exporter raise on these)."""
    with pytest.raises(SpanError):
        Span.from_dict(form(**{name: value}))


@pytest.mark.parametrize("data", [None, [], "span", 5, {}])
def test_what_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(SpanError):
        Span.from_dict(data)


def test_a_refusal_says_what_is_wrong() -> None:
    with pytest.raises(SpanError, match=r"not a span: .*name"):
        Span.from_dict(without("name"))
