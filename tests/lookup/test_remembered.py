"""A trace that is read again and again: only its new spans are read, and the answer is the same as of a first time."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from support.report_samples import TRACE, sample

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.delivery.home import Home, find_home
from pipeline_trace.lookup.lookup import NotFoundError, local_lookup
from pipeline_trace.lookup.source import Remembered
from pipeline_trace.trace.span import Span


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "trace-home").mkdir()
    return find_home({"PIPELINE_TRACE_HOME": str(tmp_path / "trace-home")})


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many spans were asked for by their ids, each time."""
    asked: list[int] = []
    some_spans = Store.some_spans

    def noted(store: Store, trace_id: str, span_ids: Sequence[str]) -> list[Span]:
        asked.append(len(span_ids))
        return some_spans(store, trace_id, span_ids)

    monkeypatch.setattr(Store, "some_spans", noted)
    return asked


def spans(home: Home, remembered: Remembered | None = None) -> list[Span]:
    with closing(local_lookup(home, remembered=remembered)) as lookup:
        return lookup.spans(TRACE)


def test_only_new_spans_are_read_and_removed_ones_are_forgotten(home: Home, read: list[int]) -> None:
    everything, remembered = [span for span in sample() if span.trace_id == TRACE], Remembered()
    with pytest.raises(NotFoundError, match=f"there is no trace {TRACE} here"):
        spans(home, remembered)
    with closing(Store(home.store)) as store:
        store.deliver(everything[:10], 60.0)
        assert spans(home, remembered) == spans(home)
        store.deliver(everything, 60.0)
        found = spans(home, remembered)
        assert found == spans(home)
        assert spans(home, remembered) == found
        assert read == [0, 10, len(everything) - 10, 0]
    gone = [span.span_id for span in everything[3:6]]
    with closing(sqlite3.connect(home.store)) as database, database:
        database.executemany("DELETE FROM spans WHERE span_id = ?", [(one,) for one in gone])
    assert len(spans(home, remembered)) == len(everything) - 3 == len(spans(home))
    assert not set(gone) & remembered[TRACE].keys()


def test_a_trace_that_is_named_by_its_id_is_read_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Store(home.store)) as store:
        store.deliver([span for span in sample() if span.trace_id == TRACE], 60.0)
    asked: list[str] = []
    read_spans = Store.spans

    def noted(store: Store, where: str, *values: str | int) -> list[Span]:
        asked.append(where)
        return read_spans(store, where, *values)

    monkeypatch.setattr(Store, "spans", noted)
    assert spans(home)
    assert len(asked) == 1
