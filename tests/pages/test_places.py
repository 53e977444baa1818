"""Parts of the first page come again while somebody reads: the reader's place stays, and so does selected text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from support.now_states import HOUR, NOW_NS, entry
from support.page_states import first_and_lists, opened
from support.report_pages import needs_chromium

from pipeline_trace.change.board import board_of
from pipeline_trace.change.running import Running
from pipeline_trace.serve.first_page import First, parts_of

pytestmark = [pytest.mark.process, needs_chromium]

# What the server sends is sent by the test.
SOURCE = "window.EventSource = class extends EventTarget { constructor() { super(); window.source = this; } close() {} };"
SEND = "([id, html]) => window.source.dispatchEvent(new MessageEvent(id, { data: JSON.stringify(html) }))"
BOARD = [entry(f"service{at}", "staging", "1.7.3", at * HOUR) for at in range(1, 41)]
NEW = [entry(f"new{at}", "staging", "1.0", at) for at in range(5)]
RUNNING = [Running(f"{at:032x}", ["playbook site.yml"], NOW_NS - HOUR, [], None, "", "") for at in range(1, 4)]


def parts(running: list[Running], *deploys: Any) -> dict[str, str]:
    return parts_of(First(running, board_of(deploys)), NOW_NS, store="store")


@pytest.fixture(params=[390, 1280])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    (state,) = (one for one in first_and_lists() if one.name == "now-calm")
    with opened(browser, state, request.param) as page:
        page.add_init_script(SOURCE)
        page.reload()
        page.wait_for_function("() => window.source")
        send(page, parts([], *BOARD))
        yield page


def send(page: Page, found: dict[str, str]) -> None:
    for name, text in found.items():
        page.evaluate(SEND, [name, text])


def top(page: Page, service: str) -> float:
    return float(page.get_by_role("link", name=service, exact=True).evaluate("el => el.getBoundingClientRect().top"))


def test_new_rows_and_cards_push_nothing_away_that_is_read(page: Page) -> None:
    page.get_by_role("link", name="service20", exact=True).evaluate("el => el.scrollIntoView({ block: 'start' })")
    before = top(page, "service20")
    send(page, parts(RUNNING, *BOARD, *NEW))
    assert page.get_by_role("link", name="new1", exact=True).count() == 1
    assert abs(top(page, "service20") - before) < 2
    # That row is gone now. The row below it must not move.
    near = top(page, "service21")
    send(page, parts([], *(one for one in BOARD if one.service != "service20")))
    assert abs(top(page, "service21") - near) < 2


def test_who_is_at_the_top_sees_what_is_new(page: Page) -> None:
    send(page, parts(RUNNING, *BOARD, *NEW))
    assert page.evaluate("() => window.scrollY") == 0
    assert page.locator(".running > li").first.is_visible()


def test_selected_text_stays_until_it_is_selected_no_more(page: Page) -> None:
    page.get_by_role("link", name="service3", exact=True).evaluate("el => getSelection().selectAllChildren(el)")
    send(page, parts(RUNNING, *BOARD, *NEW))
    # The other part has no selected text.
    assert page.locator(".running > li").count() == len(RUNNING)
    assert page.evaluate("() => getSelection().toString()") == "service3"
    assert page.get_by_role("link", name="new1", exact=True).count() == 0
    page.evaluate("() => getSelection().removeAllRanges()")
    page.get_by_role("link", name="new1", exact=True).wait_for()
