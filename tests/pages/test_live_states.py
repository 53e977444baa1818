"""The page of a trace that goes on, in each state: accessible, in all widths; and a list that is still filled."""

from __future__ import annotations

from contextlib import closing

import pytest
from playwright.sync_api import Browser, Route, expect
from support.accessible import repeated_ids, violations
from support.layout import troubles
from support.page_states import ADDRESS, State, all_states, live, opened
from support.report_pages import needs_chromium

pytestmark = [pytest.mark.process, needs_chromium]

every_state = pytest.mark.parametrize("state", live(), ids=lambda state: state.name)


@every_state
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(browser: Browser, state: State, width: int, scheme: str) -> None:
    with opened(browser, state, width, color_scheme=scheme) as page:
        assert violations(page) == []
        assert repeated_ids(page) == []


# tests/pages/test_layout.py has other widths.
@every_state
@pytest.mark.parametrize("width", [1280, 2560])
def test_no_text_is_covered_or_cut_or_beyond_the_edge(browser: Browser, state: State, width: int) -> None:
    with opened(browser, state, width) as page:
        assert troubles(page) == []


def test_a_list_that_is_still_read_fills_and_what_is_typed_stays(browser: Browser) -> None:
    filling, filled = (next(one for one in all_states() if one.name == name) for name in ("list-running", "list-filled"))
    answers = [filling, filling, filled]
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        state = answers[min(len(asked), len(answers)) - 1]
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": state.policy}
        route.fulfill(body=state.write(), headers=headers)

    with closing(browser.new_context()) as context:
        context.route("**/*", answer)
        page = context.new_page()
        page.goto(f"{ADDRESS}traces?q=app")
        page.evaluate("window.loaded = 'once'")
        assert "Still reading 12,345 more traces" in page.locator("#listed").inner_text()
        page.get_by_label("Search", exact=True).fill("half a wo")
        expect(page.locator("#listed")).not_to_contain_text("Still reading", timeout=60_000)
        expect(page.locator("#listed")).to_contain_text("480 traces, page 2")
        assert page.get_by_label("Search", exact=True).input_value() == "half a wo"
        assert page.get_by_label("Search", exact=True).evaluate("el => el === document.activeElement")
        assert page.evaluate("window.loaded") == "once"
        assert asked == [f"{ADDRESS}traces?q=app"] * 3


def test_a_page_whose_login_has_ended_says_what_to_do(browser: Browser) -> None:
    running = next(state for state in live() if state.name == "live-running")

    def answer(route: Route) -> None:
        body = "<form>Log in</form>" if "/events?" in route.request.url else running.write()
        route.fulfill(body=body, headers={"Content-Type": "text/html; charset=utf-8"})

    with closing(browser.new_context()) as context:
        context.route("**/*", answer)
        page = context.new_page()
        page.goto(ADDRESS)
        expect(page.locator("#live-line")).to_contain_text("load the page again: perhaps your login has ended.")
        assert violations(page) == []
