"""By what noted spans tell themselves that a search looks for them: so they are found far back. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..lookup.source import Wanted
from ..trace import conventions as c
from ..trace.words import environment_name

# All results of what failed.
FAILED = "failed"
# A result that most have narrows nothing down.
_RARE = frozenset({*c.FAILED_RESULTS, c.CANCELLATION})
# What a search wants that any span may fit.
ANY: Sequence[Sequence[Wanted]] = [[]]


class Told(NamedTuple):
    """What noted spans have. ``groups``: all traits of one of them. ``what``: in words, what they tell.

    ``alone``: whether all that is looked for tells it; else the result or the environment of some is told by stages alone.
    """

    groups: Sequence[Sequence[Wanted]]
    what: str
    alone: bool = False


def told_of(
    *, version: str, environment: str, result: str, judged: bool, base: Sequence[Sequence[Wanted]], deploys: bool
) -> Told | None:
    """Return what tells deploys or builds that are looked for; None if nothing does that is not common.

    ``judged``: whether the verdict on a failure is looked for. ``base``: what the spans have anyway.
    """
    if version:
        return Told(_each(base, [Wanted("version", version)]), "names its version")
    results = _results(result, judged=judged)
    if results and not deploys:
        return Told(_each(base, results), "failed", alone=True)
    if environment:
        return Told(_each(base, [Wanted("environment", environment_name(environment))]), "names its environment")
    if results:
        return Told(_each(base, results), "tells this result")
    return Told(_each(base, [Wanted("environment")]), "names its environment") if deploys and base is ANY else None


def _results(result: str, *, judged: bool) -> list[Wanted]:
    """Return the results of which one is looked for; none if most have it. Only what failed has a verdict."""
    if result in (FAILED, "") and (judged or result):
        return [Wanted("result", word) for word in sorted(c.FAILED_RESULTS)]
    return [Wanted("result", result)] if result in _RARE else []


def _each(base: Sequence[Sequence[Wanted]], more: Sequence[Wanted]) -> list[list[Wanted]]:
    return [[*group, one] for group in base for one in more]
