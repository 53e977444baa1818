"""When a node of a Pipeline ran and how it ended, whatever plugin tells it."""

from __future__ import annotations

from dataclasses import dataclass

# 1 January 2200. Later moments in nanoseconds do not fit into every receiver's numbers.
LATEST_MS = 7_258_118_400_000

# 1 January 2005: no build of Jenkins, or of its forerunner, is older. What is earlier comes from a clock that was not set.
EARLIEST_MS = 1_104_537_600_000

# How a node ended, in Stage View's words; the other sources' words are translated into these.
SUCCESS, UNSTABLE, FAILED, ABORTED, NOT_EXECUTED = "SUCCESS", "UNSTABLE", "FAILED", "ABORTED", "NOT_EXECUTED"


@dataclass(frozen=True, slots=True)
class Times:
    """When a node ran, and how it ended. ``start_ms``: milliseconds since the epoch. ``duration_ms``: milliseconds.

    ``status``: one of the words above; "" if the source does not say. ``description``: a step's argument, or an agent's
    label. ``known``: False if no source tells the times. Then ``start_ms`` is the last moment known before the node.
    """

    start_ms: int
    duration_ms: int
    status: str = ""
    description: str = ""
    error: str = ""
    error_type: str = ""
    known: bool = True

    @property
    def end_ms(self) -> int:
        """Return the end, milliseconds since the epoch."""
        return self.start_ms + self.duration_ms


def possible_ms(ms: int | None) -> int | None:
    """Return a moment in milliseconds since the epoch; None if none is told, or if nothing can have begun so early."""
    return ms if ms is not None and ms >= EARLIEST_MS else None
