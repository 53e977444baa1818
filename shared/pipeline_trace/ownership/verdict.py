"""What every judge answers with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

DEV = "dev"
OPS = "ops"
UNKNOWN = "unknown"
OWNERS = (DEV, OPS, UNKNOWN)


@dataclass(frozen=True)
class Verdict:
    """Who should look first, and why.

    ``owner``: dev, ops or unknown. ``confidence``: 0 to 1. ``evidence``: the lines and facts that decided, the most telling
    first. ``next``: what to do now, one sentence.
    """

    owner: str
    kind: str
    confidence: float
    evidence: Sequence[str] = ()
    next: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "owner": self.owner,
            "kind": self.kind,
            "confidence": round(self.confidence, 2),
            "evidence": list(self.evidence),
            "next": self.next,
        }
