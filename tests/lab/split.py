"""Which part a case belongs to, by tool and fault, never by line. The answer never changes."""

from __future__ import annotations

import hashlib

SEEN, HELD = "seen", "held"


def part(tool: str, fault: str) -> str:
    """Return ``held`` for a third of the tools, and for a third of the faults of each other tool; else ``seen``."""
    return HELD if _drawn(tool) or _drawn(f"{tool}/{fault}") else SEEN


def _drawn(name: str) -> bool:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 3 == 0
