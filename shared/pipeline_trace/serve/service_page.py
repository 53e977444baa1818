"""Renders the page of a service over time. Does no I/O."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from markupsafe import Markup

from ..change.entries import Entry
from ..figures.delivery import Delivery, Failure, Lead
from ..figures.periods import day_of, days_in
from ..figures.services import Place, ServiceOverTime
from ..figures.verdicts import verdicts_of
from ..lookup import wording
from ..lookup.source import Window
from ..report.pagedata import STATE_WORDS
from ..report.times import time_element_of
from ..trace import conventions as c
from .charts import Day, Length, chart_of_days, chart_of_lengths
from .entry_pages import BUILDS, DEPLOYS, line_of, page_of
from .pages import SCRIPT, render
from .period import (
    NOT_KNOWN,
    SERVICE,
    Asked,
    choices,
    list_of,
    plural,
    said_frequency,
    said_length,
    said_share,
)

# More bars cannot be told apart on a small screen.
_MOST_BARS = 60
_MOST_LINES = 100


class _Card(NamedTuple):
    """A figure. ``of``: what it was counted from, each with its address. ``before``: the figure of the period before."""

    label: str
    value: str
    said: str
    of: list[tuple[str, str]]
    before: str


def service_page(asked: Asked, found: ServiceOverTime, *, store: str) -> str:
    """Return the page. ``store``: where the spans are, in words."""
    chosen = found.chosen
    return render(
        "service.html.j2",
        title=f"Service {wording.visible(asked.name)}",
        name=wording.visible(asked.name),
        days=asked.days,
        periods=choices(asked, SERVICE),
        all_deploys=list_of(DEPLOYS, found.periods.both, service=asked.name),
        environment=wording.visible(chosen.environment if chosen else asked.environment),
        places=[_place(asked, found, place) for place in found.places],
        of=_of(asked, found, chosen) if chosen else None,
        cut=time_element_of(found.from_ns) if found.from_ns > found.periods.before.from_ns else "",
        store=wording.visible(store),
        script=Markup(SCRIPT),
    )


def _of(asked: Asked, found: ServiceOverTime, place: Place) -> dict[str, object]:
    """Return what is shown of an environment."""
    deploys = [one for one in place.deploys if one.start_ns >= _window(found).from_ns]
    shown = [one for one in deploys if one.end_ns][-_MOST_BARS:]
    return {
        "cards": _cards(asked, found, place),
        "by_day": chart_of_days(_days(asked, found, place), "green"),
        "by_day_table": _days_table(found, place),
        "lengths": chart_of_lengths([_length(one) for one in shown], _ends([day_of(one.start_ns) for one in shown])),
        "lengths_table": _lengths_table(shown),
        "shown": plural(len(shown), "deploy"),
        "failures": [_failure(one) for one in place.now.failures[::-1][:_MOST_LINES]],
        "changes": [_change(one) for one in place.now.leads[::-1][:_MOST_LINES]],
        "verdicts": _verdicts(asked, found, deploys),
        "jobs": [
            (wording.visible(job), list_of(BUILDS, _window(found), job=job))
            for job in sorted({one.job for one in deploys} - {""})
        ],
    }


def _window(found: ServiceOverTime) -> Window:
    """Return the time of which all deploys were read, in the period."""
    return Window(max(found.periods.now.from_ns, found.from_ns), found.periods.now.to_ns)


def _cards(asked: Asked, found: ServiceOverTime, place: Place) -> list[_Card]:
    now, before, days = place.now, place.before or Delivery(1), asked.days
    known = place.before is not None
    timed, restored = ([one for one in some if one.took_ns is not None] for some in (now.leads, now.failures))
    rolled_back = [one for one in now.failures if one.rolled_back]
    failed = len(now.failures) - len(rolled_back)
    untimed, still = len(now.leads) - len(timed), len(now.open_failures)

    def listed(**filters: str) -> str:
        return list_of(DEPLOYS, _window(found), service=asked.name, environment=place.environment, **filters)

    def was(text: str) -> str:
        return text if known else NOT_KNOWN

    return [
        _Card(
            "Deployment frequency",
            said_frequency(len(now.succeeded), now.days),
            "",
            [(plural(len(now.succeeded), "green deploy"), listed(result=c.SUCCESS))],
            was(said_frequency(len(before.succeeded), days)),
        ),
        _Card(
            "Lead time for changes",
            said_length(now.lead_ns),
            f"not known of {untimed}" if untimed else "",
            [(f"median of {plural(len(timed), 'change')}", "#changes")] if now.leads else [],
            was(said_length(before.lead_ns)),
        ),
        _Card(
            "Change failure rate",
            said_share(now.failure_rate),
            "",
            [
                (f"{failed} failed", listed(result="failed")),
                *([(f"{len(rolled_back)} rolled back", "#failures")] if rolled_back else []),
                (f"of {plural(len(now.ended), 'deploy')}", listed()),
            ],
            was(said_share(before.failure_rate)),
        ),
        _Card(
            "Time to restore",
            said_length(now.restore_ns),
            f"{still} not restored yet" if still else "",
            [(f"median of {plural(len(restored), 'failure')}", "#failures")] if now.failures else [],
            was(said_length(before.restore_ns)),
        ),
    ]


def _place(asked: Asked, found: ServiceOverTime, place: Place) -> dict[str, object]:
    newest = place.deploys[-1]
    return {
        "name": wording.visible(place.environment),
        "address": asked.address(SERVICE, environment=place.environment),
        "chosen": place is found.chosen,
        "green": len(place.now.succeeded),
        "rate": said_share(place.now.failure_rate),
        "restore": said_length(place.now.restore_ns),
        "newest": line_of(newest),
    }


def _days(asked: Asked, found: ServiceOverTime, place: Place) -> list[Day]:
    counted = _counted(place)
    return [
        Day(day, counted[day, True], counted[day, False], _list_of_day(asked, place, found, at))
        for at, day in enumerate(days_in(found.periods.now))
    ]


def _counted(place: Place) -> Counter[tuple[str, bool]]:
    """Return how many deploys succeeded and failed, by day."""
    return Counter((day_of(one.start_ns), one.state == c.SUCCESS) for one in place.now.ended)


def _list_of_day(asked: Asked, place: Place, found: ServiceOverTime, at: int) -> str:
    return list_of(DEPLOYS, found.periods.day(at), service=asked.name, environment=place.environment)


def _days_table(found: ServiceOverTime, place: Place) -> dict[str, object]:
    counted = _counted(place)
    rows = [
        (day, counted[day, True], counted[day, False])
        for day in days_in(found.periods.now)
        if counted[day, True] or counted[day, False]
    ]
    return {"head": ("Day (UTC)", "Green", "Failed"), "rows": rows}


def _length(one: Entry) -> Length:
    took_ns = max(one.end_ns - one.start_ns, 0)
    said = f"{STATE_WORDS[one.state].lower()} after {wording.human_duration(took_ns)}"
    title = f"{one.what or one.run}, {day_of(one.start_ns)}: {said}"
    return Length(took_ns, one.state, wording.visible(title), page_of(one))


def _ends(texts: list[str]) -> list[str]:
    """Return the first, the middle and the last of some texts."""
    return [texts[0], texts[len(texts) // 2] if len(texts) > 2 else "", texts[-1]] if len(texts) > 1 else texts


def _lengths_table(shown: list[Entry]) -> dict[str, object]:
    rows = []
    for one in shown[::-1]:
        line = line_of(one)
        link = Markup('<a href="{}">{}</a>').format(line["page"], line["name"])
        rows.append((link, time_element_of(one.start_ns), line["duration"], line["word"]))
    return {"head": ("Deploy", "Began", "Took", "Result"), "rows": rows}


def _failure(one: Failure) -> dict[str, object]:
    return {
        "deploy": line_of(one.deploy),
        "rolled_back": one.rolled_back,
        "restored": line_of(one.restored_by) if one.restored_by else None,
        "after": said_length(one.took_ns) if one.took_ns is not None else "",
        "again": one.again,
    }


def _change(one: Lead) -> dict[str, object]:
    built = one.built
    return {
        "deploy": line_of(one.deploy),
        "built": built
        and {"run": wording.visible(built.run), "page": page_of(built), "began": time_element_of(built.start_ns)},
        "took": said_length(one.took_ns),
    }


def _verdicts(asked: Asked, found: ServiceOverTime, deploys: list[Entry]) -> list[dict[str, object]]:
    before = [one for one in (found.chosen.deploys if found.chosen else ()) if one.start_ns <= found.periods.before.to_ns]
    earlier = {(one.owner, one.kind): len(one.entries) for one in verdicts_of(before)}
    place = deploys[0].environments[0] if deploys else ""
    return [
        {
            "owner": one.owner,
            "kind": one.kind.replace("_", " "),
            "count": len(one.entries),
            "before": earlier.get((one.owner, one.kind), 0),
            "address": list_of(
                DEPLOYS,
                _window(found),
                service=asked.name,
                environment=place,
                result="failed",
                owner=one.owner,
                kind=one.kind,
            ),
        }
        for one in verdicts_of(deploys)
    ]
