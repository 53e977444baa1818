"""The page in a real Chromium: what a reader sees and does. Screenshots go to tests/output/."""

from __future__ import annotations

from typing import Any

import pytest
from support import OUTPUT
from support.report_pages import (
    ROWS,
    Open,
    focused,
    names,
    needs_chromium,
    overflow,
    row,
)
from support.report_samples import HOSTILE, hostile_spans, make, many, sample

from pipeline_trace.lookup.wording import human_duration

pytestmark = [pytest.mark.process, needs_chromium]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("report-light", {"color_scheme": "light"}),
        ("report-dark", {"color_scheme": "dark"}),
        ("report-narrow", {"width": 360, "height": 740}),
    ],
)
def test_it_opens_in_every_size_and_scheme(open_report: Open, name: str, options: dict[str, Any]) -> None:
    page = open_report(sample(), **options)
    if name == "report-dark":
        page.locator("[data-jump]").click()
    OUTPUT.mkdir(exist_ok=True)
    page.screenshot(path=OUTPUT / f"{name}.png")
    assert overflow(page) <= 0
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(15, 18, 23)") is (name == "report-dark")


def test_the_answer_is_there_without_scrolling(open_report: Open) -> None:
    page = open_report(sample())
    assert page.title() == "Failed: app-build #42"
    assert "2025-03-05 16:30:09 +01:00" in page.locator("header").inner_text()
    box = page.locator("[data-jump]").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 300
    assert row(page, "RUN app-build").is_visible()


def test_hostile_names_are_text(open_report: Open) -> None:
    page = open_report(hostile_spans())
    shown = names(page)
    assert HOSTILE[0] in shown
    assert HOSTILE[1] in shown
    assert "invoice\u2039U+202E\u203afdp.exe" in shown
    for name in shown:
        row(page, name).click()
        assert page.locator("#details h2").inner_text() == name
    assert page.locator("img, #details script, a:not([href^='#'])").count() == 0


def test_only_web_addresses_become_links(open_report: Open) -> None:
    span = make("x", None, "one", 0, 1)
    span.attributes = {
        "a": "https://ci.example.org/job/1/",
        "b": "javascript:alert(1)",
        "c": "data:text/html,x",
        "d": "http://[",
        "e": "file:///etc/passwd",
        "f": ["http://a.example/", "see https://b.example/"],
    }
    page = open_report([span])
    row(page, "one").click()
    links = page.locator("#details a:not(.span-link)")
    assert links.evaluate_all("all => all.map(a => [a.href, a.rel])") == [
        ["https://ci.example.org/job/1/", "noopener noreferrer"],
        ["http://a.example/", "noopener noreferrer"],
    ]


def test_rows_fold_by_click_and_by_buttons(open_report: Open) -> None:
    page = open_report(sample(), height=2000)
    whole = names(page)
    assert len(whole) == len(sample())
    stage = row(page, "Unit test")
    assert stage.get_attribute("aria-expanded") == "true"
    stage.locator(".toggle").click()
    assert stage.get_attribute("aria-expanded") == "false"
    assert "make test" not in names(page)
    assert page.locator("aside").is_hidden()
    page.click("#collapse")
    assert [name for name in names(page) if name in ("Unit test", "linux-py311", "make test", "RUN app-deploy")] == [
        "Unit test",
        "linux-py311",
    ]
    page.click("#expand")
    assert names(page) == whole


def test_the_keyboard_moves_folds_and_opens(open_report: Open) -> None:
    page = open_report(sample())
    row(page, "RUN app-build").focus()
    page.keyboard.press("ArrowDown")
    assert focused(page) == "Schedule"
    page.keyboard.press("ArrowLeft")
    assert focused(page) == "RUN app-build"
    page.keyboard.press("ArrowLeft")
    assert names(page) == ["RUN app-build"]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert focused(page) == "Schedule"
    page.keyboard.press("End")
    assert focused(page) == "Clean up"
    assert page.locator(f"{ROWS}[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    assert page.locator("#details h2").inner_text() == "Clean up"
    page.keyboard.press("ArrowUp")
    assert page.locator("#details h2").inner_text() == "Deploy production"
    assert page.locator(f"{ROWS}[aria-selected='true'] .name").inner_text() == "Deploy production"
    page.keyboard.press("Escape")
    assert page.locator("aside").is_hidden()
    page.keyboard.press("Home")
    assert focused(page) == "RUN app-build"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_grid_is_a_treegrid(open_report: Open) -> None:
    page = open_report(sample())
    grid = page.get_by_role("treegrid")
    assert grid.get_attribute("aria-rowcount") == str(len(sample()) + 1)
    assert grid.get_by_role("columnheader").count() == 4
    stage = row(page, "Checkout")
    assert stage.get_attribute("aria-level") == "2"
    assert stage.get_by_role("gridcell").count() == 4
    assert row(page, "Schedule").get_attribute("aria-expanded") is None


def test_search_filters_announces_and_clears(open_report: Open) -> None:
    page = open_report(sample())
    whole = names(page)
    page.keyboard.press("/")
    page.keyboard.type("web3")
    assert page.locator("#matches").inner_text() == "5 rows match"
    shown = names(page)
    assert shown.count("web3") == 5
    assert "web1" not in shown
    assert "Restart the service" in shown
    assert page.locator(f"{ROWS} mark").first.inner_text() == "web3"
    page.keyboard.press("Enter")
    assert focused(page) == "web3"
    page.locator("#search").focus()
    page.keyboard.press("Escape")
    assert page.locator("#search").input_value() == ""
    assert page.locator("#matches").inner_text() == ""
    assert set(whole) <= set(names(page))
    page.locator("#search").fill("nothing has this name")
    assert page.locator("#no-rows").is_visible()
    assert page.locator(ROWS).count() == 0
    page.locator("#search").fill("4f1c2d9e0b7a")
    assert names(page) == ["RUN app-build"]


def test_failures_only_shows_them_and_what_they_are_in(open_report: Open) -> None:
    page = open_report(sample())
    page.click("#only-failed")
    assert names(page)[-1] == "web3"
    assert "Unit test" not in names(page)
    assert page.locator("#only-failed").get_attribute("aria-pressed") == "true"


def test_the_list_of_failures_jumps_to_the_row(open_report: Open) -> None:
    page = open_report(sample())
    page.click("#collapse")
    page.locator("#search").fill("lint")
    page.locator("[data-jump]").focus()
    page.keyboard.press("Enter")
    assert focused(page) == "web3"
    chosen = page.locator(f"{ROWS}[aria-selected='true']")
    assert "failed" in chosen.inner_text()
    box = chosen.bounding_box()
    assert box is not None
    assert 100 < box["y"] < 880
    assert "Connection refused" in page.locator("#details .message").inner_text()


def test_the_details_show_all_of_a_span(open_report: Open) -> None:
    page = open_report(sample())
    row(page, "RUN app-build").click()
    text = page.locator("#details").inner_text()
    for expected in ("vcs.ref.head.name", "DEPLOY_TO=staging", "trigger", "\N{MINUS SIGN}2.4 s", "rebuild of #41"):
        assert expected in text
    for expected in ("2025-03-05 16:30:12.250 +01:00", sample()[0].span_id):
        assert expected in text
    page.click("#close")
    assert page.locator("aside").is_hidden()
    assert focused(page) == "RUN app-build"


def test_waits_failures_skips_and_open_spans_look_different(open_report: Open) -> None:
    running = make("open", "run", "Still at it", 300, None)
    late = make("late", "checkout", "Late", 10, 400)
    page = open_report([*sample(), running, late], height=2000)
    style = "el => { const s = getComputedStyle(el); return [s.backgroundImage, s.backgroundColor, s.clipPath].join() }"
    looks = {
        name: row(page, name).locator(".bar").evaluate(style)
        for name in ("Wait for input", "Checkout", "Deploy production", "Still at it", "RUN app-build")
    }
    assert len(set(looks.values())) == len(looks)
    assert "repeating-linear-gradient" in looks["Wait for input"]
    assert "running" in row(page, "Still at it").inner_text()
    assert "clock skew" in row(page, "Late").inner_text()
    assert "1 failed inside" in row(page, "Restart the service").inner_text()


def test_durations_read_the_same_as_in_the_terminal(open_report: Open) -> None:
    lengths = [0, 0.0004, 0.171, 0.9996, 4.64, 4.65, 59.96, 123, 3599.6, 3720, 86399, 273600]
    page = open_report([make(f"d{number}", None, str(number), 0, length) for number, length in enumerate(lengths)])
    for number, length in enumerate(lengths):
        expected = human_duration(round(length * 1e9))
        assert row(page, str(number)).locator(".c-duration").inner_text() == expected


def test_all_rows_of_the_view_are_printed(open_report: Open) -> None:
    page = open_report(many(1000))
    page.click("#expand")
    count = int(page.get_by_role("treegrid").get_attribute("aria-rowcount") or 0) - 1
    assert page.locator(ROWS).count() < 100
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(ROWS).count() == count > 900
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(ROWS).count() < 100


def test_10000_spans_open_and_scroll(open_report: Open) -> None:
    spans = many(10_000)
    page = open_report(spans)
    row(page, "RUN nightly").wait_for()
    # Hosts are folded, but those on the way to a failure.
    assert int(page.get_by_role("treegrid").get_attribute("aria-rowcount") or 0) < 1200
    page.click("#expand")
    page.evaluate("scrollTo(0, 240000)")
    page.wait_for_timeout(100)
    assert page.locator(ROWS).count() < 120
    row_top = page.evaluate("Math.min(...[...document.querySelectorAll('#rows .row')].map(r => r.offsetTop).slice(1))")
    assert row_top > 200_000
    page.locator("#search").fill("web042")
    assert page.locator("#matches").inner_text() == "98 rows match"


def test_less_motion_is_kept_to(open_report: Open) -> None:
    page = open_report(sample(), reduced_motion="reduce")
    assert page.locator(".toggle .icon").first.evaluate("el => getComputedStyle(el).transitionDuration") == "0s"


def test_at_360_pixels_details_do_not_hide_the_row(open_report: Open) -> None:
    page = open_report(sample(), width=360, height=740)
    page.locator("[data-jump]").click()
    chosen = page.locator(f"{ROWS}[aria-selected='true']").bounding_box()
    sheet = page.locator("aside").bounding_box()
    assert chosen is not None
    assert sheet is not None
    assert chosen["y"] + chosen["height"] <= sheet["y"]
    assert overflow(page) <= 0
