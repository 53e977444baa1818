"""The grids of hosts and tasks that the page's own script computes, in a page with nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext

from pipeline_trace.lookup.tree import build_tree, walk
from pipeline_trace.lookup.usual import NO_OTHER_BUILDS
from pipeline_trace.report import html
from pipeline_trace.report.pagedata import PageData
from pipeline_trace.trace.span import Span

Grids = Callable[[list[Span]], list[dict[str, Any]]]
_TEMPLATES = Path(html.__file__).with_name("templates")
_SCRIPTS = ("report-model.js", "report-matrix-plays.js", "report-matrix-model.js")
_TELL = """() => [...findPlaybooks(ROWS)].map(([playbook, tasks]) => {
  const grid = new Matrix(ROWS, playbook, tasks);
  return {
    playbook: playbook.name,
    tasks: grid.columns.map((column) => column.name),
    around: grid.columns.map((column) => [column.play, ...column.names]),
    hosts: grid.hosts.map((host) => host.name),
    kinds: Object.fromEntries(grid.hosts.map((host) => [host.name, [...grid.kindsOf(host)].map((code) => KINDS[code])])),
    rows: grid.columns.flatMap((column) => [...column.cells].filter((index) => index >= 0)),
    targets: Object.fromEntries(
      grid.hosts.map((host) => [host.name, grid.columns.map((column) => grid.targetOf(host, column).index)])
    ),
    shades: grid.shades,
    places: ROWS.map((row) => grid.placeOf(row)).map((found) => found && [found[0]?.place ?? -1, found[1].at]),
    levels: ROWS.filter((row) => row.type === "host").map((row) => grid.shadeOf(row)),
  };
})"""


def computed(context: BrowserContext, spans: list[Span]) -> list[dict[str, Any]]:
    """Return the grids of spans, one for each playbook."""
    rows = list(walk(build_tree(spans)))
    begin = min(span.start_ns for span in spans)
    end = max([begin + 600_000_000_000, *(span.end_ns for span in spans)])
    data = json.dumps(PageData(rows, begin, end, [], NO_OTHER_BUILDS).as_json()).replace("<", "\\u003c")
    page = context.new_page()
    page.set_content(f'<script type="application/json" id="trace-data">{data}</script>')
    page.add_script_tag(content="\n".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in _SCRIPTS))
    found: list[dict[str, Any]] = page.evaluate(_TELL)
    page.close()
    return found
