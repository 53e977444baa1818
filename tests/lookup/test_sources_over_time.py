"""Pages over time have the same figures from this machine's store and from ClickHouse."""

from __future__ import annotations

import time

import pytest
from support import questions
from support.clickhouse import needs_engine
from support.worlds import World

from pipeline_trace.figures.hosts import host_over_time
from pipeline_trace.figures.jobs import job_over_time, parts_over_time
from pipeline_trace.figures.periods import DAY_NS, periods_of
from pipeline_trace.figures.platform import platform_over_time
from pipeline_trace.figures.recorded import recorded
from pipeline_trace.figures.services import service_over_time
from pipeline_trace.lookup.journals import Journals
from pipeline_trace.lookup.lookup import Lookup
from pipeline_trace.trace.traits import traits_of

pytestmark = [pytest.mark.process, needs_engine]


@pytest.fixture
def both(world: World) -> tuple[Lookup, Lookup]:
    return Lookup(world.remote("own"), Journals(None)), Lookup(world.local, Journals(None))


def test_since_when_it_is_recorded(both: tuple[Lookup, Lookup]) -> None:
    for days in (7, 30, 90):
        # Now, and at a time when most was not here yet.
        for now_ns in (time.time_ns(), time.time_ns() - 300 * DAY_NS):
            found, expected = (recorded(lookup, periods_of(days, now_ns)) for lookup in both)
            assert found == expected
            assert found.since_ns


@pytest.mark.parametrize("service", ["shop", "orders", "no such service"])
def test_a_service(both: tuple[Lookup, Lookup], service: str) -> None:
    periods = periods_of(90, time.time_ns())
    found, expected = (service_over_time(lookup, service, "", periods) for lookup in both)
    assert found == expected
    assert bool(found.places) == (service != "no such service")


def test_jobs(world: World, both: tuple[Lookup, Lookup]) -> None:
    periods = periods_of(90, time.time_ns())
    jobs = sorted({questions.key_of(run)[0] for run in questions.runs_of(world.spans)})
    assert len(jobs) > 3
    for job in questions.some(jobs, 4):
        found, expected = (job_over_time(lookup, job, periods) for lookup in both)
        assert found == expected, job
        parts, expected_parts = (parts_over_time(lookup, job, periods) for lookup in both)
        assert parts == expected_parts, job


def test_hosts(world: World, both: tuple[Lookup, Lookup]) -> None:
    periods = periods_of(90, time.time_ns())
    hosts = sorted({host for span in world.spans if (host := traits_of(span).host)})
    assert hosts
    for host in questions.some(hosts, 2):
        found, expected = (host_over_time(lookup, host, periods) for lookup in both)
        assert found == expected, host


def test_the_platform(both: tuple[Lookup, Lookup]) -> None:
    periods = periods_of(90, time.time_ns())
    found, expected = (platform_over_time(lookup, periods) for lookup in both)
    assert found == expected
    assert found.agents
    assert found.queues
