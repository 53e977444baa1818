"""Defines the limits for clients."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The limits. ``body_bytes``: of one body, compressed and decompressed. ``waiting_bytes``: of all bodies in memory.

    ``head_seconds``: to send the head of a request. ``body_seconds``: to send its whole body. ``answer_seconds``: how long a
    client may read nothing of the answer. ``connections``: HTTP connections at the same time.
    """

    body_bytes: int = 16 << 20
    waiting_bytes: int = 64 << 20
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    answer_seconds: float = 30.0
    connections: int = 500
