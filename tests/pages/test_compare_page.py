"""The page that compares two runs, in a real Chromium from a real server: one click from a failed run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import support
from playwright.sync_api import Browser, Page
from support.accessible import violations
from support.compared import BEFORE, failed, green
from support.page_states import all_states, opened
from support.report_pages import needs_chromium, overflow
from support.report_samples import TRACE
from support.serving import Server

pytestmark = [pytest.mark.process, needs_chromium]

Open = Any
STATES = [state for state in all_states() if state.name.startswith("compare")]


@pytest.fixture
def served(env: dict[str, str], browser: Browser) -> Iterator[Open]:
    """Open pages of a server that has both runs; at the end the console and the policies were silent."""
    support.store_spans(env, [*failed(), *green()])
    troubles: list[str] = []
    with Server(env) as server:
        contexts = []

        def opened_at(path: str, **options: Any) -> Page:
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
            contexts.append(context)
            page = context.new_page()
            page.on("console", lambda message: troubles.append(message.text))
            page.on("pageerror", lambda error: troubles.append(str(error)))
            page.goto(f"{server.url}{path}")
            return page

        yield opened_at
        for context in contexts:
            context.close()
    assert troubles == []


def said(page: Page, section: str) -> str:
    return " ".join(page.locator(f"section[aria-labelledby='{section}']").inner_text().split())


@pytest.mark.parametrize("script", [True, False])
def test_one_click_on_a_failed_run_says_what_differs(served: Open, script: bool) -> None:
    page = served(f"/trace/{TRACE}", java_script_enabled=script)
    page.get_by_role("link", name="Compare with the last green run").click()
    page.wait_for_url("**/compare?trace=*")
    assert page.title() == "app-build#42 against app-build#41: pipeline-trace"
    assert "1 failed, 1 new, 6 slower, another commit, other parameters" in page.locator("main").inner_text()
    assert "task Restart the service on web3" in said(page, "failed")
    assert "Unable to start service app" in said(page, "failed")
    assert "4f1c2d9e0b7a" in said(page, "commits")
    assert "VERSION 1.7.3" in said(page, "parameters")
    assert "step trivy image app:1.7.3" in said(page, "new")
    assert "Deploy production" in said(page, "not-reached")
    assert "Unit test +37.9 s" in said(page, "stages")
    assert "Install packages +16.9 s" in said(page, "tasks")
    assert page.get_by_role("link", name="compare them").get_attribute("href") == (
        f"https://github.com/acme/shop/compare/8c1{'d' * 37}...4f1c2d9e0b7a6c5d4e3f2a1b0c9d8e7f6a5b4c3d"
    )


def test_each_part_leads_to_its_span_in_the_trace_of_its_run(served: Open) -> None:
    page = served(f"/compare?trace={TRACE}")
    page.locator("section[aria-labelledby='stages']").get_by_role("link", name="Unit test").click()
    assert page.locator("#details h2").inner_text() == "Unit test"
    assert f"/trace/{TRACE}#span-" in page.url
    page.go_back()
    page.get_by_role("link", name="no result before").click()
    page.locator("#details h2").get_by_text("Restart the service").wait_for()
    assert f"/trace/{BEFORE}#span-" in page.url


def test_another_run_can_be_named_and_the_last_green_one_again(served: Open) -> None:
    page = served(f"/compare?trace={BEFORE}")
    assert "there is no green run of app-build before app-build#41 here" in page.locator("main").inner_text()
    page.get_by_label("Compare with another run").fill("app-build#42")
    page.keyboard.press("Enter")
    page.wait_for_url("**/compare?*with=app-build%2342")
    assert page.title() == "app-build#41 against app-build#42: pipeline-trace"
    assert "pipeline-trace compare 'app-build#41' --with 'app-build#42'" in page.locator("main").inner_text()
    page.get_by_role("link", name="With the last green run").click()
    page.wait_for_url(f"**/compare?trace={BEFORE}")
    assert "there is no green run" in page.locator("main").inner_text()


@pytest.mark.parametrize("path", ["/compare", "/compare?trace=latest", "/compare?trace=app-build%2342&with="])
def test_a_trace_is_named_as_in_commands(served: Open, path: str) -> None:
    assert served(path).title() == "app-build#42 against app-build#41: pipeline-trace"


def test_what_is_not_there_is_404_with_what_to_do_and_hostile_texts_are_text(served: Open) -> None:
    page = served("/compare")
    answer = page.request.get(page.url + "?trace=%3Cscript%3Ealert(1)%3C/script%3E&with=%22%3E%3Cb%3E")
    assert (answer.status, "content-security-policy" in answer.headers) == (404, True)
    assert "is not a trace id, build URL, JOB#N or latest; use one of these" in answer.text()
    assert "<script>alert" not in answer.text()
    assert "<b>" not in answer.text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_axe_finds_nothing_and_nothing_is_cut_off(browser: Browser, state: Any, width: int, scheme: str) -> None:
    with opened(browser, state, width, color_scheme=scheme) as page:
        assert violations(page) == []
        assert overflow(page) <= 0
