"""Receives OTLP over gRPC: Export of TraceService and LogsService."""

from __future__ import annotations

from functools import partial
from typing import Any

import grpc
import grpc.aio

from ..delivery.destinations import ONLY_TRACES, TAKES_OPEN, DeliveryError
from . import bodies
from .budget import BodyError, StoppingError
from .guard import AccessRules, authorised, said_of_token
from .intake import BusyError, Intake, Store
from .limits import Limits
from .signals import LOGS, TRACES, Signal

_METRICS = "opentelemetry.proto.collector.metrics.v1.MetricsService"


class Exports:
    """Answers Export. Messages arrive as bytes and are read like those of HTTP: large ones outside the event loop."""

    def __init__(self, intake: Intake, rules: AccessRules) -> None:
        self._intake = intake
        self._rules = rules

    async def export(self, body: bytes, context: Any, signal: Signal) -> bytes:
        """Store what a request carries, and return the answer."""
        metadata = {str(key): str(value) for key, value in context.invocation_metadata()}
        if not authorised(self._rules, metadata):
            said = said_of_token(self._rules, "metadata authorization: Bearer TOKEN")
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, said)
        try:
            with self._intake.hold() as hold:
                hold.add(len(body))
                store: Store = self._intake.take if signal is TRACES else self._intake.hear
                received = await store(body, bodies.PROTOBUF, "", hold)
        except (BusyError, StoppingError, DeliveryError) as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        except BodyError as error:
            code = grpc.StatusCode.RESOURCE_EXHAUSTED if error.too_large else grpc.StatusCode.INVALID_ARGUMENT
            await context.abort(code, str(error))
        context.set_trailing_metadata(((TAKES_OPEN, "yes"),))
        return bodies.answer(bodies.PROTOBUF, signal, rejected=received.rejected, reason=received.reason)


async def _refuse(body: bytes, context: Any) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{ONLY_TRACES} and open spans; set OTEL_METRICS_EXPORTER=none")


def server(address: str, exports: Exports, limits: Limits) -> tuple[Any, int]:
    """Return a server for ``HOST:PORT``, not started yet, and its port. Raises RuntimeError if the port cannot be used."""
    found = grpc.aio.server(
        options=[
            # Do not share the port with a second server.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", limits.body_bytes),
            ("grpc.server_handshake_timeout_ms", int(limits.head_seconds * 1000)),
            # End idle connections, and those of clients that no longer answer.
            ("grpc.max_connection_idle_ms", 300_000),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ]
    )
    taken = {signal.service: partial(exports.export, signal=signal) for signal in (TRACES, LOGS)}
    methods = {**taken, _METRICS: _refuse}
    found.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(service, {"Export": grpc.unary_unary_rpc_method_handler(method)})
            for service, method in methods.items()
        ]
    )
    return found, found.add_insecure_port(address)
