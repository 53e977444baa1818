"""Parts that pages over time have in common: cards with a figure, charts with their tables, verdicts. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from ..change.entries import Entry
from ..figures.periods import Periods, day_of
from ..figures.slower import Slower
from ..figures.verdicts import Verdict
from ..lookup import wording
from ..lookup.source import Window
from ..report.pagedata import STATE_WORDS
from ..report.times import time_element_of
from .charts import FAILED, GOOD, OTHER, OTHERS, WAITED, Chart, Day, Length, chart_of_days, chart_of_lengths
from .entry_pages import page_of
from .pages import SCRIPT, render
from .period import NOT_KNOWN, Around, Asked, choices, list_of, said_length

_KEYS_OF_DAYS = [(GOOD, "green"), (FAILED, "failed, below the line")]
_KEYS_OF_RUNS = [
    (GOOD, "green"),
    (FAILED, "failed, also marked below"),
    (OTHER, f"{OTHERS}, also marked below"),
    (WAITED, "waited for the platform"),
]
_LINK = Markup('<a href="{}">{}</a>')


class Card(NamedTuple):
    """A figure. ``of``: what it was counted from, each with its address. ``before``: of the period before, or ""."""

    label: str
    value: str
    said: str
    of: Sequence[tuple[str, str]]
    before: str


class Figure(NamedTuple):
    """A chart with the table that says the same. ``keys``: what its kinds of bars mean."""

    caption: str
    chart: Chart | None
    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    keys: Sequence[tuple[str, str]]


class Took(NamedTuple):
    """A deploy or a build in a chart. Times are in nanoseconds."""

    entry: Entry
    took_ns: int
    waited_ns: int = 0


def render_over_time(
    template: str, title: str, path: str, asked: Asked, time: Periods, around: Around, **values: object
) -> str:
    """Return a page. ``path``: its address. ``values``: what its template has beside what all of them have."""
    return render(
        template,
        since="" if time.knows_before else day_of(time.since_ns),
        title=wording.visible(title),
        name=wording.visible(asked.name),
        days=asked.days,
        periods=choices(asked, path),
        store=wording.visible(around.store),
        notice=around.notice,
        script=Markup(SCRIPT),
        **{"places": (), "cut": "", **values},
    )


def before(time: Periods, said: object) -> str:
    """Return what is said of the period before; that it is not known, if not all of it was recorded."""
    return str(said) if time.knows_before else NOT_KNOWN


def said_change(change: Slower | None, word: str) -> str:
    """Return by how much something got slower, or longer, in that word, and since when as far as that is known."""
    if change is None:
        return ""
    return f"{said_length(change.by_ns)} {word}" + (f", since {change.since}" if change.since else "")


def figure_of_days(caption: str, days: Sequence[Day]) -> Figure:
    """Return how many succeeded and failed each day, and how many did neither, if any did."""
    told = [day for day in days if day.good or day.failed or day.others]
    others = any(day.others for day in days)
    rows = [(day.day, day.good, day.failed, *((day.others,) if others else ())) for day in told]
    head = ("Day (UTC)", "Green", "Failed", *((OTHERS.capitalize(),) if others else ()))
    return Figure(caption, chart_of_days(days, "green"), head, rows, _KEYS_OF_DAYS)


def figure_of_runs(caption: str, what: str, runs: Sequence[Took]) -> Figure:
    """Return how long deploys or builds took, one after another. ``what``: one of them, in a word."""
    lengths = [_length(one) for one in runs]
    waits = any(one.waited_ns for one in runs)
    head = (what, "Began", "Took", *(("Waited",) if waits else ()), "Result")
    rows = [_row(one, waits) for one in runs[::-1]]
    below = _ends([day_of(one.entry.start_ns) for one in runs])
    return Figure(caption, chart_of_lengths(lengths, below), head, rows, _KEYS_OF_RUNS)


def figure_of_medians(caption: str, days: Sequence[tuple[str, int, int, int]]) -> Figure:
    """Return the median of each day, in nanoseconds; each with the 95 % and how many there were."""
    said = wording.human_duration
    titles = (f"{day}: median {said(median)}, 95 % {said(most)}, of {runs}" for day, median, most, runs in days)
    lengths = [Length(day[1], "success", title, "") for day, title in zip(days, titles, strict=True)]
    rows = [(day, said(median), said(most), runs) for day, median, most, runs in days]
    chart = chart_of_lengths(lengths, _ends([day[0] for day in days]))
    return Figure(caption, chart, ("Day (UTC)", "Median", "95 %", "Runs"), rows, [])


def verdict_lines(verdicts: Sequence[Verdict], path: str, window: Window, **filters: str) -> list[dict[str, object]]:
    """Return the lines of the table of verdicts, each with the list of what it was counted from."""
    return [
        {
            "owner": one.owner,
            "kind": one.kind.replace("_", " "),
            "count": one.failures,
            "before": NOT_KNOWN if one.before is None else one.before,
            "address": list_of(path, window, result="failed", owner=one.owner, kind=one.kind, **filters),
        }
        for one in verdicts
    ]


def _length(one: Took) -> Length:
    entry = one.entry
    waited = f", waited {wording.human_duration(one.waited_ns)}" if one.waited_ns else ""
    said = f"{STATE_WORDS[entry.state].lower()} after {wording.human_duration(one.took_ns)}{waited}"
    title = wording.visible(f"{entry.what or entry.run}, {day_of(entry.start_ns)}: {said}")
    return Length(one.took_ns, entry.state, title, page_of(entry), one.waited_ns)


def _row(one: Took, waits: bool) -> tuple[object, ...]:
    entry = one.entry
    link = _LINK.format(page_of(entry), wording.visible(entry.run or entry.what or "deploy"))
    took = (wording.human_duration(one.took_ns), *((wording.human_duration(one.waited_ns),) if waits else ()))
    return (link, time_element_of(entry.start_ns), *took, STATE_WORDS[entry.state])


def _ends(texts: Sequence[str]) -> Sequence[str]:
    """Return the first, the middle and the last of some texts."""
    if len(texts) < 2:
        return texts
    return texts[0], texts[len(texts) // 2] if len(texts) > 2 else "", texts[-1]
