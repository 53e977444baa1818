"""Computes trace ids and span ids from keys, and makes random ones.

A *key* is a sequence of strings, such as ``("jenkins", controller, job, number)``. Two processes that know the same key
compute the same ids, so they do not have to pass ids to each other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

_SCHEME = b"pipeline-trace/1"

_DRAWN = 256
# W3C Trace Context: an id of zeros only is invalid.
_NONE = "0" * 16


def _digest(kind: bytes, key: Sequence[str]) -> bytes:
    # Imported here, because it loads OpenSSL. Random ids do not need it.
    from hashlib import sha256

    return sha256(b"\0".join([_SCHEME, kind, *map(_encoded, key)])).digest()


def _encoded(part: str) -> bytes:
    try:
        # An agent in the C locale passes bytes that are not UTF-8. They must not change.
        return part.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # Half of a surrogate pair, from JSON, is not such a byte.
        return part.encode("utf-8", "surrogatepass")


def trace_id(key: Sequence[str]) -> str:
    """Return the trace id of a key: 32 lower-case hexadecimal digits."""
    return _digest(b"trace", key)[:16].hex()


def span_id(key: Sequence[str]) -> str:
    """Return the span id of a key: 16 lower-case hexadecimal digits."""
    return _digest(b"span", key)[:8].hex()


def key_trace_id(key: str) -> str:
    """Return the trace id for a value of PIPELINE_TRACE_KEY: 32 lower-case hexadecimal digits."""
    return trace_id(("key", key))


def random_trace_id() -> str:
    """Return a new trace id: 32 lower-case hexadecimal digits, never all zero."""
    return _random(16)


def random_span_id() -> str:
    """Return a new span id: 16 lower-case hexadecimal digits, never all zero."""
    return _random(8)


def span_ids() -> Iterator[str]:
    """Yield new span ids, for which random bytes are drawn many at a time. Do not share it with a forked process."""
    while True:
        drawn = os.urandom(8 * _DRAWN).hex()
        for start in range(0, len(drawn), 16):
            span_id = drawn[start : start + 16]
            if span_id != _NONE:
                yield span_id


def _random(size: int) -> str:
    # os.urandom, not random: ansible-playbook forks, and the forks would share the state of a generator.
    while True:
        value = os.urandom(size)
        if any(value):
            return value.hex()
