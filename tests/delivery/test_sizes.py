"""The estimate of a request's bytes is never too low, and what is too large is cut and says so."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from pipeline_trace.delivery import sizes
from pipeline_trace.delivery.destinations.otlp import _span_maker
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import ERROR, Event, Link, Span, encode

MAKE = _span_maker()
TRACE = "0af7651916cd43dd8448eb211c80319c"
NOW = 1_800_000_000_000_000_000


def encoded(spans: Sequence[Span]) -> int:
    return int(encode_spans(MAKE(spans)).ByteSize())


def span(**more: Any) -> Span:
    return Span(TRACE, "00f067aa0ba902b7", "00f067aa0ba902b8", "deploy", NOW, NOW + 1, **more)


def events(count: int, length: int) -> list[Event]:
    return [Event(f"item {number}", NOW, {"ansible.message": "x" * length}) for number in range(count)]


VALUES: list[Any] = [
    "",
    "a",
    "é" * 50,
    "\U0001f600" * 9,
    True,
    1,
    -1,
    1 << 62,
    0.5,
    [1, 2, 3],
    [0.5] * 9,
    [True],
    ["a", "é"],
    [],
]


def test_the_estimate_is_never_lower_than_what_is_sent() -> None:
    choice = random.Random(1)
    for _ in range(300):
        attributes = {f"name.{number}": choice.choice(VALUES) for number in range(choice.randrange(12))}
        some = [
            span(
                attributes=attributes,
                status_code=ERROR,
                status_message="é" * choice.randrange(40),
                events=events(choice.randrange(4), choice.randrange(50)),
                links=[Link(TRACE, "00f067aa0ba902b7", attributes)] * choice.randrange(3),
                resource={"service.name": "ansible", **attributes},
            )
            for _ in range(choice.randrange(1, 6))
        ]
        assert encoded(some) <= sum(map(sizes.of_span, some))
        lines = [len(encode({"type": "span", **one.to_dict()})) for one in some]
        assert encoded(some) <= sum(map(sizes.of_line, lines, some))


def test_the_estimate_of_a_large_span_is_close() -> None:
    large = span(attributes={"log": "x" * 2_000_000})
    assert sizes.of_span(large) < 1.01 * encoded([large])


def test_events_go_first_from_the_end_and_the_rest_stays_whole() -> None:
    large = span(attributes={"log": "y" * 50_000}, events=events(500, 10_000))
    cut = sizes.cut_span(large, 1_000_000)
    assert cut
    assert sizes.of_span(cut) <= 1_000_000
    assert encoded([cut]) > 900_000
    assert cut.events == large.events[: len(cut.events)]
    assert cut.attributes == {"log": "y" * 50_000, c.LEFT_OUT_EVENTS: 500 - len(cut.events)}


@pytest.mark.parametrize("value", ["z" * 5_000_000, ["z" * 1000] * 5000, "\U0001f600" * 2_000_000])
def test_then_long_values_are_cut_and_short_ones_stay(value: Any) -> None:
    large = span(attributes={"log": value, "name": "app", "port": 8080}, events=events(2, 10))
    cut = sizes.cut_span(large, sizes.MOST)
    assert cut
    assert sizes.of_span(cut) <= sizes.MOST
    assert (cut.attributes["name"], cut.attributes["port"]) == ("app", 8080)
    assert cut.attributes[c.LEFT_OUT_EVENTS] == 2
    assert int(str(cut.attributes[c.LEFT_OUT_CHARACTERS])) > 1_000_000
    assert (cut.span_id, cut.name, cut.start_ns) == (large.span_id, large.name, large.start_ns)


def test_the_span_itself_is_not_changed() -> None:
    large = span(attributes={"log": "z" * 5_000_000}, events=events(2, 10))
    sizes.cut_span(large, 10_000)
    assert (len(str(large.attributes["log"])), len(large.events), len(large.attributes)) == (5_000_000, 2, 1)


def test_what_cannot_be_made_small_enough_is_not_cut() -> None:
    assert sizes.cut_span(span(attributes={f"name {number}": number for number in range(10_000)}), 10_000) is None
