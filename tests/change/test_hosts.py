"""Deploys and builds in which Ansible ran on a host."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import support
from support.months import DAY_NS, SECOND_NS, Months

from pipeline_trace.change import hosts
from pipeline_trace.change.entries import Entry
from pipeline_trace.change.for_board import said_cut
from pipeline_trace.change.search import EVERY, Found, Search, find_builds, find_deploys
from pipeline_trace.change.told import FAILED
from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.delivery.home import find_home
from pipeline_trace.delivery.journal import Writer
from pipeline_trace.delivery.reader import Reader
from pipeline_trace.lookup.journals import Journals
from pipeline_trace.lookup.local import LocalSource
from pipeline_trace.lookup.lookup import Lookup, local_lookup
from pipeline_trace.lookup.source import ALWAYS, Window
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id
from pipeline_trace.trace.queries import is_run
from pipeline_trace.trace.span import Event, Span
from pipeline_trace.trace.traits import traits_of

pytestmark = pytest.mark.process

Finder = Callable[..., Found]
NOW = time.time_ns()


@pytest.fixture(scope="module")
def made() -> list[Span]:
    return Months(7, NOW).spans()


@pytest.fixture(scope="module")
def months(made: list[Span], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lookup]:
    store = Store(tmp_path_factory.mktemp("months") / "traces.db")
    store.deliver(made, 60)
    with closing(LocalSource(store)) as source:
        yield Lookup(source, Journals(None))


def key(one: Entry) -> tuple[str, str, tuple[str, ...]]:
    return one.trace_id, one.span_id, one.environments


def around_host(spans: Sequence[Span], host: str) -> set[str]:
    """Return the ids of the spans around those of a host, up to the build in which they ran."""
    by_id = {span.span_id: span for span in spans}
    found = set[str]()
    for span in spans:
        one = by_id.get(span.parent_id or "") if traits_of(span).host == host else None
        while one is not None:
            found.add(one.span_id)
            one = None if is_run(one) else by_id.get(one.parent_id or "")
    return found


@pytest.mark.parametrize("host", ["web1", "web2"])
@pytest.mark.parametrize("find", [find_deploys, find_builds])
def test_those_are_found_in_which_a_task_ran_there(months: Lookup, made: list[Span], find: Finder, host: str) -> None:
    everything = find(months, Search(), EVERY).entries
    there = around_host(made, host)
    found = find(months, Search(host=host), EVERY)
    assert (found.whole, found.older_ns) == (True, 0)
    expected = {key(one) for one in everything if one.span_id in there}
    assert {key(one) for one in found.entries} == expected
    assert 3 < len(expected) < len(everything)


@pytest.mark.parametrize("find", [find_deploys, find_builds])
def test_the_host_combines_with_other_filters_and_has_pages(months: Lookup, find: Finder) -> None:
    everything = find(months, Search(host="web1"), EVERY).entries
    one = next(entry for entry in everything if entry.service)
    for wanted in (
        Search(host="web1", result=FAILED),
        Search(host="web1", service=one.service),
        Search(host="web1", job=one.job, words=(one.run,)),
        Search(host="web1", began=Window(NOW - 40 * DAY_NS, NOW - 2 * DAY_NS)),
    ):
        found = find(months, wanted, EVERY).entries
        assert {key(entry) for entry in found} == {key(entry) for entry in everything if wanted.matches(entry)}, wanted
    seen, until_ns, pages = list[Entry](), ALWAYS.to_ns, 0
    while until_ns:
        page = find(months, Search(host="web1"), 3, until_ns)
        seen += page.entries
        until_ns, pages = page.older_ns, pages + 1
    assert sorted(map(key, seen)) == sorted(map(key, everything))
    assert pages > 2


def test_another_host_has_none(months: Lookup) -> None:
    assert find_deploys(months, Search(host="web"), 50) == Found([], 0, True)


def playbook(number: int, hosts: Sequence[str], *recap: str, parent: Span | None = None) -> list[Span]:
    """Return a playbook that deploys, with a task on each host. ``recap``: the hosts that its recap names."""
    start = NOW - (100 - number) * SECOND_NS
    trace = parent.trace_id if parent else f"{number:032x}"
    above = parent.span_id if parent else None
    made = Span(trace, span_id(("play", str(number))), above, "playbook site.yml", start, start + SECOND_NS)
    made.attributes = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, c.TASK_TYPE: c.DEPLOY, c.DEPLOYMENT_ENVIRONMENT: "staging"}
    made.attributes[c.DEPLOYMENT_NAME] = f"service-{number}"
    made.events = [Event("recap", made.end_ns, {c.ANSIBLE_HOST_NAME: name, "ok": 1}) for name in recap]
    inside = [Span(trace, span_id((made.span_id, name)), made.span_id, name, start, start + 1) for name in hosts]
    for one in inside:
        one.attributes = {c.ANSIBLE_TYPE: c.TYPE_HOST, c.ANSIBLE_RESULT: "ok"}
    return [made, *inside]


def services(lookup: Lookup, host: str) -> list[str]:
    return sorted(one.service for one in find_deploys(lookup, Search(host=host), 50).entries)


def test_of_two_playbooks_in_a_trace_the_recap_tells_which_ran_there(tmp_path: Path) -> None:
    build = Span("a" * 32, "b" * 16, None, "RUN shop/build", NOW - 200 * SECOND_NS, NOW, kind="SERVER")
    build.attributes = {c.JENKINS_TYPE: c.TYPE_RUN, c.PIPELINE_RESULT: c.SUCCESS}
    build.resource = {c.PIPELINE_NAME: "shop/build", c.PIPELINE_RUN_ID: "7"}
    first, second = (playbook(at, [host], host, parent=build) for at, host in ((1, "web1"), (2, "web2")))
    # Killed before its recap, in a trace of its own.
    killed = playbook(3, ["web1"])
    with closing(Store(tmp_path / "traces.db")) as store, closing(LocalSource(store)) as source:
        store.deliver([build, *first, *second, *killed], 60)
        lookup = Lookup(source, Journals(None))
        assert services(lookup, "web1") == ["service-1", "service-3"]
        assert services(lookup, "web2") == ["service-2"]
        assert [one.run for one in find_builds(lookup, Search(host="web2"), 50).entries] == ["shop/build#7"]


def test_what_runs_there_is_on_the_first_page_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A process does not see its own locks.
    monkeypatch.setattr(Reader, "written", lambda _: True)
    place = find_home(support.environ(tmp_path))
    with closing(Store(place.store)) as store:
        store.deliver(playbook(1, ["web1"], "web1"), 60)
        writer = Writer(place.journals)
        for span in playbook(9, ["web1"]):
            span.end_ns = 0
            writer.open(span)
        with closing(local_lookup(place)) as lookup:
            assert services(lookup, "web1") == ["service-1", "service-9"]
            page = find_deploys(lookup, Search(host="web1"), 1)
            assert [one.service for one in page.entries] == ["service-9"]
            older = find_deploys(lookup, Search(host="web1"), 1, page.older_ns)
            assert [one.service for one in older.entries] == ["service-1"]
        writer.discard()


def test_what_is_not_read_is_said(months: Lookup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "_MOST", 3)
    found = find_deploys(months, Search(host="web1"), EVERY)
    assert found.entries
    assert not found.whole
    assert "not all traces of that time were read" in said_cut(found)[0]
