"""W3C trace context from the environment, and where a process outside CI stands."""

from __future__ import annotations

import pytest

from pipeline_trace.place.locate import locate
from pipeline_trace.place.w3c import Context, Place, context_of, format_traceparent, parse_traceparent, place_outside_ci
from pipeline_trace.trace.ids import key_trace_id

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("value", "sampled"),
    [
        (GOOD, True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-02", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"00-{TRACE}-{SPAN}-ff", True),
        (f"00-{TRACE}-{SPAN}-fe", False),
        (f"01-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-00", False),
        (f"fe-{TRACE}-{SPAN}-01", True),
        (f"01-{TRACE}-{SPAN}-01-what-the-future-will-be-like", True),
        (f"01-{TRACE}-{SPAN}-01-", True),
        (f" {GOOD}\t", True),
    ],
)
def test_valid_values(value: str, sampled: bool) -> None:
    assert parse_traceparent(value) == Context(TRACE, SPAN, sampled)


INVALID = [
    "",
    "   ",
    "nonsense",
    f"00-{TRACE}-{SPAN}",
    f"00-{TRACE}-{SPAN}-",
    f"00-{TRACE}-{SPAN}-1",
    f"00-{TRACE}-{SPAN}-011",
    f"00-{TRACE}-{SPAN}-0x",
    f"00-{TRACE}-{SPAN}-01-extra",
    f"00-{TRACE}-{SPAN}-01-",
    f"00-{TRACE}-{SPAN}-01.",
    f"01-{TRACE}-{SPAN}-01.extra",
    f"01-{TRACE}-{SPAN}-01extra",
    f"ff-{TRACE}-{SPAN}-01",
    f"FE-{TRACE}-{SPAN}-01",
    f"0-{TRACE}-{SPAN}-01",
    f"000-{TRACE}-{SPAN}-01",
    f"00-{TRACE.upper()}-{SPAN}-01",
    f"00-{TRACE}-{SPAN.upper()}-01",
    f"00-{TRACE}-{SPAN}-0A",
    f"00-{'0' * 32}-{SPAN}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE[:-1]}-{SPAN}-01",
    f"00-{TRACE}0-{SPAN}-01",
    f"00-{TRACE}-{SPAN[:-1]}-01",
    f"00-{TRACE}-{SPAN}0-01",
    f"00-{TRACE[:-1]}g-{SPAN}-01",
    f"00_{TRACE}_{SPAN}_01",
    f"00-{TRACE} -{SPAN}-01",
    f"00- {TRACE}-{SPAN}-01",
    f"{GOOD}, {GOOD}",
    f"{GOOD}\nX: y",
    f"00-{'०' * 32}-{SPAN}-01",
    f"00-0x{TRACE[2:]}-{SPAN}-01",
    f'"{GOOD}"',
]


@pytest.mark.parametrize("value", INVALID)
def test_invalid_values(value: str) -> None:
    assert parse_traceparent(value) is None


def test_a_context_is_formatted_as_it_is_parsed() -> None:
    assert format_traceparent(TRACE, SPAN) == GOOD
    assert parse_traceparent(format_traceparent(TRACE, SPAN, sampled=False)) == Context(TRACE, SPAN, False)


@pytest.mark.parametrize("environ", [{}, {"TRACEPARENT": ""}, {"TRACEPARENT": " \t\n"}])
def test_an_empty_variable_counts_as_absent_and_is_not_warned_of(environ: dict[str, str]) -> None:
    assert context_of(environ) == (None, ())


@pytest.mark.parametrize("value", [value for value in INVALID if value.strip()])
def test_a_malformed_variable_counts_as_absent_with_one_warning(value: str) -> None:
    context, warnings = context_of({"TRACEPARENT": value})
    assert context is None
    assert len(warnings) == 1
    assert "TRACEPARENT" in warnings[0]
    assert value not in warnings[0] or len(value) < 3


def test_traceparent_comes_before_everything_else() -> None:
    environ = {"TRACEPARENT": GOOD, "PIPELINE_TRACE_KEY": "rel-1", "TRACESTATE": "a=b", "BAGGAGE": "team=x"}
    assert place_outside_ci(environ) == Place(TRACE, SPAN, True, "a=b", "team=x")


def test_flag_00_means_that_nothing_is_emitted() -> None:
    assert not place_outside_ci({"TRACEPARENT": f"00-{TRACE}-{SPAN}-00"}).sampled


def test_a_key_names_a_trace_in_which_the_process_is_a_root() -> None:
    place = place_outside_ci({"PIPELINE_TRACE_KEY": "rel-1", "BAGGAGE": "team=x"})
    assert place == Place(key_trace_id("rel-1"), None, baggage="team=x")
    assert place.trace_id == place_outside_ci({"PIPELINE_TRACE_KEY": "rel-1"}).trace_id != key_trace_id("rel-2")


def test_a_key_stands_in_for_a_malformed_traceparent_which_is_warned_of() -> None:
    place = place_outside_ci({"TRACEPARENT": "junk", "PIPELINE_TRACE_KEY": "rel-1", "TRACESTATE": "a=b"})
    assert (place.trace_id, place.parent_id, place.tracestate) == (key_trace_id("rel-1"), None, "")
    assert len(place.warnings) == 1


@pytest.mark.parametrize("environ", [{}, {"PIPELINE_TRACE_KEY": ""}, {"TRACEPARENT": "", "TRACESTATE": "a=b"}])
def test_without_anything_a_new_trace_begins(environ: dict[str, str]) -> None:
    first, second = place_outside_ci(environ), place_outside_ci(environ)
    assert first.trace_id != second.trace_id
    assert (first.parent_id, first.sampled, first.tracestate, first.warnings) == (None, True, "", ())


@pytest.mark.process
def test_outside_ci_the_same_order_holds_for_stand() -> None:
    assert locate({"TRACEPARENT": GOOD, "PIPELINE_TRACE_KEY": "x"}, None).parent_id == SPAN
    assert locate({"PIPELINE_TRACE_KEY": "x"}, None).trace_id == key_trace_id("x")


def test_a_wrong_trace_per_is_warned_of_and_ignored() -> None:
    place = locate({"TRACEPARENT": GOOD, "PIPELINE_TRACE_PER": "week"}, None)
    assert place.trace_id == TRACE
    assert len(place.warnings) == 1
    assert "PIPELINE_TRACE_PER" in place.warnings[0]
    assert locate({"TRACEPARENT": GOOD, "PIPELINE_TRACE_PER": "build"}, None).warnings == ()
