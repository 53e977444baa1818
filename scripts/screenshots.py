"""Screenshots of the pages in all states, widths and colour schemes, and a sheet with all of them: `make screenshots`.

Usage: .venv/bin/python scripts/screenshots.py FOLDER [STATE…]
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.page_states import WIDTHS, all_states, opened
from support.report_pages import ARGUMENTS, CHROMIUM

_HIGHEST = 3000
_SHEET = """<!DOCTYPE html>
<meta charset="utf-8"><title>Pages</title><style>figure {{ display: inline-block }} img {{ width: 300px }}</style>
{}"""
_FIGURE = '<figure><figcaption>{0}</figcaption><a href="{0}"><img src="{0}" alt="" loading="lazy"></a></figure>\n'


def main(folder: Path, wanted: list[str]) -> None:
    """Write the screenshots and the sheet into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for state in all_states():
            if wanted and state.name not in wanted:
                continue
            for width in WIDTHS:
                for scheme in ("light", "dark"):
                    name = f"{state.name}-{width}-{scheme}.png"
                    with opened(chromium, state, width, color_scheme=scheme) as page:
                        _show_all(page, width)
                        page.screenshot(path=folder / name)
                    names.append(name)
        chromium.close()
    (folder / "index.html").write_text(
        _SHEET.format("".join(_FIGURE.format(escape(name)) for name in names)), encoding="utf-8"
    )
    sys.stdout.write(f"{len(names)} screenshots: open {folder / 'index.html'} in a browser\n")


def _show_all(page: Page, width: int) -> None:
    """Make the window as high as the page and its details: the waterfall has only the rows that are in the window."""
    pane = page.locator("#details")
    of_the_pane = pane.evaluate("el => el.scrollHeight") if pane.count() else 0
    needed = max(900, page.evaluate("document.documentElement.scrollHeight"), 2 * of_the_pane)
    page.set_viewport_size({"width": width, "height": min(needed, _HIGHEST)})
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
