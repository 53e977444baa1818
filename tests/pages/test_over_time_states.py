"""The pages over time in each of their states: axe finds nothing, in light and dark; all is in the tables, too."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser
from support.accessible import violations
from support.page_states import State, all_states, opened
from support.report_pages import needs_chromium, overflow
from support.time_states import pages

pytestmark = [pytest.mark.process, needs_chromium]

NAMES = [name for name, _write in pages()]
_TALL = ("host-of-many-tasks", "service-of-90-days")
STATES = [one for one in all_states() if one.name in NAMES]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_axe_finds_nothing(browser: Browser, state: State, scheme: str, width: int) -> None:
    with opened(browser, state, width, color_scheme=scheme) as page:
        page.evaluate("document.querySelectorAll('main details').forEach(one => one.open = true)")
        assert violations(page) == []


@pytest.mark.parametrize("width", [390, 768, 2560])
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_nothing_is_beyond_the_edge(browser: Browser, state: State, width: int) -> None:
    with opened(browser, state, width) as page:
        page.evaluate("document.querySelectorAll('main details').forEach(one => one.open = true)")
        assert overflow(page) <= 0


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_each_chart_has_its_table(browser: Browser, state: State) -> None:
    with opened(browser, state, 1000) as page:
        for chart in page.locator("figure.chart:has(svg.bars)").all():
            bars = chart.locator("svg.bars title").count()
            assert chart.locator("svg.bars").get_attribute("aria-hidden") == "true"
            assert chart.locator(".as-table tbody tr").count() in range(1, bars + 1)


@pytest.mark.parametrize("state", [one for one in STATES if one.name in _TALL], ids=lambda state: state.name)
def test_a_long_table_is_whole_on_a_phone_and_shows_elsewhere_that_there_is_more(browser: Browser, state: State) -> None:
    beyond = "boxes => Math.max(...boxes.map(one => one.scrollHeight - one.clientHeight))"
    with opened(browser, state, 390) as page:
        assert page.locator(".tall").evaluate_all(beyond) <= 1
    with opened(browser, state, 1280) as page:
        assert page.locator(".tall").evaluate_all(beyond) > 100
        shown = (
            "one => [getComputedStyle(one).backgroundAttachment, getComputedStyle(one.firstElementChild).backgroundColor]"
        )
        attached, table = page.locator(".tall").first.evaluate(shown)
        assert ("scroll" in attached, table) == (True, "rgba(0, 0, 0, 0)")
