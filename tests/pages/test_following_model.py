"""The page's own scripts put what is new into its data, whatever changed; folds stay as the reader left them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from support.changing import changed, page_data
from support.report_pages import needs_chromium
from support.report_samples import many, sample

from pipeline_trace.report import html
from pipeline_trace.report.changes import Changes
from pipeline_trace.report.rowdata import Rows
from pipeline_trace.trace.span import Span

pytestmark = [pytest.mark.process, needs_chromium]

SCRIPTS = ("report-model.js", "report-renew.js")
TAKE = """change => {
  const kept = view.remember();
  const known = new Map(ROWS.map((row) => [rowKey(row), row]));
  takeData(change);
  readRows(known);
  view.renew(kept, () => {});
}"""
TELL = "() => ({ rows: DATA.rows, sides: [...DATA.sides].join(''), texts: TEXTS, attempts: DATA.attempts })"


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with closing(browser.new_context(offline=True)) as context:
        yield context


class Open:
    """A page with the model of a trace in it, and nothing else."""

    def __init__(self, context: BrowserContext, spans: Sequence[Span]) -> None:
        self._changes, self._rows = Changes(), Rows()
        self.put(spans)
        self._mark = self._changes.mark
        data = json.dumps(page_data(spans, self._rows).as_json()).replace("<", "\\u003c")
        self.page: Page = context.new_page()
        self.page.set_content(f'<script type="application/json" id="trace-data">{data}</script>')
        folder = Path(html.__file__).with_name("templates")
        for name in SCRIPTS:
            self.page.add_script_tag(content=(folder / name).read_text(encoding="utf-8"))
        self.page.evaluate("() => { window.view = new View(ROWS); }")

    def put(self, spans: Sequence[Span]) -> None:
        """Put a state of the trace into what the server keeps."""
        data = page_data(spans, self._rows)
        self._changes.take(data, data.around)

    def take(self, *, whole: bool = False) -> None:
        """Let the page take what is new; all of it, as another server would send it, if ``whole``."""
        change = self._changes.since("" if whole else self._mark)
        if change:
            self.page.evaluate(TAKE, json.loads(json.dumps(change)))
            self._mark = change["mark"]

    def tell(self) -> Any:
        return self.page.evaluate(TELL)

    def folded(self) -> list[str]:
        """Return the names of the rows that are folded."""
        found: list[str] = self.page.evaluate("ROWS.filter(row => row.count && !view.isOpen(row)).map(row => row.name)")
        return found


@pytest.mark.parametrize("seed", range(4))
def test_the_page_has_what_the_server_has(context: BrowserContext, seed: int) -> None:
    chance, everything = random.Random(seed), sample()
    spans = everything[:4]
    page = Open(context, spans)
    rows = Rows()
    for _ in range(15):
        spans = [*spans]
        for _ in range(chance.randrange(5)):
            changed(chance, spans, everything)
        page.put(spans)
        if chance.random() < 0.7:
            page.take(whole=chance.random() < 0.2)
            told, wanted = page.tell(), page_data(spans, rows)
            texts, others = told["texts"], wanted.tables.texts()
            assert told["sides"] == wanted.sides
            assert [texts[row[1]] for row in told["rows"]] == [others[row[1]] for row in wanted.rows]
            assert [row[0] for row in told["rows"]] == [row[0] for row in wanted.rows]
            assert told["attempts"] == wanted.around["attempts"]


def test_rows_stay_the_same_objects_and_folds_stay(context: BrowserContext) -> None:
    everything = sample()
    late = [span for span in everything if span.name in ("make lint", "web1", "Install packages")]
    page = Open(context, [span for span in everything if span not in late])
    page.page.evaluate(
        """() => {
          window.row = ROWS.find(one => one.name === "Checkout");
          view.setOpen(window.row, false);
          view.setOpen(ROWS.find(one => one.name === "Unit test"), false);
        }"""
    )
    before = page.folded()
    page.put(everything)
    page.take()
    assert page.folded() == before == ["Checkout", "Unit test"]
    assert page.page.evaluate("ROWS[window.row.index] === window.row && ROWS.length") == len(everything)
    page.take(whole=True)
    assert page.folded() == before
    assert page.page.evaluate("ROWS.includes(window.row)")


@pytest.mark.parametrize(("button", "folds"), [("", True), ("expandAll", False), ("collapseToStages", True)])
def test_new_rows_are_folded_as_the_others_were(context: BrowserContext, button: str, folds: bool) -> None:
    everything = many(2000)
    tasks = [span for span in everything if span.attributes.get("ansible.type") == "task"]
    last = tasks[-1]
    without = [span for span in everything if last.span_id not in (span.span_id, span.parent_id)]
    page = Open(context, without)
    if button:
        page.page.evaluate(f"view.{button}()")
    page.put(everything)
    page.take()
    index = page.page.evaluate("id => ROWS.find(row => row.span === id).index", last.span_id)
    assert bool(page.page.evaluate("index => ROWS[index].count && view.folds[index]", index)) is folds
