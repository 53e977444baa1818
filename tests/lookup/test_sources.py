"""Whoever keeps the spans, this machine's store or ClickHouse: every question has the same answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support import clickhouse_schema, questions
from support.clickhouse import needs_engine
from support.worlds import World

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.lookup.journals import Journals
from pipeline_trace.lookup.local import LocalSource
from pipeline_trace.lookup.lookup import Lookup, NotFoundError
from pipeline_trace.lookup.source import Wanted, Window
from pipeline_trace.trace.queries import build_name, is_playbook, run_url_of
from pipeline_trace.trace.span import Span

pytestmark = [pytest.mark.process, needs_engine]


@pytest.mark.parametrize("kind", questions.KINDS)
@pytest.mark.parametrize("database", ["map", "json", "own"])
def test_every_question_has_the_same_answer(world: World, database: str, kind: str) -> None:
    # Another form of table changes how columns are read, not what is asked.
    asked = dict(list(world.asked[kind].items())[:: 1 if database == "map" else 4])
    assert questions.differences(asked, world.remote(database), world.local) == []


# A lookup on each


@pytest.fixture
def both(world: World) -> tuple[Lookup, Lookup]:
    """Lookups on ClickHouse and on the store. Nothing waits in journals."""
    return Lookup(world.remote("map"), Journals(None)), Lookup(world.local, Journals(None))


def of(lookup: Lookup, reference: str) -> list[Span] | str:
    """Return the spans of a reference, or why there are none."""
    try:
        return lookup.spans(reference)
    except NotFoundError as error:
        return str(error)


def test_every_reference_finds_the_same_spans(world: World, both: tuple[Lookup, Lookup]) -> None:
    runs = questions.some(questions.runs_of(world.spans), 4)
    playbooks = questions.some([span for span in world.spans if is_playbook(span)], 2)
    names = [build_name(*questions.key_of(span)) for span in (*runs, *playbooks)]
    addresses = [f"{url}console?x=1" for run in runs[::2] if (url := run_url_of(run))]
    traces = [span.trace_id.upper() for span in runs]
    # The last two are of people whose terminals and job names are not UTF-8.
    unknown = ["shop/build#99999", "f" * 32, "https://ci.example.com/job/none/1/", "nonsense", "café\udce9#1", "\ud83d"]
    assert len(addresses) > 2
    for reference in ("latest", *names, *addresses, *traces, *unknown):
        found, expected = (of(lookup, reference) for lookup in both)
        assert found == expected, reference


def test_lookups_of_other_builds_are_the_same(world: World, both: tuple[Lookup, Lookup]) -> None:
    runs = questions.some(questions.runs_of(world.spans), 12)
    job = questions.key_of(runs[-1])[0]
    within = questions.window(runs)
    asked: dict[str, Callable[[Lookup], object]] = {
        "runs_between": lambda lookup: lookup.runs_between(*within),
        "stages_between": lambda lookup: lookup.stages_between(job, *within, more=3),
        "outlines": lambda lookup: lookup.outlines([run.trace_id for run in runs], 20_000),
        "noted": lambda lookup: lookup.noted([[Wanted("pipeline", job)], [Wanted("revision")]], 50),
        "noted within": lambda lookup: lookup.noted([[Wanted("pipeline", job)]], 50, Window(*within)),
        "spans_of_builds": lambda lookup: {
            key: questions.by_id(spans) for key, spans in lookup.spans_of_builds(runs).items()
        },
    }
    for run in runs:
        key, around = questions.key_of(run), questions.window([run])
        asked[f"spans_of_build {key}"] = lambda lookup, a=key, b=around: questions.by_id(  # type: ignore[misc]
            lookup.spans_of_build(*a, around=[b])
        )
    for name, ask in asked.items():
        found, expected = map(ask, both)
        assert found == expected, name
        assert found, name


def test_a_source_without_spans_says_that_there_is_none(world: World, tmp_path: Path) -> None:
    clickhouse_schema.create(world.engine, database="bare")
    bare = Lookup(world.remote("bare"), Journals(None))
    assert bare.is_empty()
    local = Lookup(LocalSource(Store(tmp_path / "traces.db")), Journals(None))
    assert of(bare, "latest") == of(local, "latest")
    assert of(bare, "a#1") == of(local, "a#1")
