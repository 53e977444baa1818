"""The real Collector with the examples' configurations, as a process of a test that is killed and started again.

with Collector(folder, "gateway", backend=receiver.http_url) as collector:
    env |= collector.environ("grpc")
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from unittest.mock import patch

import support
from pipeline_trace.delivery.destinations.otlp import Otlp
from pipeline_trace.trace.span import Span
from support import processes
from support.otlp_receiver import Protocol, free_port

BINARY = support.ROOT / ".peers/collector/build/otelcol"
EXAMPLES = support.ROOT / "examples/collector"
_OTHERS = support.ROOT / "examples"
_HOST = "127.0.0.1"


class Collector:
    """A Collector, from entering the context until its end; its queue is in its folder."""

    def __init__(
        self,
        folder: Path,
        *examples: str,
        backend: str,
        exporter: str = "otlp_http",
        env: dict[str, str] | None = None,
        **settings: object,
    ) -> None:
        """``examples``: names of configurations, each on top of the one before. ``backend``: where all goes by ``exporter``.

        ``env``: more variables that they read. ``settings``: what else is set, with ``__`` for the dots of a path.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "log"
        self.http_port, self.grpc_port = free_port(), free_port()
        self._scheme = "https" if "token" in examples else "http"
        self._env = {
            "PATH": os.defpath,
            "BACKEND_URL": backend,
            "CLICKHOUSE_URL": backend,
            "COLLECTOR_LISTEN": _HOST,
            "COLLECTOR_STATE": str(folder / "state"),
            **(env or {}),
        }
        found = {
            "receivers__otlp__protocols__http__endpoint": f"{_HOST}:{self.http_port}",
            "receivers__otlp__protocols__grpc__endpoint": f"{_HOST}:{self.grpc_port}",
            # Tests do not wait for seconds; ports that are the same for all would be in each other's way.
            f"exporters__{exporter}__retry_on_failure__initial_interval": "100ms",
            f"exporters__{exporter}__retry_on_failure__max_interval": "500ms",
            f"exporters__{exporter}__sending_queue__batch__flush_timeout": "100ms",
            "service__telemetry__metrics__level": "none",
            **settings,
        }
        self._words = _configurations(examples)
        self._words += [f"--config=yaml:{name.replace('__', '::')}: {json.dumps(value)}" for name, value in found.items()]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Collector:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    @property
    def said(self) -> str:
        """Return its log."""
        return self._log.read_text()

    def environ(self, protocol: Protocol = "http") -> dict[str, str]:
        """Return the standard variables that send spans here."""
        port, name = (self.http_port, "http/protobuf") if protocol == "http" else (self.grpc_port, "grpc")
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{self._scheme}://{_HOST}:{port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": name,
        }

    def send(self, *requests: Sequence[Span]) -> None:
        """Send spans as all parts of pipeline-trace do. Raises DeliveryError."""
        with patch.dict(os.environ, self.environ()):
            destination = Otlp(os.environ)
            for spans in requests:
                destination.deliver(spans, 30)
            destination.close()

    def start(self) -> None:
        """Start it; return when it takes spans."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([BINARY, *self._words], env=self._env, stdout=log, stderr=log)
        processes.wait_for(self._ready, "Collector that listens", 30)

    def stop(self) -> None:
        """End it as an administrator does; return when it has ended."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(30) == 0, self.said

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def _ready(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self.said
        return all(processes.listens(port) for port in (self.http_port, self.grpc_port))


def validate(*examples: str, env: dict[str, str]) -> support.Completed:
    """Let the Collector look at configurations, each on top of the one before."""
    return support.run(BINARY, "validate", *_configurations(examples), env={"PATH": os.defpath, **env})


def _configurations(examples: Sequence[str]) -> list[str]:
    """Return the options that name them; ``folder/name`` is in another folder of the examples."""
    return [f"--config={(_OTHERS if '/' in example else EXAMPLES) / example}.yaml" for example in examples]
