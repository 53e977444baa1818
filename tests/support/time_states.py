"""The pages of a service, a job, a host and the platform over time, in each of their states: see page_states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pipeline_trace.change.entries import Entry, short
from pipeline_trace.change.waits import MACHINE, Wait
from pipeline_trace.figures.cost import Held, prices_of
from pipeline_trace.figures.delivery import Known, deliveries
from pipeline_trace.figures.flaky import Flakiness
from pipeline_trace.figures.held import AgentTime, Told
from pipeline_trace.figures.hosts import MOST_TASKS, HostOverTime
from pipeline_trace.figures.jobs import JobOverTime, Run, StageOverTime
from pipeline_trace.figures.periods import Periods, days_in, periods_of
from pipeline_trace.figures.platform import JobResults, PlatformOverTime, WaitOverTime
from pipeline_trace.figures.results import Results
from pipeline_trace.figures.services import Place, ServiceOverTime
from pipeline_trace.figures.slower import NOTHING, Compared, Slower
from pipeline_trace.figures.verdicts import Verdict
from pipeline_trace.lookup.source import Figures, OnHost
from pipeline_trace.serve.host_page import host_page
from pipeline_trace.serve.job_page import job_page, parts_page
from pipeline_trace.serve.period import Around, Asked
from pipeline_trace.serve.platform_page import platform_page
from pipeline_trace.serve.service_page import service_page
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id, trace_id
from pipeline_trace.trace.span import Span

SECOND = 10**9
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
# 2026-11-25, a Wednesday, half past four in the afternoon.
NOW_NS = 1_795_624_200 * SECOND
AROUND = Around("/home/mara/.local/state/pipeline-trace/traces.db")
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
        ("service-recorded-lately", lambda: _service("shop", 30, _deploys(7, 40), since_days=9)),
        ("service-long-names", lambda: _service(LONG, 30, _long())),
        ("platform-filled", lambda: _platform(30, 40)),
        ("platform-with-prices", lambda: _platform(30, 9, prices=("linux=0.12 EUR/min", "windows*=9 EUR/h"))),
        ("platform-without-failures", lambda: _platform(7, 0)),
        ("platform-long-names", lambda: _platform(90, 9, LONG)),
        ("platform-without-builds", _empty_platform),
        ("host-filled", lambda: _host("web3.example.org", 30, 60)),
        ("host-of-many-tasks", lambda: _host("web3.example.org", 7, MOST_TASKS)),
        ("host-where-nothing-failed", lambda: _host("web1.example.org", 7, 2)),
        ("host-without-tasks", lambda: _host(LONG, 7, 0)),
        ("host-long-names", lambda: _host(f"{LONG}.example.org", 7, 12, LONG)),
        ("job-filled", lambda: _job("shop/build", 30, _runs(55))),
        ("job-with-prices", lambda: _job("shop/build", 30, _runs(9), prices=("linux=0.12/min",))),
        ("job-recorded-lately", lambda: _job("shop/build", 30, _runs(60), prices=("linux=0.12/min",), since_days=41)),
        ("job-of-90-days", lambda: _job("shop/build", 90, _runs(60))),
        ("job-without-builds", lambda: _job(LONG, 7, [])),
        ("job-that-never-failed", lambda: _job("shop/build", 7, _runs(3)[:1])),
        ("job-long-names", lambda: _job(f"{LONG}/{ARABIC}", 30, _runs(9), name=LONG)),
        ("job-tasks-and-hosts", lambda: _job_parts("shop/deploy", _parts())),
        ("job-without-tasks", lambda: _job_parts(LONG, {"tasks": [], "hosts": []})),
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


def _periods(days: int, since_days: int) -> Periods:
    """Return periods that are recorded since so many days; 0 for always."""
    found = periods_of(days, NOW_NS)
    return found._replace(since_ns=found.now.to_ns + 1 - since_days * DAY) if since_days else found


def _service(name: str, days: int, deploys: Sequence[Entry], from_ns: int = 0, since_days: int = 0) -> str:
    periods = _periods(days, since_days)
    ordered = sorted(deploys, key=lambda one: one.start_ns)
    places: dict[str, list[Entry]] = {}
    for one in ordered:
        places.setdefault(one.environments[0], []).append(one)
    found = [_place(place, those, periods, from_ns) for place, those in places.items()]
    asked = Asked(name, days)
    shown = ServiceOverTime(name, periods, found, found[-1] if found else None, max(from_ns, periods.before.from_ns))
    return service_page(asked, shown, AROUND)


def _place(name: str, deploys: list[Entry], periods: Periods, from_ns: int) -> Place:
    # Of every third change the first build is not known.
    built = {short(one.commit): _built(one) for at, one in enumerate(deploys) if at % 3}
    now, before = deliveries(deploys, [periods.now, periods.before], periods.days, Known(built))
    return Place(name, deploys, now, None if from_ns or not periods.knows_before else before)


def _built(deploy: Entry) -> Entry:
    start = deploy.start_ns - 5 * HOUR
    return replace(
        deploy, state=c.SUCCESS, start_ns=start, end_ns=start + HOUR, run=f"{deploy.service}/build#7", environments=()
    )


def _runs(count: int) -> list[Run]:
    states = (c.SUCCESS, c.SUCCESS, c.FAILURE, c.SUCCESS, c.CANCELLATION, c.SUCCESS)
    found = []
    for at in range(count):
        one = _deploy(5 * (count - at), states[at % len(states)], run=f"shop/build#{at + 1}")
        queued = Wait(MACHINE, c.TYPE_QUEUE, one.start_ns - (at % 4) * 20 * SECOND, one.start_ns)
        found.append(Run(one, [queued, Wait(MACHINE, c.TYPE_AGENT, one.start_ns, one.start_ns + MINUTE, "linux")]))
    return found


def _job(job: str, days: int, runs: Sequence[Run], name: str = "", prices: Sequence[str] = (), since_days: int = 0) -> str:
    periods = _periods(days, since_days)
    names = [name or one for one in ("Integration tests", "Build", "Checkout", "Lint")] if runs else []
    by_day = [
        Figures((job,), day, 9, {c.SUCCESS: 7, c.FAILURE: at % 3}, (7 + at % 5) * MINUTE, 20 * MINUTE)
        for at, day in enumerate(days_in(periods.both))
        if at % 7 not in (5, 6) and runs
    ]
    stages = [_part(name, at) for at, name in enumerate(names)]
    flaky = [Flakiness(name, bool(at % 2), [_flaky(at + 1)], at * HOUR) for at, name in enumerate(names)]
    verdicts = [Verdict("ops", "host_unreachable", 12, 3), Verdict("dev", "test_failure", 4), Verdict("", "", 1)]
    failed = any(one.entry.state == c.FAILURE for one in runs)
    green = stages[0].green if stages else NOTHING
    found = JobOverTime(
        job, periods, by_day, green, by_day, stages[0].slower if stages else None, stages, runs, runs[:7],
        flaky if failed else [], verdicts if failed else [], bool(runs),
        _held("linux && docker", "linux") if prices else AgentTime(),
    )  # fmt: skip
    return job_page(Asked(job, days), found, _priced(prices))


def _priced(prices: Sequence[str]) -> Around:
    return AROUND._replace(prices=prices_of(prices))


def _held(*labels: str) -> AgentTime:
    """Return what builds held by these labels, and on an agent whose label is not known."""
    asked = [*((label, "") for label in labels), ("", "linux-7.example.org")]
    parts = [
        (f"{label or worker}/build", *(Held(label, worker, length * MINUTE) for length in (7 + 611 * at, 90)))
        for at, (label, worker) in enumerate(asked)
    ]
    return AgentTime(Told(37, 41), Told(11, 11), parts)


def _part(name: str, at: int) -> StageOverTime:
    now, before = (Figures(("", name), "", 40, {}, (took - at) * MINUTE, 20 * MINUTE) for took in (9, 6))
    return StageOverTime(name, Compared(now, before if at % 2 == 0 else None), at, 0, Slower(3 * MINUTE, "2026-11-17"))


def _job_parts(job: str, parts: dict[str, list[StageOverTime]]) -> str:
    return parts_page(Asked(job, 30, parts=True), parts, _periods(30, 41), AROUND)


def _parts() -> dict[str, list[StageOverTime]]:
    return {
        "tasks": [_part(name, at) for at, name in enumerate(("Run migrations", "Copy application", LONG))],
        "hosts": [_part(f"web{at}.example.org", at % 5) for at in range(130)],
    }


def _flaky(number: int) -> Span:
    made = Span(trace_id(("flaky", str(number))), span_id(("flaky", str(number))), None, "RUN", NOW_NS, NOW_NS + HOUR)
    made.resource = {c.PIPELINE_NAME: "shop/build", c.PIPELINE_RUN_ID: str(number)}
    return made


def _host(name: str, days: int, count: int, task: str = "Copy application") -> str:
    periods = periods_of(days, NOW_NS)
    newest = [_on_host(name, at, task if at % 2 else "Restart") for at in range(count)]
    by_day = [
        Figures((name,), day, 12, {c.SUCCESS: 8, c.SKIP: 1, c.ERROR: at % 2, c.FAILURE: at % 3})
        for at, day in enumerate(days_in(periods.both))
        if count > 2
    ] or [Figures((name,), day, count, {c.SUCCESS: count}) for day in days_in(periods.now)[-1:] if count]
    return host_page(Asked(name, days), HostOverTime(name, periods, by_day, newest), AROUND)


def _on_host(name: str, at: int, task: str) -> OnHost:
    word = ("ok", "changed", "failed", "skipped", "unreachable", "ok")[at % 6]
    result = {"failed": c.FAILURE, "unreachable": c.ERROR, "skipped": c.SKIP}.get(word, c.SUCCESS)
    key, start = ("host", str(at)), NOW_NS - at * 20 * MINUTE
    made = Span(trace_id(("host", str(at // 7))), span_id(key), span_id((*key, "task")), name, start, start + at * SECOND)
    made.attributes = {c.ANSIBLE_TYPE: c.TYPE_HOST, c.ANSIBLE_RESULT: word, c.TASK_RUN_RESULT: result}
    made.status_code, made.status_message = ("ERROR", _MESSAGE) if result in c.FAILED_RESULTS else ("UNSET", "")
    made.resource = {c.PIPELINE_NAME: "shop/deploy", c.PIPELINE_RUN_ID: str(200 - at // 7)} if at % 14 < 7 else {}
    around = Span(made.trace_id, made.parent_id or "", None, task, start, made.end_ns)
    return OnHost(made, around if at % 5 else None)


def _platform(days: int, failures: int, name: str = "linux", prices: Sequence[str] = ()) -> str:
    periods = periods_of(days, NOW_NS)
    failed = [_failed(at, name) for at in range(failures)]
    waits = [
        WaitOverTime(label, _part(label, at).green, Slower(at * MINUTE, "") if at % 2 else None)
        for at, label in enumerate((name, "windows", "gpu", ""))
    ]
    now, before = Results(90, {c.SUCCESS: 80, c.FAILURE: 10}), Results(50, {c.SUCCESS: 50})
    jobs = [JobResults(f"{name}/{job}", now, before) for job in ("build", "deploy")]
    held = _held(name, "windows && (vs2022 || vs2019)") if failures else AgentTime()
    found = PlatformOverTime(periods, waits, waits, jobs, held, failed, None if days == 90 else failed[:4])
    return platform_page(Asked("", days), found, _priced(prices))


def _empty_platform() -> str:
    return platform_page(Asked("", 7), PlatformOverTime(periods_of(7, NOW_NS), [], [], [], AgentTime(), [], []), AROUND)


def _failed(at: int, name: str) -> Entry:
    start = NOW_NS - at * 9 * HOUR
    return Entry(
        trace_id=trace_id(("failed", str(at))),
        span_id=span_id(("failed", str(at))),
        state=c.FAILURE,
        start_ns=start,
        end_ns=start + HOUR,
        run=f"{name}/build#{at}",
        message=_MESSAGE if at % 2 else "",
        owner="dev" if at % 5 == 0 else "ops",
        kind="host_unreachable",
    )
