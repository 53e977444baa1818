"""A report in a real Chromium, as the fixture `open_report`, and what is done with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from pipeline_trace.lookup.usual import NO_OTHER_BUILDS, OtherBuilds
from pipeline_trace.report.headline import NOTHING, Headline
from pipeline_trace.report.html import page_html
from pipeline_trace.trace.span import Span
from support.report_samples import story

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (Debian's package `chromium`)")

NOW = datetime(2025, 3, 5, 16, 0, tzinfo=timezone.utc)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ROWS = "#rows .row"
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_report(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open a report; at the end nothing was asked of a network, and the console, the policy and dialogs were silent."""
    contexts, requests, troubles = [], [], []

    def opened(
        spans: list[Span],
        *,
        headline: Headline = NOTHING,
        history: OtherBuilds = NO_OTHER_BUILDS,
        width: int = 1400,
        height: int = 900,
        **options: Any,
    ) -> Page:
        path = tmp_path / "report.html"
        page_text = page_html(spans, title="app-build #42", generated_at=NOW, headline=headline, history=history)
        path.write_text(page_text, encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": height}, timezone_id="Europe/Berlin", offline=True, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective))"
        )
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))

        def on_dialog(dialog: Any) -> None:
            troubles.append(f"dialog: {dialog.message}")
            dialog.dismiss()

        page.on("dialog", on_dialog)
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []
    assert {url for url in requests if not url.startswith("data:")} == {(tmp_path / "report.html").as_uri()}


def names(page: Page) -> list[str]:
    return page.locator(f"{ROWS} .name").all_inner_texts()


def row(page: Page, name: str) -> Any:
    return page.locator(ROWS).filter(has=page.get_by_text(name, exact=True)).first


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.querySelector('.name')?.textContent ?? ''"))


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def tell(open_report: Open, **options: Any) -> Page:
    """Open the report of all that a page can show."""
    spans, headline, history = story()
    return open_report(spans, headline=headline, history=history, **options)


def cpu_seconds(page: Page, act: Callable[[], object]) -> float:
    """Return the CPU time of the page's main thread while something is done, whatever else the machine does."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

    before = spent()
    act()
    after = spent()
    session.detach()
    return after - before
