"""What a measured process notes about itself. Standard library only: it is imported into every measured process.

The notes go to the file that BENCH_MARKS names, as one line of JSON.
"""

from __future__ import annotations

import atexit
import json
import os
import time
from pathlib import Path

FILE = "BENCH_MARKS"


class Marks:
    """Collects notes, and writes them when the process ends, after all that was registered with atexit later."""

    def __init__(self) -> None:
        self.notes: dict[str, float] = {}
        self._process = os.getpid()
        atexit.register(self._write)

    def last_hook(self) -> None:
        """Note that only the end of the run is to come: monotonic time in ns, CPU time of this process in s."""
        self.notes.setdefault("last_hook_ns", time.monotonic_ns())
        self.notes.setdefault("last_hook_cpu_s", time.process_time())

    def _write(self) -> None:
        # Forked workers have this handler too.
        if os.getpid() == self._process:
            self.notes["peak_kb"] = peak_kb()
            Path(os.environ[FILE]).write_text(json.dumps(self.notes))


def peak_kb() -> float:
    """Return this process's peak of resident memory (VmHWM) in kB."""
    status = Path("/proc/self/status").read_text()
    return float(status.partition("VmHWM:")[2].split()[0])


def reset_peak() -> None:
    """Have the kernel count the peak of resident memory from now on."""
    Path("/proc/self/clear_refs").write_text("5")
