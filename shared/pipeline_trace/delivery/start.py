"""The process of its own in which a running writer's journal is shipped, seen from the writer; shipping.py is what it runs.

ansible-playbook forks a worker for every host and task, so no SDK, no gRPC and no exporter thread may live in it. The
shipping process outlives its parent's kill. Standard library only, and little of it: `exec` starts fast.
"""

from __future__ import annotations

import contextlib
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

# Jenkins kills by these, at the end of a build and on abort: what is to arrive must outlive both.
_KILLED_BY = ("BUILD_ID", "JENKINS_NODE_COOKIE", "JENKINS_SERVER_COOKIE")
# Ignored by default: it may come before the process is ready for it.
CALL = signal.SIGURG
# Whatever its name is: a Galaxy install has it as a part of the collection.
_PACKAGE = Path(__file__).parents[1]


class ShippingProcess:
    """The running process, seen from the journal's writer."""

    def __init__(self, journal: Path, environ: Mapping[str, str], flush_limit: float) -> None:
        """Start the process. ``flush_limit``: seconds it may take after the writer's end. Raises OSError."""
        self._journal = journal
        self._environ = {name: value for name, value in environ.items() if name not in _KILLED_BY}
        self._flush_limit = flush_limit
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*package_command(), "follow", str(self._journal), "--flush-limit", str(self._flush_limit)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environ,
            start_new_session=True,
        )

    def settle(self) -> None:
        """Wait until all is delivered and the journal gone, the flush limit is over, or the process gave up."""
        deadline = time.monotonic() + self._flush_limit
        if self._process.poll() is not None and self._process.returncode < 0:
            # Somebody killed it on the way.
            self._process = self._start()
        with contextlib.suppress(OSError):
            self._process.send_signal(CALL)
        while self._journal.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                return
            time.sleep(0.005)

    def release(self) -> None:
        """Leave the process alone: it goes on by itself."""
        # Popen warns about a child that still runs when it is collected; ours is meant to.
        self._process.returncode = 0


def package_command() -> list[str]:
    """Return the command that runs this package with the Python that runs us, installed by pip or not."""
    return [sys.executable or "python3", str(_PACKAGE / "__main__.py")]


def command_line(*arguments: str) -> str:
    """Return the command line that runs a command, as it is had on this machine."""
    from shutil import which

    beside = Path(sys.executable).with_name("pipeline-trace")
    here = [str(beside)] if beside.exists() else package_command()
    return shlex.join([*(["pipeline-trace"] if which("pipeline-trace") else here), *arguments])


def viewing_hint(trace_id: str) -> str:
    """Return what to do to see a trace of this machine's store."""
    from importlib.util import find_spec

    # A Galaxy install has neither the commands nor what they need.
    if (_PACKAGE / "commands").is_dir() and find_spec("click"):
        return f"see it with: {command_line('show', trace_id)}"
    return f"to see it: {sys.executable} -m pip install pipeline-trace, then pipeline-trace show"
