"""Renders the page of a host over time. Does no I/O."""

from __future__ import annotations

from ..figures.hosts import MOST_TASKS, HostOverTime, TaskOnHost, Visit
from ..figures.results import Results, by_day
from ..lookup import states, wording
from ..lookup.source import OnHost
from ..report.pagedata import STATE_WORDS
from ..report.times import time_element_of
from ..trace import conventions as c
from ..trace.queries import build_name_of
from .charts import Day
from .entry_pages import BUILDS, DEPLOYS
from .figure_parts import Card, before, figure_of_days, render_over_time
from .in_terminal import deploys_command
from .pages import MARKS, page_of_span
from .period import HOST, Around, Asked, plural, said_length, said_share
from .searching import address_of

_MOST_LINES = 100


def host_page(asked: Asked, found: HostOverTime, around: Around) -> str:
    """Return the page of a host."""
    ran = found.results(found.periods.both).runs
    return render_over_time(
        "host.html.j2",
        f"Host {asked.name}",
        HOST,
        asked,
        found.periods,
        around,
        of=_of(found) if ran else None,
        command=deploys_command("", around.source, host=asked.name),
        **_lists(asked),
    )


def _lists(asked: Asked) -> dict[str, str]:
    return {name: address_of(path, host=asked.name) for name, path in (("deploys", DEPLOYS), ("builds", BUILDS))}


def _of(found: HostOverTime) -> dict[str, object]:
    failures, tasks, visits = found.failures, found.tasks, found.visits
    now = found.results(found.periods.now)
    return {
        "cards": _cards(found),
        "charts": [figure_of_days("Tasks by day", _days(found))],
        "failures": [_failure(one) for one in failures[:_MOST_LINES]],
        # Of some only the day is known.
        "older_failures": max(now.failed - len(failures[:_MOST_LINES]), 0),
        "visits": [_visit(one) for one in visits[:_MOST_LINES]],
        "tasks": [_task(one) for one in tasks[:_MOST_LINES]],
        "read": plural(len(found.newest), "task") if len(found.newest) >= MOST_TASKS else "",
    }


def _cards(found: HostOverTime) -> list[Card]:
    time = found.periods
    now, earlier = (found.results(window) for window in (time.now, time.before))
    newest = found.newest[0].host if found.newest else None
    skipped, failed, unreached = now.of.get(c.SKIP, 0), _failed(now), _unreached(now)
    return [
        Card(
            "Tasks that ran here",
            str(_ran(now)),
            f"{skipped} more were skipped" if skipped else "",
            [],
            before(time, _ran(earlier)),
        ),
        Card(
            "Failed",
            str(failed),
            _said_share(failed, now),
            [(f"which{', and when it was unreachable' if unreached else ''}", "#failures")] if failed else [],
            before(time, _failed(earlier)),
        ),
        Card(
            "Unreachable",
            str(unreached),
            _said_share(unreached, now),
            [(f"when{', and what failed' if failed else ''}", "#failures")] if unreached else [],
            before(time, _unreached(earlier)),
        ),
        Card(
            "Newest task",
            STATE_WORDS[states.state(newest)].lower() if newest else "none",
            "",
            [(time_element_of(newest.end_ns), page_of_span(newest))] if newest else [],
            "",
        ),
    ]


def _ran(results: Results) -> int:
    return results.runs - results.of.get(c.SKIP, 0)


def _unreached(results: Results) -> int:
    return results.of.get(c.ERROR, 0)


def _failed(results: Results) -> int:
    """Return how many failed on the host, which was reached."""
    return results.failed - _unreached(results)


def _said_share(count: int, results: Results) -> str:
    """Return the share of the tasks that succeeded, failed or did not reach the host; "" if there are none of these."""
    return f"{said_share(count / (results.green + results.failed))} of all tasks" if count else ""


def _days(found: HostOverTime) -> list[Day]:
    return [Day(day, one.green, one.failed) for day, one in by_day(found.by_day, found.periods.now)]


def _failure(one: OnHost) -> dict[str, object]:
    span, state = one.host, states.state(one.host)
    return {
        "task": wording.visible(one.task.name) if one.task else "task not known",
        "page": page_of_span(span),
        "began": time_element_of(span.start_ns),
        "state": state,
        "mark": MARKS[state],
        "word": "Unreachable" if states.remark(span) == "unreachable" else STATE_WORDS[state],
        "message": wording.visible(states.message(span)),
        "build": wording.visible(build_name_of(span)),
    }


def _visit(one: Visit) -> dict[str, object]:
    spans = [ran.host for ran in one.tasks]
    failed = [span for span in spans if states.has_failed(span)]
    state = min(map(states.state, failed), key=states.STATES.index) if failed else c.SUCCESS
    return {
        "name": wording.visible(one.build) or f"trace {one.trace_id[:8]}",
        "page": page_of_span((failed or spans)[-1]),
        "began": time_element_of(one.start_ns),
        "tasks": len(spans),
        "changed": sum(states.remark(span) == "changed" for span in spans),
        "failed": len(failed),
        "state": state,
        "mark": MARKS[state],
        "word": STATE_WORDS[state],
    }


def _task(one: TaskOnHost) -> dict[str, object]:
    return {
        "name": wording.visible(one.name) or "name not known",
        "runs": one.runs,
        "changed": one.changed,
        "failed": one.failed,
        "median": said_length(one.median_ns),
    }
