"""Lists sorted by length or begin: all that is found within the limit, page by page, and what is said beyond it."""

from __future__ import annotations

import pytest

from pipeline_trace.change.entries import Entry
from pipeline_trace.change.ordered import LONGEST, OLDEST, SHORTEST, Ordered, find_ordered, said_order
from pipeline_trace.change.search import EVERY, Found, Search
from pipeline_trace.lookup.journals import Journals
from pipeline_trace.lookup.lookup import Lookup

# Begin and end of each, the newest first; the last one runs.
TIMES = {"quick": (90, 91), "long": (50, 80), "slow": (20, 60), "old": (10, 12), "runs": (95, 0)}
FOUND = [Entry(name, name, "success", *times) for name, times in TIMES.items()]


def page(order: str, first: int = 0, most: int = 50, *, whole: bool = True) -> Ordered:
    def find(lookup: Lookup, search: Search, most: int, until_ns: int) -> Found:
        assert (search, most) == (Search(service="shop"), EVERY)
        return Found(FOUND, 0 if whole else 7, whole, 0 if whole else 8)

    lookup = Lookup(None, Journals(None))  # type: ignore[arg-type]
    return find_ordered(find, lookup, Search(service="shop"), order, first, most)


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (LONGEST, ["slow", "long", "old", "quick", "runs"]),
        (SHORTEST, ["quick", "old", "long", "slow", "runs"]),
        (OLDEST, ["old", "slow", "long", "quick", "runs"]),
    ],
)
def test_orders(order: str, names: list[str]) -> None:
    assert [one.span_id for one in page(order).entries] == names


def test_each_is_on_one_page() -> None:
    pages = [page(LONGEST, first, 2) for first in (0, 2, 4)]
    assert [one.span_id for found in pages for one in found.entries] == ["slow", "long", "old", "quick", "runs"]
    assert [found.more for found in pages] == [True, True, False]
    # There is no page after the last one: that is shown instead.
    assert page(LONGEST, 98, 2) == pages[-1]


def test_what_was_not_sorted_is_said() -> None:
    assert said_order(page(LONGEST), "build", "") == ""
    said = said_order(page(LONGEST, whole=False), "build", "looked back to noon")
    assert said == "only the newest 5 builds are sorted: looked back to noon"
