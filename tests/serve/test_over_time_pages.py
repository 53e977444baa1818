"""The pages over time: their words are true to the lists that they lead to, and say what is not known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from pathlib import Path

import pytest
from support.over_time import JOB, NOW, card, day, deploy, host, job, lookup_of, service

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.figures.jobs import job_over_time
from pipeline_trace.figures.periods import DAY_NS, periods_of
from pipeline_trace.figures.verdicts import Verdict
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "traces.db")) as store:
        yield store


def links(page: str) -> list[str]:
    """Return the texts of all links to lists of deploys and builds of a time."""
    return [unescape(text) for text in re.findall(r'<a href="/(?:deploys|builds)\?[^"]*from=[^"]*">([^<]*)</a>', page)]


def put(store: Store, *states: str) -> None:
    """Deploy several times a day before yesterday."""
    store.deliver([span for at, state in enumerate(states) for span in deploy(1 + at / 10, state)], 60)


def test_a_rate_leads_to_the_deploys_of_which_it_is(store: Store) -> None:
    put(store, c.SUCCESS, c.FAILURE)
    page = service(lookup_of(store), 7)
    assert links(page)[:3] == ["1 green deploy", "1 failed", "of 2 deploys"]


def test_a_list_with_others_in_it_is_called_so(store: Store) -> None:
    put(store, c.SUCCESS, c.FAILURE, c.CANCELLATION)
    page = service(lookup_of(store), 7)
    assert links(page)[:3] == ["1 green deploy", "1 failed", "3 deploys in all"]
    assert "of 2 that succeeded or failed, <a" in page


def test_a_day_says_what_neither_succeeded_nor_failed(store: Store) -> None:
    put(store, c.SUCCESS, c.FAILURE, c.CANCELLATION)
    for page in (service, job):
        shown = page(lookup_of(store), 7)
        assert f"<title>{day(1)}: 1 green, 1 failed, 1 cancelled or without a result</title>" in shown
        assert '<th scope="col">Cancelled or without a result</th>' in shown
        assert f'<th scope="row">{day(1)}</th><td>1</td><td>1</td><td>1</td>' in shown


def test_without_others_a_day_says_nothing_of_them(store: Store) -> None:
    put(store, c.SUCCESS, c.FAILURE)
    for page in (service, job):
        assert "ancelled or without a result<" not in page(lookup_of(store), 7)


def test_a_failure_counts_in_the_period_in_which_it_began(store: Store) -> None:
    periods = periods_of(7, NOW)
    spans = deploy(3, c.FAILURE)
    for span, began_ns in zip(spans, [periods.now.from_ns - DAY_NS // 24] * len(spans), strict=True):
        span.start_ns, span.end_ns = began_ns, periods.now.from_ns + DAY_NS // 24
    store.deliver([*spans, *deploy(1, c.FAILURE)], 60)
    lookup = lookup_of(store)
    found = job_over_time(lookup, JOB, periods)
    assert (found.results(periods.now).failed, found.results(periods.before).failed) == (1, 1)
    assert found.verdicts == [Verdict("", "", 1, 1)]


def wait(run: Span) -> Span:
    """Return the ten seconds in the queue before a run."""
    made = Span(run.trace_id, f"{int(run.span_id, 16) + 2**40:016x}", run.span_id, "Schedule", run.start_ns, run.start_ns)
    made.start_ns -= 10 * 10**9
    made.attributes, made.resource = {c.JENKINS_TYPE: c.TYPE_QUEUE}, run.resource
    return made


def test_a_wait_that_no_build_tells_is_not_known(store: Store) -> None:
    put(store, c.SUCCESS, c.SUCCESS)
    assert card(job(lookup_of(store), 7), "Waiting for the platform") == ("not known", "7 days before: not known")
    assert "no build tells of a wait" in job(lookup_of(store), 7)
    # In the period before, one tells: so the others did not wait.
    spans = deploy(9)
    store.deliver([*spans, wait(spans[0])], 60)
    assert card(job(lookup_of(store), 7), "Waiting for the platform")[0] == "0 ms"


@pytest.mark.parametrize(
    ("states", "failed", "unreachable"),
    [
        ([c.SUCCESS], "0", "0"),
        # Nothing failed, so nothing leads from there to what was unreachable.
        ([c.SUCCESS, c.ERROR], "0", '1 <a href="#failures">when</a>; 50 % of all tasks'),
        ([c.SUCCESS, c.FAILURE], '1 <a href="#failures">which</a>; 50 % of all tasks', "0"),
        (
            [c.SUCCESS, c.SUCCESS, c.FAILURE, c.ERROR],
            '1 <a href="#failures">which, and when it was unreachable</a>; 25 % of all tasks',
            '1 <a href="#failures">when, and what failed</a>; 25 % of all tasks',
        ),
    ],
)
def test_a_host_says_what_failed_and_what_was_unreachable_apart(
    store: Store, states: list[str], failed: str, unreachable: str
) -> None:
    put(store, *states)
    page = host(lookup_of(store), 7)
    for label, said in (("Failed", failed), ("Unreachable", unreachable)):
        text = re.search(f"<h3>{label}</h3>(.*?)<p class=.muted.>", page, re.DOTALL)
        assert text
        assert re.sub(r"</?p[^>]*>|\s+(?=<)|(?<=>)\s+", " ", text[1]).split() == said.split()


@pytest.mark.parametrize(
    ("commit", "said"),
    [
        ("", "<p>no deploy here tells a commit that was not there before</p>"),
        ("a" * 40, '<a href="#changes">of 1 change, none with a known first build</a>'),
    ],
)
def test_a_lead_time_that_is_not_known_says_why(store: Store, commit: str, said: str) -> None:
    spans = deploy(1)
    spans[0].attributes |= {"jenkins.parameter.COMMIT": commit} if commit else {}
    store.deliver(spans, 60)
    page = service(lookup_of(store), 7)
    assert card(page, "Lead time for changes")[0] == "not known"
    assert said in page
    assert "of 0 changes" not in page
