"""Clients of `pipeline-trace serve` in a process of their own, so that their CPU time is not the server's.

    load_client.py http|grpc HOST:PORT CLIENTS SPANS SECONDS NUMBER

Each client sends a request as soon as the one before is answered. Prints, as JSON, how long every accepted request took in
seconds, how many were not accepted, and how long it took until the last answer.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import time
from collections.abc import Callable

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_MARK = b"\xfe" * 16


def template(count: int, first: int = 1) -> bytes:
    """Return a request of so many spans as of hosts in a playbook; its trace id is the mark, ``first`` its first span id."""
    spans = [
        Span(
            trace_id=_MARK,
            span_id=(first + number).to_bytes(8, "big"),
            parent_span_id=(first + number // 50).to_bytes(8, "big") if number else b"",
            name=f"web{number % 50:03}.example.org",
            kind=Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=1764000000000000000 + number,
            end_time_unix_nano=1764000001000000000 + number,
            attributes=[
                _text("ansible.type", "host"),
                _text("ansible.result", "changed"),
                _text("cicd.pipeline.task.run.result", "success"),
                _text("cicd.pipeline.task.name", f"Install the package number {number // 50}"),
                KeyValue(key="ansible.attempts", value=AnyValue(int_value=1)),
            ],
        )
        for number in range(count)
    ]
    resource = Resource(attributes=[_text("service.name", "ansible"), _text("host.name", "agent-1.example.org")])
    scope = ScopeSpans(scope=InstrumentationScope(name="pipeline-trace"), spans=spans)
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=resource, scope_spans=[scope])]
    ).SerializeToString()


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def over_http(address: str) -> Callable[[bytes], bool]:
    """Return what sends a request over a connection that stays open, and tells whether it was accepted."""
    connection = http.client.HTTPConnection(address, timeout=60)

    def send(body: bytes) -> bool:
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        answer = connection.getresponse()
        answer.read()
        return answer.status == 200

    return send


def over_grpc(address: str) -> Callable[[bytes], bool]:
    """Return what makes a call over a channel of its own."""
    call = grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]).unary_unary(_EXPORT)

    def send(body: bytes) -> bool:
        try:
            call(body, timeout=60)
        except grpc.RpcError:
            return False
        return True

    return send


def main() -> None:
    """Send until the time is over."""
    protocol, address = sys.argv[1:3]
    clients, spans, seconds, number = map(int, sys.argv[3:])
    body = template(spans)
    took: list[float] = []
    refused: list[int] = []
    barrier = threading.Barrier(clients)

    def run() -> None:
        send = (over_http if protocol == "http" else over_grpc)(address)
        barrier.wait()
        end = time.monotonic() + seconds
        while (begun := time.monotonic()) < end:
            accepted = send(body.replace(_MARK, number.to_bytes(2, "big") + os.urandom(14)))
            if accepted:
                took.append(time.monotonic() - begun)
            else:
                refused.append(1)

    threads = [threading.Thread(target=run) for _ in range(clients)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"took": took, "refused": len(refused), "elapsed": time.monotonic() - began}))


if __name__ == "__main__":
    main()
