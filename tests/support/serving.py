"""`pipeline-trace serve` as a real process, on ports that are free."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc

import support

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

# With other limits than users have: nobody wants to wait for them in a test.
_LIMITED = """
import json, os, sys
from pipeline_trace.delivery import home
from pipeline_trace.commands.serve import _say
from pipeline_trace.serve.limits import Limits
from pipeline_trace.serve.retention import Keep
from pipeline_trace.serve.run import ServeSettings, run
limits = Limits(**json.loads(sys.argv[1]))
run(home.find_home(os.environ), ServeSettings("127.0.0.1", 0, 0, Keep(3600, 1 << 30), limits=limits), _say)
"""

# As `serve`, and shows which open spans it knows: no page does that to the millisecond.
_SHOWING = """
import json, os, sys, threading, time
from pipeline_trace.commands.serve import _say
from pipeline_trace.delivery import home
from pipeline_trace.serve import run as server
from pipeline_trace.serve.retention import Keep

class Shown(server.OpenSpans):
    def __init__(self):
        super().__init__()
        threading.Thread(target=self.show, daemon=True).start()

    def show(self):
        while True:
            at = time.monotonic()
            found = [{**one.span.to_dict(), "heard_ns": one.heard_ns, "silent": one.silent} for one in self.now()]
            with open(sys.argv[1] + ".new", "w") as file:
                json.dump([at, found], file)
            os.replace(sys.argv[1] + ".new", sys.argv[1])
            time.sleep(0.05)

server.OpenSpans = Shown
token = os.environ.get("PIPELINE_TRACE_SERVE_TOKEN", "")
settings = server.ServeSettings("127.0.0.1", int(sys.argv[2]), int(sys.argv[3]), Keep(3600, 1 << 30), token=token)
server.run(home.find_home(os.environ), settings, _say)
"""


class Server:
    """The process. A context manager, which ends it by TERM and wants it to exit with 0 and nothing on stderr."""

    def __init__(
        self,
        env: Mapping[str, str],
        *arguments: str,
        limits: Mapping[str, float] | None = None,
        program: Sequence[str] = (),
    ) -> None:
        """``limits``: instead of those that users have. ``program``: instead of the command, a program that serves."""
        self.store = Path(env["PIPELINE_TRACE_HOME"]) / "traces.db"
        words = [str(support.BIN / "pipeline-trace"), "serve", "--port", "0", "--grpc-port", "0", *arguments]
        if program:
            words = [sys.executable, "-c", *program]
        elif limits:
            words = [sys.executable, "-c", _LIMITED, json.dumps(limits)]
        unbuffered = {**env, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            words, env=unbuffered, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout
        # With a source there is no OTLP, and no store.
        lines = 2 if "--from" in arguments or env.get("PIPELINE_TRACE_SOURCE") else 4
        said = [self.process.stdout.readline().split(maxsplit=1) for _ in range(lines)]
        if not all(said):
            self.process.kill()
            raise AssertionError(self.process.communicate()[1])
        self.url = said[0][1].strip().rstrip("/")
        self.grpc = said[2][1].strip() if lines == 4 else ""

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            status, said = self.end()
            if kind is None:
                assert (status, said) == (0, "")

    @property
    def port(self) -> int:
        """The port of HTTP."""
        return int(self.url.rpartition(":")[2])

    @property
    def traces(self) -> str:
        """Where OTLP over HTTP goes."""
        return f"{self.url}/v1/traces"

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """End it by a signal; return its exit status and stderr."""
        os.kill(self.process.pid, number)
        said = self.process.communicate(timeout=20)[1]
        return self.process.returncode, said

    def peak_kb(self) -> int:
        """Return the peak of its resident memory in kB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])


class Showing(Server):
    """The process, which also tells the open spans that it knows."""

    def __init__(self, env: Mapping[str, str], folder: Path, *, port: int = 0, grpc_port: int = 0) -> None:
        """``folder``: one of the test's own. ``port``, ``grpc_port``: 0 for any."""
        self._shown = folder / "open-spans.json"
        super().__init__(env, program=[_SHOWING, str(self._shown), str(port), str(grpc_port)])

    def opened(self) -> list[dict[str, Any]]:
        """Return the open spans that it knows now, in the form of ``show --format json``, with heard_ns and silent."""
        asked, deadline = time.monotonic(), time.monotonic() + 20
        while time.monotonic() < deadline:
            if self._shown.exists():
                at, found = json.loads(self._shown.read_text(encoding="utf-8"))
                if at >= asked:
                    shown: list[dict[str, Any]] = found
                    return shown
            time.sleep(0.02)
        raise AssertionError("the server shows nothing")

    def names(self, *, silent: bool | None = None) -> list[str]:
        """Return the names of the open spans. ``silent``: only of those that are, or are not, heard of."""
        return sorted(one["name"] for one in self.opened() if silent in (None, one["silent"]))


def call(server: Server, body: bytes, method: str = EXPORT, **metadata: str) -> bytes:
    """Make a call with a body as it is."""
    with grpc.insecure_channel(server.grpc.removeprefix("http://")) as channel:
        answer: bytes = channel.unary_unary(method)(body, timeout=20, metadata=list(metadata.items()))
        return answer
