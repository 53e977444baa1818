"""Copying in a real Chromium: texts for the chat, commands, links to spans; also where a page may not use the clipboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page
from support.accessible import violations
from support.accounts import account
from support.page_states import ADDRESS, State, all_states, opened
from support.report_pages import ROWS, Open, needs_chromium, overflow, row, tell
from support.report_samples import TRACE, make, sample

from pipeline_trace.ownership.account import rendered
from pipeline_trace.report.copying import Around

pytestmark = [pytest.mark.process, needs_chromium]

ALLOWED = ["clipboard-read", "clipboard-write"]


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def pasted(page: Page) -> str:
    """Return the clipboard's text, without the right to read it: as a person who pastes it."""
    page.evaluate("document.body.append(Object.assign(document.createElement('textarea'), {id: 'paste'}))")
    page.locator("#paste").press("Control+V")
    return page.locator("#paste").input_value()


def state(name: str) -> State:
    """Return a state without what leads to it."""
    one = next(one for one in all_states() if one.name == name)
    return State(name, one.write, policy=one.policy)


def test_the_text_for_the_chat_is_the_account_in_both_forms(open_report: Open) -> None:
    page = tell(open_report, permissions=ALLOWED)
    button = page.get_by_role("button", name="Copy for the chat")
    button.click()
    page.get_by_role("button", name="Copied").wait_for()
    assert clipboard(page).partition("\n")[2] == rendered(account(), "text")
    assert page.locator("#copied").inner_text() == "Copied: Copy for the chat"
    page.get_by_role("button", name="Copy as Markdown").click()
    page.wait_for_function("() => document.querySelector('#copied').textContent.includes('Markdown')")
    assert clipboard(page).partition("\n\n")[2] == rendered(account(), "markdown")
    # The button that was left has its name again.
    assert button.count() == 1


@pytest.mark.parametrize("name", ["Copy for the chat", "Copy as Markdown"])
def test_the_next_click_beside_the_button_counts(open_report: Open, name: str) -> None:
    page = tell(open_report, permissions=ALLOWED)
    page.get_by_role("button", name=name).click()
    page.get_by_role("button", name="Copied").wait_for()
    box = page.locator("details.commands summary").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.get_by_role("button", name=name).wait_for()
    assert page.locator("details.commands summary").bounding_box() == box
    page.mouse.up()
    assert page.locator("details.commands").get_attribute("open") is not None


def test_a_button_with_a_short_name_leaves_nothing_moved_either(open_report: Open) -> None:
    page = tell(open_report, permissions=ALLOWED)
    page.get_by_text("Commands").click()
    button = page.locator(".commands button").first
    button.click()
    page.locator(".commands button", has_text="Copied").wait_for()
    wide = button.bounding_box()
    page.get_by_text("Commands").focus()
    assert (button.inner_text(), button.bounding_box()) == ("Copy", wide)


def test_where_nothing_failed_two_lines_are_copied(open_report: Open) -> None:
    spans = [make("run", None, "RUN app-build", 0, 60, jenkins_type="run", cicd_pipeline_result="success")]
    page = open_report(spans, permissions=ALLOWED)
    page.get_by_role("button", name="Copy for the chat").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert clipboard(page).splitlines() == [
        "Succeeded: app-build#42, app, 1 min 00 s, started 2025-03-05 15:30:12 UTC",
        "pipeline-trace show 'app-build#42'",
    ]


def test_each_command_is_copied_and_the_keyboard_is_enough(open_report: Open) -> None:
    page = tell(open_report, permissions=ALLOWED)
    page.get_by_text("Commands").focus()
    page.keyboard.press("Enter")
    commands = page.locator(".commands code").all_inner_texts()
    assert commands == [f"pipeline-trace {name} 'app-build#42'" for name in ("show", "why", "compare", "path", "report")]
    for command in commands:
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_function("said => document.querySelector('#copied').textContent.endsWith(said)", arg=command)
        assert clipboard(page) == command
        # The focus stays where the reader is.
        assert page.evaluate("document.activeElement.textContent") == "Copied"


def test_a_file_copies_the_address_of_a_span_in_it(open_report: Open) -> None:
    page = tell(open_report, permissions=ALLOWED)
    row(page, "Unit test").click()
    page.get_by_role("button", name="Copy the link").click()
    page.locator("#details").get_by_role("button", name="Copied").wait_for()
    unit = next(span for span in sample() if span.name == "Unit test")
    assert clipboard(page) == f"{page.url}#span-{unit.span_id}"


def test_without_tls_the_page_has_no_clipboard_and_copies_by_the_selection(browser: Browser) -> None:
    with opened(browser, state("trace-failed"), 1400, at="trace/latest") as page:
        assert page.evaluate("navigator.clipboard === undefined")
        page.locator(ROWS).first.click()
        page.get_by_role("button", name="Copy the link").click()
        page.locator("#details").get_by_role("button", name="Copied").wait_for()
        assert pasted(page) == f"{ADDRESS}trace/{TRACE}#span-{sample()[0].span_id}"


def test_where_nothing_may_be_copied_the_text_is_shown_and_selected(browser: Browser) -> None:
    with opened(browser, state("trace-failed"), 390) as page:
        page.evaluate("document.execCommand = () => false")
        page.locator(ROWS).first.click()
        page.get_by_role("button", name="Copy for the chat").click()
        dialog = page.get_by_role("dialog")
        dialog.wait_for()
        chosen = page.evaluate("(e => e.value.slice(e.selectionStart, e.selectionEnd))(document.activeElement)")
        assert chosen.partition("\n")[2] == rendered(account(), "text")
        # Its keys are not those of the page: the details stay, and the search has no focus.
        page.keyboard.press("/")
        page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
        assert page.locator("#details h2").is_visible()
        assert page.evaluate("document.activeElement.textContent") == "Copy for the chat"
        page.keyboard.press("Enter")
        dialog.get_by_role("button", name="Close").click()
        dialog.wait_for(state="hidden")


def test_the_readers_own_scheme_is_in_the_text(open_report: Open, browser: Browser) -> None:
    spans = [make("run", None, "RUN app-build", 0, 60, jenkins_type="run", cicd_pipeline_result="success")]
    # `serve` stands behind a proxy, and does not know of its TLS.
    around = Around(page=f"http://traces.example.org/trace/{TRACE}")
    text = open_report(spans, around=around).content()
    context = browser.new_context(permissions=ALLOWED, ignore_https_errors=True)
    context.route("**/*", lambda route: route.fulfill(body=text, content_type="text/html"))
    page = context.new_page()
    page.goto(f"https://traces.example.org/trace/{TRACE}")
    page.get_by_role("button", name="Copy for the chat").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert clipboard(page).endswith(f"\nthe trace's page https://traces.example.org/trace/{TRACE}")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["trace-failed", "trace-copied", "trace-copied-by-hand", "details-of-a-story"])
def test_axe_finds_nothing(browser: Browser, name: str, width: int, scheme: str) -> None:
    one = next(one for one in all_states() if one.name == name)
    with opened(browser, one, width, color_scheme=scheme) as page:
        page.evaluate("document.querySelector('.commands').open = true")
        assert violations(page) == []
        assert overflow(page) <= 0


def test_nothing_to_press_is_printed(browser: Browser) -> None:
    with opened(browser, state("trace-failed"), 794) as page:
        page.evaluate("document.querySelector('.commands').open = true")
        page.emulate_media(media="print")
        assert page.locator(".tools button:visible, .tools > a:visible").count() == 0
        assert page.locator(".commands code").first.is_visible()


def test_without_javascript_the_commands_stand_there_and_no_button(browser: Browser) -> None:
    with opened(browser, state("trace-failed"), 390, java_script_enabled=False) as page:
        assert page.get_by_text("Copy for the chat").is_hidden()
        page.get_by_text("Commands").click()
        assert page.locator(".commands code").first.is_visible()
        assert page.locator(".commands button").first.is_hidden()
        tree = page.locator("noscript .note code")
        assert tree.inner_text().startswith("pipeline-trace show ")
        assert page.get_by_text("Compare with the last green run").is_visible()
