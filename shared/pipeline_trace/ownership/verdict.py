"""Defines the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..trace import redact

DEV = "dev"
OPS = "ops"
UNKNOWN = "unknown"
OWNERS = (DEV, OPS, UNKNOWN)
# How messages write the teams.
TEAM_NAMES = {DEV: "Dev", OPS: "Ops"}
NOTHING_FAILED = "nothing_failed"
# Below this, no team is named: the wrong team is worse than none.
_SURE = 0.6
_MAYBE = {DEV: "It may be Dev's", OPS: "It may be Ops'"}


@dataclass(frozen=True)
class Verdict:
    """Who should look first at a failure, and why.

    ``owner``: dev, ops or unknown. ``kind``: the kind of failure. ``confidence``: 0 to 1. ``evidence``: the lines and facts
    that decide, strongest first. ``next``: what to do now, in one sentence. ``program``: the program that failed, as its log
    tells it. ``phase``: who was acting (docs/ownership.md). Both are "" if that is not known.
    """

    owner: str
    kind: str
    confidence: float
    evidence: Sequence[str] = ()
    next: str = ""
    program: str = ""
    phase: str = ""

    def settled(self) -> Verdict:
        """Return the verdict, or one with an unknown owner if it is not sure enough to name a team."""
        if self.owner == UNKNOWN or self.confidence >= _SURE:
            return self
        then = f"{_MAYBE[self.owner]}; to decide, compare with the last run that passed. {self.next}".rstrip()
        return replace(self, owner=UNKNOWN, next=then)

    def masked(self) -> Verdict:
        """Return the verdict with masked secrets: logs, and spans of others, may hold some."""
        return replace(self, evidence=[redact.masked(line) for line in self.evidence], next=redact.masked(self.next))

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON-ready data."""
        return {
            "owner": self.owner,
            "kind": self.kind,
            "confidence": round(self.confidence, 2),
            "evidence": list(self.evidence),
            "next": self.next,
        }
