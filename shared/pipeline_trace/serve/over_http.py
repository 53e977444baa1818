"""Receives OTLP over HTTP: POST /v1/traces and /v1/logs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from ..delivery.destinations import TAKES_OPEN, DeliveryError
from . import bodies
from .budget import BodyError, StoppingError
from .intake import BusyError, Hold, Intake, Store
from .limits import Limits
from .receiver import Received
from .records import Records
from .signals import TRACES, Signal

_UNAVAILABLE, _INVALID, _EXHAUSTED, _DEADLINE = 14, 3, 8, 4
_ENCODINGS = ("", "gzip", "deflate")
# RFC 9110, 8.4.1: the older name of gzip, and names of what changes nothing.
_SAME = {"x-gzip": "gzip", "identity": "", "none": ""}
# Of a too large body, up to this many times the limit is read and discarded. A client that still sends sees no answer.
_MOST_IGNORED = 8


class RefusedError(Exception):
    """A request gets an error as its answer. ``status``: the HTTP status. ``code``: the gRPC status code."""

    def __init__(self, status: int, code: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers: Mapping[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}


class Export:
    """Answers the requests of a signal. What it accepts is in the store, or among the open spans, before it answers."""

    def __init__(self, signal: Signal, intake: Intake, limits: Limits) -> None:
        self._signal = signal
        self._intake = intake
        self._store: Store = intake.take if signal is TRACES else intake.hear
        self._limits = limits

    async def answer(self, request: Request) -> Response:
        """Store what a request carries, and return the answer."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            received = await self._take(request, kind)
        except RefusedError as refused:
            known = kind if kind in (bodies.PROTOBUF, bodies.JSON) else bodies.JSON
            return Response(bodies.refusal(known, refused.code, str(refused)), refused.status, refused.headers, known)
        body = bodies.answer(kind, self._signal, rejected=received.rejected, reason=received.reason)
        return Response(body, headers={TAKES_OPEN: "yes"}, media_type=kind)

    async def _take(self, request: Request, kind: str) -> Received | Records:
        named = request.headers.get("content-encoding", "").strip().lower()
        encoding = _SAME.get(named, named)
        if kind not in (bodies.PROTOBUF, bodies.JSON):
            said = f"the content type is {kind or 'missing'}; send {bodies.PROTOBUF} or {bodies.JSON}"
            raise RefusedError(415, _INVALID, said)
        if encoding not in _ENCODINGS:
            raise RefusedError(415, _INVALID, f"the content encoding {encoding} is not supported; send gzip")
        try:
            with self._intake.hold() as hold:
                body = await self._read(request, hold)
                return await self._store(body, kind, encoding, hold)
        except (BusyError, StoppingError, DeliveryError) as error:
            raise RefusedError(503, _UNAVAILABLE, str(error), Retry_After="1") from None
        except BodyError as error:
            status, code = (413, _EXHAUSTED) if error.too_large else (400, _INVALID)
            raise RefusedError(status, code, str(error)) from None

    async def _read(self, request: Request, hold: Hold) -> bytes:
        most = self._limits.body_bytes
        body = bytearray()
        size = 0

        async def read() -> None:
            nonlocal size
            async for chunk in request.stream():
                size += len(chunk)
                if size <= most:
                    hold.add(len(chunk))
                    body.extend(chunk)
                elif size > _MOST_IGNORED * most:
                    break

        try:
            await asyncio.wait_for(self._intake.unless_stopped(read()), self._limits.body_seconds)
        except asyncio.TimeoutError:
            said = f"the body did not arrive within {self._limits.body_seconds:g} s; send it again, or send smaller batches"
            raise RefusedError(408, _DEADLINE, said, Connection="close") from None
        if size > most:
            said = f"the body is larger than {most} bytes; send smaller batches"
            raise RefusedError(413, _EXHAUSTED, said, Connection="close")
        return bytes(body)
