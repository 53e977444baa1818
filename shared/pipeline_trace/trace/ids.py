"""Identifiers: how two observers who never talk name the same thing.

A *key* is a sequence of strings, such as ``("jenkins", controller, job, number)``. Everybody who knows the key knows the
identifiers; nobody has to hand them over. Standard library only: this runs inside ansible-playbook.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

_SCHEME = b"pipeline-trace/1"


def _digest(kind: bytes, key: Sequence[str]) -> bytes:
    # Imported where needed: it loads OpenSSL, which a random identifier can do without.
    from hashlib import sha256

    return sha256(b"\0".join([_SCHEME, kind, *map(_encoded, key)])).digest()


def _encoded(part: str) -> bytes:
    try:
        # An agent in the C locale hands over bytes that are no UTF-8; they must come out as they went in.
        return part.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # Half a character from JSON is no such byte.
        return part.encode("utf-8", "surrogatepass")


def trace_id(key: Sequence[str]) -> str:
    """Return the trace id of a key: 32 lower-case hexadecimal digits."""
    return _digest(b"trace", key)[:16].hex()


def span_id(key: Sequence[str]) -> str:
    """Return the span id of a key: 16 lower-case hexadecimal digits."""
    return _digest(b"span", key)[:8].hex()


def key_trace_id(key: str) -> str:
    """Return the id of the trace that a PIPELINE_TRACE_KEY names: 32 lower-case hexadecimal digits."""
    return trace_id(("key", key))


def random_trace_id() -> str:
    """Return a new trace id: 32 lower-case hexadecimal digits, never all zero."""
    return _random(16)


def random_span_id() -> str:
    """Return a new span id: 16 lower-case hexadecimal digits, never all zero."""
    return _random(8)


def _random(size: int) -> str:
    # os.urandom, not random: ansible-playbook forks, and forks would share a generator's state.
    while True:
        value = os.urandom(size)
        if any(value):
            return value.hex()
