"""Reads for how long builds held executors of agents: from their runs, or from blocks of Jenkins' plugin. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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


class Build(NamedTuple):
    """A build. ``day``: in days since the epoch. ``told``: the attributes of its run, as they were sent."""

    day: int
    job: str
    number: str
    trace_id: str
    told: Mapping[str, Any]


class Block(NamedTuple):
    """A ``node`` block that Jenkins' OpenTelemetry plugin tells: for how long it held an executor, in nanoseconds."""

    label: str
    length_ns: int


def held_of(builds: Sequence[Build], blocks: Callable[[str], Sequence[Block]]) -> Iterator[tuple[Build, Held]]:
    """Yield what builds held. One that both the poller and Jenkins' plugin tell counts as the poller tells it.

    ``blocks``: returns those of a trace, by its id, if they are of one build and all of them have a label.
    """
    polled = {(one.job, one.number) for one in builds if c.PLUGIN_JOB not in one.told}
    for build in builds:
        of_plugin = c.PLUGIN_JOB in build.told
        if of_plugin and (build.job, build.number) in polled:
            continue
        found = blocks(build.trace_id) if of_plugin else ()
        for one in _held_by(found) if found else held_in(build.told):
            yield build, one


def _held_by(blocks: Sequence[Block]) -> Iterator[Held]:
    yield Held("", "", TOLD, sum(one.length_ns for one in blocks))
    for one in blocks:
        yield Held(one.label, "", "", one.length_ns)


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
