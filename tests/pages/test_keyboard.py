"""The pages by keyboard: skip links, a focus that is always seen, and links to spans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import support
from playwright.sync_api import Browser, Page
from support.page_states import State, all_states, opened
from support.report_pages import ROWS, focused, names, needs_chromium
from support.report_samples import sample

pytestmark = [pytest.mark.process, needs_chromium]

_FOCUS = (Path(support.__file__).with_name("focus.js")).read_text(encoding="utf-8")
FAILED = next(span for span in sample() if span.name == "web3" and span.status_code == "ERROR")
LINK = f"#span-{FAILED.span_id}"


def state(name: str) -> State:
    return next(one for one in all_states() if one.name == name)


def bare(name: str) -> State:
    """Return a state without what leads to it."""
    one = state(name)
    return State(name, one.write, policy=one.policy)


def walk(page: Page) -> list[tuple[str, str]]:
    """Press Tab through the whole page; return what had the focus, and what is wrong with how it is seen."""
    found: list[tuple[str, str]] = []
    for _ in range(90):
        page.keyboard.press("Tab")
        seen: Any = page.evaluate(_FOCUS)
        if seen is None:
            break
        found.append((seen[0], seen[1]))
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize(
    "name",
    [
        "list-running",
        "login-wrong",
        "now-running",
        "now-odd-names",
        "deploys-filtered",
        "builds-loosened",
        "trace-failed",
        "trace-long-names",
        "details-failed-step",
        "details-right-to-left",
    ],
)
def test_the_focus_is_always_seen(browser: Browser, name: str, width: int, scheme: str) -> None:
    with opened(browser, state(name), width, height=700, color_scheme=scheme) as page:
        page.evaluate("scrollTo(0, 0)")
        found = walk(page)
        assert found
        assert [one for one in found if one[1]] == []


@pytest.mark.parametrize("width", [390, 1400])
def test_the_focus_comes_back_to_a_row_that_the_toolbar_does_not_cover(browser: Browser, width: int) -> None:
    with opened(browser, bare("trace-many-rows"), width, height=500) as page:
        page.locator(ROWS).first.focus()
        for _ in range(3):
            page.keyboard.press("PageDown")
        name = focused(page)
        page.keyboard.press("Shift+Tab")
        page.evaluate(
            "top => scrollBy(0, top)", page.locator(f"{ROWS}[tabindex='0']").evaluate("el => el.getBoundingClientRect().top")
        )
        page.keyboard.press("Tab")
        assert focused(page) == name
        assert page.evaluate(_FOCUS)[1] == ""


def test_skip_links_lead_past_the_head_and_past_the_toolbar(browser: Browser) -> None:
    with opened(browser, bare("trace-failed"), 1400) as page:
        page.keyboard.press("Tab")
        skip = page.get_by_text("Skip to the content")
        assert skip.evaluate("el => el === document.activeElement")
        assert (skip.bounding_box() or {})["width"] > 100
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")
        page.get_by_text("Skip to the spans").focus()
        page.keyboard.press("Enter")
        assert focused(page) == "RUN app-build"


def test_without_rows_the_link_past_the_toolbar_leads_to_the_grid(browser: Browser) -> None:
    with opened(browser, bare("trace-empty"), 1400) as page:
        page.get_by_text("Skip to the spans").focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "grid"


def test_a_skip_link_leads_past_the_filter_of_the_list(browser: Browser) -> None:
    with opened(browser, state("list-filled"), 1400) as page:
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "RUN app-build#0"


def chosen(page: Page) -> tuple[str, str]:
    """Return the name of the selected row, and the title of the details."""
    return page.locator(f"{ROWS}[aria-selected='true'] .name").inner_text(), page.locator("#details h2").inner_text()


@pytest.mark.parametrize("width", [390, 1400])
def test_a_link_opens_the_page_at_its_span(browser: Browser, width: int) -> None:
    with opened(browser, bare("trace-failed"), width, height=700, at=LINK) as page:
        assert chosen(page) == ("web3", "web3")
        assert FAILED.span_id in page.locator("#details").inner_text()
        assert focused(page) == "web3"
        assert page.evaluate(_FOCUS)[1] == ""


def test_a_new_address_leads_to_its_span_across_folds_and_filters(browser: Browser) -> None:
    with opened(browser, bare("trace-failed"), 1400) as page:
        page.click("#collapse")
        assert "web3" not in names(page)
        page.fill("#search", "lint")
        page.evaluate("hash => { location.hash = hash }", LINK)
        page.locator("#details h2").get_by_text("web3").wait_for()
        assert chosen(page) == ("web3", "web3")
        assert page.input_value("#search") == ""
        page.click("#only-critical")
        other = next(span for span in sample() if span.name == "make lint")
        page.evaluate("hash => { location.hash = hash }", f"#span-{other.span_id}")
        page.locator("#details h2").get_by_text("make lint").wait_for()
        assert chosen(page) == ("make lint", "make lint")


def test_the_details_have_a_link_to_their_span(browser: Browser) -> None:
    with opened(browser, bare("trace-failed"), 1400) as page:
        page.locator(ROWS).filter(has_text="Unit test").first.click()
        link = page.get_by_text("Link to this span")
        link.focus()
        page.keyboard.press("Enter")
        unit = next(span for span in sample() if span.name == "Unit test")
        page.wait_for_function("() => location.hash")
        assert page.evaluate("location.hash") == f"#span-{unit.span_id}"
        # The reader stays where they are.
        assert page.evaluate("document.activeElement.textContent") == "Link to this span"
        page.reload()
        assert chosen(page) == ("Unit test", "Unit test")


def test_a_link_from_the_newest_trace_names_the_trace(browser: Browser) -> None:
    with opened(browser, bare("trace-failed"), 1400, at="trace/latest") as page:
        page.locator(ROWS).first.click()
        address = page.get_by_text("Link to this span").evaluate("el => el.href")
        assert address.endswith(f"/trace/{sample()[0].trace_id}#span-{sample()[0].span_id}")


def test_a_link_to_a_span_that_is_not_there_says_what_to_do(browser: Browser) -> None:
    with opened(browser, bare("trace-failed"), 1400, at="#span-%E0%A4%A") as page:
        note = page.locator("#no-span")
        assert "reload the page later" in note.inner_text()
        page.evaluate("hash => { location.hash = hash }", LINK)
        note.wait_for(state="hidden")
        assert chosen(page) == ("web3", "web3")
