"""Finds what axe-core finds on a page."""

from __future__ import annotations

from collections import Counter
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def violations(page: Page) -> list[tuple[Any, ...]]:
    """Return impact, rule and the first element of each finding."""
    # The checker brings its own script: asked by the test, not by the page.
    found = Axe().run(page)
    return [(one["impact"], one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]]


def repeated_ids(page: Page) -> list[str]:
    """Return the ids that several elements have."""
    ids = Counter(page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)"))
    return [name for name, count in ids.items() if count > 1]
