"""Deploys in a store, and the pages over time of them, as text and by their cards."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from html import unescape

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.figures.cost import prices_of
from pipeline_trace.figures.hosts import host_over_time
from pipeline_trace.figures.jobs import job_over_time, parts_over_time
from pipeline_trace.figures.periods import DAY_NS, day_of, periods_of
from pipeline_trace.figures.platform import platform_over_time
from pipeline_trace.figures.recorded import recorded
from pipeline_trace.figures.services import service_over_time
from pipeline_trace.lookup.journals import Journals
from pipeline_trace.lookup.local import LocalSource
from pipeline_trace.lookup.lookup import Lookup
from pipeline_trace.serve.host_page import host_page
from pipeline_trace.serve.job_page import job_page, parts_page
from pipeline_trace.serve.period import Around, Asked
from pipeline_trace.serve.platform_page import platform_page
from pipeline_trace.serve.service_page import service_page
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

SECOND = 10**9
NOW = time.time_ns() // DAY_NS * DAY_NS + DAY_NS // 2
AROUND = Around("here", prices=prices_of(["linux=0.12/min"]))
JOB = "shop/deploy"


def deploy(days_ago: float, state: str = c.SUCCESS) -> list[Span]:
    """Return a build that deploys, with a task on a host."""
    start, number = NOW - round(days_ago * DAY_NS), round(days_ago * 100) + 1
    run = Span(f"{number:032x}", f"{number:016x}", None, f"RUN {JOB}", start, start + 60 * SECOND)
    run.attributes = {c.JENKINS_TYPE: c.TYPE_RUN, c.PIPELINE_RESULT: state, "jenkins.parameter.ENVIRONMENT": "production"}
    run.attributes |= {c.JENKINS_HELD_MS: 60_000, c.JENKINS_HELD_LABELS: ["linux"], c.JENKINS_HELD_WORKERS: ["linux-1"]}
    run.attributes[c.JENKINS_HELD_LENGTHS_MS] = [60_000]
    run.resource = {c.PIPELINE_NAME: JOB, c.PIPELINE_RUN_ID: str(number)}
    run.status_code = "ERROR" if state in c.FAILED_RESULTS else "UNSET"
    task = Span(run.trace_id, f"{number + 2**32:016x}", run.span_id, "Copy", start, run.end_ns, resource=run.resource)
    task.attributes = {c.ANSIBLE_TYPE: c.TYPE_TASK, c.TASK_RUN_RESULT: state}
    host = Span(run.trace_id, f"{number + 2**33:016x}", task.span_id, "web1", start, run.end_ns, resource=run.resource)
    host.attributes = {c.ANSIBLE_TYPE: c.TYPE_HOST, c.ANSIBLE_HOST_NAME: "web1", c.TASK_RUN_RESULT: state}
    return [run, task, host]


def lookup_of(store: Store, days_ago: Sequence[float] = ()) -> Lookup:
    """Return a lookup on a store. ``days_ago``: of deploys that are put into it."""
    store.deliver([span for days in days_ago for span in deploy(days)], 60)
    return Lookup(LocalSource(store), Journals(None))


def day(days_ago: float) -> str:
    return day_of(NOW - round(days_ago * DAY_NS))


def service(lookup: Lookup, days: int) -> str:
    found = service_over_time(lookup, "shop", "", recorded(lookup, periods_of(days, NOW)))
    return service_page(Asked("shop", days), found, AROUND)


def job(lookup: Lookup, days: int) -> str:
    return job_page(Asked(JOB, days), job_over_time(lookup, JOB, recorded(lookup, periods_of(days, NOW))), AROUND)


def parts(lookup: Lookup, days: int) -> str:
    periods = recorded(lookup, periods_of(days, NOW))
    return parts_page(Asked(JOB, days, parts=True), parts_over_time(lookup, JOB, periods), periods, AROUND)


def host(lookup: Lookup, days: int) -> str:
    found = host_over_time(lookup, "web1", recorded(lookup, periods_of(days, NOW)))
    return host_page(Asked("web1", days), found, AROUND)


def platform(lookup: Lookup, days: int) -> str:
    return platform_page(Asked("", days), platform_over_time(lookup, recorded(lookup, periods_of(days, NOW))), AROUND)


Page = Callable[[Lookup, int], str]
PAGES = (service, job, parts, host, platform)


def card(page: str, label: str) -> tuple[str, str]:
    """Return the figure of a card, and what it says of the period before."""
    text = next(one for one in page.split('<li class="card">') if f"<h3>{label}</h3>" in one)
    return tuple(unescape(re.search(f'{name}">([^<]*)<', text)[1]) for name in ("figure", "muted"))  # type: ignore[index,return-value]
