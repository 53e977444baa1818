"""Charts: what is where, and that nothing is beyond the edge; figures in words; addresses."""

from __future__ import annotations

from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline_trace.lookup.source import Window
from pipeline_trace.serve.charts import FAILED, GOOD, OTHER, WAITED, Chart, Day, Length, chart_of_days, chart_of_lengths
from pipeline_trace.serve.period import Asked, list_of, read_asked, said_frequency, said_share
from pipeline_trace.serve.searching import read_search
from pipeline_trace.trace import conventions as c

MINUTE = 60 * 10**9


def inside(chart: Chart) -> bool:
    return all(
        0 <= bar.x <= bar.x + bar.width <= 100 and 0 <= shape.y <= shape.y + shape.height <= chart.height + 0.2
        for bar in chart.bars
        for shape in bar.shapes
    )


def test_failures_hang_below_the_line() -> None:
    chart = chart_of_days([Day("2026-11-24", 3, 0), Day("2026-11-25", 0, 0), Day("2026-11-26", 1, 2)], "green")
    assert chart
    first, empty, last = chart.bars
    (good,) = first.shapes
    assert (good.kind, good.y, round(good.y + good.height, 1), empty.shapes) == (GOOD, 0, chart.zero, [])
    above, below = last.shapes
    assert (below.kind, below.y) == (FAILED, chart.zero)
    assert below.height == pytest.approx(2 * above.height, abs=0.2)
    assert last.title == "2026-11-26: 1 green, 2 failed"
    assert inside(chart)


@pytest.mark.parametrize(("good", "failed", "said"), [(40, 1, ["0", "40"]), (1, 30, ["0", "30"]), (9, 3, ["0", "9", "3"])])
def test_no_number_of_a_scale_stands_on_another(good: int, failed: int, said: list[str]) -> None:
    chart = chart_of_days([Day("2026-11-24", good, failed)], "green")
    assert chart
    assert [text for _y, text in chart.scale] == said
    places = sorted(y for y, _text in chart.scale)
    assert all(below - above >= 14 for above, below in pairwise(places))


@pytest.mark.parametrize("count", [1, 2, 61, 90])
@pytest.mark.parametrize("value", [1, 9, 11, 99, 4321])
def test_any_number_of_bars_of_any_height_fits(count: int, value: int) -> None:
    days = chart_of_days([Day("2026-11-24", value, value // 2)] * count, "green")
    lengths = chart_of_lengths([Length(value * MINUTE, c.SUCCESS, "", "", value * MINUTE)] * count, ["a", "b"])
    assert days
    assert lengths
    assert inside(days)
    assert inside(lengths)


def test_without_anything_there_is_no_chart() -> None:
    assert (chart_of_days([Day("2026-11-24", 0, 0)], "green"), chart_of_lengths([], [])) == (None, None)


def test_a_length_shows_its_wait_and_below_that_it_failed() -> None:
    chart = chart_of_lengths(
        [
            Length(2 * MINUTE, c.SUCCESS, "one", "/1", MINUTE),
            Length(2 * MINUTE, c.TIMEOUT, "two", "/2"),
            Length(0, c.CANCELLATION, "", ""),
        ],
        [],
    )
    assert chart
    took, waited = chart.bars[0].shapes
    assert (took.kind, waited.kind) == (GOOD, WAITED)
    assert took.height == pytest.approx(2 * waited.height, abs=0.2)
    assert (waited.y + waited.height, took.y + took.height) == (chart.zero, waited.y)
    assert [shape.kind for shape in chart.bars[1].shapes] == [FAILED, FAILED]
    assert chart.bars[1].shapes[1].y > chart.zero
    assert {shape.kind for shape in chart.bars[2].shapes} == {OTHER}
    assert [text for _y, text in chart.scale] == ["4 min", "2 min", "0"]


@pytest.mark.parametrize(
    ("count", "days", "said"),
    [
        (0, 7, "none"),
        (60, 30, "2 a day"),
        (34, 30, "1.1 a day"),
        (9, 30, "2.1 a week"),
        (2, 30, "2 in 30 days"),
        (1, 0.5, "2 a day"),
    ],
)
def test_a_frequency_has_the_unit_that_says_it_best(count: int, days: float, said: str) -> None:
    assert said_frequency(count, days) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(None, "not known"), (0, "0 %"), (0.001, "1 %"), (0.125, "12 %"), (0.9999, "99 %"), (1, "100 %")],
)
def test_a_share_is_none_or_all_only_where_it_is(share: float | None, said: str) -> None:
    assert said_share(share) == said


@pytest.mark.parametrize(("days", "known"), [("7", 7), ("90", 90), ("8", 30), ("", 30), ("x", 30), ("-7", 30)])
def test_a_period_that_cannot_be_chosen_is_the_usual_one(days: str, known: int) -> None:
    assert read_asked({"name": " shop ", "days": days, "environment": "prod"}) == Asked("shop", known, "prod")


def test_the_address_of_a_list_finds_what_began_in_the_time() -> None:
    window = Window(20_000 * 86_400 * 10**9, 20_007 * 86_400 * 10**9 - 1)
    address = list_of("/deploys", window, service="a b&c", result="")
    given = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    search = read_search(given, window.to_ns).search
    assert (search.service, search.began.from_ns) == ("a b&c", window.from_ns)
    # To the second.
    assert window.to_ns - 10**9 < search.began.to_ns <= window.to_ns
