"""Lists of deploys and builds: each once over all pages, filters that combine; in a recorded incident and made months."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import support
from support import put, shop
from support.months import DAY_NS, SECOND_NS, Months

from pipeline_trace.change import for_board, search
from pipeline_trace.change.board import board_of
from pipeline_trace.change.entries import Entry
from pipeline_trace.change.extent import said_extent
from pipeline_trace.change.for_board import find_for_board, said_cut
from pipeline_trace.change.search import Found, Search, find_builds, find_deploys
from pipeline_trace.change.told import FAILED
from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.delivery.home import Home, find_home
from pipeline_trace.delivery.journal import Writer
from pipeline_trace.delivery.reader import Reader
from pipeline_trace.lookup.journals import Journals
from pipeline_trace.lookup.local import LocalSource
from pipeline_trace.lookup.lookup import Lookup, local_lookup
from pipeline_trace.lookup.source import ALWAYS, Window
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import OK, Span
from pipeline_trace_demo.replay import Replay

pytestmark = pytest.mark.process

ALL = 100_000
Finder = Callable[..., Found]


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lookup]:
    """A host that is down on staging, from the recordings of a real Jenkins."""
    env = support.environ(tmp_path_factory.mktemp("incident"))
    with Replay(support.recording("incident-host-down")) as jenkins:
        done = support.poll(jenkins.url, env=env)
        assert done.returncode == 0, done.stderr
    with closing(LocalSource(Store(find_home(env).store))) as source:
        yield Lookup(source, Journals(None))


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lookup]:
    store = Store(tmp_path_factory.mktemp("months") / "traces.db")
    store.deliver(Months(7, time.time_ns()).spans(), 60)
    with closing(LocalSource(store)) as source:
        yield Lookup(source, Journals(None))


def key(one: Entry) -> tuple[str, str, tuple[str, ...]]:
    # The service's name may be that of other builds of the job, which are not on every page.
    return one.trace_id, one.span_id, one.environments


def test_a_deploy_tells_what_went_where_by_whom_and_how_it_ended(incident: Lookup) -> None:
    last = find_deploys(incident, Search(service="shop", environment="staging"), 1).entries[0]
    assert (last.version, last.environments, last.state) == ("1.7.3", ("staging",), c.FAILURE)
    assert (last.run, last.job, last.who, last.branch) == ("shop/deploy#140", "shop/deploy", "admin", "main")
    assert (last.owner, last.kind, last.where) == ("ops", "host_unreachable", "Run playbook")
    assert last.message == "script returned exit code 4"
    assert last.commit.startswith("9e0a338")
    assert last.url.endswith("/job/shop/job/deploy/140/")


def test_a_build_tells_where_it_deploys(incident: Lookup) -> None:
    builds = {one.run: one for one in find_builds(incident, Search(), ALL).entries}
    assert builds["shop/deploy#140"].environments == ("staging",)
    assert builds["shop/build#47"].environments == ()
    assert (builds["shop/build#47"].where, builds["shop/build#47"].state) == ("Deploy staging", c.FAILURE)


@pytest.mark.parametrize(
    ("wanted", "runs"),
    [
        (
            Search(job="shop/deploy", result=FAILED),
            ["shop/deploy#140", "shop/deploy#138", "shop/deploy#136", "shop/deploy#134"],
        ),
        (Search(service="orders", environment="prod"), ["orders/deploy#147"]),
        (Search(environment="Stage", owner="ops", version="4.2.0"), ["orders/deploy#148"]),
        (Search(words=("shop/deploy#139",)), ["shop/deploy#139"]),
        (Search(words=("ops", "orders")), ["orders/deploy#148"]),
        (Search(words=("EXIT", "code", "orders")), ["orders/deploy#148"]),
        (Search(commit="9E0A338", agent="prod-deploy-1"), ["shop/deploy#132"]),
        (Search(kind="host_unreachable", result=c.SUCCESS), []),
        (Search(service="no such service"), []),
        (Search(branch="main", began=Window(0, SECOND_NS)), []),
    ],
)
def test_filters_combine(incident: Lookup, wanted: Search, runs: list[str]) -> None:
    found = find_deploys(incident, wanted, 50)
    assert [one.run for one in found.entries][: len(runs) or 1] == runs
    assert all(map(wanted.matches, found.entries))


@pytest.mark.parametrize("most", [2, 7])
@pytest.mark.parametrize("find", [find_deploys, find_builds])
def test_pages_have_each_once_and_nothing_is_left_out(months: Lookup, find: Finder, most: int) -> None:
    whole = find(months, Search(), ALL)
    assert (whole.older_ns, whole.whole, said_cut(whole)) == (0, True, [])
    assert len(whole.entries) > 30
    seen: list[Entry] = []
    until_ns, pages, before = ALWAYS.to_ns, 0, set[int]()
    while until_ns:
        page = find(months, Search(), most, until_ns)
        assert page.older_ns not in before
        before.add(page.older_ns)
        seen += page.entries
        until_ns, pages = page.older_ns, pages + 1
    assert sorted(map(key, seen)) == sorted(map(key, whole.entries))
    assert len({key(one) for one in seen}) == len(seen)
    assert pages > 3


@pytest.mark.parametrize("find", [find_deploys, find_builds])
def test_a_filter_finds_what_is_among_all(months: Lookup, find: Finder) -> None:
    everything = find(months, Search(), ALL).entries
    one = next(entry for entry in everything if entry.commit and entry.version)
    now_ns = time.time_ns()
    for wanted in (
        Search(job=one.job),
        Search(commit=one.commit[:9], result=one.state),
        Search(version=one.version),
        Search(service=one.service, environment=one.environments[0] if one.environments else ""),
        Search(words=(one.run,)),
        Search(result=FAILED),
        Search(began=Window(now_ns - 40 * DAY_NS, now_ns - 2 * DAY_NS)),
        Search(began=Window(one.start_ns, one.start_ns)),
    ):
        found = find(months, wanted, ALL).entries
        assert {key(entry) for entry in found} == {key(entry) for entry in everything if wanted.matches(entry)}, wanted
        assert found, wanted


@pytest.mark.parametrize("find", [find_deploys, find_builds])
def test_a_service_has_all_of_its_own_on_its_pages(months: Lookup, find: Finder) -> None:
    everything = find(months, Search(), ALL).entries
    services = {one.service for one in everything} - {""}
    assert len(services) > 1
    for service in services:
        until_ns, seen = ALWAYS.to_ns, list[Entry]()
        while until_ns:
            page = find(months, Search(service=service), 3, until_ns)
            seen += page.entries
            until_ns = page.older_ns
        # What a job that deploys several is called may differ from page to page.
        several = {one.job for one in everything if one.job and one.service != service}
        expected = [key(one) for one in everything if one.service == service and one.job not in several]
        assert sorted(key(one) for one in seen if one.job not in several) == sorted(expected), service


def test_a_service_is_found_among_many_others(tmp_path: Path) -> None:
    place = find_home(support.environ(tmp_path))
    now_ns = time.time_ns()
    others = [_playbook(number, now_ns - number * SECOND_NS, now_ns - (number - 1) * SECOND_NS) for number in range(1, 700)]
    alone = _playbook(800, now_ns - 900 * SECOND_NS, now_ns - 800 * SECOND_NS)
    # By hand, outside of builds: only the repository tells.
    del alone.attributes[c.DEPLOYMENT_NAME]
    alone.attributes[c.VCS_REPOSITORY_NAME] = "orders"
    named = _playbook(801, now_ns - 990 * SECOND_NS, now_ns - 980 * SECOND_NS)
    named.attributes[c.DEPLOYMENT_NAME] = "orders"
    with closing(Store(place.store)) as store, closing(local_lookup(place)) as lookup:
        store.deliver([*others, alone, named], 60)
        found = find_deploys(lookup, Search(service="orders"), 50)
        assert ([one.span_id for one in found.entries], found.whole) == ([_id(800), _id(801)], True)
        assert [one.span_id for one in find_deploys(lookup, Search(service="orders"), 1).entries] == [_id(800)]
        older = find_deploys(lookup, Search(service="orders"), 1).older_ns
        assert [one.span_id for one in find_deploys(lookup, Search(service="orders"), 1, older).entries] == [_id(801)]


def test_what_is_not_read_is_said(months: Lookup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_TRACES", 10)
    cut = find_builds(months, Search(result="no such result"), 50)
    assert (cut.entries, cut.whole) == ([], False)
    assert "name a service, a job, a commit or a version to see more" in said_cut(cut)[0]
    # It goes on from there.
    assert find_builds(months, Search(), 50, cut.older_ns).entries


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lookup]:
    """A few old deploys and builds, and 400 newer builds of a library."""
    store, now_ns = Store(tmp_path_factory.mktemp("busy") / "traces.db"), time.time_ns()
    made = [shop.build("lib/check", number, now_ns - number * shop.MINUTE) for number in range(2, 400)]
    before_ns = now_ns - shop.DAY
    made += shop.deploy(1, before_ns, "prod", "1.7.1", c.FAILURE, agent="deploy-1")
    made += shop.deploy(2, before_ns - shop.HOUR, "staging", "1.7.2", c.CANCELLATION, who="olga")
    made.append(shop.build("shop/build", 3, before_ns - 2 * shop.HOUR, c.TIMEOUT, message="took too long"))
    # The stage failed, the build caught it: no noted span tells that.
    caught = shop.build("orders/main", 4, before_ns - 3 * shop.HOUR)
    stage = replace(caught, span_id="4" * 16, parent_id=caught.span_id, name="Deploy staging", kind="INTERNAL")
    stage.attributes = {c.JENKINS_TYPE: c.TYPE_STAGE, c.TASK_RUN_RESULT: c.FAILURE}
    made += [caught, stage, *_of_another_tool(before_ns - 4 * shop.HOUR)]
    store.deliver(made, 60)
    with closing(LocalSource(store)) as source:
        yield Lookup(source, Journals(None))


def _of_another_tool(start_ns: int) -> list[Span]:
    """Return a run of GitHub with a job that deploys."""
    run = Span("e" * 32, "e" * 16, None, "search CI", start_ns, start_ns + shop.MINUTE, kind="SERVER")
    run.resource = {c.PIPELINE_NAME: "search CI", c.PIPELINE_RUN_ID: "9", c.VCS_REPOSITORY_NAME: "search"}
    run.attributes = {c.PIPELINE_RESULT: "failure"}
    job = replace(run, span_id="f" * 16, parent_id=run.span_id, name="deploy", kind="INTERNAL")
    job.attributes = {c.TASK_NAME: "deploy", c.TASK_RUN_ID: "2", c.TASK_RUN_RESULT: "failure", c.TASK_TYPE: c.DEPLOY}
    job.attributes |= {c.DEPLOYMENT_ENVIRONMENT: "prod", c.ARTIFACT_VERSION: "v4"}
    return [run, job]


def pages_of(find: Finder, lookup: Lookup, wanted: Search) -> Iterator[Found]:
    """Yield all pages."""
    page = find(lookup, wanted, 50)
    yield page
    while page.older_ns:
        page = find(lookup, wanted, 50, page.older_ns, rest_ns=page.rest_ns)
        yield page


@pytest.mark.parametrize(
    ("find", "wanted", "first", "later"),
    [
        (find_deploys, Search(), ["shop/deploy#1", "shop/deploy#2"], ["orders/main#4", "search CI#9"]),
        (find_deploys, Search(result=FAILED), ["shop/deploy#1", "search CI#9"], ["orders/main#4"]),
        (find_deploys, Search(owner="ops"), ["shop/deploy#1"], []),
        (find_deploys, Search(kind="host_unreachable", environment="production"), ["shop/deploy#1"], []),
        (find_deploys, Search(result=c.CANCELLATION), ["shop/deploy#2"], []),
        (find_deploys, Search(environment="stg"), ["shop/deploy#2"], ["orders/main#4"]),
        (find_deploys, Search(agent="deploy-1"), ["shop/deploy#1"], []),
        (find_deploys, Search(words=("olga",)), ["shop/deploy#2"], []),
        (find_deploys, Search(version="1.7.1"), ["shop/deploy#1"], []),
        (find_deploys, Search(version="v4"), [], ["search CI#9"]),
        (find_builds, Search(environment="production"), ["shop/deploy#1"], ["search CI#9"]),
        (find_builds, Search(branch="main"), [], ["shop/deploy#1", "shop/deploy#2"]),
    ],
)
def test_what_spans_tell_themselves_is_found_behind_many_others(
    busy: Lookup, find: Finder, wanted: Search, first: list[str], later: list[str]
) -> None:
    page, *older = pages_of(find, busy, wanted)
    assert [one.run for one in page.entries] == first
    assert sorted(one.run for page in older for one in page.entries) == later
    # Nothing is said to be missing before all was looked at.
    assert (page.whole, bool(page.older_ns)) == (False, True)
    assert page.looked_ns > time.time_ns() - shop.DAY


def test_the_result_of_builds_is_told_by_their_spans_alone(busy: Lookup) -> None:
    for result, runs in {FAILED: ["shop/deploy#1", "shop/build#3", "search CI#9"], c.TIMEOUT: ["shop/build#3"]}.items():
        found = find_builds(busy, Search(result=result), 50)
        assert ([one.run for one in found.entries], found.whole, found.older_ns) == (runs, True, 0)
    assert [one.run for one in find_builds(busy, Search(result=FAILED, words=("long",)), 50).entries] == ["shop/build#3"]


@pytest.mark.parametrize("find", [find_deploys, find_builds])
def test_what_is_found_in_two_ways_is_on_one_page_each(
    months: Lookup, find: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = find(months, Search(), ALL).entries
    place = next(entry.environments[0] for entry in everything if entry.environments)
    monkeypatch.setattr(search, "MOST_TRACES", 5)
    for wanted in (Search(), Search(result=FAILED), Search(environment=place), Search(version=everything[0].version)):
        pages = list(pages_of(lambda *given, **more: find(*given[:2], 3, *given[3:], **more), months, wanted))
        seen = [key(one) for page in pages for one in page.entries]
        assert sorted(seen) == sorted(key(one) for one in everything if wanted.matches(one)), wanted
        assert len(pages) > 3, wanted


def test_how_far_back_a_list_looked_is_said(busy: Lookup) -> None:
    assert said_extent(find_builds(busy, Search(result=FAILED), 50), "noon") == ""
    assert said_extent(find_builds(busy, Search(branch="main"), 50), "noon").startswith(
        "looked at the newest 300 traces, back to noon; there may be older ones; name a service, a job, a commit, a version"
    )
    assert said_extent(find_deploys(busy, Search(environment="qa"), 50), "noon").startswith(
        "all is here back to noon; of what is older, only what names its environment itself; "
    )


def test_a_board_has_every_deploy_that_a_list_has(months: Lookup, incident: Lookup, monkeypatch: pytest.MonkeyPatch) -> None:
    for lookup in (months, incident):
        assert set(map(key, find_for_board(lookup, Search()).entries)) == set(
            map(key, find_deploys(lookup, Search(), ALL).entries)
        )
    # Far back only those that name their environment themselves.
    monkeypatch.setattr(for_board, "_MOST_OTHERS", 1)
    assert len(find_for_board(months, Search()).entries) > 10


def test_a_busy_service_or_job_hides_no_other_one_from_the_board(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = time.time_ns()

    def playbook(number: int, hours: int, service: str, environment: str, result: str = c.SUCCESS) -> Span:
        made = _playbook(number, now_ns - hours * 3600 * SECOND_NS, now_ns - hours * 3600 * SECOND_NS + SECOND_NS)
        made.attributes |= {c.DEPLOYMENT_NAME: service, c.DEPLOYMENT_ENVIRONMENT: environment, c.TASK_RUN_RESULT: result}
        return made

    def build(number: int, hours: int, job: str, stage: str) -> list[Span]:
        start_ns = now_ns - hours * 3600 * SECOND_NS
        run = Span(f"{number:032x}", _id(number), None, f"RUN {job}", start_ns, start_ns + SECOND_NS)
        run.attributes = {c.JENKINS_TYPE: c.TYPE_RUN, c.PIPELINE_RESULT: c.SUCCESS}
        inner = Span(run.trace_id, _id(number + 1), run.span_id, stage, start_ns, start_ns + SECOND_NS)
        inner.attributes = {c.JENKINS_TYPE: c.TYPE_STAGE, c.TASK_RUN_RESULT: c.SUCCESS}
        run.resource = inner.resource = {c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: str(number)}
        return [run, inner]

    busy = [playbook(at, at, "shop", "staging") for at in range(1, 20)]
    busy += [one for at in range(1, 20) for one in build(1000 + 10 * at, at, "shop/build", "Compile")]
    green, failed = (
        playbook(100, 300, "pay", "production"),
        [playbook(110 + at, at, "pay", "production", c.FAILURE) for at in (2, 3)],
    )
    rare = playbook(120, 200, "orders", "qa")
    by_stage = build(2000, 210, "cart/deploy", "Deploy staging")
    put(home.store, *busy, green, *failed, rare, *by_stage)
    monkeypatch.setattr(for_board, "_MOST_NAMED", 5)
    monkeypatch.setattr(for_board, "_MOST_OTHERS", 5)
    with closing(local_lookup(home)) as lookup:
        found = find_for_board(lookup, Search())
        cells = {(row.service, name): cell for row in board_of(found.entries).rows for name, cell in row.cells.items()}
        assert cells.keys() == {("shop", "staging"), ("pay", "production"), ("orders", "qa"), ("cart", "staging")}
        assert cells["pay", "production"].there
        assert cells["pay", "production"].there.trace_id == green.trace_id
        assert cells["pay", "production"].newest.trace_id == failed[0].trace_id
        assert found.whole
        # Where these are too many, that is said.
        monkeypatch.setattr(for_board, "_MOST_ROUNDS", 1)
        monkeypatch.setattr(for_board, "_MOST_RARE", 1)
        assert not find_for_board(lookup, Search()).whole


def test_what_runs_is_on_the_first_page_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A process does not see its own locks.
    monkeypatch.setattr(Reader, "written", lambda _: True)
    place = find_home(support.environ(tmp_path))
    now_ns = time.time_ns()
    done = _playbook(1, now_ns - 300 * SECOND_NS, now_ns - 200 * SECOND_NS)
    with closing(Store(place.store)) as store:
        store.deliver([done], 60)
        writer = Writer(place.journals)
        running = _playbook(2, now_ns - 100 * SECOND_NS, 0)
        running.attributes[c.DEPLOYMENT_ENVIRONMENT] = "prod"
        writer.open(running)
        with closing(local_lookup(place)) as lookup:
            first = find_deploys(lookup, Search(), 1)
            assert [(one.span_id, one.state) for one in first.entries] == [(_id(2), "running")]
            second = find_deploys(lookup, Search(), 1, first.older_ns)
            assert [(one.span_id, one.state) for one in second.entries] == [(_id(1), c.SUCCESS)]
            assert second.older_ns == 0
            # It is called otherwise there.
            assert [one.span_id for one in find_deploys(lookup, Search(environment="production"), 1).entries] == [_id(2)]
        writer.discard()


def _id(number: int) -> str:
    return f"{number:016x}"


def _playbook(number: int, start_ns: int, end_ns: int) -> Span:
    made = Span(f"{number:032x}", _id(number), None, "playbook site.yml", start_ns, end_ns)
    made.attributes = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, c.ANSIBLE_PLAYBOOK_NAME: "site.yml"}
    made.attributes |= {c.DEPLOYMENT_NAME: "shop", c.DEPLOYMENT_ENVIRONMENT: "staging"}
    made.status_code = OK if end_ns else made.status_code
    return made
