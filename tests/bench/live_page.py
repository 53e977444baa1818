"""What the page of a large trace that goes on costs: CPU of `serve` and of the browser for each look and each change.

Usage: .venv/bin/python tests/bench/live_page.py [--hosts N --tasks N] [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import requests
from playwright.sync_api import CDPSession, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))
import support
from support.grid_samples import large
from support.report_pages import ARGUMENTS
from support.serving import Server

from pipeline_trace.delivery.destinations.otlp_records import request_of
from pipeline_trace.trace.ids import span_id
from pipeline_trace.trace.span import Span

_QUIET_SECONDS = 20
_MS = 60_000
# How many spans the page says that there are.
_SPANS = (
    """() => [...document.querySelectorAll('#head dt')].find(one => one.textContent === 'Spans').nextSibling.textContent"""
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    spans, opened = _running(options.hosts, options.tasks)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        env = support.environ(Path(folder))
        support.store_spans(env, spans)
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        with Server(env) as server:
            _tell(server, opened)
            requests.get(server.url, timeout=60).raise_for_status()
            before_kb = server.peak_kb()
            page = chromium.new_page(viewport={"width": 1400, "height": 900})
            page.goto(f"{server.url}/trace/{spans[0].trace_id}")
            page.locator("#live-line:not([hidden])").wait_for()
            _measure(page, server, env, opened, options.rounds, "closed")
            page.click("#matrix > summary")
            _measure(page, server, env, opened, options.rounds, "open")
            peak_kb = server.peak_kb()
            print(f"`serve` took {before_kb / 1000:.0f} MB before the page, and at most {peak_kb / 1000:.0f} MB with it.")
        version = chromium.version
        chromium.close()
    print(f"{len(spans) + len(opened):,} spans; Chromium {version} without a graphics card; load {os.getloadavg()[0]:.1f}.")


def _measure(page: Page, server: Server, env: dict[str, str], opened: Sequence[Span], rounds: int, grid: str) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    sizes: list[int] = []
    session.send("Network.enable")
    session.on("Network.eventSourceMessageReceived", lambda event: sizes.append(len(event["data"])))

    def spent(act: Callable[[], object]) -> tuple[float, float]:
        before = _server_cpu_s(server), _cpu_s(session)
        act()
        return 1000 * (_server_cpu_s(server) - before[0]), 1000 * (_cpu_s(session) - before[1])

    quiet = [one / _QUIET_SECONDS for one in spent(lambda: page.wait_for_timeout(_QUIET_SECONDS * 1000))]
    print(f"\nThe grid is {grid}.\n\n| what | `serve` | browser |\n| --- | --- | --- |")
    print(f"| CPU a second while nothing changes, ms | {quiet[0]:.1f} | {quiet[1]:.1f} |")
    changes: list[tuple[float, float]] = []
    waits: list[float] = []
    sizes.clear()
    for number in range(rounds):
        task = opened[-1]
        name = f"new-{grid}-{number}"
        new = replace(task, span_id=span_id((name,)), parent_id=task.span_id, name=name, end_ns=time.time_ns())
        new.attributes = {"ansible.type": "host", "ansible.result": "ok"}
        shown = page.evaluate(_SPANS)
        began = time.monotonic()

        def come(new: Span = new, shown: str = shown) -> None:
            support.store_spans(env, [new])
            page.wait_for_function(f"was => ({_SPANS})() !== was", arg=shown, timeout=_MS)

        changes.append(spent(come))
        waits.append(time.monotonic() - began)
    for place, name in enumerate(("least", "median", "most")):
        told = [sorted(one[who] for one in changes)[(0, rounds // 2, rounds - 1)[place]] for who in (0, 1)]
        print(f"| CPU of a change, one span, {name}, ms | {told[0]:.0f} | {told[1]:.0f} |")
    large_ones = [size for size in sizes if size > 100]
    print(f"\nIt comes after {median(waits):.1f} s (median), in {median(large_ones) / 1000:.1f} kB.")
    session.detach()


def _running(hosts: int, tasks: int) -> tuple[list[Span], list[Span]]:
    """Return the spans of a large playbook that have ended, and those around them, which are open."""
    spans = large(hosts, tasks)
    moved = time.time_ns() - max(span.end_ns for span in spans)
    spans = [replace(span, start_ns=span.start_ns + moved, end_ns=span.end_ns + moved) for span in spans]
    last = max((span for span in spans if span.attributes.get("ansible.type") == "task"), key=lambda span: span.start_ns)
    ids, around = {span.span_id: span for span in spans}, [last]
    while around[0].parent_id in ids:
        around.insert(0, ids[around[0].parent_id or ""])
    opened = [replace(span, end_ns=0, attributes=_unjudged(span)) for span in around]
    return [span for span in spans if span not in around], opened


def _unjudged(span: Span) -> dict[str, object]:
    return {key: value for key, value in span.attributes.items() if not key.endswith("result")}


def _tell(server: Server, opened: Sequence[Span]) -> None:
    body = request_of(opened, 3600).SerializeToString()
    requests.post(
        f"{server.url}/v1/logs", data=body, headers={"Content-Type": "application/x-protobuf"}, timeout=20
    ).raise_for_status()


def _server_cpu_s(server: Server) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _cpu_s(session: CDPSession) -> float:
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


if __name__ == "__main__":
    main()
