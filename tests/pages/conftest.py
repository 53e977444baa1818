"""A report, and the pages of a server, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from support.grids import Grids, computed
from support.report_pages import NOW, Open
from support.serving import Server

from pipeline_trace.lookup.usual import NO_OTHER_BUILDS, OtherBuilds
from pipeline_trace.report.copying import NOTHING_AROUND, Around
from pipeline_trace.report.headline import NOTHING, Headline
from pipeline_trace.report.html import page_html
from pipeline_trace.trace.span import Span


@pytest.fixture
def open_report(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open a report; at the end nothing was asked of a network, and the console, the policy and dialogs were silent."""
    contexts, requests, troubles = [], [], []

    def opened(
        spans: list[Span],
        *,
        headline: Headline = NOTHING,
        history: OtherBuilds = NO_OTHER_BUILDS,
        around: Around = NOTHING_AROUND,
        width: int = 1400,
        height: int = 900,
        **options: Any,
    ) -> Page:
        path = tmp_path / "report.html"
        told = {"headline": headline, "history": history, "around": around}
        page_text = page_html(spans, title="app-build #42", generated_at=NOW, **told)
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


@pytest.fixture
def page_of(browser: Browser) -> Iterator[Open]:
    """Open pages; at the end nothing but the server was asked, and the console, the policies and dialogs were silent."""
    contexts: list[BrowserContext] = []
    requests: list[str] = []
    troubles: list[str] = []
    servers: list[str] = []

    def on_dialog(dialog: Any) -> None:
        troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def opened(server: Server, path: str = "/traces", *, width: int = 1300, height: int = 900, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective))"
        )
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", on_dialog)
        servers.append(server.url)
        page.goto(server.url + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []
    assert [url for url in requests if not url.startswith(("data:", *servers))] == []


@pytest.fixture
def grids(browser: Browser) -> Iterator[Grids]:
    """Compute grids of hosts and tasks."""
    context = browser.new_context(offline=True)
    yield lambda spans: computed(context, spans)
    context.close()
