"""Finds what cannot be read on a page: texts that overlap, are outside of the window, or are cut for good."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

_SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def troubles(page: Page) -> list[str]:
    """Return what cannot be read, each in a line; empty if all can be read."""
    found: list[str] = page.evaluate(_SCRIPT)
    return found
