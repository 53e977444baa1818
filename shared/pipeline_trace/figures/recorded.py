"""Since when runs and deploys are here: of a time that nobody recorded, nothing is known."""

from __future__ import annotations

from ..lookup.lookup import Lookup
from ..lookup.source import Window
from .periods import DAY_NS, Periods

_WEEK_NS = 7 * DAY_NS
# What ran in the weeks before both periods shows that their first days are recorded, too, though nothing ran then.
_BEFORE_NS = 4 * _WEEK_NS
# A trace that is alone for longer has the time of a wrong clock, or is somebody else's: nobody recorded since then.
_ALONE_NS = 4 * _WEEK_NS
# Of a week so many spans are asked for: enough to tell one trace from several.
_FEW_SPANS = 20


def recorded(lookup: Lookup, periods: Periods) -> Periods:
    """Return the periods with since when they are recorded. Asks for a few spans of each week until there are some."""
    within = Window(max(periods.before.from_ns - _BEFORE_NS, 0), periods.now.to_ns)
    week_ns = _week_ns(lookup, within)
    # Of a week before both periods it does not matter which day it was.
    since_ns = _day_ns(lookup, week_ns) if week_ns >= periods.before.from_ns else week_ns
    return periods._replace(since_ns=since_ns)


def _week_ns(lookup: Lookup, within: Window) -> int:
    """Return the begin of the first week with runs or deploys, in nanoseconds since the epoch; 0 if there are none."""
    first_ns = last_ns = 0
    for week_ns in range(within.from_ns, within.to_ns, _WEEK_NS):
        traces = _traces(lookup, week_ns, _WEEK_NS)
        if traces and last_ns and week_ns - last_ns <= _ALONE_NS:
            return last_ns
        if traces > 1:
            return week_ns
        if traces:
            first_ns, last_ns = first_ns or week_ns, week_ns
    return first_ns


def _day_ns(lookup: Lookup, week_ns: int) -> int:
    """Return the begin of the first day of a week with runs or deploys."""
    days = range(week_ns, week_ns + _WEEK_NS, DAY_NS)
    return next((day_ns for day_ns in days if _traces(lookup, day_ns, DAY_NS)), week_ns)


def _traces(lookup: Lookup, from_ns: int, length_ns: int) -> int:
    """Return in how many traces a run or a deploy ended in a time; a few of them, if there are many."""
    spans = lookup.noted([[]], _FEW_SPANS, Window(from_ns, from_ns + length_ns - 1))
    return len({span.trace_id for span in spans})
