"""Renders the page of the platform over time. Does no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..change.entries import Entry
from ..figures.cost import Prices
from ..figures.periods import Periods, day_of, days_in
from ..figures.platform import JobResults, PlatformOverTime, WaitOverTime, of_platform
from ..lookup import wording
from ..ownership.verdict import OPS
from .charts import Day
from .entry_pages import BUILDS, line_of
from .figure_parts import Card, before, figure_of_days, render_over_time, said_change, verdict_lines
from .held_parts import held_cards, held_lines
from .period import JOB, NOT_KNOWN, PLATFORM, Around, Asked, list_of, plural, said_length, said_share
from .searching import address_of

_MOST_LINES = 50


def platform_page(asked: Asked, found: PlatformOverTime, around: Around) -> str:
    """Return the page of the platform."""
    ran = found.now.runs + found.before.runs
    of = _of(found, around.prices) if ran or found.agents or found.queues else None
    return render_over_time("platform.html.j2", "Platform", PLATFORM, asked, found.periods, around, of=of)


def _of(found: PlatformOverTime, prices: Prices) -> dict[str, object]:
    ours, time = of_platform(found.failed), found.periods
    labels, jobs = ({one.name: one.both for one in waits} for waits in (found.agents, found.queues))
    return {
        "cards": [*_cards(found, len(ours)), *held_cards(found.held, time, prices)],
        "charts": [figure_of_days("Builds that failed because of the platform, by day", _days(found, ours))],
        "money": bool(prices),
        "held_labels": held_lines(found.held.by_label, time, prices, labels)[:_MOST_LINES],
        "held_jobs": held_lines(found.held.by_job, time, prices, jobs, lambda job: address_of(JOB, name=job))[:_MOST_LINES],
        "agents": [_wait(one, "no label") for one in found.agents[:_MOST_LINES]],
        "queues": [_wait(one, "job not known") for one in found.queues[:_MOST_LINES]],
        "verdicts": verdict_lines(found.verdicts, BUILDS, time.now),
        "failures": [line_of(one) for one in ours[:_MOST_LINES]],
        "more_failures": list_of(BUILDS, time.now, result="failed", owner=OPS) if len(ours) > _MOST_LINES else "",
        "jobs": [_job(one, time) for one in found.jobs[:_MOST_LINES] if one.now.failed],
    }


def _cards(found: PlatformOverTime, ours: int) -> list[Card]:
    now, earlier, time, window = found.now, found.before, found.periods, found.periods.now
    ours_before = NOT_KNOWN if found.failed_before is None else before(time, len(of_platform(found.failed_before)))
    judged = sum(1 for run in found.failed if run.owner)
    longest = found.agents[0] if found.agents else None
    return [
        Card("Builds", str(now.runs), "", [("all of them", list_of(BUILDS, window))], before(time, earlier.runs)),
        Card(
            "Success rate",
            said_share(now.success_rate),
            f"of {now.green + now.failed} that succeeded or failed",
            [(f"{now.failed} failed", list_of(BUILDS, window, result="failed"))],
            before(time, said_share(earlier.success_rate)),
        ),
        Card(
            "Failures of the platform",
            str(ours),
            f"of {plural(judged, 'failure')} that were judged",
            [("which", list_of(BUILDS, window, result="failed", owner=OPS))] if ours else [],
            ours_before,
        ),
        Card(
            "Longest wait for an agent",
            said_length(longest.both.now.most_ns if longest and longest.both.now else None),
            f"95 % within it, for {wording.visible(longest.name) or 'no label'}" if longest else "",
            [],
            said_length(longest.both.before.most_ns if longest and longest.both.before else None),
        ),
    ]


def _days(found: PlatformOverTime, ours: Sequence[Entry]) -> list[Day]:
    counted = Counter(day_of(run.start_ns) for run in ours)
    return [
        Day(day, 0, counted[day], list_of(BUILDS, found.periods.day(at), result="failed", owner=OPS))
        for at, day in enumerate(days_in(found.periods.now))
    ]


def _wait(one: WaitOverTime, nameless: str) -> dict[str, object]:
    now, was = one.both
    return {
        "name": wording.visible(one.name) or nameless,
        "job": address_of(JOB, name=one.name) if one.name else "",
        "count": now.runs if now else 0,
        "median": said_length(now.median_ns) if now else "",
        "most": said_length(now.most_ns) if now else "",
        "median_before": said_length(was.median_ns) if was else "",
        "most_before": said_length(was.most_ns) if was else "",
        "slower": said_change(one.slower, "longer"),
    }


def _job(one: JobResults, time: Periods) -> dict[str, object]:
    return {
        "name": wording.visible(one.job),
        "address": address_of(JOB, name=one.job),
        "failed": one.now.failed,
        "rate": said_share(one.now.success_rate),
        "rate_before": before(time, said_share(one.before.success_rate)),
        "runs": one.now.runs,
    }
