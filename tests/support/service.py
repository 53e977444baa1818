"""`pipeline-trace poll` as a service: a real process that polls until it is told to end."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping

import support


class Service:
    """A poller that runs until it is told to end."""

    def __init__(self, env: Mapping[str, str], *arguments: object) -> None:
        words = [str(word) for word in (support.BIN / "pipeline-trace", "poll", *arguments)]
        self.process = subprocess.Popen(
            # Whoever runs the tests may ignore SIGINT, and children inherit that.
            ["env", "--default-signal=INT", *words],
            env=dict(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = 20) -> tuple[int, str]:
        """Send a signal; return the exit status and what was said on stderr. Nothing is ever said on stdout."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=seconds)
        assert out == ""
        return self.process.returncode, err

    def close(self) -> None:
        """Kill it where it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
