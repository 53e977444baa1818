"""Starts the shipping process for a journal, and waits for it. The process itself runs ``follow`` in process.py.

ansible-playbook forks a worker for every host and task, so it must not contain the SDK, gRPC or exporter threads. The
shipping process survives when its parent is killed. This module imports little, because `exec` must start fast.
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

# Jenkins finds the processes to kill by these variables, at the end and on abort of a build. The delivery must survive both.
KILLED_BY = frozenset({"BUILD_ID", "JENKINS_NODE_COOKIE", "JENKINS_SERVER_COOKIE"})
# The default action of this signal is to ignore it, so it may come before the process is ready.
CALL = signal.SIGURG
# In an installation from Ansible Galaxy, the package is part of the collection and has another name.
_PACKAGE = Path(__file__).parents[1]

# The package is not on PyPI.
INSTALL = f"{sys.executable or 'python3'} -m pip install git+https://github.com/pipeline-trace/pipeline-trace"


class ShippingProcess:
    """A running shipping process, for the journal's writer."""

    def __init__(self, journal: Path, environ: Mapping[str, str], flush_limit: float) -> None:
        """Start the process. ``flush_limit``: seconds for the delivery after the writer's end. Raises OSError."""
        self._journal = journal
        self._environ = {name: value for name, value in environ.items() if name not in KILLED_BY}
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
        """Wait until all spans are delivered and the journal is deleted, the flush limit is over, or the process ends."""
        deadline = time.monotonic() + self._flush_limit
        if self._process.poll() is not None and self._process.returncode < 0:
            # A signal killed it before the end.
            self._process = self._start()
        with contextlib.suppress(OSError):
            self._process.send_signal(CALL)
        while self._journal.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                return
            time.sleep(0.005)

    def release(self) -> None:
        """Stop watching the process. It continues on its own."""
        # Popen warns if its child still runs when the object is deleted. Here that is intended.
        self._process.returncode = 0


def package_command() -> list[str]:
    """Return the command that runs this package with the current Python, also without a pip installation."""
    return [sys.executable or "python3", str(_PACKAGE / "__main__.py")]


def command_line(*arguments: str) -> str:
    """Return a shell command line that runs a pipeline-trace command on this machine."""
    from shutil import which

    beside = Path(sys.executable).with_name("pipeline-trace")
    here = [str(beside)] if beside.exists() else package_command()
    return shlex.join([*(["pipeline-trace"] if which("pipeline-trace") else here), *arguments])


def viewing_hint(trace_id: str) -> str:
    """Return a line for the user that says how to see a trace in the store."""
    from importlib.util import find_spec

    # An installation from Ansible Galaxy has neither the commands nor the packages for them.
    if (_PACKAGE / "commands").is_dir() and find_spec("click"):
        return f"see it with: {command_line('show', trace_id)}"
    return f"to see it: {INSTALL}, then pipeline-trace show"
