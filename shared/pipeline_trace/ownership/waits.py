"""What it means that a build waits: for what, whose turn it is, and what to do. Does no I/O.

The kinds are Jenkins' reasons to wait; jenkins_poller/now finds them. Of a wait that is nobody's fault no team is named.
"""

from __future__ import annotations

from typing import NamedTuple

from ..trace import conventions as c
from .verdict import OPS, UNKNOWN

# What follows "waits", by kind.
FOR = {
    c.WAIT_AGENT: "for an agent",
    c.WAIT_EXECUTOR: "for a free executor",
    c.WAIT_APPROVAL: "for a person",
    c.WAIT_BUILD: "for a build",
    c.WAIT_LOCK: "for a lock",
    c.WAIT_QUIET_PERIOD: "in its quiet period",
    c.WAIT_BLOCKED: "because it is blocked",
}


class Meaning(NamedTuple):
    """A wait's owner and kind, as in a verdict, how sure that is (0 to 1), and what to do next."""

    owner: str
    kind: str
    confidence: float
    next: str


def meaning(kind: str, what: str, reason: str) -> Meaning:
    """Return what a wait means. ``kind``: of FOR. ``what``: the label, the build. ``reason``: Jenkins' own."""
    label = f" with the label {what}" if what else ""
    if kind == c.WAIT_AGENT and "no nodes" in reason.lower():
        # The label may be misspelt, or its agents may have been removed.
        return Meaning(
            UNKNOWN, "no_agent", 0.6, f"Compare the label{f' {what}' if what else ''} with the labels of the agents."
        )
    return {
        c.WAIT_AGENT: Meaning(OPS, "no_agent", 0.9, f"Bring an agent{label} online. The change is not the cause."),
        c.WAIT_EXECUTOR: Meaning(OPS, "no_agent", 0.8, f"Add executors{label}, or wait until one is free."),
        c.WAIT_APPROVAL: Meaning(
            UNKNOWN, "waiting_for_approval", 0.9, "Ask a person who may approve it. Nothing has failed."
        ),
        c.WAIT_BUILD: Meaning(UNKNOWN, "waiting_for_build", 0.7, "Check the build that it waits for."),
        c.WAIT_LOCK: Meaning(UNKNOWN, "waiting_for_lock", 0.9, "Check the build that holds the lock. Nothing has failed."),
        c.WAIT_QUIET_PERIOD: Meaning(UNKNOWN, "queued", 0.9, "Wait. It starts when its quiet period ends."),
        c.WAIT_BLOCKED: Meaning(UNKNOWN, "queued", 0.7, "Check what blocks it."),
    }[kind]
