"""The first page and the lists of deploys and builds in each state: accessible, in all widths, on paper."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser
from support.accessible import repeated_ids, violations
from support.layout import troubles
from support.page_states import State, first_and_lists, opened
from support.report_pages import needs_chromium

pytestmark = [pytest.mark.process, needs_chromium]

every_state = pytest.mark.parametrize("state", first_and_lists(), ids=lambda state: state.name)


@every_state
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(browser: Browser, state: State, width: int, scheme: str) -> None:
    with opened(browser, state, width, color_scheme=scheme) as page:
        assert violations(page) == []
        assert repeated_ids(page) == []


# tests/pages/test_layout.py has the widths below.
@every_state
@pytest.mark.parametrize("width", [1280, 2560])
def test_no_text_is_covered_or_cut_or_beyond_the_edge(browser: Browser, state: State, width: int) -> None:
    with opened(browser, state, width) as page:
        assert troubles(page) == []
        assert page.locator("main").evaluate("el => el.getBoundingClientRect().width") > 0.9 * width


@every_state
def test_paper_has_what_is_said_and_not_what_can_be_done(browser: Browser, state: State) -> None:
    with opened(browser, state, 794) as page:
        page.emulate_media(media="print", color_scheme="light")
        assert troubles(page) == []
        assert page.locator("form:visible, nav.pages:visible").count() == 0
        assert page.locator("h1, main table, main .card").first.is_visible()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"
        assert page.locator(".quick .chip:visible").count() == page.locator(".quick .chip").count()


def test_services_stay_in_sight_beside_a_board_that_is_wider_than_the_window(browser: Browser) -> None:
    (state,) = (one for one in first_and_lists() if one.name == "now-many")
    with opened(browser, state, 1280) as page:
        service = page.locator(".board th[scope=row]").first
        page.get_by_role("region", name="Services and environments").focus()
        for _ in range(30):
            page.keyboard.press("ArrowRight")
        page.wait_for_function("() => document.querySelector('.scroll').scrollLeft > 100")
        assert service.evaluate("el => Math.abs(el.getBoundingClientRect().left - el.closest('.scroll').offsetLeft)") < 2
        above = "el => document.elementFromPoint(30, el.getBoundingClientRect().top + 10).closest('th') === el"
        assert service.evaluate(above)


def test_a_version_without_end_pushes_no_environment_out_of_sight(browser: Browser) -> None:
    (state,) = (one for one in first_and_lists() if one.name == "now-digests")
    with opened(browser, state, 1280) as page:
        assert page.locator(".scroll").evaluate("el => el.scrollWidth - el.clientWidth") == 0
        assert page.locator(".board td").count() == 3
