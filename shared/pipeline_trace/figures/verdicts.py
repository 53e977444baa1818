"""Whose failures were, and of which kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..change.entries import Entry, Judge, builds_by_runs
from ..lookup.lookup import Lookup
from ..lookup.source import Wanted
from ..trace import conventions as c
from ..trace.queries import is_run
from .periods import Periods

MOST_FAILURES = 2000
# Of those that no poller judged, the newest ones of each period get a verdict: their traces are read for it.
_MOST_JUDGED = 100


class Verdict(NamedTuple):
    """How many failures had a verdict, in a period and in the one before; None where that is not known.

    ``owner`` is "" where nobody judged them, ``kind`` where it is not known.
    """

    owner: str
    kind: str
    failures: int
    before: int | None = 0


class FailedRuns(NamedTuple):
    """The runs that began in a period and failed, the newest first; of the one before None, if there are too many."""

    now: Sequence[Entry]
    before: Sequence[Entry] | None


def verdicts_of(now: Iterable[Entry], before: Iterable[Entry] | None = ()) -> list[Verdict]:
    """Return the verdicts on what failed in a period, the most frequent first, each with its count in the one before.

    ``before``: None where that is not known.
    """
    counts, earlier = (Counter((one.owner, one.kind) for one in those if _failed(one)) for those in (now, before or ()))
    verdicts = (
        Verdict(owner, kind, count, None if before is None else earlier[owner, kind])
        for (owner, kind), count in counts.items()
    )
    return sorted(verdicts, key=lambda one: (-one.failures, one.owner, one.kind))


def failed_runs(lookup: Lookup, wanted: Sequence[Wanted], periods: Periods, judge: Judge) -> FailedRuns:
    """Return the runs that failed, the newest MOST_FAILURES of both periods. ``wanted``: all of these traits."""
    groups = [[*wanted, Wanted("result", word)] for word in sorted(c.FAILED_RESULTS)]
    noted = [span for span in lookup.noted(groups, MOST_FAILURES, periods.both) if is_run(span) and span.end_ns]
    # They are asked for by their ends, and counted by their begins, as all runs are.
    runs = builds_by_runs(noted)[::-1]
    now, before = (
        _judged(lookup, [run for run in runs if window.from_ns <= run.start_ns <= window.to_ns], judge)
        for window in (periods.now, periods.before)
    )
    return FailedRuns(now, None if len(noted) >= MOST_FAILURES else before)


def _judged(lookup: Lookup, runs: Sequence[Entry], judge: Judge) -> list[Entry]:
    new = [one for one in runs if not one.owner][:_MOST_JUDGED]
    judged = dict(zip(new, judge(lookup, new), strict=True))
    return [judged.get(one, one) for one in runs]


def _failed(one: Entry) -> bool:
    return one.state in c.FAILED_RESULTS
