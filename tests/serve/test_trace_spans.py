"""A trace with all that is open in it: what is stored here counts, and what other machines tell comes beside it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from support.report_samples import TRACE, make

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.delivery.home import Home, find_home
from pipeline_trace.lookup.lookup import NotFoundError, local_lookup
from pipeline_trace.lookup.standing import Opened
from pipeline_trace.serve.trace_spans import Found, read_trace
from pipeline_trace.trace.span import Span

OTHER = "c" * 32
PLAYBOOK, TASK = make("p", None, "playbook site.yml", 0, None), make("t", "p", "Restart", 3, None)
DONE = make("d", "p", "Copy", 1, 2)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folder = tmp_path / "trace-home"
    folder.mkdir()
    return find_home({"PIPELINE_TRACE_HOME": str(folder)})


def read(home: Home, stored: Sequence[Span], opened: Sequence[Opened], reference: str = TRACE) -> Found:
    """Return what is read of a trace, of these spans."""
    with closing(Store(home.store)) as store:
        store.deliver(stored, 60.0)
    with closing(local_lookup(home)) as lookup:
        return read_trace(lookup, opened, reference)


def names(found: Found) -> list[str]:
    return sorted(span.name for span in found.spans)


def test_what_is_told_to_be_open_is_beside_what_is_stored(home: Home) -> None:
    found = read(home, [DONE], [Opened(PLAYBOOK), Opened(TASK)])
    assert names(found) == ["Copy", "Restart", "playbook site.yml"]
    assert found.silent == {}


def test_a_trace_of_which_nothing_has_ended_is_found_too(home: Home) -> None:
    assert names(read(home, [], [Opened(PLAYBOOK), Opened(TASK)], TRACE.upper())) == ["Restart", "playbook site.yml"]
    with pytest.raises(NotFoundError):
        read(home, [], [Opened(PLAYBOOK)], OTHER)


def test_what_is_stored_has_ended_whatever_is_told(home: Home) -> None:
    ended = replace(TASK, end_ns=TASK.start_ns + 5)
    found = read(home, [DONE, ended], [Opened(TASK, 77), Opened(PLAYBOOK, 78)])
    assert [span.end_ns for span in found.spans if span.name == "Restart"] == [ended.end_ns]
    assert found.silent == {PLAYBOOK.span_id: 78}


def test_the_same_span_id_in_another_trace_is_another_span(home: Home) -> None:
    twin = replace(TASK, trace_id=OTHER, parent_id=None)
    found = read(home, [DONE, replace(TASK, end_ns=TASK.start_ns + 5)], [Opened(twin)])
    assert names(found) == ["Copy", "Restart"]


def test_open_spans_of_other_traces_belong_to_it_by_their_parents_and_children(home: Home) -> None:
    child = replace(make("c", "d", "RUN deploy", 1, None), trace_id=OTHER)
    below = replace(make("b", "c", "Stage", 2, None), trace_id=OTHER)
    stray = replace(make("s", None, "stray", 2, None), trace_id="d" * 32)
    assert names(read(home, [DONE], [Opened(stray), Opened(below), Opened(child)])) == ["Copy", "RUN deploy", "Stage"]
    above = replace(PLAYBOOK, trace_id=OTHER)
    assert names(read(home, [DONE], [Opened(stray), Opened(above)])) == ["Copy", "playbook site.yml"]
