"""What is sent to ClickHouse: nothing but SELECT, bounded, named after its question, with no value in its text."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from support import questions
from support.clickhouse import Asked, Engine, needs_engine
from support.clickhouse_sources import source
from support.months import DAY_NS, HOSTILE

from pipeline_trace.lookup.source import Wanted, Window
from pipeline_trace.trace.span import Span

pytestmark = [pytest.mark.process, needs_engine]

OURS = re.compile(r"pipeline-trace-([a-z]+)-[0-9a-f]{12}")
# Of tables alone, and of when a trace was, of which only the partitions with it are read.
WITHOUT_WINDOW = {"tables", "times"}


@pytest.fixture(scope="module")
def asked(engine: Engine, spans: Sequence[Span]) -> list[Asked]:
    """All that a source sent for questions of every kind, asked by ``reader``."""
    before = len(engine.log())
    now_ns = time.time_ns()
    with closing(source(engine, user="reader")) as found:
        for kind in questions.questions(spans, now_ns).values():
            for ask in list(kind.values())[::5]:
                ask(found)
        found.builds([("shop/build", "1")])
    return [one for one in engine.log()[before:] if one.user == "reader"]


def ours(asked: Sequence[Asked]) -> Iterator[tuple[str, Asked]]:
    """Yield our queries, each with what it asks."""
    for one in asked:
        name = OURS.fullmatch(one.query_id)
        if name:
            yield name[1], one


def test_nothing_but_select_is_sent_and_nothing_is_refused(asked: list[Asked]) -> None:
    assert len(asked) > 50
    assert {one.sql.split()[0] for one in asked} == {"SELECT"}
    assert [one for one in asked if one.code] == []
    # Not even by the library when it connects.
    assert not [one for one in asked if re.search(r"\b(SET|DESCRIBE|DESC TABLE|SHOW|INSERT|CREATE)\b", one.sql)]


def test_every_query_has_the_name_of_its_question(asked: list[Asked]) -> None:
    names = [name for name, _ in ours(asked)]
    expected = "tables times trace outline traces noted builds newest runs stages hosts figures"
    assert set(names) == set(expected.split())
    # The library asks for version and settings first.
    assert len(asked) - len(names) <= 3


def test_every_query_is_bounded(asked: list[Asked]) -> None:
    for name, one in ours(asked):
        assert re.search(r"LIMIT \d+\s*$", re.sub(r"\s+FORMAT \w+\s*$", "", one.sql)), one.sql
        if name not in WITHOUT_WINDOW:
            # Each table that is read, also in queries inside.
            assert len(re.findall(r"FROM `", one.sql)) <= len(re.findall(r"\bTimestamp >= ", one.sql)), one.sql
        assert (one.settings or {})["max_execution_time"] == "25", name


def test_columns_are_named(asked: list[Asked]) -> None:
    assert [one.sql for _, one in ours(asked) if re.search(r"(SELECT|,)\s*\*|\.\*|\bCOLUMNS\(", one.sql)] == []


def test_no_value_is_part_of_a_statement(engine: Engine) -> None:
    texts = [f"zzmark{number} {text}" for number, text in enumerate(HOSTILE)]
    trace, span, moment = "deadbeef" * 4, "feedface" * 2, 1_234_567_890_123_456_789
    before = len(engine.log())
    around = Window(moment, moment + DAY_NS)
    with closing(source(engine, user="reader")) as found:
        assert found.trace(trace) == []
        assert found.outline([trace], 5) == []
        assert found.traces_with([span], [around]) | found.traces_below([span], [around]) == set()
        for text in texts[::2]:
            assert found.trace(text) == []
            assert found.noted([[Wanted("pipeline", text), Wanted("version", text, begins=True)]], 5) == []
            assert found.builds([(text, text)], around=[around]) == []
            assert found.stages(text, around, 5) == []
            assert found.figures("job", around, [Wanted("service", text)]) == []
    sent = [one for one in engine.log()[before:] if one.user == "reader"]
    assert [one for one in sent if one.code] == []
    for one in sent:
        assert not re.search("zzmark|deadbeef|feedface|12345678901", one.sql), one.sql
    values = repr([one.parameters for one in sent])
    assert all(f"zzmark{number}" in values for number in range(0, len(texts), 2))
    assert all(part in values for part in (trace, span))


# Settings


@pytest.mark.parametrize(("user", "limited"), [("default", True), ("reader", True), ("some", True), ("strict", False)])
def test_a_time_limit_is_sent_where_the_user_may_set_one(
    engine: Engine, spans: Sequence[Span], user: str, limited: bool
) -> None:
    before = len(engine.log())
    with closing(source(engine, user=user)) as found:
        assert found.trace(spans[0].trace_id)
        assert found.newest()
    sent = [one for _, one in ours(engine.log()[before:])]
    assert [one.code for one in sent] == [0] * len(sent)
    for one in sent:
        assert one.user == user
        assert ("max_execution_time" in (one.settings or {})) == limited


def test_many_threads_ask_at_once(engine: Engine, spans: Sequence[Span]) -> None:
    ids = sorted({span.trace_id for span in spans})[:8]
    before = len(engine.log())
    with closing(source(engine, user="reader")) as found, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(found.trace, ids * 3))
    with closing(source(engine, user="reader")) as alone:
        expected = [alone.trace(one) for one in ids] * 3
    assert [questions.by_id(one) for one in answers] == [questions.by_id(one) for one in expected]
    sent = [one for one in engine.log()[before:] if one.user == "reader"]
    assert [one.query_id for one in sent if one.code] == []
    # Connected twice: by all threads together, and alone.
    assert sum(one.sql.startswith("SELECT version()") for one in sent) == 2
    assert len({one.query_id for one in sent}) == len(sent)
