"""Adds time limits that uvicorn lacks: for clients that send no request, or do not read the answer."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class Connection(H11Protocol):
    """A connection that ends if the head of the next request takes too long, or if the client stops reading an answer.

    The rest of a body after the answer counts as part of the next head. Times in seconds.
    """

    head_seconds = 10.0
    answer_seconds = 30.0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head: asyncio.TimerHandle | None = None
        self._answer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._head = self.loop.call_later(self.head_seconds, transport.abort)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        super().data_received(data)
        # IDLE: the head of a request has not ended yet.
        left_over = self.conn.their_state is h11.SEND_BODY and self.cycle.response_complete
        if self.conn.their_state is not h11.IDLE and not left_over:
            self._stop_head()
        elif self._head is None:
            self._head = self.loop.call_later(self.head_seconds, self.transport.abort)

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        super().pause_writing()
        self._answer = self.loop.call_later(self.answer_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        super().resume_writing()
        self._stop_answer()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._stop_head()
        self._stop_answer()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def _stop_head(self) -> None:
        if self._head:
            self._head.cancel()
            self._head = None

    def _stop_answer(self) -> None:
        if self._answer:
            self._answer.cancel()
            self._answer = None
