"""A failure's signature: its deciding line without what differs from run to run. Pure."""

from __future__ import annotations

import re

_MASKS = (
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\b|\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"), "<time>"),
    (re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>)\]]+", re.IGNORECASE), "<url>"),
    (re.compile(r"\b(?:sha(?:1|256|384|512)[-:])[\w+/=-]+|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "<hash>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b|\b0x[0-9a-f]+\b", re.IGNORECASE), "<hash>"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b|\b(?:localhost|[a-z][\w-]*(?:\.[\w-]+)*\.(?:com|org|net|io|local|internal|lan|dev|de|corp|svc|cluster))(?::\d+)?\b",
                re.IGNORECASE), "<host>"),
    (re.compile(r"(?<![\w<])(?:~|\.{0,2})/[\w.@+-]+(?:/[\w.@+-]+)+"), "<path>"),
    (re.compile(r"\d+(?:\.\d+)*"), "<n>"),
    (re.compile(r"\s+"), " "),
)  # fmt: skip
# Signatures may have been cut off where they were kept.
_SHORTEST = 60


def of(line: str) -> str:
    """Return a line with times, addresses, hosts, hashes, paths and numbers masked."""
    for pattern, mask in _MASKS:
        line = pattern.sub(mask, line)
    return line.strip().lower()


def alike(one: str, other: str) -> bool:
    """Tell whether two signatures are the same, one of them perhaps cut off."""
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    # The last letters may be half of what was masked.
    return len(short) >= _SHORTEST and long.startswith(short[:-20])
