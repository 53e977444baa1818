"""Formats the builds that are queued or run, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

from pipeline_trace.lookup.wording import human_duration

from .waiting import AGENT, APPROVAL, BLOCKED, BUILD, EXECUTOR, QUIET_PERIOD, Activity, OpenBuild, OpenWait

_FOR = {
    AGENT: "for an agent",
    EXECUTOR: "for a free executor",
    APPROVAL: "for a person",
    BUILD: "for a build",
    QUIET_PERIOD: "in its quiet period",
    BLOCKED: "because it is blocked",
}


def open_lines(found: Sequence[OpenBuild], now_ms: int) -> Iterator[str]:
    """Yield one line for each build, and one for each of its activities.

    ``now_ms``: milliseconds since the epoch.
    """
    if not found:
        yield "no build is queued or running"
    for one in found:
        agents = f" on {', '.join(one.agents)}" if one.agents else ""
        yield f"{one.name} {one.state}{_since(one.since_ms, now_ms)}{agents}"
        for activity in one.activities:
            yield "  " + _activity(activity, now_ms)


def open_document(found: Sequence[OpenBuild]) -> list[dict[str, Any]]:
    """Return the builds as JSON. Times are nanoseconds since the epoch, as in ``show --format json``."""
    return [
        {
            "job": one.job,
            "number": one.number,
            "url": one.url,
            "state": one.state,
            "since_unix_nano": _nanos(one.since_ms),
            "agents": list(one.agents),
            "activities": [
                {
                    "stages": list(activity.stages),
                    "step": activity.step,
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
    what = f" ({wait.what})" if wait.what else ""
    reason = f": {wait.reason}" if wait.reason else ""
    stuck = "; Jenkins calls it stuck" if wait.stuck else ""
    return f"waits {_FOR[wait.kind]}{what}{_since(wait.since_ms, now_ms)}{reason}{stuck}"


def _activity(activity: Activity, now_ms: int) -> str:
    where = f"{' > '.join(activity.stages)}: " if activity.stages else ""
    if activity.wait:
        return where + wait_text(activity.wait, now_ms)
    step = activity.step or "between two steps"
    return f"{where}{step}{_since(activity.since_ms, now_ms)}"


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


def _nanos(ms: int | None) -> int | None:
    return None if ms is None else ms * 1_000_000


def _since(ms: int | None, now_ms: int) -> str:
    if not ms:
        return ""
    when = datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
    return f" since {when} ({human_duration(max(now_ms - ms, 0) * 1_000_000)})"
