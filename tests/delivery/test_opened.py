"""Which open spans are told, and when: after five seconds, then each half a minute, the outermost and oldest first."""

from __future__ import annotations

import random
from collections.abc import Iterable

from support.spans import span

from pipeline_trace.delivery.opened import PACE, Beats, Pace
from pipeline_trace.delivery.reader import Opened
from pipeline_trace.trace.span import Span, encode


def opened(*spans: Span) -> dict[str, Opened]:
    """Return open spans as a journal has them."""
    return {one.span_id: Opened(one.span_id, encode({"type": "open", **one.to_dict()}).encode()) for one in spans}


def numbers(spans: Iterable[Span]) -> list[int]:
    return [int(one.span_id, 16) for one in spans]


def test_a_span_is_told_after_five_seconds_and_then_each_thirty() -> None:
    beats, run = Beats(), opened(span(1, end=0))
    told = [second for second in range(100) if beats.due(run, 1000.0 + second)]
    assert told == [5, 35, 65, 95]


def test_a_span_that_ends_before_is_not_told_and_not_read() -> None:
    beats, short = Beats(), {"1": Opened("1", b"no JSON")}
    assert [beats.due(short, second) for second in (0.0, 4.9)] == [[], []]
    assert beats.due({}, 5.0) == []
    # Begins anew, under the same id.
    assert beats.due(opened(span(1, end=0)), 6.0) == []


def test_each_span_has_its_own_time() -> None:
    beats, outer, inner = Beats(), span(1, end=0), span(2, 1, end=0)
    assert beats.due(opened(outer), 0.0) == []
    assert beats.due(opened(outer, inner), 3.0) == []
    assert numbers(beats.due(opened(outer, inner), 5.0)) == [1]
    assert numbers(beats.due(opened(outer, inner), 8.0)) == [2]
    assert numbers(beats.due(opened(outer), 36.0)) == [1]


def test_the_time_of_day_does_not_matter() -> None:
    """A clock that was set, or that of a run which began before its journal was read."""
    beats, odd = Beats(), opened(span(1, start=10**12, end=0), span(2, start=-1000, end=0))
    assert beats.due(odd, 0.0) == []
    assert len(beats.due(odd, 5.0)) == 2


def test_the_outermost_and_oldest_come_first_and_not_more_than_two_hundred() -> None:
    # A playbook, 20 plays in it, and 20 hosts in each play: 421 spans, those further in begun later, and hosts backwards.
    root = span(1, end=0)
    plays = [span(10 + n, 1, start=n + 1, end=0) for n in range(20)]
    hosts = [span(1000 + n, 10 + n % 20, start=5000 - n, end=0) for n in range(400)]
    lines = [root, *plays, *hosts]
    random.Random(3).shuffle(lines)
    beats = Beats()
    beats.due(opened(*lines), 0.0)
    told = numbers(beats.due(opened(*lines), 5.0))
    assert told == [1, *range(10, 30), *range(1399, 1399 - 179, -1)]
    assert len(told) == PACE.most == 200
    # While the same ones are open, the others do not come.
    assert beats.due(opened(*lines), 6.0) == []
    # The outermost are not said twice because others ended: who moves up is told.
    left = [one for one in lines if int(one.span_id, 16) < 1390]
    assert numbers(beats.due(opened(*left), 7.0)) == list(range(1220, 1210, -1))


def test_a_parent_that_is_not_in_the_journal_makes_nothing_deeper() -> None:
    beats = Beats(Pace(first=0.0, most=1))
    # The stage of a build is elsewhere.
    assert numbers(beats.due(opened(span(1, 77, start=5, end=0), span(2, 1, start=3, end=0)), 0.0)) == [1]


def test_spans_in_a_circle_are_told() -> None:
    beats = Beats(Pace(first=0.0))
    ring = [span(1, 3, end=0), span(2, 1, end=0), span(3, 2, end=0), span(4, 4, end=0), span(5, 2, end=0)]
    assert sorted(numbers(beats.due(opened(*ring), 0.0))) == [1, 2, 3, 4, 5]


def test_a_deep_chain_is_told() -> None:
    beats = Beats(Pace(first=0.0))
    chain = [span(n, n - 1, end=0) for n in range(1, 3001)]
    assert numbers(beats.due(opened(*reversed(chain)), 0.0)) == list(range(1, 201))


def test_a_line_that_is_not_valid_is_left_out() -> None:
    beats = Beats(Pace(first=0.0))
    lines = {**opened(span(1, end=0)), "2": Opened("2", b'{"type":"open"}')}
    assert numbers(beats.due(lines, 0.0)) == [1]
    assert beats.due(lines, 1.0) == []
