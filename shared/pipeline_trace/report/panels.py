"""Prepares the panels between the top of the report and the waterfall: texts, and positions in percent. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..lookup.states import span_type, state
from ..lookup.tree import Node
from ..lookup.usual import OtherBuilds, stage_key
from ..lookup.wording import human_duration, visible
from ..ownership.verdict import OPS, Verdict
from ..trace import conventions as c
from ..trace.queries import build_name, has_times, is_stage
from ..trace.span import Span
from .critical import Segment, own_times
from .lanes import Lane, platform_lanes

_MOST_TIMES = 8
_MOST_STAGES = 100
_WAITS = frozenset({c.TYPE_QUEUE, c.TYPE_AGENT, c.TYPE_INPUT})


def time_views(path: Sequence[Segment], rows: Sequence[Node]) -> list[dict[str, Any]]:
    """Return the rows with the longest own time on the critical path, longest first."""
    whole = sum(segment.end_ns - segment.start_ns for segment in path)
    parents = _parents(rows)
    own = sorted(own_times(path, rows).items(), key=lambda one: (-one[1], one[0]))[:_MOST_TIMES]
    return [
        {
            "row": at,
            "name": visible(rows[at].span.name),
            "parent": parents[at],
            "type": span_type(rows[at].span),
            "waits": span_type(rows[at].span) in _WAITS,
            "duration": human_duration(time_ns),
            "percent": f"{100 * time_ns / whole:.0f} %",
            "width": _percent(time_ns, whole),
        }
        for at, time_ns in own
        if time_ns
    ]


def lane_views(spans: Sequence[Span], start_ns: int, end_ns: int) -> list[dict[str, Any]]:
    """Return the platform's lanes in the form that the template needs."""
    return [_lane(lane, start_ns, end_ns - start_ns) for lane in platform_lanes(spans, end_ns)]


def stage_views(rows: Sequence[Node], history: OtherBuilds, end_ns: int) -> list[dict[str, Any]]:
    """Return the stages that have a usual time, with that time."""
    found = []
    for at, node in enumerate(rows):
        span = node.span
        usual = history.usual.get(stage_key(span)) if is_stage(node.span) else None
        if usual is None or state(span) == c.SKIP or not has_times(span):
            continue
        took = (span.end_ns or max(end_ns, span.start_ns)) - span.start_ns
        found.append(
            {
                "row": at,
                "job": visible(stage_key(span)[0]),
                "name": visible(span.name),
                "took": human_duration(took) + ("" if span.end_ns else " so far"),
                "median": human_duration(usual.median_ns),
                "p95": human_duration(usual.p95_ns),
                "count": usual.count,
                "slow": took > usual.p95_ns,
            }
        )
    return found[:_MOST_STAGES]


def _parents(rows: Sequence[Node]) -> list[str]:
    """Return the name of each row's parent; "" for a root."""
    path: list[str] = []
    found = []
    for node in rows:
        del path[node.depth :]
        found.append(path[-1] if path else "")
        path.append(visible(node.span.name))
    return found


def without_outages(history: OtherBuilds, verdict: Verdict | None, rows: Sequence[Node]) -> OtherBuilds:
    """Return what other builds tell. A stage that the platform let fail now is not flaky: an outage looks the same."""
    if verdict is None or verdict.owner != OPS:
        return history
    failed = {stage_key(node.span) for node in rows if is_stage(node.span) and state(node.span) in c.FAILED_RESULTS}
    return replace(history, flaky=[one for one in history.flaky if one.test or (one.job, one.name) not in failed])


def flaky_view(history: OtherBuilds) -> list[dict[str, str]]:
    """Return the flaky stages and tests."""
    return [
        {
            "name": visible(one.name),
            "what": "test" if one.test else "stage",
            "failed": visible(build_name(one.job, one.failed_in)),
            "passed": visible(build_name(one.job, one.passed_in)),
        }
        for one in history.flaky
    ]


def _lane(lane: Lane, origin_ns: int, whole: int) -> dict[str, Any]:
    thinnest = whole // 500
    bars = [
        {"x": _percent(start_ns - origin_ns, whole), "width": _percent(max(end_ns - start_ns, thinnest), whole)}
        for start_ns, end_ns in lane.bars
    ]
    return {
        "name": lane.name,
        "count": lane.count,
        "busy": human_duration(lane.busy_ns) if lane.busy_ns else "",
        "what": ", ".join(visible(what) for what in lane.what),
        "wait": lane.wait,
        "bars": bars,
    }


def _percent(part: int, whole: int) -> str:
    """Return a part in percent for SVG, with at most three decimal places."""
    return f"{100 * part / whole:.3f}".rstrip("0").rstrip(".") + "%" if whole else "0%"
