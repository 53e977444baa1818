"""Renders the page of a job over time. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..figures.cost import Prices
from ..figures.flaky import Flakiness
from ..figures.jobs import JobOverTime, StageOverTime, Waited, waited
from ..figures.periods import Periods
from ..figures.results import by_day
from ..lookup import wording
from ..lookup.source import Window
from ..trace.queries import build_key
from .charts import Day
from .entry_pages import BUILDS
from .figure_parts import (
    Card,
    Took,
    before,
    figure_of_days,
    figure_of_medians,
    figure_of_runs,
    render_over_time,
    said_change,
    verdict_lines,
)
from .held_parts import held_cards, held_lines
from .period import (
    HOST,
    JOB,
    NOT_KNOWN,
    Around,
    Asked,
    list_of,
    plural,
    said_frequency,
    said_length,
    said_share,
)
from .searching import address_of

_MOST_LINES = 100
_FEW_BUILDS = 5
# More bars cannot be told apart on a small screen.
_MOST_BARS = 60


def job_page(asked: Asked, found: JobOverTime, around: Around) -> str:
    """Return the page of a job."""
    both = found.results(found.periods.both).runs
    return _render(
        "job.html.j2",
        asked,
        found.periods,
        around,
        all_builds=list_of(BUILDS, found.periods.both, job=asked.name),
        of=_of(asked, found, around.prices) if both else None,
        more=asked.address(JOB, parts="1") if found.plays else "",
    )


def parts_page(asked: Asked, parts: Mapping[str, Sequence[StageOverTime]], time: Periods, around: Around) -> str:
    """Return the page of a job's tasks and hosts. ``parts``: of them, by these words."""
    shown = [
        (name, _lines(lines, time, HOST if name == "hosts" else ""), max(len(lines) - _MOST_LINES, 0))
        for name, lines in parts.items()
    ]
    return _render("job_parts.html.j2", asked, time, around, parts=shown, job=asked.address(JOB, parts=""))


def _render(template: str, asked: Asked, time: Periods, around: Around, **values: object) -> str:
    return render_over_time(template, f"Job {asked.name}", JOB, asked, time, around, **values)


def _of(asked: Asked, found: JobOverTime, prices: Prices) -> dict[str, object]:
    return {
        "cards": [*_cards(asked, found), *held_cards(found.held, found.periods, prices)],
        "charts": [
            figure_of_days("Runs by day", _days(asked, found)),
            figure_of_runs(
                f"How long they took: the newest {len(found.runs)}",
                "Build",
                [Took(one.entry, one.worked_ns, one.queued_ns) for one in found.runs],
            ),
            figure_of_medians("How long green runs took: the median of each day", _medians(found)),
        ],
        "money": bool(prices),
        "held_labels": held_lines(found.held.by_label, found.periods, prices, {})[:_MOST_LINES],
        "stages": _lines(found.stages, found.periods),
        "more_stages": max(len(found.stages) - _MOST_LINES, 0),
        "flaky": [_flaky(one) for one in found.flaky[:_MOST_LINES]],
        "verdicts": verdict_lines(found.verdicts, BUILDS, found.periods.now, job=asked.name),
    }


def _cards(asked: Asked, found: JobOverTime) -> list[Card]:
    time = found.periods
    now, earlier, counted = (found.results(window) for window in (time.now, time.before, time.recorded))

    def listed(within: Window = time.now, **filters: str) -> str:
        return list_of(BUILDS, within, job=asked.name, **filters)

    took, was = found.green
    wait, wait_before = (waited(runs) if found.tells_waits else None for runs in (found.runs, found.before))
    return [
        Card(
            "Runs",
            said_frequency(counted.runs, time.recorded_days),
            "",
            [(plural(counted.runs, "build"), listed(time.recorded))],
            before(time, said_frequency(earlier.runs, asked.days)),
        ),
        Card(
            "Success rate",
            said_share(now.success_rate),
            f"of {now.green + now.failed} that succeeded or failed",
            [(f"{now.failed} failed", listed(result="failed"))],
            before(time, said_share(earlier.success_rate)),
        ),
        Card(
            "Duration of green runs",
            said_length(took.median_ns if took else None),
            said_change(found.slower, "slower") if took else "",
            [(f"95 % within {said_length(took.most_ns)}, median of {plural(took.runs, 'build')}", listed(result="success"))]
            if took
            else [],
            f"{said_length(was.median_ns)}, 95 % within {said_length(was.most_ns)}" if was else NOT_KNOWN,
        ),
        Card(
            "Waiting for the platform",
            said_length(wait.median_ns if wait else None),
            _said_of_wait(wait)
            if wait
            else "no build tells of a wait; Jenkins tells that of the queue with the Metrics plugin",
            [],
            _said_wait(wait_before),
        ),
    ]


def _said_of_wait(wait: Waited) -> str:
    return f"95 % within {said_length(wait.p95_ns)}, median of the newest {plural(wait.runs, 'build')}"


def _said_wait(wait: Waited | None) -> str:
    return f"{said_length(wait.median_ns)}, 95 % within {said_length(wait.p95_ns)}" if wait else NOT_KNOWN


def _days(asked: Asked, found: JobOverTime) -> list[Day]:
    return [
        Day(
            day,
            one.green,
            one.failed,
            list_of(BUILDS, found.periods.day(at), job=asked.name),
            one.runs - one.green - one.failed,
        )
        for at, (day, one) in enumerate(by_day(found.by_day, found.periods.now))
    ]


def _medians(found: JobOverTime) -> list[tuple[str, int, int, int]]:
    # The period before is in the picture, too, if there is room: so it shows since when they take longer.
    return [(one.day, one.median_ns, one.most_ns, one.runs) for one in found.green_by_day[-_MOST_BARS:]]


def _lines(parts: Sequence[StageOverTime], time: Periods, path: str = "") -> list[dict[str, object]]:
    """Return lines of a table. ``path``: of the pages to which the names lead."""
    return [_line(one, time, address_of(path, name=one.name) if path else "") for one in parts[:_MOST_LINES]]


def _line(one: StageOverTime, time: Periods, address: str) -> dict[str, object]:
    now, was = one.green
    return {
        "name": wording.visible(one.name),
        "address": address,
        "runs": now.runs if now else 0,
        "median": said_length(now.median_ns) if now else "",
        "most": said_length(now.most_ns) if now else "",
        "before": said_length(was.median_ns) if was else "",
        "slower": said_change(one.slower, "slower"),
        "failed": one.failed,
        "failed_before": before(time, one.failed_before),
    }


def _flaky(one: Flakiness) -> dict[str, object]:
    return {
        "name": wording.visible(one.name),
        "what": "test" if one.test else "stage",
        "times": plural(len(one.failed), "build"),
        "lost": said_length(one.lost_ns),
        "builds": [
            (f"#{wording.visible(build_key(run)[1])}", f"/trace/{run.trace_id}") for run in one.failed[-_FEW_BUILDS:]
        ],
    }
