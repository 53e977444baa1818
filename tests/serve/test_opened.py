"""The open spans of other machines: heard of, silent, ended, forgotten, and never more than fit."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import pytest
from support.spans import OTHER_TRACE, span

from pipeline_trace.delivery import sizes
from pipeline_trace.serve.opened import Bounds, OpenSpans, key_of
from pipeline_trace.serve.records import Heard
from pipeline_trace.trace.span import Span


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def heard(number: int, interval: float = 30.0, **more: object) -> Heard:
    return Heard(replace(span(number, **more), end_ns=0), interval)  # type: ignore[arg-type]


def names(opened: OpenSpans) -> list[str]:
    return [one.span.name for one in opened.now()]


def silent(opened: OpenSpans) -> list[str]:
    return [one.span.name for one in opened.now() if one.silent]


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_spans_come_by_when_they_began(clock: Clock) -> None:
    opened = OpenSpans(clock=clock)
    opened.put([heard(1, start=7), heard(2, 1, start=5)])
    opened.put([heard(3, start=6)])
    assert names(opened) == ["span 2", "span 3", "span 1"]


def test_a_span_that_is_told_again_is_what_was_told_last(clock: Clock) -> None:
    opened = OpenSpans(clock=clock)
    opened.put([heard(1)])
    opened.put([heard(1, name="now with a name")])
    assert names(opened) == ["now with a name"]


def test_four_intervals_of_its_own_sender_without_a_word_are_silence(clock: Clock) -> None:
    opened = OpenSpans(clock=clock)
    opened.put([heard(1, interval=30.0), heard(2, interval=1.0)])
    clock.seconds += 4.0
    assert silent(opened) == []
    clock.seconds += 0.5
    assert silent(opened) == ["span 2"]
    clock.seconds += 116.0
    assert silent(opened) == ["span 1", "span 2"]
    # It is back.
    opened.put([heard(2, interval=1.0)])
    assert silent(opened) == ["span 1"]


def test_when_a_span_was_heard_of_is_told_by_this_machines_clock(clock: Clock) -> None:
    opened = OpenSpans(clock=clock)
    # A sender whose clock is years away.
    opened.put([heard(1, start=10**12)])
    clock.seconds += 100.0
    (found,) = opened.now()
    assert abs(found.heard_ns - (time.time_ns() - 100 * 10**9)) < 30 * 10**9


def test_a_span_that_ends_is_closed_and_the_same_id_in_another_trace_is_not(clock: Clock) -> None:
    opened = OpenSpans(clock=clock)
    same = heard(1, trace=OTHER_TRACE, name="other")
    opened.put([heard(1), heard(2), same])
    opened.ended([key_of(span(1)), key_of(span(77))])
    assert sorted(names(opened)) == ["other", "span 2"]


def test_what_nobody_tells_of_for_a_day_is_forgotten(clock: Clock) -> None:
    opened = OpenSpans(clock=clock)
    opened.put([heard(1)])
    clock.seconds += 86_000.0
    opened.put([heard(2)])
    assert silent(opened) == ["span 1"]
    clock.seconds += 500.0
    assert names(opened) == ["span 2"]


@pytest.mark.parametrize("bounds", [Bounds(spans=3), Bounds(traces=3), Bounds(size=0)])
def test_beyond_a_bound_what_was_told_longest_ago_goes(
    clock: Clock, caplog: pytest.LogCaptureFixture, bounds: Bounds
) -> None:
    def one(number: int) -> Heard:
        return heard(number, trace=f"{number:032x}", name=f"span {number:2}")

    if not bounds.size:
        bounds = Bounds(size=3 * sizes.of_span(one(1).span))
    opened = OpenSpans(bounds, clock)
    with caplog.at_level(logging.WARNING):
        opened.put([one(1), one(2), one(3)])
        assert caplog.records == []
        # Told again: others were told longer ago now.
        opened.put([one(1)])
        opened.put([one(4)])
        assert sorted(names(opened)) == ["span  1", "span  3", "span  4"]
        for number in range(5, 50):
            opened.put([one(number)])
    assert sorted(names(opened)) == ["span 47", "span 48", "span 49"]
    (record,) = caplog.records
    assert "more runs on other machines than are kept" in record.getMessage()
    # The next day is another matter.
    clock.seconds += 90_000.0
    with caplog.at_level(logging.WARNING):
        opened.put(map(one, range(50, 60)))
    assert len(caplog.records) == 2


def test_spans_that_ended_make_room(clock: Clock) -> None:
    opened = OpenSpans(Bounds(spans=2, traces=1, size=1 << 20), clock)
    for number in range(1, 500):
        one: Span = heard(number).span
        opened.put([Heard(one, 30.0)])
        opened.ended([key_of(one)])
    opened.put([heard(1000), heard(1001)])
    assert names(opened) == ["span 1000", "span 1001"]


RUN = "00000000000000aa"


def told(number: int, told_ns: int) -> Heard:
    return replace(heard(number), told_ns=told_ns, told_with=RUN)


def test_what_is_not_told_any_more_with_its_run_has_ended(clock: Clock) -> None:
    opened = OpenSpans(clock=clock)
    opened.put([told(1, 5), told(2, 5), heard(9)])
    # A Collector may have split the request.
    opened.put([told(1, 7)])
    opened.put([told(3, 7)])
    assert sorted(names(opened)) == ["span 1", "span 3", "span 9"]
    # It was overtaken.
    opened.put([told(2, 6)])
    assert sorted(names(opened)) == ["span 1", "span 3", "span 9"]


def test_with_its_run_ends_what_nobody_tells_the_end_of(clock: Clock) -> None:
    opened = OpenSpans(clock=clock)
    run = replace(heard(1), told_ns=5, told_with=span(1).span_id)
    opened.put([run, replace(heard(2, 1), told_ns=5, told_with=span(1).span_id), told(3, 5)])
    opened.ended([key_of(run.span)])
    assert names(opened) == ["span 3"]
    opened.put([replace(run, told_ns=9)])
    assert sorted(names(opened)) == ["span 1", "span 3"]


def test_a_sender_whose_clock_was_ahead_is_heard_again(clock: Clock) -> None:
    opened = OpenSpans(clock=clock)
    opened.put([told(1, 3600 * 10**9)])
    for second in (30, 60, 90):
        clock.seconds += 30.0
        opened.put([told(2, second * 10**9)])
    assert names(opened) == ["span 2"]


def ahead(opened: OpenSpans) -> list[float]:
    """Return by how many seconds the clocks of all that is open are ahead."""
    return [one.ahead_ns / 1e9 for one in opened.now()]


def test_the_clock_of_a_sender_is_known_by_when_it_says_that_it_tells(clock: Clock) -> None:
    opened = OpenSpans(clock=clock, now_ns=lambda: int(clock.seconds * 1e9))

    def tell(number: int, off: float, waited: float = 0.0, told_with: str = "") -> None:
        told_ns = int((clock.seconds + off - waited) * 1e9)
        opened.put([replace(heard(number, start=number), told_ns=told_ns, told_with=told_with)])

    # Some seconds on the way tell nothing, and a build begins by Jenkins' clock, not by the poller's.
    tell(1, 0.0, waited=9.0)
    tell(2, -600.0)
    tell(3, 600.0)
    tell(4, 600.0, told_with=RUN)
    assert ahead(opened) == [0.0, -600.0, 600.0, 0.0]
    # It is set: what has begun before has begun by the clock as it was.
    clock.seconds += 30.0
    tell(2, 0.0)
    tell(3, 0.0)
    assert ahead(opened) == [0.0, -600.0, 600.0, 0.0]


def test_what_waited_on_its_way_does_not_count_as_a_clock_that_is_behind(clock: Clock) -> None:
    opened = OpenSpans(clock=clock, now_ns=lambda: int(clock.seconds * 1e9))
    found = []
    for waited in (90, 60, 30, 1):
        opened.put([replace(heard(1), told_ns=int((clock.seconds - waited) * 1e9))])
        found += [one.ahead_ns / 1e9 for one in opened.now()]
    assert found == [-90.0, -60.0, -30.0, 0.0]
