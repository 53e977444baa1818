"""OTLP over gRPC: TraceService/Export."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio

from ..delivery.destinations import DeliveryError
from . import bodies
from .guard import Rules, authorised
from .intake import BusyError, Intake
from .limits import Limits

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"


class Traces:
    """Answers Export. The messages come as bytes: they are read as those of HTTP are, off the event loop where large."""

    def __init__(self, intake: Intake, rules: Rules) -> None:
        self._intake = intake
        self._rules = rules

    async def export(self, body: bytes, context: Any) -> bytes:
        """Store a request's spans."""
        metadata = {str(key): str(value) for key, value in context.invocation_metadata()}
        if not authorised(self._rules, metadata):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is missing or wrong")
        try:
            with self._intake.hold() as hold:
                hold.add(len(body))
                received = await self._intake.take(body, bodies.PROTOBUF, "", hold)
        except (BusyError, DeliveryError) as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        except bodies.BodyError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return bodies.answer(bodies.PROTOBUF, rejected=received.rejected, reason=received.reason)


def server(address: str, traces: Traces, limits: Limits) -> tuple[Any, int]:
    """Return a server at ``HOST:PORT`` that is not started, and its port. Raises RuntimeError where that is taken."""
    found = grpc.aio.server(
        options=[
            # A second server must not share the port silently.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", limits.body_bytes),
            ("grpc.server_handshake_timeout_ms", int(limits.head_seconds * 1000)),
            # Idle connections, and clients that are gone without a word.
            ("grpc.max_connection_idle_ms", 300_000),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ]
    )
    handler = grpc.unary_unary_rpc_method_handler(traces.export)
    found.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(_SERVICE, {"Export": handler})])
    return found, found.add_insecure_port(address)
