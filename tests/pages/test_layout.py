"""The layout in a real Chromium: in each state and width all texts can be read, and no line is drawn astray."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser
from support.layout import troubles
from support.page_states import WIDTHS, State, all_states, opened
from support.report_pages import needs_chromium

pytestmark = [pytest.mark.process, needs_chromium]


@pytest.mark.parametrize("state", all_states(), ids=lambda state: state.name)
@pytest.mark.parametrize("width", WIDTHS)
def test_no_text_is_covered_or_cut_or_beyond_the_edge(browser: Browser, state: State, width: int) -> None:
    with opened(browser, state, width) as page:
        assert troubles(page) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_evidence_is_whole_and_its_rest_folds_out(browser: Browser, width: int) -> None:
    (state,) = (one for one in all_states() if one.name == "trace-long-names")
    with opened(browser, state, width) as page:
        evidence = page.locator(".evidence").first
        assert evidence.locator("li").count() == 6
        assert evidence.evaluate("el => el.scrollHeight <= el.clientHeight")
        rest = page.locator(".headline details")
        rest.evaluate("el => el.open = false")
        rest.get_by_text("36 more lines of evidence").click()
        assert page.get_by_text("line 29", exact=True).is_visible()
