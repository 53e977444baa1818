"""Delivers the spans in the journals of this machine, and says what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline_trace.delivery import aside, destinations, journal, losses, progress, ship, waiting

# The time-out for each batch of spans.
DELIVERY_SECONDS = 60.0


@dataclass(frozen=True)
class Delivered:
    """The result of a delivery.

    ``delivered``: the number of spans. ``problem``: why some spans still wait. ``losses``: what will never arrive.
    ``warnings``: lines about losses and journals that were set aside. ``all_tried``: whether no journal waits for its next
    try.
    """

    delivered: int
    problem: str
    losses: losses.Losses
    warnings: tuple[str, ...]
    all_tried: bool


def deliver_journals(journals: Path, destination: destinations.Destination, timeout: float = DELIVERY_SECONDS) -> Delivered:
    """Deliver the spans in journals. ``timeout``: seconds for each batch."""
    try:
        return _delivered(journals, destination, timeout)
    except Exception as error:
        # Any error: the polls must continue, and the next delivery may succeed.
        problem = f"the delivery failed: {type(error).__name__}: {error}"
        return Delivered(0, problem, losses.Losses(), (), all_tried=False)


def _delivered(journals: Path, destination: destinations.Destination, timeout: float) -> Delivered:
    earlier = losses.untold(journals, take=True)
    outcomes = ship.ship_all(journals, destination, timeout)
    losses.forget_told(outcomes)
    lost = losses.of_outcomes(outcomes)
    lost.include(earlier)
    words = lost.said()
    warnings = [f"not everything could be delivered to {destination.name}: {words}; see its log"] if words else []
    if any(outcome.aside for outcome in outcomes):
        warnings.append(aside.said_aside(journals))
    return Delivered(
        delivered=sum(outcome.delivered for outcome in outcomes if outcome.done),
        problem=waiting.reasons(outcomes),
        losses=lost,
        warnings=tuple(warnings),
        all_tried=not any(progress.load_progress(path).tries for path in journal.find_journals(journals)),
    )
