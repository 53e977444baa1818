"""What `pipeline-trace exec` costs: the wall time of a command with and without it, in turns.

    python tests/bench/exec_overhead.py [--turns N] [--output docs/performance.md]

Each turn runs, one after another: `true`; Python doing nothing, which is the floor of any tool written in it; `exec true`
outside CI, outside git; the same with the place in the trace already known; and the same in a git checkout. Figures are
differences to `true` within the same turn, so that what else the machine does hits all alike.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- written by tests/bench/exec_overhead.py -->", "<!-- exec: until here -->"
TARGET_MS = 60
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def milliseconds(words: list[str], env: dict[str, str], folder: str) -> tuple[float, float]:
    """Return the wall and the CPU time of a command, without the delivery that goes on behind it."""
    begin = time.perf_counter()
    process = subprocess.Popen(words, env=env, cwd=folder)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    return wall * 1000, (used.ru_utime + used.ru_stime) * 1000


def measure(turns: int, folder: str) -> dict[str, list[tuple[float, float]]]:
    """Return milliseconds of wall and CPU time more than `true` alone, by what was run."""
    env = {"PATH": os.environ["PATH"], "HOME": folder, "PIPELINE_TRACE_HOME": f"{folder}/trace-home"}
    traced = [str(Path(sys.executable).with_name("pipeline-trace")), "exec", "--", "true"]
    rows = {
        "Python doing nothing": ([sys.executable, "-c", ""], env, folder),
        "**exec**, outside CI": (traced, env, folder),
        "**exec**, the place known": (traced, {**env, "TRACEPARENT": TRACEPARENT}, folder),
        "**exec**, in this git checkout": (traced, env, str(ROOT)),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    for turn in range(turns + 1):
        bare = milliseconds(["true"], env, folder)
        for name, (words, environ, where) in rows.items():
            wall, cpu = milliseconds(words, environ, where)
            # The first turn fills caches.
            if turn:
                found[name].append((wall - bare[0], cpu - bare[1]))
            # The delivery in the background is not to run beside the next command.
            settle(Path(env["PIPELINE_TRACE_HOME"]))
    return found


def settle(home: Path) -> None:
    """Wait until everything has been delivered."""
    deadline = time.monotonic() + 30
    while any(home.glob("journals/*.journal")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.05)


def table(found: dict[str, list[tuple[float, float]]], turns: int) -> str:
    """Return the section's text."""
    floor = statistics.median(wall for wall, _ in found["Python doing nothing"])
    lines = [
        f"{os.cpu_count()} cores; Linux {platform.release()}; Python {platform.python_version()}; "
        f"load {os.getloadavg()[0]:.1f}. "
        f"{turns} turns; median (least–most).",
        "",
        f"Command: `python tests/bench/exec_overhead.py --turns {turns}`. Target: at most {TARGET_MS} ms.",
        "",
        "| what runs | wall time, ms more than `true` alone | × Python doing nothing | CPU, ms more | target met |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, pairs in found.items():
        values = [wall for wall, _ in pairs]
        median, cpu = statistics.median(values), statistics.median(cpu for _, cpu in pairs)
        met = "" if name.startswith("Python") else "yes" if median <= TARGET_MS else "**no**"
        lines.append(
            f"| {name} | {median:.0f} ({min(values):.0f}–{max(values):.0f}) | {median / floor:.1f} | {cpu:.0f} | {met} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print; with --output also write the section into a document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    folder = tempfile.mkdtemp()
    try:
        text = table(measure(options.turns, folder), options.turns)
    finally:
        shutil.rmtree(folder)
    print(text)
    if options.output:
        before, _, rest = options.output.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        options.output.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
