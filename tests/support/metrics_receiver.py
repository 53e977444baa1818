"""A receiver of OTLP metrics over HTTP for tests: what a Collector computes from spans ends here."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

Attributes = dict[str, str]


class MetricsReceiver:
    """Takes metrics, from entering the context until its end. ``url``: the full address."""

    def __init__(self) -> None:
        self.requests: list[ExportMetricsServiceRequest] = []
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                requests.append(ExportMetricsServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.end_headers()
                self.wfile.write(ExportMetricsServiceResponse().SerializeToString())

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing on stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/metrics"

    def __enter__(self) -> MetricsReceiver:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def points(self, name: str) -> list[tuple[Attributes, Attributes, Any]]:
        """Return the newest data points of a metric: the resource's attributes, the point's own, and the point."""
        return list(_points(self.requests[-1], name)) if self.requests else []


def _points(request: ExportMetricsServiceRequest, name: str) -> Iterable[tuple[Attributes, Attributes, Any]]:
    for of_resource in request.resource_metrics:
        for of_scope in of_resource.scope_metrics:
            for metric in of_scope.metrics:
                if metric.name == name:
                    for point in getattr(metric, metric.WhichOneof("data")).data_points:
                        yield _attributes(of_resource.resource.attributes), _attributes(point.attributes), point


def _attributes(pairs: Iterable[KeyValue]) -> Attributes:
    return {pair.key: pair.value.string_value for pair in pairs}
