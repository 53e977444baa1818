"""What is told and when: a failure that begins, changes, is over; never twice, and few messages in a storm."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline_trace.notify.message import message_of
from pipeline_trace.notify.outcome import Failing, Outcome
from pipeline_trace.notify.told import BEGUN, CHANGED, MOST_MESSAGES, OVER, WINDOW, Book, Story

S = 10**9
START = 1_800_000_000 * S
NOW = START + 3600 * S


def failing(sign: str = "ops host_unreachable", at: int = 0, **more: object) -> Failing:
    owner, kind = sign.split()
    made = Failing(owner, kind, 0.9, "the line", "the next step", "shop#1", "", at, sign=sign)
    return replace(made, **more)  # type: ignore[arg-type]


def ended(second: int, sign: str = "", job: str = "shop", environment: str = "") -> Outcome:
    """Return an outcome: a pass without a sign."""
    at = START + second * S
    return Outcome("", job, environment, at, "a" * 32, "b" * 16, failing(sign, at) if sign else None)


def plain(outcome: Outcome) -> Failing:
    assert outcome.failing
    return outcome.failing


def after(book: Book, *outcomes: Outcome, now: int = NOW) -> Book:
    return book.with_outcomes(outcomes, plain, now)


def tell(book: Book, now: float = 1000.0) -> tuple[Book, list[str]]:
    """Send all that is due. Return the states that were told."""
    states = []
    while messages := book.due(now):
        states += [story.state for story in messages[0]]
        book = book.with_told(messages[0], now)
    return book, states


OPS, DEV = "ops host_unreachable", "dev test_failure"


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([[ended(1, OPS)]], [[BEGUN]]),
        ([[ended(1, OPS)], [ended(2, OPS)]], [[BEGUN], []]),
        ([[ended(1, OPS)], [ended(2, DEV)]], [[BEGUN], [CHANGED]]),
        ([[ended(1, OPS)], [ended(2)], [ended(3)]], [[BEGUN], [OVER], []]),
        ([[ended(1, OPS)], [ended(2)], [ended(3, OPS)]], [[BEGUN], [OVER], [BEGUN]]),
        ([[ended(1)]], [[]]),
        # Only the last of what is read together counts: a poller that was down tells what still fails.
        ([[ended(1, OPS), ended(2)]], [[]]),
        ([[ended(2, DEV), ended(1, OPS)]], [[BEGUN]]),
        ([[ended(1, OPS)], [ended(2), ended(3, OPS)]], [[BEGUN], []]),
        # The same build, told by `poll` and by `serve`; an older one that is read late.
        ([[ended(2, OPS)], [ended(2, DEV)], [ended(1)]], [[BEGUN], [], []]),
        ([[ended(2)], [ended(1, OPS)]], [[], []]),
        # Each environment has its own story.
        ([[ended(1, OPS, environment="staging"), ended(2, environment="production")]], [[BEGUN]]),
        # What ended before the notifier was first started.
        ([[ended(-1, OPS)]], [[]]),
    ],
)
def test_a_failure_is_told_when_it_begins_changes_and_is_over(steps: list[list[Outcome]], told: list[list[str]]) -> None:
    book, found = Book(START), []
    for outcomes in steps:
        book, states = tell(after(book, *outcomes))
        found.append(states)
    assert found == told


def test_an_outcome_of_last_month_is_no_news_even_after_a_long_stop() -> None:
    month_later = START + 30 * 86_400 * S
    book = after(Book(START), ended(1, OPS), ended(29 * 86_400, DEV, job="other"), now=month_later)
    assert [story.last.job for (story,) in book.due(0)] == ["other"]


def test_a_failure_that_is_over_before_it_was_told_needs_no_message() -> None:
    book = after(after(Book(START), ended(1, OPS)), ended(2))
    assert book.due(0) == []


def test_since_and_times_are_of_the_failures_in_a_row() -> None:
    book = after(Book(START), ended(1), ended(2, OPS), ended(3, DEV))
    book = after(book, ended(4, DEV))
    ((story,),) = book.due(0)
    assert story.now
    assert (story.now.since_ns, story.now.times, story.now.kind) == (START + 2 * S, 3, "test_failure")


def test_the_same_failure_is_judged_once_and_a_new_verdict_of_history_counts() -> None:
    asked: list[int] = []

    def judge(outcome: Outcome) -> Failing:
        asked.append((outcome.ended_ns - START) // S)
        return replace(plain(outcome), owner="ops", kind="shared_service")

    book = Book(START).with_outcomes([ended(1, DEV)], judge, NOW)
    book, _ = tell(book)
    book = book.with_outcomes([ended(2, DEV)], judge, NOW).with_outcomes([ended(3), ended(4, DEV)], judge, NOW)
    assert book.due(0) == []
    assert asked == [1]


def test_a_storm_gives_few_messages_and_one_that_counts_the_rest() -> None:
    book = after(Book(START), *(ended(n, OPS if n % 2 else DEV, job=f"job-{n}") for n in range(500)))
    sent: list[list[Story]] = []
    while messages := book.due(1000.0):
        sent.append(messages[0])
        book = book.with_told(messages[0], 1000.0)
    assert [len(stories) for stories in sent] == [1] * (MOST_MESSAGES - 1) + [500 - MOST_MESSAGES + 1]
    assert message_of(sent[-1]).head == "And 495 more: 247 Dev, 248 Ops."
    assert tell(after(book, ended(1000, OPS, job="one more")), 1000.0 + WINDOW - 1)[1] == []
    assert tell(after(book, ended(1000, OPS, job="one more")), 1000.0 + WINDOW + 1)[1] == [BEGUN]


def test_jobs_of_one_name_on_two_controllers_have_a_story_each() -> None:
    here, there = (replace(ended(1, OPS), controller=f"https://{name}.example.com") for name in ("ci", "other"))
    book, states = tell(after(Book(START), here, there))
    assert states == [BEGUN, BEGUN]
    assert tell(after(book, replace(ended(2), controller=here.controller)))[1] == [OVER]


def test_an_end_tells_how_often_it_failed_in_all() -> None:
    book, _ = tell(after(Book(START), ended(1, OPS)))
    ((story,),) = after(after(book, ended(2, OPS), ended(3, OPS)), ended(4)).due(0)
    assert story.told
    assert (story.told.times, story.told.since_ns) == (3, START + S)


def test_a_wrong_clock_neither_hides_what_comes_later_nor_holds_up_messages() -> None:
    book = after(Book(START), ended(86_400 * 3650, OPS))
    assert tell(book)[1] == []
    assert tell(after(book, ended(2, DEV)))[1] == [BEGUN]
    assert replace(book, next_try=10.0**9, sent=[10.0**9] * MOST_MESSAGES).waits(1000.0) == 0


def test_a_limit_tells_how_long_it_holds() -> None:
    book = replace(Book(START), sent=[100.0] * MOST_MESSAGES)
    assert book.waits(150.0) == WINDOW - 50
    assert replace(Book(START), next_try=170.0).waits(150.0) == 20


def test_the_book_forgets_jobs_that_passed_long_before_those_that_fail() -> None:
    book = after(Book(START), ended(0, OPS, job="broken"), *(ended(n, job=f"job-{n}") for n in range(1, 3000)))
    assert ("", "broken", "") in book.stories
    assert len(book.stories) == 1001
    book = after(book, ended(100 * 86_400, job="later"), now=START + 100 * 86_400 * S)
    assert [*book.stories] == [("", "later", "")]
