"""Reads ages and sizes in options and configuration files, such as 12h and 500M."""

from __future__ import annotations

import re

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_BYTES = {"M": 1 << 20, "G": 1 << 30}


def age_seconds(text: object) -> float:
    """Return an age such as 30m, 12h or 7d in seconds. Raises ValueError if ``text`` is not an age."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", str(text).strip())
    if not match:
        raise ValueError(f"{text!r} is not an age; write for example 30m, 12h or 7d")
    return float(match[1]) * _SECONDS[match[2]]


def size_bytes(text: object) -> int:
    """Return a size such as 500M or 2G in bytes. Raises ValueError if ``text`` is not a size."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([MG])", str(text).strip())
    if not match:
        raise ValueError(f"{text!r} is not a size; write for example 500M or 2G")
    return int(float(match[1]) * _BYTES[match[2]])


def size_text(size: int) -> str:
    """Return a number of bytes as text, such as 3.1 MB."""
    if size < 1000:
        return f"{size} bytes"
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size / 1e3:.1f} kB"
