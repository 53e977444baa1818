"""What a reader cannot read on a page: texts on top of each other, beyond the edge of the window, or cut for good."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

_SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def troubles(page: Page) -> list[str]:
    """Return what cannot be read, each in a line; empty if all can be read."""
    found: list[str] = page.evaluate(_SCRIPT)
    return found
