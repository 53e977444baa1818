"""When a poller tells of the builds that run, and that it asks the controller for them only if somebody wants to know."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from support.spans import span

from jenkins_poller.fetch.errors import Unreachable
from jenkins_poller.poll.opened import TellingOpen
from pipeline_trace.delivery.destinations import SetupError
from pipeline_trace.trace.span import Span

OPEN = span(1, end=0)


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Noting:
    """A receiver that notes what it is told, and after which time more is told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, float]] = []
        self.wanted = True
        self.more = True
        self.closed = False

    def tell(self, spans: Sequence[Span], every: float) -> bool:
        if spans:
            self.told.append((len(spans), every))
        return self.more

    def close(self) -> None:
        self.closed = True


class Polled:
    """A service that polls at an interval, for as long as a test wants."""

    def __init__(self, interval: float, teller: Noting | None, took: float = 0.1) -> None:
        self.clock = Clock()
        self.warned: list[str] = []
        self.looks: list[float] = []
        self.error: Exception | None = None
        self.telling = TellingOpen(lambda: teller, interval, self.warned.append, self.clock)
        self._interval, self._took = interval, took

    def polls(self, seconds: float) -> None:
        end = self.clock.seconds + seconds
        while self.clock.seconds < end:
            self.clock.seconds += self._took
            self.telling.polled(self._look)
            self.telling.wait()
            self.clock.seconds += self._interval

    def _look(self) -> list[Span]:
        self.looks.append(self.clock.seconds)
        if self.error:
            raise self.error
        return [OPEN]


@pytest.mark.parametrize(("interval", "expected"), [(1, 30), (10, 30), (30, 30), (120, 120), (600, 600)])
def test_every_half_minute_or_with_every_poll(interval: float, expected: float) -> None:
    noting = Noting()
    polled = Polled(interval, noting)
    polled.polls(3600)
    apart = [after - before for before, after in zip(polled.looks, polled.looks[1:], strict=False)]
    assert len(noting.told) == len(polled.looks)
    assert all(expected * 0.98 <= one <= expected * 1.1 for one in apart), apart
    # The receiver waits for as long.
    assert all(expected <= every <= expected * 1.1 for _, every in noting.told)


def test_polls_that_take_long_are_expected_later() -> None:
    noting = Noting()
    Polled(30, noting, took=200).polls(2000)
    assert {every for _, every in noting.told[1:]} == {230}


def test_the_controller_is_not_asked_where_nobody_wants_to_know() -> None:
    for teller in (None, unwilling(), refusing()):
        polled = Polled(30, teller)
        polled.polls(3000)
        assert (polled.looks, polled.warned) == ([], [])


def test_a_receiver_may_come_to_want_them_but_one_that_refused_is_not_asked_again() -> None:
    for teller, looks in ((unwilling(), 1), (refusing(), 0)):
        polled = Polled(30, teller)
        polled.polls(300)
        teller.wanted = teller.more = True
        polled.polls(30)
        assert len(polled.looks) == looks


def unwilling() -> Noting:
    noting = Noting()
    noting.wanted = False
    return noting


def refusing() -> Noting:
    noting = Noting()
    noting.more = False
    return noting


def test_a_controller_that_does_not_answer_is_asked_no_more_often_and_said_once() -> None:
    noting = Noting()
    polled = Polled(2, noting)
    polled.error = Unreachable("gone")
    polled.polls(300)
    assert (noting.told, polled.warned) == ([], ["what runs is not told now: gone"])
    assert len(polled.looks) <= 11
    polled.error = None
    polled.polls(40)
    assert noting.told
    polled.error = Unreachable("gone")
    polled.polls(40)
    assert len(polled.warned) == 2


def test_a_controller_that_hangs_holds_no_poll_up_and_is_asked_once() -> None:
    let_go, looks = threading.Event(), []

    def look() -> list[Span]:
        looks.append(1)
        let_go.wait(30)
        return [OPEN]

    noting, clock = Noting(), Clock()
    telling = TellingOpen(lambda: noting, 30, [].append, clock)
    for _ in range(100):
        telling.polled(look)
        clock.seconds += 60
    assert (len(looks), noting.told) == (1, [])
    telling.close()
    let_go.set()
    telling.wait()
    # The service has ended meanwhile.
    assert noting.told == []


def test_an_error_of_ours_is_said_once_an_hour() -> None:
    polled = Polled(30, Noting())
    polled.error = ValueError("nobody thought of it")
    polled.polls(3000)
    assert polled.warned == ["what runs is not told (ValueError: nobody thought of it); please report this error"]


def test_what_is_not_set_up_correctly_is_left_to_those_who_deliver() -> None:
    def wrong() -> None:
        raise SetupError("no endpoint")

    warned: list[str] = []
    clock = Clock()
    telling = TellingOpen(wrong, 30, warned.append, clock)
    for _ in range(1000):
        telling.polled(lambda: [OPEN])
        telling.wait()
        clock.seconds += 60
    assert warned == []


def test_it_is_closed() -> None:
    noting = Noting()
    polled = Polled(30, noting)
    polled.polls(10)
    polled.telling.close()
    polled.polls(100)
    assert (noting.closed, len(noting.told)) == (True, 1)
