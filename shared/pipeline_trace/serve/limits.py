"""What a client may ask of the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """``body_bytes``: a body, packed and unpacked. ``waiting_bytes``: bodies in hand at once.

    ``head_seconds``: for a request's head; ``body_seconds``: for the whole of its body; ``answer_seconds``: for a client
    that takes nothing of its answer. ``connections``: of HTTP, at once.
    """

    body_bytes: int = 16 << 20
    waiting_bytes: int = 64 << 20
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    answer_seconds: float = 30.0
    connections: int = 500
