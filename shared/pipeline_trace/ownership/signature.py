"""Computes the signature of a failure: its deciding log line without what differs between builds. Does no I/O."""

from __future__ import annotations

import re

_TLD = r"(?:com|org|net|io|local|internal|lan|dev|de|corp|svc|cluster)"
_MASKS = tuple(
    (re.compile(expression, re.IGNORECASE), mask)
    for expression, mask in (
        (r"\x1b\[[0-9;]*m", ""),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?|\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b", "<time>"),
        (r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>)\]]+", "<url>"),
        (r"\bsha(?:1|256|384|512)[-:][\w+/=-]+|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b0x[0-9a-f]+\b", "<hash>"),
        (r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b", "<hash>"),
        (
            rf"\b(?:\d{{1,3}}\.){{3}}\d{{1,3}}(?::\d+)?\b|\b(?:localhost|[a-z][\w-]*(?:\.[\w-]+)*\.{_TLD})(?::\d+)?\b",
            "<host>",
        ),
        (r"(?<![\w<])(?:~|\.{0,2})/[\w.@+-]+(?:/[\w.@+-]+)+", "<path>"),
        (r"\d+(?:\.\d+)*", "<n>"),
        (r"\s+", " "),
    )
)
# A signature of at least this length may have been cut off.
_SHORTEST = 60


def signature_of(line: str) -> str:
    """Return a line with times, addresses, hosts, hashes, paths and numbers replaced by placeholders."""
    for pattern, mask in _MASKS:
        line = pattern.sub(mask, line)
    return line.strip().lower()


def are_alike(one: str, other: str) -> bool:
    """Return whether two signatures are the same. One of them may be cut off."""
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    # The last characters may be half of a placeholder.
    return len(short) >= _SHORTEST and long.startswith(short[:-20])
