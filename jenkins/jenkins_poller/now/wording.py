"""Formats the builds that are queued or run, as text and as JSON."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pipeline_trace.lookup.wording import human_duration, iso_time, utc_time, visible, with_shown_times
from pipeline_trace.ownership.waits import FOR

from .waits import Activity, Open, OpenBuild, OpenWait

_MOST_LETTERS = 120
# A time stays in one line.
_TIME = re.compile(r"since [0-9-]+ [0-9:]+ \S+ \([^)]*\)")
_NO_BREAK = "\N{NO-BREAK SPACE}"


def open_lines(found: Sequence[OpenBuild], now_ms: int) -> Iterator[str]:
    """Yield one line for each build, and one for each of its activities. ``now_ms``: milliseconds since the epoch."""
    for one in found:
        agents = f" on {', '.join(one.agents)}" if one.agents else ""
        yield f"{one.name} {one.state}{_since(one.since_ms, now_ms)}{agents}"
        for activity in one.activities:
            yield "  " + _activity(activity, now_ms)


def shown_lines(lines: Iterable[str], width: int | None, *, utc: bool) -> Iterator[str]:
    """Yield these lines as a terminal shows them. ``width``: longer lines go on in the next. None: no limit."""
    for line in lines:
        line = with_shown_times(line, utc=utc)
        indent = "    " if line.startswith(" ") else "  "
        yield from _folded(line, width, indent) if width else (line,)


def _folded(line: str, width: int, indent: str) -> list[str]:
    kept = _TIME.sub(lambda match: match[0].replace(" ", _NO_BREAK), line)
    lines = textwrap.wrap(kept, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return [one.replace(_NO_BREAK, " ") for one in lines]


def nothing_line(found: Open) -> str:
    """Return what to say where nothing is listed; "" if something is, or if it is not known which builds run."""
    if found.builds or not found.runs_told:
        return ""
    return "no build is queued or running" if found.queue_told else "no build is running; it is not known which are queued"


def open_document(found: Sequence[OpenBuild]) -> list[dict[str, Any]]:
    """Return the builds as JSON. Times are in UTC, and nanoseconds since the epoch, as in ``show --format json``."""
    return [
        {
            "job": one.job,
            "number": one.number,
            "url": one.url,
            "state": one.state,
            "since": _iso(one.since_ms),
            "since_unix_nano": _nanos(one.since_ms),
            "agents": list(one.agents),
            "activities": [
                {
                    "stages": list(activity.stages),
                    "step": activity.step,
                    "attempt": activity.attempt or None,
                    "in_timeout": activity.limited,
                    "since": _iso(activity.since_ms),
                    "since_unix_nano": _nanos(activity.since_ms),
                    "waits_for": _wait(activity.wait),
                }
                for activity in one.activities
            ],
        }
        for one in found
    ]


def wait_text(wait: OpenWait, now_ms: int) -> str:
    """Return a wait as text. ``now_ms``: milliseconds since the epoch."""
    what = f" ({_short(wait.what)})" if wait.what else ""
    reason = f": {_short(wait.reason)}" if wait.reason else ""
    stuck = "; Jenkins calls it stuck" if wait.stuck else ""
    return f"waits {FOR[wait.kind]}{what}{_since(wait.since_ms, now_ms)}{reason}{stuck}"


def _activity(activity: Activity, now_ms: int) -> str:
    where = f"{' > '.join(activity.stages)}: " if activity.stages else ""
    around = [f"attempt {activity.attempt}"] if activity.attempt > 1 else []
    around += ["in a timeout"] if activity.limited else []
    blocks = f" ({', '.join(around)})" if around else ""
    if activity.wait:
        return f"{where}{wait_text(activity.wait, now_ms)}{blocks}"
    step = _short(activity.step) or "between two steps"
    return f"{where}{step}{blocks}{_since(activity.since_ms, now_ms)}"


def _short(text: str) -> str:
    """Return a text as one line. A shell step's text may be a whole script."""
    return textwrap.shorten(visible(text, lines=True), _MOST_LETTERS, placeholder=" \N{HORIZONTAL ELLIPSIS}")


def _wait(wait: OpenWait | None) -> dict[str, Any] | None:
    if wait is None:
        return None
    return {
        "kind": wait.kind,
        "what": wait.what,
        "since_unix_nano": _nanos(wait.since_ms),
        "reason": wait.reason,
        "stuck": wait.stuck,
    }


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso_time(ms * 1_000_000)


def _nanos(ms: int | None) -> int | None:
    return None if ms is None else ms * 1_000_000


def _since(ms: int | None, now_ms: int) -> str:
    if not ms:
        return ""
    return f" since {utc_time(ms * 1_000_000)} ({human_duration(max(now_ms - ms, 0) * 1_000_000)})"
