"""Times on the pages: in the reader's time zone, in UTC where one points at them, and in UTC without JavaScript."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from playwright.sync_api import Browser, Page
from support.page_states import State, all_states, opened
from support.report_pages import needs_chromium

from pipeline_trace.report.times import time_element, time_element_of

STARTED = "2025-03-05 15:30:09 UTC"


def state(name: str) -> State:
    return next(one for one in all_states() if one.name == name)


def texts(page: Page) -> list[str]:
    return page.locator("time").all_inner_texts()


def test_an_element_has_utc_as_text_title_and_datetime() -> None:
    element = '<time datetime="2025-03-05T15:30:09Z" title="2025-03-05 15:30:09 UTC">2025-03-05 15:30:09 UTC</time>'
    berlin = datetime(2025, 3, 5, 16, 30, 9, 999_999, timezone(timedelta(hours=1)))
    assert time_element(berlin) == element
    assert time_element(datetime(2025, 3, 5, 15, 30, 9)) == element
    assert time_element_of(1_741_188_609_999_999_999) == element
    assert time_element_of(10**30) == ""


@pytest.mark.process
@needs_chromium
@pytest.mark.parametrize(
    ("zone", "started"),
    [
        ("Europe/Berlin", "2025-03-05 16:30:09 +01:00"),
        ("America/St_Johns", "2025-03-05 12:00:09 \N{MINUS SIGN}03:30"),
        ("UTC", STARTED),
    ],
)
def test_the_trace_page_tells_times_once_in_the_readers_zone(browser: Browser, zone: str, started: str) -> None:
    with opened(browser, state("details-of-a-story"), 1400, timezone_id=zone) as page:
        header = page.locator("header time")
        assert header.all_inner_texts() == [started]
        assert header.get_attribute("title") == STARTED
        # Since when it fails, since when it is green again, what was green before; the path's step; the start and the end of
        # the span, its event, and the moment of the report.
        assert page.locator("time").count() == 9
        visible = page.locator("body").inner_text()
        offset = started.rpartition(" ")[2]
        assert {
            text.rpartition(" ")[2].rstrip(",") for text in re.findall(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\S* \S+", visible)
        } == {offset}
        start = page.locator("#details time").first
        assert start.get_attribute("title") == "2025-03-05 15:30:12.250 UTC"
        event = page.locator("#details .events time")
        assert event.inner_text() == "\N{MINUS SIGN}2.4 s"
        assert "15:30:09.850 UTC" in (event.get_attribute("title") or "")


@pytest.mark.process
@needs_chromium
@pytest.mark.parametrize("name", ["trace-succeeded", "list-filled"])
def test_without_javascript_times_are_in_utc_and_say_so(browser: Browser, name: str) -> None:
    with opened(browser, state(name), 1400, java_script_enabled=False) as page:
        found = texts(page)
        assert len(found) > 1
        assert all(text.endswith(" UTC") for text in found)


@pytest.mark.process
@needs_chromium
def test_the_list_tells_times_in_the_readers_zone(browser: Browser) -> None:
    with opened(browser, state("list-filled"), 1400) as page:
        assert texts(page)[0] == "2025-03-05 16:30:12 +01:00"
        assert page.locator("time").first.get_attribute("title") == "2025-03-05 15:30:12 UTC"


@pytest.mark.process
@needs_chromium
def test_the_filter_takes_times_of_the_readers_zone_and_the_address_has_utc(browser: Browser) -> None:
    with opened(browser, state("list-without-hits"), 1400) as page:
        assert page.get_by_label("From", exact=True).input_value() == "2025-03-05T16:30"
        page.get_by_label("From").fill("2025-07-01T00:15")
        page.get_by_role("button", name="Filter").click()
        page.wait_for_url("**from=2025-06-30T22%3A15*")
        assert "to=&" in f"{page.url}&"


@pytest.mark.process
@needs_chromium
def test_without_javascript_the_filter_takes_utc_and_says_so(browser: Browser) -> None:
    with opened(browser, state("list-without-hits"), 1400, java_script_enabled=False) as page:
        assert page.get_by_label("From (UTC)").input_value() == "2025-03-05T15:30"
        page.get_by_label("To (UTC)").fill("2025-07-01T00:15")
        page.get_by_role("button", name="Filter").click()
        page.wait_for_url("**to=2025-07-01T00%3A15*")
