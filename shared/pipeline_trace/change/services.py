"""Where a service's deploys and builds are found: their spans name the service, one of its jobs, or its repository alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..lookup.lookup import Lookup
from ..lookup.source import EVER_DAYS, Wanted, Window
from ..trace import conventions as c
from ..trace.queries import attribute_text, build_name_of
from ..trace.span import Span
from .environments import service_of_job
from .hosts import OnHost

# Limits of one answer: spans that are read to find jobs and what is outside of them, jobs that are looked at.
_FEW, _MOST = 50, 2000
_MOST_JOBS = 40


class OfService(NamedTuple):
    """What noted spans of a service have. ``groups``: all traits of one of them.

    ``alone``: those that have none of these, by trace and span id, the newest first: deploys outside of builds that name
    their repository alone. ``on_host``: instead of both, the traces in which Ansible ran on a host.
    """

    groups: Sequence[Sequence[Wanted]]
    alone: Mapping[tuple[str, str], Span]
    on_host: OnHost | None = None


def of_service(lookup: Lookup, service: str, within: Window) -> OfService:
    """Return what tells a service's deploys and builds that ended within a time. It may tell some others, too."""
    own = Wanted("service", service)
    jobs = list(_jobs(lookup, own, within))[:_MOST_JOBS]
    deploys = lookup.noted([[Wanted("environment")]], _MOST, within)
    alone = {(span.trace_id, span.span_id): span for span in deploys if _is_alone(span, service)}
    return OfService([[own], *([Wanted("pipeline", job)] for job in jobs)], alone)


def _jobs(lookup: Lookup, own: Wanted, within: Window) -> Iterator[str]:
    """Yield the jobs that may deploy or build a service and no other one."""
    shared: dict[str, None] = {}
    running = [attribute_text(span, c.PIPELINE_NAME) for span in lookup.open_spans()]
    ran = [one.names[0] for one in lookup.figures("job", within, days=EVER_DAYS)]
    for job in dict.fromkeys([*ran, *filter(None, running)]):
        named = _services_of(job)
        if own.value in named:
            yield job
        elif "" in named:
            shared[job] = None
    for span in lookup.noted([[own]], _FEW, within):
        job = attribute_text(span, c.PIPELINE_NAME)
        if job and own.value not in _services_of(job):
            shared[job] = None
    for job in list(shared)[-_MOST_JOBS:]:
        # A job that deploys several services tells each time which one it is.
        told = {figures.names[0] for figures in lookup.figures("deploy", within, [Wanted("pipeline", job)])}
        if told <= {"", own.value}:
            yield job


def _services_of(job: str) -> set[str]:
    """Return what a job may build or deploy, by its name; "" if its repository may tell it. See RunTree.job_service."""
    # Of the job of a branch or a change, the project's name counts.
    named = {service_of_job(job), service_of_job(job.rpartition("/")[0])}
    return named | {job} if "" in named else named


def _is_alone(span: Span, service: str) -> bool:
    named = build_name_of(span) or attribute_text(span, c.DEPLOYMENT_NAME)
    return not named and attribute_text(span, c.VCS_REPOSITORY_NAME) == service
