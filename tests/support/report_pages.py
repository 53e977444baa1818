"""Reports in a real Chromium, and what is done with them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
from playwright.sync_api import Page

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
