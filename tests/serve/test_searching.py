"""Filters in an address: read, written, and said where they are wrong."""

from __future__ import annotations

from datetime import datetime, timezone
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from pipeline_trace.change.search import Search
from pipeline_trace.lookup.source import ALWAYS, Window
from pipeline_trace.serve.period import list_of
from pipeline_trace.serve.searching import read_search

NOW = datetime(2026, 11, 25, 16, 30, tzinfo=timezone.utc)
SECOND = 10**9
NOW_NS = int(NOW.timestamp()) * SECOND
MIDNIGHT_NS = NOW_NS - (16 * 3600 + 30 * 60) * SECOND
DAY_NS = 86_400 * SECOND


def test_all_fields_are_read() -> None:
    given = {
        "q": "  web3  restart ",
        "service": "shop",
        "environment": "Prod",
        "owner": "ops",
        "nonsense": "x",
        "result": "",
    }
    asked = read_search(given, NOW_NS)
    assert asked.search == Search(service="shop", environment="Prod", owner="ops", words=("web3", "restart"))
    assert asked.typed == {"q": "web3  restart", "service": "shop", "environment": "Prod", "owner": "ops"}
    assert (asked.problem, asked.until_ns) == ("", ALWAYS.to_ns)


@pytest.mark.parametrize(
    ("given", "window"),
    [
        ({"when": "today"}, Window(MIDNIGHT_NS)),
        ({"when": "yesterday"}, Window(MIDNIGHT_NS - DAY_NS, MIDNIGHT_NS - 1)),
        ({"when": "24h"}, Window(NOW_NS - DAY_NS)),
        ({"when": "7d"}, Window(NOW_NS - 7 * DAY_NS)),
        # In Auckland it is tomorrow already; in California still this morning.
        ({"when": "today", "zone": "780"}, Window(MIDNIGHT_NS + DAY_NS - 13 * 3600 * SECOND)),
        ({"when": "today", "zone": "-480"}, Window(MIDNIGHT_NS + 8 * 3600 * SECOND)),
        ({"when": "today", "zone": "nowhere"}, Window(MIDNIGHT_NS)),
        ({"when": "today", "zone": "99999999999999"}, Window(MIDNIGHT_NS)),
        ({"from": "2026-11-25T00:00", "to": "2026-11-25T00:00:01+00:00"}, Window(MIDNIGHT_NS, MIDNIGHT_NS + 2 * SECOND - 1)),
        ({"when": "today", "from": "2026-11-25T00:00:01"}, Window(MIDNIGHT_NS + SECOND)),
        ({"from": "0001-01-01T00:00"}, Window(0)),
    ],
)
def test_times_are_read(given: dict[str, str], window: Window) -> None:
    asked = read_search(given, NOW_NS)
    assert (asked.search.began, asked.problem) == (window, "")


def test_a_list_has_all_that_a_day_has() -> None:
    day = Window(MIDNIGHT_NS - DAY_NS, MIDNIGHT_NS - 1)
    given = dict(parse_qsl(urlsplit(list_of("/builds", day, job="shop/build")).query))
    assert read_search(given, NOW_NS).search == Search(job="shop/build", began=day)


def test_an_unknown_result_is_said_with_those_that_there_are() -> None:
    asked = read_search({"result": "succeeded", "service": "shop"}, NOW_NS)
    assert asked.search == Search(service="shop")
    assert asked.problem == (
        "“succeeded” is no result; take one of failed, error, failure, timeout, cancellation, running, incomplete, success, "
        "skip, unset"
    )


def test_a_page_goes_on_with_each_of_two_ways() -> None:
    assert [read_search({"until": "17", "rest": text}, NOW_NS).rest_ns for text in ("19", "x", "")] == [19, 0, 0]


@pytest.mark.parametrize("given", [{"when": "soon"}, {"from": "4:30 pm"}, {"to": "9999-99-99T00:00"}])
def test_what_is_wrong_is_said_and_ignored(given: dict[str, str]) -> None:
    asked = read_search({**given, "service": "shop"}, NOW_NS)
    assert asked.search == Search(service="shop")
    assert next(iter(given.values())) in asked.problem
    assert asked.typed == {"service": "shop"}


@pytest.mark.parametrize(
    ("until", "expected"), [("17", 17), ("-1", ALWAYS.to_ns), ("x", ALWAYS.to_ns), ("9" * 30, ALWAYS.to_ns)]
)
def test_a_page_is_named_by_its_time(until: str, expected: int) -> None:
    assert read_search({"until": until}, NOW_NS).until_ns == expected


def test_an_owner_and_a_kind_may_be_written_as_pages_show_them() -> None:
    asked = read_search({"owner": "Ops", "kind": "Disk full"}, NOW_NS)
    assert (asked.search.owner, asked.search.kind) == ("ops", "disk_full")
    assert (asked.typed["owner"], asked.typed["kind"]) == ("Ops", "Disk full")


def test_an_address_has_the_filters_and_no_others() -> None:
    asked = read_search({"service": "a b&c", "when": "today", "zone": "60", "until": "5"}, NOW_NS)
    address = urlsplit(asked.address("/deploys", service="", result="failed"))
    assert (address.path, parse_qs(address.query)) == (
        "/deploys",
        {"when": ["today"], "zone": ["60"], "result": ["failed"]},
    )
    assert parse_qs(urlsplit(asked.address("/deploys")).query)["service"] == ["a b&c"]
    assert read_search({}, NOW_NS).address("/builds") == "/builds"


@pytest.mark.parametrize(
    ("given", "order", "page"),
    [
        ({"sort": "longest", "page": "3"}, "longest", 3),
        ({"sort": "oldest"}, "oldest", 1),
        ({"sort": "nonsense", "page": "0"}, "", 1),
        ({"page": "-1"}, "", 1),
        ({"page": "9999999"}, "", 1),
    ],
)
def test_the_order_is_in_the_address(given: dict[str, str], order: str, page: int) -> None:
    asked = read_search({**given, "host": "web3"}, NOW_NS)
    assert (asked.order, asked.page, asked.search.host) == (order, page, "web3")
    kept = parse_qs(urlsplit(asked.address("/deploys", service="shop")).query)
    assert kept == {"host": ["web3"], "service": ["shop"], **({"sort": [order]} if order else {})}


@pytest.mark.parametrize("field", ["from", "to", "until"])
@pytest.mark.parametrize("text", ["9223372036854775808", "9999999999999999999", "9999-12-31T23:59:59", "0001-01-01"])
def test_no_time_is_beyond_what_a_store_holds(field: str, text: str) -> None:
    asked = read_search({field: text}, 1_800_000_000 * 10**9)
    times = (*asked.search.began, asked.until_ns)
    assert all(0 <= one < 1 << 63 for one in times)
