"""Renders the page of a service over time. Does no I/O."""

from __future__ import annotations

from collections import Counter

from ..change.entries import Entry
from ..figures.delivery import Delivery, Failure, Lead
from ..figures.periods import day_of, days_in
from ..figures.services import Place, ServiceOverTime
from ..figures.verdicts import verdicts_of
from ..lookup import wording
from ..lookup.source import Window
from ..report.times import time_element_of
from ..trace import conventions as c
from .charts import Day
from .entry_pages import DEPLOYS, line_of, page_of
from .figure_parts import Card, Took, figure_of_days, figure_of_runs, render_over_time, verdict_lines
from .in_terminal import deploys_command
from .period import (
    JOB,
    NOT_KNOWN,
    SERVICE,
    Around,
    Asked,
    list_of,
    plural,
    said_frequency,
    said_length,
    said_share,
)
from .searching import address_of

# More bars cannot be told apart on a small screen.
_MOST_BARS = 60
_MOST_LINES = 100


def service_page(asked: Asked, found: ServiceOverTime, around: Around) -> str:
    """Return the page of a service."""
    chosen = found.chosen
    return render_over_time(
        "service.html.j2",
        f"Service {asked.name}",
        SERVICE,
        asked,
        found.periods,
        around,
        command=deploys_command(asked.name, around.source, environment=asked.environment),
        all_deploys=list_of(DEPLOYS, found.periods.both, service=asked.name),
        environment=wording.visible(chosen.environment if chosen else asked.environment),
        places=[_place(asked, found, place) for place in found.places],
        of=_of(asked, found, chosen) if chosen else None,
        cut=time_element_of(found.from_ns) if found.from_ns > found.periods.before.from_ns else "",
    )


def _of(asked: Asked, found: ServiceOverTime, place: Place) -> dict[str, object]:
    """Return what is shown of an environment."""
    deploys = _began(found, place)
    earlier = [one for one in place.deploys if one.start_ns <= found.periods.before.to_ns]
    shown = [one for one in deploys if one.end_ns][-_MOST_BARS:]
    return {
        "cards": _cards(asked, found, place),
        "charts": [
            figure_of_days("Deploys by day", _days(asked, found, place)),
            figure_of_runs(
                f"How long the deploys took: the newest {len(shown)}",
                "Deploy",
                [Took(one, max(one.end_ns - one.start_ns, 0)) for one in shown],
            ),
        ],
        "failures": [_failure(one) for one in place.now.failures[::-1][:_MOST_LINES]],
        "changes": [_change(one) for one in place.now.leads[::-1][:_MOST_LINES]],
        "verdicts": verdict_lines(
            verdicts_of(deploys, earlier if place.before else None),
            DEPLOYS,
            _window(found),
            service=asked.name,
            environment=place.environment,
        ),
        "jobs": [(wording.visible(job), address_of(JOB, name=job)) for job in sorted({one.job for one in deploys} - {""})],
    }


def _window(found: ServiceOverTime) -> Window:
    """Return the time of which all deploys are here and were read, in the period."""
    return Window(max(found.periods.recorded.from_ns, found.from_ns), found.periods.now.to_ns)


def _began(found: ServiceOverTime, place: Place) -> list[Entry]:
    """Return the deploys of the period, those too that were cancelled or still run."""
    return [one for one in place.deploys if one.start_ns >= _window(found).from_ns]


def _cards(asked: Asked, found: ServiceOverTime, place: Place) -> list[Card]:
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
        Card(
            "Deployment frequency",
            said_frequency(len(now.succeeded), now.days),
            "",
            [(plural(len(now.succeeded), "green deploy"), listed(result=c.SUCCESS))],
            was(said_frequency(len(before.succeeded), days)),
        ),
        Card(
            "Lead time for changes",
            said_length(now.lead_ns),
            *_of_leads(len(timed), untimed),
            was(said_length(before.lead_ns)),
        ),
        Card(
            "Change failure rate",
            said_share(now.failure_rate),
            "",
            [
                (f"{failed} failed", listed(result="failed")),
                *([(f"{len(rolled_back)} rolled back", "#failures")] if rolled_back else []),
                *_of_all(len(now.ended), len(_began(found, place)), listed()),
            ],
            was(said_share(before.failure_rate)),
        ),
        Card(
            "Time to restore",
            said_length(now.restore_ns),
            f"{still} not restored yet" if still else "",
            [(f"median of {plural(len(restored), 'failure')}" if restored else "what failed", "#failures")]
            if now.failures
            else [],
            was(said_length(before.restore_ns)),
        ),
    ]


def _of_all(ended: int, began: int, address: str) -> list[tuple[str, str]]:
    """Return of how many a rate is, and what else is in the list: deploys that neither succeeded nor failed."""
    if ended == began:
        return [(f"of {plural(ended, 'deploy')}", address)]
    return [(f"of {ended} that succeeded or failed", ""), (f"{plural(began, 'deploy')} in all", address)]


def _of_leads(timed: int, untimed: int) -> tuple[str, list[tuple[str, str]]]:
    """Return what is said of lead times, and of what the median is: why it is not known, if it is not."""
    if timed:
        return f"not known of {untimed}" if untimed else "", [(f"median of {plural(timed, 'change')}", "#changes")]
    if untimed:
        return "", [(f"of {plural(untimed, 'change')}, none with a known first build", "#changes")]
    return "no deploy here tells a commit that was not there before", []


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
        "failing": newest.state in c.FAILED_RESULTS,
    }


def _days(asked: Asked, found: ServiceOverTime, place: Place) -> list[Day]:
    counted = Counter((day_of(one.start_ns), one.state == c.SUCCESS) for one in place.now.ended)
    all_of = Counter(day_of(one.start_ns) for one in _began(found, place))
    return [
        Day(
            day,
            counted[day, True],
            counted[day, False],
            list_of(DEPLOYS, found.periods.day(at), service=asked.name, environment=place.environment),
            all_of[day] - counted[day, True] - counted[day, False],
        )
        for at, day in enumerate(days_in(found.periods.now))
    ]


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
