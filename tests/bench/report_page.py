"""What a report of many spans costs: writing it, its size, opening it, scrolling it in Chromium. Markdown on stdout.

Usage: .venv/bin/python tests/bench/report_page.py [--spans N] [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from playwright.sync_api import CDPSession, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))
from support.report_pages import ARGUMENTS
from support.report_samples import many

from pipeline_trace.report.html import page_html

_FRAMES = 300
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
_OPENED = "performance.getEntriesByType('navigation')[0].loadEventEnd"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=10_000)
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
        view = {"width": 1400, "height": 900}
        rounds = [_open_and_scroll(chromium.new_page(viewport=view), path) for _ in range(options.rounds)]
        version = chromium.version
        chromium.close()
    load = os.getloadavg()[0]
    print(f"{len(spans):,} spans; Chromium {version} without a graphics card; {options.rounds} rounds; load {load:.1f}.\n")
    print("| what | median (least–most) |\n| --- | --- |")
    print(f"| size of the page, MB | {len(page.encode()) / 1e6:.2f} |")
    print(f"| writing it, CPU, s | {written:.2f} |")
    for name in rounds[0]:
        values = [one[name] for one in rounds]
        print(f"| {name} | {median(values):.4g} ({min(values):.4g}–{max(values):.4g}) |")


def _open_and_scroll(page: Page, path: Path) -> Mapping[str, float]:
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
