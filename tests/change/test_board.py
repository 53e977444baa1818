"""What is where: the last success of each environment, what happened since, and how far it is behind the one before."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import pytest
from rich.console import Console

from pipeline_trace.change.board import Behind, Failing, board_of, environments_in_order
from pipeline_trace.change.board_terminal import print_board, print_deploys
from pipeline_trace.change.entries import Entry
from pipeline_trace.change.listed import board_document, deploys_document
from pipeline_trace.trace import conventions as c

MINUTE = 60 * 10**9
NOW = 1_795_000_000 * 10**9


def deploy(version: str, environment: str, minutes_ago: int, state: str = c.SUCCESS, **more: object) -> Entry:
    start = NOW - minutes_ago * MINUTE
    end = 0 if state == "running" else start + MINUTE
    made = Entry(
        f"{minutes_ago:032x}", f"{minutes_ago:016x}", state, start, end, "shop", (environment,), version, who="mara"
    )
    return replace(made, **more)  # type: ignore[arg-type]


def test_what_failed_is_not_there_and_what_was_there_still_is() -> None:
    failed = deploy("1.8", "staging", 5, c.FAILURE, owner="ops", kind="host_unreachable")
    green = deploy("1.7", "staging", 60)
    (row,) = board_of([failed, green]).rows
    assert (row.cells["staging"].newest, row.cells["staging"].there) == (failed, green)


def test_without_a_success_nobody_knows_what_is_there() -> None:
    (row,) = board_of([deploy("1.8", "staging", 5, c.FAILURE)]).rows
    assert row.cells["staging"].there is None


@pytest.mark.parametrize(
    ("staging", "production", "behind"),
    [
        ([("1.7", 90)], ("1.7", 60), Behind(0, 0)),
        ([("1.7", 90), ("1.8", 30), ("1.9", 10)], ("1.7", 60), Behind(2, NOW - 29 * MINUTE)),
        ([("1.7", 90), ("1.8", 30), ("1.8", 10)], ("1.7", 60), Behind(1, NOW - 29 * MINUTE)),
        # Rolled back: staging has had it again.
        ([("1.7", 90), ("1.8", 30), ("1.7", 10)], ("1.7", 60), Behind(0, 0)),
        # What was there before production's version is no change; what came then is one.
        ([("1.6", 99), ("1.7", 90), ("1.6", 30)], ("1.7", 60), Behind(0, 0)),
        ([("1.6", 99), ("1.7", 90), ("1.6", 30), ("1.8", 10)], ("1.7", 60), Behind(1, NOW - 9 * MINUTE)),
        # It never was in staging as far as is known: no figure is made up.
        ([("1.8", 30)], ("1.7", 60), None),
        ([("1.8", 30)], ("", 60), None),
        ([], ("1.7", 60), None),
    ],
)
def test_an_environment_is_behind_the_one_before(
    staging: list[tuple[str, int]], production: tuple[str, int], behind: Behind | None
) -> None:
    deploys = [deploy(version, "staging", ago) for version, ago in staging]
    (row,) = board_of([*deploys, deploy(production[0], "production", production[1])]).rows
    assert row.cells["production"].behind == behind


def test_a_commit_counts_before_a_version_and_may_be_shortened() -> None:
    before = [deploy("", "staging", 90, commit="a" * 40), deploy("2.0", "staging", 30, commit="b" * 40)]
    (row,) = board_of([*before, deploy("other words", "production", 60, commit="a" * 7)]).rows
    assert row.cells["production"].behind == Behind(1, NOW - 29 * MINUTE)


def test_a_commit_that_is_cut_short_counts_once() -> None:
    commits = [("a" * 40, 90), ("b" * 7, 30), ("b" * 40, 20)]
    staging = [deploy("", "staging", ago, commit=commit) for commit, ago in commits]
    (row,) = board_of([*staging, deploy("", "production", 60, commit="a" * 40)]).rows
    assert row.cells["production"].behind == Behind(1, NOW - 29 * MINUTE)


def test_what_comes_before_an_environment_is_known_only_by_words() -> None:
    names = ("dev01", "staging", "prod1", "customer-a", "customer-b")
    board = board_of([deploy(version, name, ago) for name in names for version, ago in (("1.7", 60),)])
    assert list(board.environments) == ["dev01", "staging", "prod1", "customer-a", "customer-b"]
    (row,) = board.rows
    assert {name: cell.before for name, cell in row.cells.items()} == {
        "dev01": "",
        "staging": "dev01",
        "prod1": "staging",
        "customer-a": "",
        "customer-b": "",
    }


def test_of_deploys_at_the_same_time_what_ended_last_is_there() -> None:
    long, short = deploy("1.8.0", "staging", 30, end_ns=NOW), deploy("1.8.1", "staging", 20)
    (row,) = board_of([long, short]).rows
    assert row.cells["staging"].there == long
    running = deploy("1.8.0", "staging", 30, "running")
    (row,) = board_of([running, short]).rows
    assert (row.cells["staging"].newest, row.cells["staging"].there) == (running, short)


def test_environments_stand_in_the_order_of_a_change() -> None:
    names = ["production", "preprod", "eu-west", "staging", "qa", "uat", "prod-eu", "integration", "test", "development"]
    order = "development test integration qa uat staging preprod prod-eu production eu-west"
    assert environments_in_order(names) == order.split()


def test_a_deploy_by_a_clock_that_is_ahead_hides_no_later_one() -> None:
    ahead = replace(deploy("9", "production", 50), start_ns=time.time_ns() + 40 * 86_400 * 10**9)
    here = [deploy("7", "production", 20), deploy("8", "production", 10, c.FAILURE)]
    (row,) = board_of([ahead, *here]).rows
    assert (row.cells["production"].newest.version, row.cells["production"].there) == ("8", here[0])
    other = deploy("1", "staging", 30, service="orders")
    assert [row.service for row in board_of([ahead, other]).rows] == ["orders", "shop"]


def test_the_newest_deploy_comes_first() -> None:
    rows = board_of(
        [deploy("1", "staging", 50), deploy("1", "staging", 5, service="orders"), deploy("1", "qa", 9, service="a")]
    ).rows
    assert [row.service for row in rows] == ["orders", "a", "shop"]


def printed(width: int, terminal: bool) -> str:
    deploys = [
        deploy("1.7", "staging", 90),
        deploy("1.8", "staging", 30),
        deploy("1.7", "production", 60),
        deploy("1.8", "production", 5, c.FAILURE, owner="ops", kind="host_unreachable", message="web2: no route to host"),
    ]
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None, highlight=False)
    print_board(board_of(deploys), console, NOW)
    print_deploys(deploys[::-1], console, utc=True)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(("width", "terminal"), [(60, True), (120, True), (80, False)])
def test_a_terminal_shows_the_same_whatever_its_width(width: int, terminal: bool) -> None:
    text = printed(width, terminal)
    words = " ".join(text.split())
    for said in (
        "shop",
        "1.7",
        "✗ failed 1.8 5 min",
        "ops: host unreachable",
        "1 change behind staging, for 29 min",
        "by mara",
    ):
        assert said in words, said
    assert "web2: no route to host" in words
    if terminal:
        assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("width", [60, 120])
def test_a_name_without_end_leaves_the_others_their_place(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, highlight=False)
    deploys = [deploy("1.7", "staging", 60), deploy("x" * 5000, "e" * 5000, 30, run="j" * 5000, service="s" * 5000)]
    print_board(board_of([*deploys, deploy("1.8", "e" * 5000, 20)]), console, NOW)
    print_deploys(deploys, console)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert any("1.7 1 h 00 min ago" in line for line in lines)
    assert len(lines) < 60


def test_the_documents_have_none_for_what_is_not_known() -> None:
    failed = deploy("", "production", 5, c.FAILURE, who="", url="")
    told = deploys_document([failed], ["a note"])
    assert told["notes"] == ["a note"]
    assert {name for name, value in told["deploys"][0].items() if value is None} >= {"version", "who", "url", "owner"}
    cell = board_document(board_of([failed]), [])["services"][0]["environments"]["production"]
    assert (cell["state"], cell["there"], cell["behind"]) == (c.FAILURE, None, None)


def test_since_when_and_how_often_it_fails_counts_from_the_last_success() -> None:
    staging = ((90, c.FAILURE), (80, c.SUCCESS), (70, c.FAILURE), (60, c.CANCELLATION), (50, c.TIMEOUT))
    deploys = [deploy("1.8", "staging", ago, state) for ago, state in staging]
    deploys += [deploy("1.7", "production", 40), deploy("1.8", "qa", 30, c.FAILURE), deploy("1.8", "qa", 20, "running")]
    (row,) = board_of(deploys).rows
    failing = {name: cell.failing for name, cell in row.cells.items()}
    assert failing == {
        "staging": Failing(2, NOW - 70 * MINUTE, deploys[4]),
        "production": None,
        "qa": Failing(1, NOW - 30 * MINUTE, deploys[6]),
    }


def test_what_failed_is_not_hidden_by_what_runs_after_it() -> None:
    failed = deploy("1.8", "staging", 5, c.FAILURE, owner="ops", kind="host_unreachable")
    board = board_of([deploy("1.7", "staging", 60), failed, deploy("1.9", "staging", 1, "running")])
    console = Console(file=io.StringIO(), width=100, highlight=False)
    print_board(board, console, NOW)
    assert isinstance(console.file, io.StringIO)
    words = " ".join(console.file.getvalue().split())
    assert "1.7 1 h 00 min ago" in words
    assert "running 1.9 1 min 00 s ago, by mara ✗ failed 1.8 5 min 00 s ago, by mara ops: host unreachable" in words
    cell = board_document(board, [])["services"][0]["environments"]["staging"]
    assert (cell["newest"]["version"], cell["failing"]["newest"]["version"]) == ("1.9", "1.8")
    assert cell["failing"]["newest"]["trace_id"] == failed.trace_id


@pytest.mark.parametrize(
    ("version", "commit", "what"),
    [
        ("9f" * 20, "9f" * 20, "9f9f9f9"),
        ("9f" * 32, "", "9f9f9f9"),
        ("1.7.3", "9f" * 20, "1.7.3"),
        ("", "9f" * 20, "9f9f9f9"),
        ("sha256:" + "9f" * 32, "", "sha256:" + "9f" * 32),
        ("", "", ""),
    ],
)
def test_a_version_that_is_a_commit_is_as_short_as_a_commit(version: str, commit: str, what: str) -> None:
    assert deploy(version, "staging", 5, commit=commit).what == what


def test_a_terminal_says_the_commit_who_and_how_often_it_failed() -> None:
    commit = "9e0a338c41d27b5f60e8a9d3c2b1f4e5d6a7b8c9"
    failed = [deploy("1.9", "staging", ago, c.FAILURE, commit=commit, who="timer") for ago in (30, 20, 10)]
    console = Console(file=io.StringIO(), width=100, highlight=False)
    print_board(
        board_of([deploy("1.7", "staging", 60, commit=commit), *failed, deploy("", "qa", 5, commit=commit)]), console, NOW
    )
    assert isinstance(console.file, io.StringIO)
    words = " ".join(console.file.getvalue().split())
    assert "1.7 1 h 00 min ago, 9e0a338, by mara" in words
    assert "✗ failed 1.9 10 min 00 s ago, 9e0a338, by timer failed 3 times, for 30 min 00 s" in words
    assert "9e0a338 5 min 00 s ago, by mara" in words
