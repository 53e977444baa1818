"""Which journal comes next: healthy ones first, failed ones later and later, and bounded work where all fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_trace.delivery import schedule
from pipeline_trace.delivery.progress import Progress

NOW = 1_800_000_000.0
OLD, MIDDLE, NEW = Path("1.journal"), Path("2.journal"), Path("3.journal")


def test_journals_that_never_failed_come_first_and_then_those_that_have_waited_longest() -> None:
    states = [
        (OLD, Progress(tries=5, next_try=NOW - 1)),
        (MIDDLE, Progress(tries=2, next_try=NOW - 60)),
        (NEW, Progress()),
    ]
    assert taken(states) == [NEW, MIDDLE, OLD]


def taken(states: list[tuple[Path, Progress]], *, all_now: bool = False, after_failure: bool = False) -> list[Path]:
    queue, found = schedule.Queue(states, NOW, all_now=all_now), []
    while path := queue.take(after_failure=after_failure):
        found.append(path)
    return found


def test_after_a_failure_comes_the_newest_that_never_failed() -> None:
    states = [(OLD, Progress()), (MIDDLE, Progress()), (NEW, Progress(tries=1))]
    assert taken(states) == [OLD, MIDDLE, NEW]
    assert taken(states, after_failure=True) == [MIDDLE, OLD, NEW]


def test_a_journal_waits_for_its_next_try_unless_a_person_asks() -> None:
    states = [(OLD, Progress(tries=5, next_try=NOW + 60)), (NEW, Progress())]
    assert taken(states) == [NEW]
    assert taken(states, all_now=True) == [NEW, OLD]


def test_a_next_try_that_a_wrong_clock_wrote_holds_nothing_up() -> None:
    assert taken([(OLD, Progress(tries=2, next_try=NOW + 10 * 86_400))]) == [OLD]
    assert taken([(OLD, Progress(tries=2, next_try=float("nan")))]) == [OLD]


@pytest.mark.parametrize(
    ("tries", "asked", "pause"),
    [
        (1, None, 0),
        (2, None, 30),
        (3, None, 60),
        (4, None, 120),
        (10_000, None, 3600),
        (1, 7.0, 7),
        (2, 7.0, 30),
        (2, 300.0, 300),
        (50, 86_400.0, 86_400),
    ],
)
def test_the_pauses_double_up_to_an_hour_and_are_never_shorter_than_the_receiver_asks(
    tries: int, asked: float | None, pause: float
) -> None:
    assert schedule.next_try(tries, asked, NOW) == NOW + pause


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


def test_quick_failures_end_the_call_after_ten_in_a_row(clock: _Clock) -> None:
    patience = schedule.Patience(clock)
    said = []
    for _ in range(10):
        patience.seconds(60.0)
        said.append(patience.is_over(failed=True, delivered=False))
    assert said == [False] * 9 + [True]


def test_a_delivery_in_between_starts_the_count_anew(clock: _Clock) -> None:
    patience = schedule.Patience(clock)
    for _ in range(50):
        patience.seconds(60.0)
        assert not patience.is_over(failed=True, delivered=False)
        assert not patience.is_over(failed=False, delivered=True)


def test_journals_of_others_say_nothing(clock: _Clock) -> None:
    patience = schedule.Patience(clock)
    said = []
    for failed in [True, False] * 10:
        patience.seconds(60.0)
        said.append(patience.is_over(failed=failed, delivered=False))
    assert said.index(True) == 18


def test_where_the_first_takes_its_whole_time_one_more_with_less_time_decides(clock: _Clock) -> None:
    patience = schedule.Patience(clock)
    assert patience.seconds(60.0) == 60.0
    clock.now += 10
    assert not patience.is_over(failed=True, delivered=False)
    assert patience.seconds(60.0) == 3.0
    clock.now += 3
    assert patience.is_over(failed=True, delivered=False)
