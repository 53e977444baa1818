"""Prints what masking costs: microseconds of CPU a text, the least of several tries.

Run ``python tests/bench/redact_cost.py``. Targets: at most 2 µs for 200 characters without a trigger, 0.15 µs a character
of a log, and 1 ms for the begin or the end of a text of any length.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from pipeline_trace.trace import redact

LINE = "2026-11-29T12:00:00Z INFO auth-service request id=4711 user=mara path=/api/v2/items status=200 key=abc took 12 ms\n"
PLAIN = ("all went well with the hosts of this play, and the others follow now. " * 3)[:200]
SIGNS = ("Install nginx 1.24.0 on web-01, then start it (port 8080) and wait 30 s. " * 3)[:200]
LOG = LINE * 52
LARGE = LINE * (10_000_000 // len(LINE))
_TRIES = 15


def microseconds(work: Callable[[], object], times: int) -> float:
    """Return the CPU time of one call, the least of several tries."""
    least = float("inf")
    for _ in range(_TRIES):
        begun = time.process_time()
        for _ in range(times):
            work()
        least = min(least, time.process_time() - begun)
    return least / times * 1e6


def import_milliseconds() -> float:
    """Return what a process pays to import the module, the least of several."""
    # Whoever imports it has these three already.
    code = "import re, functools, typing, time; b = time.process_time(); import pipeline_trace.trace.redact"
    code += "; print(time.process_time() - b)"
    with tempfile.TemporaryDirectory() as folder:
        # As a user has it: compiled by the run before.
        env = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        words = [sys.executable, "-c", code]
        done = [subprocess.run(words, capture_output=True, text=True, check=True, env=env) for _ in range(_TRIES)]
    return min(float(each.stdout) for each in done) * 1e3


def main() -> None:
    """Print a line a case."""
    search = redact.search.find
    cases: list[tuple[str, Callable[[], object], int]] = [
        ("200 characters, no trigger", lambda: search(PLAIN), 1000),
        ("the same again", lambda: redact.masked(PLAIN), 1000),
        ("200 characters with digits and dashes", lambda: search(SIGNS), 1000),
        ("a line of a log", lambda: search(LINE), 1000),
        (f"{len(LOG):,} characters of a log", lambda: search(LOG), 10),
        ("the first 4,000 of 10 MB", lambda: redact.masked_start(LARGE, 4000), 10),
        ("the last 4,000 of 10 MB", lambda: redact.masked_end(LARGE, 4000), 10),
    ]
    for name, work, times in cases:
        print(f"{name:40} {microseconds(work, times):10.2f} µs")
    print(f"{'a character of a log':40} {microseconds(lambda: search(LOG), 10) / len(LOG):10.3f} µs")
    print(f"{'import':40} {import_milliseconds():10.2f} ms")


if __name__ == "__main__":
    main()
