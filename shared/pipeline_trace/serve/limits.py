"""Defines the limits for clients. docs/serve.md lists them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The limits. ``body_bytes``: of one body, compressed and decompressed. ``waiting_bytes``: of all bodies in memory.

    Of one span: ``span_bytes``, with its resource and scope, and ``span_items``. SQLite reads the whole of a large row to
    compare it with a new one, so that a row of 30 MB makes every insert near it slow.

    Of one request: ``members`` of its gzip body, ``spans``, ``items`` (attributes, events, links, values in lists and maps,
    scopes and resources), ``depth`` of lists and maps in each other, ``row_bytes`` (each span is stored with its resource),
    ``json_marks`` (brackets and commas outside texts). ``waiting_items``: of all requests in memory; a span counts as 8.

    ``head_seconds``: to send the head of a request. ``body_seconds``: to send its whole body. ``answer_seconds``: how long a
    client may read nothing of the answer. ``connections``: HTTP connections at the same time.
    """

    body_bytes: int = 16 << 20
    waiting_bytes: int = 64 << 20
    span_bytes: int = 1 << 20
    span_items: int = 10_000
    members: int = 100
    spans: int = 50_000
    items: int = 500_000
    depth: int = 32
    row_bytes: int = 256 << 20
    json_marks: int = 1_500_000
    waiting_items: int = 1_500_000
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    answer_seconds: float = 30.0
    connections: int = 500
