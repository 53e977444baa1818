"""What a report of many spans costs: writing it, its size, the first paint, opening it, scrolling it, its grid. As Markdown.

Usage: .venv/bin/python tests/bench/report_page.py [--spans N] [--hosts N --tasks N] [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from playwright.sync_api import CDPSession, Page, Playwright, ViewportSize, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))
import support
from support.grid_samples import large
from support.report_pages import ARGUMENTS
from support.report_samples import many
from support.serving import Server

from pipeline_trace.report.html import page_html

_FRAMES = 300
_VIEW: ViewportSize = {"width": 1400, "height": 900}
_SCROLL = """async pixels => {
  const frames = [];
  let last = performance.now();
  for (let step = 0; step < FRAMES; step++) {
    scrollBy(0, pixels);
    await new Promise(requestAnimationFrame);
    frames.push(performance.now() - last);
    last = performance.now();
  }
  return frames;
}""".replace("FRAMES", str(_FRAMES))
# Of the grid's own box, to and fro.
_SCROLL_GRID = """async ([right, down]) => {
  const box = document.querySelector('#matrix-box');
  const frames = [];
  let last = performance.now();
  for (let step = 0; step < FRAMES; step++) {
    const before = [box.scrollLeft, box.scrollTop].join();
    box.scrollBy(right, down);
    if ([box.scrollLeft, box.scrollTop].join() === before) [right, down] = [-right, -down];
    await new Promise(requestAnimationFrame);
    frames.push(performance.now() - last);
    last = performance.now();
  }
  return frames;
}""".replace("FRAMES", str(_FRAMES))
_VIEWS: tuple[ViewportSize, ...] = (_VIEW, {"width": 2560, "height": 1440})
_PAINTED = """() => new Promise(done => new PerformanceObserver(list => {
  for (const one of list.getEntriesByName("first-contentful-paint")) done(one.startTime);
}).observe({ type: "paint", buffered: true }))"""
_OPENED = "performance.getEntriesByType('navigation')[0].loadEventEnd"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=10_000)
    parser.add_argument("--hosts", type=int, default=500)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    spans = many(options.spans)
    begun = time.process_time()
    page = page_html(spans, title="many")
    written = time.process_time() - begun
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        path.write_text(page, encoding="utf-8")
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        rounds = [_open_and_scroll(chromium.new_page(viewport=_VIEW), path) for _ in range(options.rounds)]
        version = chromium.version
        chromium.close()
        env = support.environ(Path(folder))
        support.store_spans(env, spans)
        for one in rounds:
            one["first paint of the file, in a new browser, ms"] = _first_paint(playwright, path.as_uri())
            with Server(env) as server:
                # The list, as a reader does.
                urlopen(server.url).read()
                before = _server_cpu_s(server)
                address = f"{server.url}/trace/{spans[0].trace_id}"
                one["first paint from `serve`, its first report, in a new browser, ms"] = _first_paint(playwright, address)
                one["of that: CPU of `serve`, ms"] = 1000 * (_server_cpu_s(server) - before)
    load = os.getloadavg()[0]
    print(f"{len(spans):,} spans; Chromium {version} without a graphics card; {options.rounds} rounds; load {load:.1f}.\n")
    print("| what | median (least–most) |\n| --- | --- |")
    print(f"| size of the page, MB | {len(page.encode()) / 1e6:.2f} |")
    print(f"| writing it, CPU, s | {written:.2f} |")
    _print_rows(rounds)
    _measure_grid(options.hosts, options.tasks, options.rounds)


def _print_rows(rounds: Sequence[Mapping[str, float]]) -> None:
    for name in rounds[0]:
        values = [one[name] for one in rounds]
        print(f"| {name} | {median(values):.4g} ({min(values):.4g}–{max(values):.4g}) |")


def _measure_grid(hosts: int, tasks: int, rounds: int) -> None:
    page = page_html(large(hosts, tasks), title="large")
    print(f"\nThe grid of {hosts} hosts and {tasks} tasks, in a page of {len(page.encode()) / 1e6:.2f} MB:\n")
    for view in _VIEWS:
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
            path = Path(folder) / "report.html"
            path.write_text(page, encoding="utf-8")
            chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
            found = [_open_grid(chromium.new_page(viewport=view), path) for _ in range(rounds)]
            chromium.close()
        print(f"| {view['width']} × {view['height']} px | median (least–most) |\n| --- | --- |")
        _print_rows(found)
        print()


def _open_grid(page: Page, path: Path) -> dict[str, float]:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = _cpu_s(session)
    page.goto(path.as_uri())
    found = {"opening the page: CPU, ms": 1000 * (_cpu_s(session) - before)}
    before = _cpu_s(session)
    page.click("#matrix > summary")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    found["the first open of the grid: CPU, ms"] = 1000 * (_cpu_s(session) - before)
    found["cells in the page"] = page.locator("#matrix-rows [role=gridcell]").count()
    page.evaluate("document.querySelector('#matrix-box').scrollTo(0, 0)")
    ways = {"down, 24 px a frame": (0, 24), "right, 24 px a frame": (24, 0), "both, 900 px a frame": (900, 900)}
    for name, way in ways.items():
        before = _cpu_s(session)
        frames = page.evaluate(_SCROLL_GRID, way)
        found[f"scrolling {name}: CPU a frame, ms"] = 1000 * (_cpu_s(session) - before) / _FRAMES
        found[f"scrolling {name}: frames over 50 ms, of {_FRAMES}"] = sum(frame > 50 for frame in frames)
        page.evaluate("document.querySelector('#matrix-box').scrollTo(0, 0)")
    page.close()
    return found


def _server_cpu_s(server: Server) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _first_paint(playwright: Playwright, address: str) -> float:
    """Return the time from the begin of the navigation to the first text on the screen."""
    chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
    page = chromium.new_page(viewport=_VIEW)
    page.goto(address)
    painted = float(page.evaluate(_PAINTED))
    chromium.close()
    return painted


def _open_and_scroll(page: Page, path: Path) -> dict[str, float]:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = _cpu_s(session)
    page.goto(path.as_uri())
    found = {
        "opening: until loaded, ms": float(page.evaluate(_OPENED)),
        "opening: CPU, ms": 1000 * (_cpu_s(session) - before),
    }
    page.click("#expand")
    for name, pixels in (("slowly", 120), ("fast", 2000)):
        before = _cpu_s(session)
        frames = page.evaluate(_SCROLL, pixels)
        found[f"scrolling {name}, {pixels} px a frame: CPU a frame, ms"] = 1000 * (_cpu_s(session) - before) / _FRAMES
        found[f"scrolling {name}: median frame, ms"] = median(frames)
        found[f"scrolling {name}: frames over 50 ms, of {_FRAMES}"] = sum(frame > 50 for frame in frames)
    page.close()
    return found


def _cpu_s(session: CDPSession) -> float:
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


if __name__ == "__main__":
    main()
