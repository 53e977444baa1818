"""Journal lines made in pieces are those that the journal itself writes of a span."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline_trace.delivery.journal import Writer
from pipeline_trace.delivery.reader import Reader
from pipeline_trace.trace.lines import Lines
from pipeline_trace.trace.span import Event, Span, encode

TRACE, PARENT, ID = "a" * 32, "b" * 16, "c" * 16
RESOURCE = {"service.name": 'quotes " and \\', "ansible.version": "2.21.0", "number": 1, "list": ["a", "ü"]}

NAMES = [
    "h1",
    "",
    "quotes \" ' \\ and \\n",
    "two\nlines\r\n\t",
    "ünïcödé 日本語 🚀",
    "\u2028\u2029\u0085",
    "\x00\x01\x1f\x7f",
    '"},"trace_id":"' + "f" * 32,
    "{braces} %s {0}",
    "x" * 10_000,
]
ATTRIBUTES: list[dict[str, Any]] = [
    {},
    {"text": 'a "quoted" \\ text\n'},
    {"flag": True, "other": False, "whole": -1, "large": 2**62, "part": 0.5},
    {"list": ["a", "b"], "numbers": [1, 2], "empty": []},
    {"ünïcödé 🚀": "日本語", "": "no name", "a.b-c/d": "x" * 5000},
    {"status": "type", "trace_id": "not one", "end_unix_nano": 5},
]


def span(name: str, attributes: dict[str, Any], **more: Any) -> Span:
    """Return a host's span."""
    return Span(TRACE, ID, PARENT, name, 1_700_000_000_000_000_001, attributes=attributes, resource=RESOURCE, **more)


def lines() -> Lines:
    """Return what makes the lines of its siblings."""
    return Lines(TRACE, PARENT, encode(RESOURCE))


@pytest.mark.parametrize("attributes", ATTRIBUTES)
@pytest.mark.parametrize("name", NAMES)
def test_a_line_of_a_span_that_begins(name: str, attributes: dict[str, Any]) -> None:
    made = span(name, attributes)
    line = lines().open(ID, encode(name), made.start_ns, encode(attributes))
    assert json.loads(line) == json.loads(encode({"type": "open", **made.to_dict()}))


@pytest.mark.parametrize("attributes", ATTRIBUTES)
@pytest.mark.parametrize("name", NAMES)
def test_a_line_of_a_span_that_has_ended(name: str, attributes: dict[str, Any]) -> None:
    made = span(name, attributes, end_ns=1_700_000_000_000_000_002)
    line = lines().span(ID, encode(name), made.start_ns, made.end_ns, encode(attributes))
    assert json.loads(line) == json.loads(encode({"type": "span", **made.to_dict()}))


@pytest.mark.parametrize("name", NAMES)
def test_a_line_with_an_error_and_events(name: str) -> None:
    events = [Event(name, 5, {"ansible.item.label": name, "n": 1}), Event("retry", 6)]
    made = span("h1", {"a": 1}, end_ns=1_700_000_000_000_000_002, events=events)
    made.fail(name)
    line = lines().span(
        ID,
        encode("h1"),
        made.start_ns,
        made.end_ns,
        encode({"a": 1}),
        encode([{"name": e.name, "time_unix_nano": e.time_ns, "attributes": e.attributes} for e in events]),
        error=name,
    )
    expected = json.loads(encode({"type": "span", **made.to_dict()}))
    if not name:
        # Without a message a span has not failed: hosts that fail always have one.
        expected["status"] = {"code": "UNSET", "message": ""}
    assert json.loads(line) == expected


@pytest.mark.parametrize("name", NAMES)
def test_lines_are_one_line_of_ascii(name: str) -> None:
    for line in (
        lines().open(ID, encode(name), 1, encode({name: name})),
        lines().span(ID, encode(name), 1, 2, encode({name: name}), error=name),
    ):
        assert line.isascii()
        assert len(line.splitlines()) == 1


def test_both_kinds_are_read_back_as_the_same_span(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    for name in NAMES:
        made = span(name, {"a": name}, end_ns=1_700_000_000_000_000_002)
        writer.span(made)
        writer.span_line(lines().span(ID, encode(name), made.start_ns, made.end_ns, encode({"a": name})))
    assert (writer.spans, writer.dropped) == (2 * len(NAMES), 0)
    reader = Reader(writer.path)
    found = [line.span for line in reader.lines()]
    assert found[::2] == found[1::2]
    assert [made.name for made in found[::2] if made] == NAMES
    assert reader.torn == 0
    reader.close()
    writer.end()


def test_half_a_character_breaks_no_line(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.span_line(lines().span(ID, encode("half \ud83d"), 1, 2, encode({"half": "\udc80"}), error="\ud83d"))
    reader = Reader(writer.path)
    (line,) = reader.lines()
    assert line.span
    assert line.span.name == "half ?"
    reader.close()
    writer.end()
