"""The first page and the lists of deploys, where other machines tell of what runs, and nothing of it is stored yet."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.requests import Request
from support.loops import ran
from support.spans import OTHER_TRACE, TRACE
from support.spans import span as made

from pipeline_trace.answers.verdicts import Verdicts
from pipeline_trace.change import for_board
from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.delivery.home import Home, find_home
from pipeline_trace.lookup.lookup import local_lookup
from pipeline_trace.lookup.standing import Opened
from pipeline_trace.serve.first_page import First
from pipeline_trace.serve.listing import Page, with_told
from pipeline_trace.serve.overview import Overview
from pipeline_trace.serve.reading import Reading
from pipeline_trace.serve.summary import summarise
from pipeline_trace.serve.views import Views
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

SECOND = 10**9


def playbook(
    number: int, version: str, ago: float, took: float = 0, trace: str = TRACE, environment: str = "staging"
) -> Span:
    """Return a deploy that began so many seconds ago; one that runs if it took no time."""
    start = time.time_ns() - int(ago * SECOND)
    attributes: dict[str, Any] = {
        c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK,
        c.DEPLOYMENT_ENVIRONMENT: environment,
        c.DEPLOYMENT_NAME: "shop",
        c.ARTIFACT_VERSION: version,
    }
    if took:
        attributes[c.TASK_RUN_RESULT] = c.SUCCESS
    found = replace(made(number, name="playbook site.yml"), trace_id=trace, start_ns=start, attributes=attributes)
    return replace(found, end_ns=start + int(took * SECOND) if took else 0)


@dataclass
class Machine:
    """What a server reads: a store, and open spans that a test sets."""

    home: Home
    opened: Sequence[Opened] = ()

    def store(self, *spans: Span) -> None:
        with closing(Store(self.home.store)) as store:
            store.deliver(spans, 60.0)

    @property
    def reading(self) -> Reading:
        return Reading(
            cast(Any, None), lambda remembered=None: closing(local_lookup(self.home)), lambda: self.opened, "store"
        )

    @property
    def overview(self) -> Overview:
        return Overview(self.reading, Verdicts(), time.time_ns)

    def lines(self, query: str) -> list[str]:
        """Return the lines of the list of deploys, in words."""
        views = Views(self.reading, Verdicts(), takes_spans=True)
        request = Request({"type": "http", "path": "/deploys", "query_string": query.encode(), "headers": []})
        text = bytes(ran(views.entries(request)).body).decode()
        body = text.partition("<tbody>")[2].partition("</tbody>")[0]
        return [
            " ".join(unescape(re.sub("<[^>]*>", " ", line.partition(">")[2])).split()) for line in body.split("<tr ")[1:]
        ]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "trace-home").mkdir()
    return Machine(find_home({"PIPELINE_TRACE_HOME": str(tmp_path / "trace-home")}))


def cells(found: First) -> list[tuple[str, str, str, str]]:
    """Return what is on the board: environment, what is there, the newest deploy, its state."""
    return [
        (name, cell.there.version if cell.there else "", cell.newest.version, cell.newest.state)
        for row in found.board.rows
        for name, cell in row.cells.items()
    ]


def test_a_deploy_that_only_its_sender_tells_of_is_on_the_board(machine: Machine) -> None:
    machine.store(playbook(1, "1.0", 500, 30))
    overview = machine.overview
    assert cells(overview.now()) == [("staging", "1.0", "1.0", c.SUCCESS)]
    machine.opened = [Opened(playbook(2, "2.0", 9, trace=OTHER_TRACE))]
    # Whoever follows the page has it at once, too.
    assert cells(overview.again()) == [("staging", "1.0", "2.0", "running")]
    machine.store(replace(playbook(2, "2.0", 9, 8), trace_id=OTHER_TRACE))
    machine.opened = []
    assert cells(overview.again()) == [("staging", "2.0", "2.0", c.SUCCESS)]


def test_where_nothing_was_deployed_before_there_is_a_row(machine: Machine) -> None:
    machine.opened = [Opened(playbook(2, "2.0", 9))]
    assert cells(machine.overview.now()) == [("staging", "", "2.0", "running")]


def test_a_deploy_is_on_the_board_once(machine: Machine) -> None:
    whole = playbook(2, "2.0", 9)
    task = replace(made(3, 2, name="Copy"), start_ns=whole.start_ns, end_ns=whole.start_ns + SECOND)
    machine.store(task)
    machine.opened = [Opened(whole), Opened(playbook(4, "2.0", 8, environment="qa"))]
    found = machine.overview.now()
    assert sorted(cells(found)) == [("qa", "", "2.0", "running"), ("staging", "", "2.0", "running")]


def test_a_sorted_list_has_what_runs_at_its_end(machine: Machine) -> None:
    machine.store(playbook(1, "1.0", 500, 30), playbook(2, "1.1", 400, 40, trace=OTHER_TRACE))
    machine.opened = [Opened(playbook(3, "2.0", 9, trace="c" * 32))]
    versions = {order: [line.split()[2] for line in machine.lines(f"sort={order}")] for order in ("longest", "oldest", "")}
    assert versions == {"longest": ["1.1", "1.0", "2.0"], "oldest": ["1.0", "1.1", "2.0"], "": ["2.0", "1.1", "1.0"]}


def test_what_is_not_heard_of_is_nowhere_called_running(machine: Machine) -> None:
    at = time.time_ns() - 5 * SECOND
    machine.opened = [Opened(playbook(3, "2.0", 90), at)]
    (line,) = machine.lines("")
    assert line.startswith("◌ Not heard of 2.0 → staging not heard of since 20")
    assert "unning" not in line
    (row,) = machine.overview.now().board.rows
    assert row.cells["staging"].newest.heard_ns == at


def test_in_the_list_of_traces_a_part_of_what_runs_runs() -> None:
    task = replace(made(3, 2, name="Copy"), end_ns=10**10)
    page = Page((), [summarise(TRACE, [task]), summarise(OTHER_TRACE, [task])], 2, (), 0, "")
    opened = [Opened(playbook(2, "2.0", 9)), Opened(playbook(2, "2.0", 9, trace=OTHER_TRACE), 5)]
    lines = [(line.name, line.result, line.end_ns) for line in with_told(page, opened).traces]
    assert lines == [("playbook site.yml", "running", 0), ("Copy", "incomplete", 10**10)]


@pytest.mark.parametrize("ahead", [-600, 600])
def test_a_clock_that_is_wrong_makes_nothing_hang_and_nothing_begin_in_the_future(machine: Machine, ahead: int) -> None:
    machine.store(*(playbook(at, "1.0", 3000 * at, 30, trace=f"{at:032x}") for at in (1, 2, 3)))
    told = playbook(9, "2.0", 9 - ahead)
    machine.opened = [Opened(told, 0, ahead * SECOND)]
    found = machine.overview.now()
    (one,) = found.running
    now_ns = time.time_ns()
    assert one.usual
    assert not one.hangs(now_ns)
    assert 8 * SECOND < now_ns - one.start_ns < 60 * SECOND
    assert one.hangs(now_ns + 30 * SECOND)
    (row,) = found.board.rows
    assert row.cells["staging"].newest.start_ns == one.start_ns


def test_how_long_it_usually_takes_is_known_also_if_others_fill_the_board(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(for_board, "_MOST_NAMED", 4)
    monkeypatch.setattr(for_board, "_MOST_OTHERS", 4)
    rare = [playbook(at, "1.0", 100_000 * at, 30, trace=f"{at:032x}") for at in (1, 2, 3)]
    busy = [playbook(at, "1.0", 100 * at, 5, trace=f"{at:032x}", environment="qa") for at in range(10, 30)]
    machine.store(*rare, *busy)
    machine.opened = [Opened(playbook(99, "2.0", 60))]
    overview = machine.overview
    for found in (overview.now(), overview.again()):
        (one,) = found.running
        assert one.usual
        assert (one.usual.runs, one.usual.most_ns) == (3, 30 * SECOND)
        assert one.hangs(time.time_ns())
