"""What is told in odd ways, and what other tools tell: both sources answer alike."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from support import questions, worlds
from support.clickhouse import needs_engine
from support.months import DAY_NS, HOUR_NS
from support.told import moved
from support.worlds import World

from pipeline_trace.lookup.source import Wanted, Window
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span
from pipeline_trace.trace.words import environment_name

pytestmark = [pytest.mark.process, needs_engine]

ENVIRONMENTS = (
    "Non-Prod",
    "preproduction",
    "PRE_PROD-EU",
    "x non prod",
    "LIVE",
    " stg ",
    "prod-eu",
    "stg\n",
    "\tprod",
)
BEYOND_ASCII = ("ÄÖ", "İX")


@pytest.fixture(scope="module")
def odd(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    spans = worlds.odd_spans(time.time_ns())
    with worlds.told_to_both(tmp_path_factory.mktemp("odd"), world.engine, spans, odd_map=False, odd_json=True) as odd:
        yield odd


@pytest.fixture(scope="module")
def of_others(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    spans = moved(worlds.spans_of_others(), time.time_ns() - HOUR_NS)
    with worlds.told_to_both(tmp_path_factory.mktemp("others"), world.engine, spans, others=False) as found:
        yield found


@pytest.mark.parametrize("kind", questions.KINDS)
@pytest.mark.parametrize("database", ["odd_map", "odd_json"])
def test_what_is_told_in_odd_ways_has_the_same_answer(odd: World, database: str, kind: str) -> None:
    asked = dict(list(odd.asked[kind].items())[:: 1 if database == "odd_map" else 4])
    assert questions.differences(asked, odd.remote(database), odd.local) == []


@pytest.mark.parametrize("database", ["odd_map", "odd_json"])
def test_stages_of_a_build_that_goes_on_are_told(odd: World, database: str) -> None:
    within = Window(odd.spans[0].start_ns, odd.spans[0].start_ns + 4 * HOUR_NS)
    for most in (1, 2, 3, 10):
        found, expected = (source.stages("long", within, most) for source in (odd.remote(database), odd.local))
        assert [span.name for span in found] == [span.name for span in expected]
        assert found


@pytest.fixture(scope="module")
def named(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A playbook for each name of an environment, of a service with its number."""
    now_ns = time.time_ns()
    books = []
    for number, name in enumerate((*ENVIRONMENTS, *BEYOND_ASCII)):
        book = Span(f"{number + 1:032x}", "b" * 16, None, "playbook site.yml", now_ns - HOUR_NS, now_ns - number)
        book.attributes = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, c.ANSIBLE_PLAYBOOK_NAME: "site.yml"}
        book.attributes |= {c.DEPLOYMENT_ENVIRONMENT: name, c.DEPLOYMENT_NAME: f"{number:02}"}
        books.append(book)
    with worlds.told_to_both(tmp_path_factory.mktemp("named"), world.engine, books, named=False) as found:
        yield found


def test_an_environment_is_found_by_its_one_name(named: World) -> None:
    wanted = [[Wanted("environment", environment_name(name))] for name in ENVIRONMENTS]
    for source in (named.local, named.remote("named")):
        assert source.noted(wanted, 50) == named.spans[: len(ENVIRONMENTS)]


def test_an_environment_has_one_name_in_statistics(named: World) -> None:
    within = Window(named.spans[0].start_ns - DAY_NS, named.spans[0].end_ns)
    expected = [(f"{number:02}", environment_name(name)) for number, name in enumerate(ENVIRONMENTS)]
    for source in (named.local, named.remote("named")):
        assert [one.names for one in source.figures("deploy", within)][: len(ENVIRONMENTS)] == expected


@pytest.mark.xfail(
    strict=True, reason="expressions.one_name: lower() takes ASCII alone, and some servers have no lowerUTF8()"
)
@pytest.mark.parametrize("name", BEYOND_ASCII)
def test_an_environment_in_other_letters_is_found_by_its_one_name(named: World, name: str) -> None:
    for source in (named.local, named.remote("named")):
        assert len(source.noted([[Wanted("environment", environment_name(name))]], 50)) == 1


@pytest.mark.parametrize("kind", questions.KINDS)
def test_spans_of_other_tools_have_the_same_answer(of_others: World, kind: str) -> None:
    asked = dict(list(of_others.asked[kind].items())[:: 4 if kind == "figures" else 1])
    assert questions.differences(asked, of_others.remote("others"), of_others.local) == []


def test_a_change_that_goes_through_many_jobs_is_asked_for_at_once(world: World) -> None:
    """As `path` asks for what else ran in the jobs of a change."""
    jobs = [*sorted({questions.key_of(run)[0] for run in questions.runs_of(world.spans)}), *(f"job-{n}" for n in range(300))]
    wanted = [[Wanted("pipeline", job)] for job in jobs]
    assert world.remote("map").noted(wanted, 500) == world.local.noted(wanted, 500)


def test_a_pipeline_of_gitlab_is_found_by_its_name(of_others: World) -> None:
    wanted = [[Wanted("pipeline", "team/shop"), Wanted("run", "4711")]]
    assert of_others.local.noted(wanted, 5)
    assert of_others.remote("others").noted(wanted, 5) == of_others.local.noted(wanted, 5)
