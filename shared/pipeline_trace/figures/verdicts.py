"""Whose failures were, and of which kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..change.entries import Entry, Judge, builds_of
from ..lookup.lookup import Lookup
from ..lookup.source import Wanted, Window
from ..trace import conventions as c
from ..trace.queries import is_run

MOST_FAILURES = 2000
# Of those that no poller judged, the newest ones get a verdict: their traces are read for it.
_MOST_JUDGED = 100


class Verdict(NamedTuple):
    """How many failures had a verdict. ``owner`` is "" where nobody judged them, ``kind`` where it is not known."""

    owner: str
    kind: str
    failures: int
    before: int = 0


def verdicts_of(now: Iterable[Entry], before: Iterable[Entry] = ()) -> list[Verdict]:
    """Return the verdicts on what failed in a period, the most frequent first, each with its count in the one before."""
    counts, earlier = (Counter((one.owner, one.kind) for one in those if _failed(one)) for those in (now, before))
    verdicts = (Verdict(owner, kind, count, earlier[owner, kind]) for (owner, kind), count in counts.items())
    return sorted(verdicts, key=lambda one: (-one.failures, one.owner, one.kind))


def failed_runs(lookup: Lookup, wanted: Sequence[Wanted], within: Window, judge: Judge) -> list[Entry]:
    """Return the runs that failed and ended within a time, the newest MOST_FAILURES. ``wanted``: all of these traits."""
    groups = [[*wanted, Wanted("result", word)] for word in sorted(c.FAILED_RESULTS)]
    noted = [span for span in lookup.noted(groups, MOST_FAILURES, within) if is_run(span) and span.end_ns]
    entries = builds_of(noted)[::-1]
    new = [one for one in entries if not one.owner][:_MOST_JUDGED]
    judged = dict(zip(new, judge(lookup, new), strict=True))
    return [judged.get(one, one) for one in entries]


def _failed(one: Entry) -> bool:
    return one.state in c.FAILED_RESULTS
