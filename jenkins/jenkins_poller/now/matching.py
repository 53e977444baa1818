"""Tells which item of the queue is whose. Most items that wait for an agent name neither job nor build. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace.redact import masked

from ..fetch.api import build_path
from .around import Around, Item, kind_of
from .waits import OpenWait

# Jenkins creates a queue item for an agent when the `node` step starts: within 1 ms in recordings, later if it is busy.
_SAME_MS = 250
# Between what is before the step and the step itself, Jenkins does this and that.
_NEAR_MS = 2000


@dataclass(frozen=True)
class Waiting:
    """A ``node`` step that has no agent yet. Times are milliseconds since the epoch.

    ``since_ms``: when it began, or what is before it ended; None if no source tells it. ``exact``: it is the former.
    ``begun_ms``: when its build began. ``cause``: why it waits, by a source or its log, perhaps of some time ago.
    """

    build: Build
    begun_ms: int
    since_ms: int | None = None
    exact: bool = False
    label: str = ""
    cause: str = ""


def fitting(one: Waiting, items: Iterable[Item]) -> list[Item]:
    """Return the items that may be of this step: those that name its build, else those of its time."""
    own = [item for item in items if item.for_agent and _fits(one, item)]
    named = [item for item in own if item.url or item.name]
    same_cause = [item for item in own if one.cause and item.why == one.cause]
    return named or same_cause or own


def waits(waiting: Sequence[Waiting], around: Around) -> list[OpenWait]:
    """Return what each step waits for. ``waiting``: of all builds, because what one has, another has not."""
    matched = _matched(waiting, around.items)
    return [_wait(one, found, options, around) for one, (found, options) in zip(waiting, matched, strict=True)]


def _fits(one: Waiting, item: Item) -> bool:
    if item.url or item.name:
        return item.url.strip("/").endswith(build_path(one.build).strip("/"))
    if item.since_ms is None:
        return False
    if one.since_ms is None:
        return item.since_ms >= one.begun_ms
    later_ms = item.since_ms - one.since_ms
    return abs(later_ms) <= _SAME_MS if one.exact else 0 <= later_ms <= _NEAR_MS


def _matched(waiting: Sequence[Waiting], items: Sequence[Item]) -> list[tuple[Item | None, list[Item]]]:
    """Return the item of each step, and the items among which it is if that is not clear.

    The nearest in time belong together. Of what is left, a step for which there is one item only has this item.
    """
    options = [fitting(one, items) for one in waiting]
    found: dict[int, Item] = {}
    taken: set[int] = set()

    def take(at: int, item: Item) -> None:
        if at not in found and id(item) not in taken:
            found[at] = item
            taken.add(id(item))

    for _, at, item in sorted(_distances(waiting, options), key=lambda one: one[:2]):
        take(at, item)
    while True:
        rest = {at: [item for item in own if id(item) not in taken] for at, own in enumerate(options) if at not in found}
        only = next((at for at, own in rest.items() if len(own) == 1), None)
        if only is None:
            return [(found.get(at), rest.get(at, [])) for at in range(len(waiting))]
        take(only, rest[only][0])


def _distances(waiting: Sequence[Waiting], options: Sequence[Sequence[Item]]) -> Iterable[tuple[int, int, Item]]:
    for at, one in enumerate(waiting):
        if one.since_ms is not None:
            yield from ((abs((item.since_ms or 0) - one.since_ms), at, item) for item in options[at])


def _wait(one: Waiting, item: Item | None, options: Sequence[Item], around: Around) -> OpenWait:
    if item is not None:
        return item.wait(one.label or around.label(item.why), around.note(item.why))
    # Where several items may be its own, what they have in common is true of it.
    common = {(item.kind, item.why) for item in options}
    kind, why = common.pop() if len(common) == 1 else (kind_of(one.cause), one.cause)
    note = around.note(why)
    reason = f"{why} ({note})" if note else why
    return OpenWait(kind, one.since_ms, masked(one.label or around.label(why)), masked(reason))
