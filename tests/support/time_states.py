"""The pages of a service, a job, a host and the platform over time, in each of their states: see page_states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pipeline_trace.change.entries import Entry
from pipeline_trace.figures.delivery import Known, deliveries, short
from pipeline_trace.figures.periods import Periods, periods_of
from pipeline_trace.figures.services import Place, ServiceOverTime
from pipeline_trace.serve.period import Asked
from pipeline_trace.serve.service_page import service_page
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id, trace_id

SECOND = 10**9
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
# 2026-11-25, a Wednesday, half past four in the afternoon.
NOW_NS = 1_795_624_200 * SECOND
STORE = "/home/mara/.local/state/pipeline-trace/traces.db"
# Words that no line end can be put into, and letters from right to left.
LONG = "release-candidate-of-the-shop-backend-with-all-feature-branches-merged-" * 3
ARABIC = "\u0627\u0644\u0645\u062a\u062c\u0631 shop (v4.2.0)"
_MESSAGE = "web3: Failed to connect to the host via ssh: ssh: connect to host web3 port 22: No route to host"


def pages() -> list[tuple[str, Callable[[], str]]]:
    """Return the name of each state, and what writes its HTML."""
    return [
        ("service-filled", lambda: _service("shop", 30, _deploys(7, 40))),
        ("service-of-90-days", lambda: _service("shop", 90, _deploys(3, 300))),
        ("service-that-never-failed", lambda: _service("shop", 7, [_deploy(hours, version="1.7") for hours in (1, 30)])),
        ("service-that-only-failed", lambda: _service("shop", 7, [_deploy(9, c.FAILURE), _deploy(2, c.ERROR)])),
        ("service-without-deploys", lambda: _service(LONG, 7, [])),
        ("service-before-alone", lambda: _service("shop", 7, [_deploy(9 * 24)])),
        ("service-cut", lambda: _service("shop", 30, _deploys(7, 40), from_ns=NOW_NS - 12 * DAY)),
        ("service-long-names", lambda: _service(LONG, 30, _long())),
    ]


def _deploy(hours_ago: float, state: str = c.SUCCESS, place: str = "production", version: str = "", **more: Any) -> Entry:
    start, failed = NOW_NS - round(hours_ago * HOUR), state in c.FAILED_RESULTS
    key = ("time", place, str(start))
    made = Entry(
        trace_id(key),
        span_id(key),
        state,
        start,
        0 if state == "running" else start + round((3 + hours_ago % 5) * MINUTE),
        "shop",
        (place,),
        version,
        f"{round(hours_ago * 100):06x}" * 6,
        run=f"shop/deploy#{9000 - round(hours_ago)}",
        where="Run playbook" if failed else "",
        message=_MESSAGE if failed else "",
        owner="ops" if failed else "",
        kind="host_unreachable" if failed else "",
    )
    return replace(made, **more)


def _deploys(hours: int, count: int) -> list[Entry]:
    """Return deploys to three environments, some of which failed, were cancelled or rolled back."""
    states = (c.SUCCESS, c.SUCCESS, c.SUCCESS, c.FAILURE, c.SUCCESS, c.TIMEOUT, c.SUCCESS, c.CANCELLATION)
    found = [
        _deploy(hours * at + 1, states[at % len(states)], place, version=f"1.{count - at}.0")
        for at in range(count)
        for place in ("integration", "staging", "production")
    ]
    older = next(one for one in found if one.environments == ("production",) and one.version == "1.20.0")
    found.append(_deploy(2, version="1.20.0", commit=older.commit))
    return [*found, _deploy(0.1, "running", version="2.0.0")]


def _long() -> list[Entry]:
    names = {"service": LONG, "version": LONG, "run": f"{LONG}#17", "message": LONG * 2, "where": LONG, "kind": LONG[:60]}
    return [
        _deploy(30, c.FAILURE, LONG, **names),
        _deploy(20, c.SUCCESS, LONG, **names),
        _deploy(9, c.FAILURE, ARABIC, **{**names, "version": ARABIC}),
    ]


def _service(name: str, days: int, deploys: Sequence[Entry], from_ns: int = 0) -> str:
    periods = periods_of(days, NOW_NS)
    ordered = sorted(deploys, key=lambda one: one.start_ns)
    places: dict[str, list[Entry]] = {}
    for one in ordered:
        places.setdefault(one.environments[0], []).append(one)
    found = [_place(place, those, periods, from_ns) for place, those in places.items()]
    asked = Asked(name, days)
    shown = ServiceOverTime(name, periods, found, found[-1] if found else None, max(from_ns, periods.before.from_ns))
    return service_page(asked, shown, store=STORE)


def _place(name: str, deploys: list[Entry], periods: Periods, from_ns: int) -> Place:
    # Of every third change the first build is not known.
    built = {short(one.commit): _built(one) for at, one in enumerate(deploys) if at % 3}
    now, before = deliveries(deploys, [periods.now, periods.before], periods.days, Known(built))
    return Place(name, deploys, now, None if from_ns else before)


def _built(deploy: Entry) -> Entry:
    start = deploy.start_ns - 5 * HOUR
    return replace(
        deploy, state=c.SUCCESS, start_ns=start, end_ns=start + HOUR, run=f"{deploy.service}/build#7", environments=()
    )
