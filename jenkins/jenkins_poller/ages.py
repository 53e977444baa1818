"""Reads ages such as 30m, 12h or 7d."""

from __future__ import annotations

import re

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def age_seconds(text: object) -> float:
    """Return an age in seconds. ``text``: a number and one of the units s, m, h, d, w. Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", str(text).strip())
    if not match:
        raise ValueError(f"{text!r} is not an age; write for example 30m, 12h or 7d")
    return float(match[1]) * _UNITS[match[2]]
