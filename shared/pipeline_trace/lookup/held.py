"""Reads for how long a build held executors of agents, from its run's attributes. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..trace import conventions as c
from .source import TOLD

_MS = 10**6


class Held(NamedTuple):
    """For how long executors were held, in nanoseconds: see source.Figures."""

    label: str
    worker: str
    result: str
    length_ns: int


def held_in(attributes: Mapping[str, Any]) -> Iterator[Held]:
    """Yield what a build held all together, and then each part of it."""
    total = _whole(attributes.get(c.JENKINS_HELD_MS))
    yield Held("", "", "" if total is None else TOLD, (total or 0) * _MS)
    lengths, labels, workers = (
        _listed(attributes.get(name)) for name in (c.JENKINS_HELD_LENGTHS_MS, c.JENKINS_HELD_LABELS, c.JENKINS_HELD_WORKERS)
    )
    for length, label, worker in zip(lengths, labels, workers, strict=False):
        yield Held(str(label), str(worker), "", (_whole(length) or 0) * _MS)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()
