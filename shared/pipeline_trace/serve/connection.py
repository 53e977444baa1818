"""Adds time limits that uvicorn lacks: for clients that send no request, or do not read the answer.

The application tells a connection when a request begins and when its answer ends. So this needs of uvicorn only its class
for HTTP, of which it overrides the methods of asyncio.Protocol.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

# Host and port of a client.
Client = tuple[str, int]


class Connection(H11Protocol):
    """A connection that ends if the head of the next request takes too long, or if the client stops reading an answer.

    The rest of a body after the answer counts as part of the next head. Times in seconds.
    """

    head_seconds = 10.0
    answer_seconds = 30.0
    by_client: dict[Client, Connection]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._answering = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        self._wire = transport
        host, port = transport.get_extra_info("peername")[:2]
        self._from: Client = (host, port)
        self.by_client[self._from] = self
        super().connection_made(transport)
        self._start("head", self.head_seconds)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        super().data_received(data)
        if not self._answering and "head" not in self._timers:
            self._start("head", self.head_seconds)

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        super().pause_writing()
        self._start("answer", self.answer_seconds)

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        super().resume_writing()
        self._stop("answer")

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._stop("head")
        self._stop("answer")
        self.by_client.pop(self._from, None)
        super().connection_lost(exc)

    def answering(self, whether: bool) -> None:
        """Note that the head of a request has come, or that its answer has ended."""
        self._answering = whether
        self._stop("head")

    def _start(self, name: str, seconds: float) -> None:
        self._stop(name)
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, self._wire.abort)

    def _stop(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer:
            timer.cancel()


class Timed:
    """ASGI application around another one: tells each connection when a request begins and when its answer ends."""

    def __init__(self, app: ASGIApp, connections: dict[Client, Connection]) -> None:
        self._app = app
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        connection = self._connections.get(tuple(scope.get("client") or ()))
        if connection is None:
            await self._app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                connection.answering(False)

        connection.answering(True)
        await self._app(scope, receive, told)
