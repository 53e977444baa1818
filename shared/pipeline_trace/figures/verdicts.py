"""Whose failures were, and of which kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..change.entries import Entry, verdict_on
from ..lookup.lookup import Lookup
from ..lookup.source import Wanted, Window
from ..lookup.states import has_failed
from ..trace import conventions as c
from ..trace.queries import is_run
from ..trace.span import Span

MOST_FAILURES = 2000


class Verdict(NamedTuple):
    """How many failures had a verdict. ``owner`` is "" where nobody judged them, ``kind`` where it is not known."""

    owner: str
    kind: str
    failures: int
    before: int = 0


def verdicts_of(now: Iterable[Entry | Span], before: Iterable[Entry | Span] = ()) -> list[Verdict]:
    """Return the verdicts on what failed in a period, the most frequent first, each with its count in the one before."""
    counts, earlier = (Counter(map(_verdict, filter(_failed, those))) for those in (now, before))
    verdicts = (Verdict(owner, kind, count, earlier[owner, kind]) for (owner, kind), count in counts.items())
    return sorted(verdicts, key=lambda one: (-one.failures, one.owner, one.kind))


def failed_runs(lookup: Lookup, wanted: Sequence[Wanted], within: Window) -> list[Span]:
    """Return the runs that failed and ended within a time, the newest MOST_FAILURES. ``wanted``: all of these traits."""
    groups = [[*wanted, Wanted("result", word)] for word in sorted(c.FAILED_RESULTS)]
    return [span for span in lookup.noted(groups, MOST_FAILURES, within) if is_run(span) and span.end_ns]


def _verdict(one: Entry | Span) -> tuple[str, str]:
    return verdict_on([one]) if isinstance(one, Span) else (one.owner, one.kind)


def _failed(one: Entry | Span) -> bool:
    return has_failed(one) if isinstance(one, Span) else one.state in c.FAILED_RESULTS
