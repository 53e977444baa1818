"""Finding a trace on this machine: in the store, and in journals that wait or are being written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from support.inside import trace

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.delivery.home import Home, find_home
from pipeline_trace.delivery.journal import Writer
from pipeline_trace.delivery.journal import find_journals as journals
from pipeline_trace.delivery.reader import Reader
from pipeline_trace.lookup.lookup import NotFoundError, local_lookup
from pipeline_trace.lookup.source import Wanted, Window
from pipeline_trace.place.ci.jenkins.identity import Build, build_on_page
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

ROOT = "https://ci.example.com"
TRACES = [f"{number:x}af7651916cd43dd8448eb211c80319c" for number in range(16)]


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return find_home({"PIPELINE_TRACE_HOME": str(tmp_path / "trace-home")})


def span(name: str, trace: int, number: int, parent: int = 0, start: int = 1_000, end: int = 2_000) -> Span:
    return Span(TRACES[trace], f"{number:016x}", f"{parent:016x}" if parent else None, name, start, end)


def run(build: Build, trace: str = "", name: str = "") -> Span:
    """Return a build's run span."""
    made = Span(trace or build.trace_id, build.run_span_id, None, name or f"RUN {build.job}", 1_000, 2_000)
    made.attributes = {c.JENKINS_TYPE: c.TYPE_RUN}
    made.resource = of(build)
    return made


def of(build: Build) -> dict[str, str]:
    path = "".join(f"/job/{part}" for part in build.job.split("/"))
    return {
        c.PIPELINE_NAME: build.job,
        c.PIPELINE_RUN_ID: str(build.number),
        c.PIPELINE_RUN_URL: f"{build.controller}{path}/{build.number}/",
    }


def store(place: Home, *spans: Span) -> None:
    destination = Store(place.store)
    destination.deliver(spans, 5.0)
    destination.close()


def waiting(place: Home, *spans: Span, opened: tuple[Span, ...] = ()) -> None:
    """Leave spans in a journal whose writer has ended."""
    writer = Writer(place.journals)
    for one in opened:
        writer.open(one)
    for one in spans:
        writer.span(one)
    writer.end()


WRITING = """
    import json, sys
    from pathlib import Path
    from pipeline_trace.delivery.journal import Writer
    from pipeline_trace.trace.span import Span
    writer = Writer(Path(sys.argv[1]))
    for kind, data in json.loads(sys.argv[2]):
        getattr(writer, kind)(Span.from_dict(data))
    print("ready", flush=True)
    sys.stdin.read()
"""


class Live:
    """A process that writes a journal, until the context ends."""

    def __init__(self, place: Home, *lines: tuple[str, Span]) -> None:
        data = json.dumps([(kind, one.to_dict()) for kind, one in lines])
        words = [sys.executable, "-c", textwrap.dedent(WRITING), str(place.journals), data]
        self._child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._child.stdout
        assert self._child.stdout.readline() == "ready\n"

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        self._child.kill()
        self._child.communicate()


def names(place: Home, wanted: str) -> list[str]:
    return sorted(span.name for span in spans(place, wanted))


def refusal(place: Home, wanted: str) -> str:
    with pytest.raises(NotFoundError) as error:
        names(place, wanted)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def test_a_trace_id_finds_its_trace(place: Home) -> None:
    store(place, span("a", 1, 1), span("b", 1, 2, parent=1), span("c", 2, 3))
    assert names(place, TRACES[1]) == ["a", "b"]
    assert names(place, f" {TRACES[1].upper()} ") == ["a", "b"]


def test_what_a_name_calls_a_secret_is_hidden_where_it_is_stored_and_where_it_waits(place: Home) -> None:
    sent = [span("stored", 1, 1), span("waits", 1, 2, parent=1)]
    for one in sent:
        one.attributes = {"jenkins.parameter.DB_PASSWORD": "Zq7xVrT4mKp9", "n": 1}
    store(place, sent[0])
    waiting(place, sent[1])
    shown = {"jenkins.parameter.DB_PASSWORD": "***", "n": 1}
    assert [one.attributes for one in spans(place, TRACES[1])] == [shown, shown]


def test_an_unknown_trace_id_says_what_to_do(place: Home) -> None:
    assert "pipeline-trace show latest" in refusal(place, TRACES[5])


def test_nothing_anywhere_says_what_to_do(place: Home) -> None:
    said = refusal(place, "latest")
    assert "playbook" in said
    assert "pipeline-trace poll" in said


@pytest.mark.parametrize("wanted", ["", "rubbish", "#7", "app#", "app#x", "abc123", "http://", "latest one"])
def test_what_names_nothing_says_what_would(place: Home, wanted: str) -> None:
    store(place, span("a", 1, 1))
    assert "trace id, build URL, JOB#N or latest" in refusal(place, wanted)


def test_a_build_is_found_by_a_name_that_is_not_utf_8(place: Home) -> None:
    build = Build(ROOT, "caf\udce9", 7)
    assert "no build caf\udce9#7" in refusal(place, "caf\udce9#7")
    store(place, run(build, name="RUN"))
    assert names(place, "caf\udce9#7") == ["RUN"]


@pytest.mark.parametrize(
    "wanted", ["http://[::1/job/app/7/", "ftp://ci.example.com/job/app/7/", "http://h:port/job/app/7/", "http://h/job/app/²"]
)
def test_a_broken_url_is_a_refusal_and_no_crash(place: Home, wanted: str) -> None:
    store(place, span("a", 1, 1))
    refusal(place, wanted)


def test_latest_is_what_ended_last(place: Home) -> None:
    store(place, span("old", 1, 1, end=5_000), span("new", 2, 2, end=9_000))
    assert names(place, "latest") == ["new"]


def test_latest_may_still_wait_in_a_journal(place: Home) -> None:
    waiting(place, span("waits", 1, 1))
    assert names(place, "latest") == ["waits"]


def test_what_waits_and_ended_later_is_later_than_the_store(place: Home) -> None:
    store(place, span("stored", 1, 1, end=5_000))
    waiting(place, span("waits", 2, 2, end=9_000))
    assert names(place, "latest") == ["waits"]


IN_2099 = 4_070_908_800 * 10**9


def test_what_ends_in_the_future_is_latest_only_where_nothing_else_is(place: Home) -> None:
    store(place, span("in 2099", 1, 1, end=IN_2099), span("in 2100", 2, 2, end=IN_2099 + 10**16))
    assert names(place, "latest") == ["in 2100"]
    waiting(place, span("waits until 2100", 3, 3, end=IN_2099 + 10**16 + 1))
    assert names(place, "latest") == ["waits until 2100"]
    store(place, span("old", 4, 4, end=5_000))
    assert names(place, "latest") == ["old"]
    waiting(place, span("waits", 5, 5, end=6_000))
    assert names(place, "latest") == ["waits"]


def test_a_clock_that_is_a_minute_ahead_is_believed(place: Home) -> None:
    store(place, span("old", 1, 1, end=5_000), span("new", 2, 2, end=time.time_ns() + 60 * 10**9))
    assert names(place, "latest") == ["new"]


def test_the_newest_change_is_not_the_one_in_the_future(place: Home) -> None:
    for number, (name, end) in enumerate({"in 2099": IN_2099, "old": 5_000, "new": 9_000}.items(), 1):
        one = span(name, number, number, end=end)
        one.attributes[c.VCS_HEAD_REVISION] = "4f1c2d9e0b7a"
        (waiting if name == "old" else store)(place, one)
    lookup = local_lookup(place)
    found = [lookup.noted([[Wanted("revision")]], most) for most in (1, 2, 3)]
    lookup.close()
    assert [[one.name for one in some] for some in found] == [["new"], ["new", "old"], ["new", "old", "in 2099"]]


@pytest.mark.process
def test_what_is_noted_within_a_time_is_that_of_store_and_journals_and_nothing_that_runs(place: Home) -> None:
    def noted(name: str, number: int, end: int) -> Span:
        one = span(name, number, number, end=end)
        one.attributes[c.VCS_HEAD_REVISION] = "4f1c2d9e0b7a"
        return one

    store(place, noted("stored early", 1, 2_000), noted("stored", 2, 4_000), noted("stored late", 3, 6_000))
    waiting(place, noted("waits early", 4, 1_500), noted("waits", 5, 5_000), noted("waits late", 6, 5_001))
    with Live(place, ("open", noted("runs", 7, 0))):
        lookup = local_lookup(place)
        found = lookup.noted([[Wanted("revision")]], 9, Window(3_000, 5_000))
        lookup.close()
    assert [one.name for one in found] == ["waits", "stored"]


@pytest.mark.process
def test_what_runs_in_the_future_is_not_the_first_that_runs(place: Home) -> None:
    lines = [("open", span(name, number, number, start=start, end=0)) for name, number, start in
             [("in 2099", 1, IN_2099), ("first", 2, 1_000), ("second", 3, 5_000)]]  # fmt: skip
    with Live(place, *lines):
        lookup = local_lookup(place)
        assert lookup.running_traces() == [TRACES[3], TRACES[2], TRACES[1]]
        lookup.close()


@pytest.mark.process
def test_what_runs_is_latest(place: Home) -> None:
    store(place, span("stored", 1, 1, start=10**18, end=10**18 + 5))
    with Live(place, ("open", span("first", 2, 2, start=1_000, end=0)), ("open", span("second", 3, 3, start=5_000, end=0))):
        assert names(place, "latest") == ["second"]


@pytest.mark.process
def test_open_spans_of_a_running_process_are_among_its_trace_without_an_end(place: Home) -> None:
    with Live(place, ("open", span("play", 1, 1, end=0)), ("span", span("task", 1, 2, parent=1))):
        lookup = local_lookup(place)
        found = {one.name: one.end_ns for one in lookup.spans(TRACES[1])}
        lookup.close()
    assert found == {"play": 0, "task": 2_000}


@pytest.mark.process
def test_looking_leaves_a_running_process_its_lock(place: Home) -> None:
    with Live(place, ("open", span("play", 1, 1, end=0))):
        names(place, "latest")
        reader = Reader(journals(place.journals)[0])
        assert reader.written()
        reader.close()


@pytest.mark.process
def test_a_span_that_has_ended_is_not_open_any_more(place: Home) -> None:
    with Live(place, ("open", span("task", 1, 1, end=0)), ("span", span("task", 1, 1))):
        lookup = local_lookup(place)
        assert [one.end_ns for one in lookup.spans(TRACES[1])] == [2_000]
        lookup.close()


@pytest.mark.process
def test_what_is_in_the_store_has_ended_whatever_a_journal_says(place: Home) -> None:
    store(place, span("task", 1, 1))
    with Live(place, ("open", span("task", 1, 1, end=0)), ("open", span("next", 1, 2, end=0))):
        lookup = local_lookup(place)
        assert {one.name: one.end_ns for one in lookup.spans(TRACES[1])} == {"task": 2_000, "next": 0}
        lookup.close()


@pytest.mark.process
def test_what_a_killed_process_left_open_does_not_run(place: Home) -> None:
    """Its journal waits, e.g. while the receiver is down; nothing of it runs any more."""
    store(place, span("stored", 1, 1, start=10**18, end=10**18 + 5))
    live = Live(place, ("open", span("killed", 2, 2, end=0)))
    live.kill()
    assert names(place, "latest") == ["stored"]


@pytest.mark.parametrize("reason", ["SIGTERM", "", "killed", "disk full"])
def test_what_is_left_open_is_shown_as_it_will_be_delivered(place: Home, reason: str) -> None:
    """Nobody delivers the journal: its shipping process was killed, too."""
    writer = Writer(place.journals)
    for number, parent in ((1, 0), (2, 1), (3, 2)):
        writer.open(span(f"open {number}", 1, number, parent, end=0))
    # It ends, as far as clocks of spans say, after the last write.
    writer.span(span("open 3", 1, 3, 2, end=time.time_ns() + 10**9))
    writer.dropped = 2 if reason == "disk full" else 0
    if reason == "killed":
        os.close(writer._file)
    else:
        writer.end(reason if reason == "SIGTERM" else "")
    before = spans(place, TRACES[1])
    assert [one.name for one in before if not one.end_ns] == []
    lookup = local_lookup(place)
    assert (lookup.open_spans(), lookup.running_traces()) == ([], [])
    lookup.close()
    shipped = trace("ship", env={"PATH": os.environ["PATH"], "PIPELINE_TRACE_HOME": str(place.journals.parent)})
    assert (shipped.returncode, journals(place.journals)) == (0, [])
    assert spans(place, TRACES[1]) == before


def spans(place: Home, wanted: str) -> list[Span]:
    lookup = local_lookup(place)
    try:
        return lookup.spans(wanted)
    finally:
        lookup.close()


def test_a_torn_journal_is_read_as_far_as_it_goes(place: Home) -> None:
    waiting(place, span("a", 1, 1), span("b", 1, 2))
    (path,) = place.journals.glob("*.journal")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0][:50] + b"\n" + lines[1])
    assert names(place, TRACES[1]) == ["b"]


@pytest.mark.parametrize(
    "build",
    [
        Build(ROOT, "app", 7),
        Build(f"{ROOT}/jenkins", "Team%20A/app", 7),
        Build("http://localhost:8080", "job/job", 1),
    ],
)
def test_a_builds_url_finds_its_trace(place: Home, build: Build) -> None:
    shown = of(build)[c.PIPELINE_RUN_URL]
    one = run(replace(build, job=unquote(build.job)))
    one.resource = {**one.resource, c.PIPELINE_RUN_URL: str(shown)}
    store(place, one)
    assert names(place, str(shown)) == [one.name]
    assert names(place, str(shown).rstrip("/")) == [one.name]


def test_a_build_of_another_controller_is_not_taken_for_it(place: Home) -> None:
    store(place, run(Build(ROOT, "app", 7)))
    said = refusal(place, "https://other.example.com/job/app/7/")
    assert "pipeline-trace poll --once --jenkins-url https://other.example.com" in said


def test_a_controller_whose_address_begins_alike_is_not_taken_for_it(place: Home) -> None:
    store(place, run(Build("https://ci.example.com.evil", "app", 7)))
    refusal(place, f"{ROOT}/job/app/7/")


@pytest.mark.parametrize("wanted", ["app#7", "app #7"])
def test_job_and_number_find_a_build(place: Home, wanted: str) -> None:
    store(place, run(Build(ROOT, "app", 7)), run(Build(ROOT, "app", 70)), run(Build(ROOT, "team/app", 7)))
    assert names(place, wanted) == ["RUN app"]
    assert names(place, "team/app#7") == ["RUN team/app"]


def test_a_job_with_a_hash_and_spaces_in_its_name(place: Home) -> None:
    store(place, run(Build(ROOT, "c# app", 7)))
    assert names(place, "c# app#7") == ["RUN c# app"]


def test_an_unknown_build_says_how_to_fetch_it(place: Home) -> None:
    store(place, run(Build(ROOT, "app", 7)))
    assert "pipeline-trace poll --once --jenkins-url" in refusal(place, "app#8")


def test_one_job_name_on_two_controllers_is_ambiguous_and_its_traces_are_named(place: Home) -> None:
    builds = [Build(ROOT, "app", 7), Build("https://other.example.com", "app", 7)]
    store(place, *map(run, builds))
    said = refusal(place, "app#7")
    assert all(build.trace_id in said for build in builds)
    assert names(place, f"{ROOT}/job/app/7/") == ["RUN app"]


def test_a_build_with_its_playbook_in_another_trace_is_not_ambiguous(place: Home) -> None:
    build = Build(ROOT, "app", 7)
    playbook = span("playbook site.yml", 3, 5)
    playbook.parent_id = build.run_span_id
    playbook.resource = of(build)
    store(place, run(build), playbook)
    assert names(place, "app#7") == ["RUN app", "playbook site.yml"]


def test_a_build_that_only_its_playbook_has_told_of(place: Home) -> None:
    playbook = span("playbook site.yml", 3, 5)
    playbook.resource = of(Build(ROOT, "app", 7))
    waiting(place, playbook)
    assert names(place, "app#7") == ["playbook site.yml"]
    assert names(place, f"{ROOT}/job/app/7/") == ["playbook site.yml"]


def test_spans_of_another_trace_hang_under_this_one_and_the_other_way_round(place: Home) -> None:
    store(place, span("build", 1, 1), span("stage", 1, 2, parent=1), span("playbook", 2, 3, parent=2), span("else", 3, 9))
    assert names(place, TRACES[1]) == names(place, TRACES[2]) == ["build", "playbook", "stage"]


def test_traces_are_joined_over_several_steps(place: Home) -> None:
    chain = [span(f"s{number}", number, number, parent=number - 1) for number in range(1, 6)]
    store(place, *chain)
    for number in range(1, 6):
        assert names(place, TRACES[number]) == ["s1", "s2", "s3", "s4", "s5"]


def test_store_and_journals_are_joined_both_ways(place: Home) -> None:
    store(place, span("stage", 1, 1))
    waiting(place, span("playbook", 2, 2, parent=1))
    assert names(place, TRACES[1]) == names(place, TRACES[2]) == ["playbook", "stage"]


def test_two_traces_under_one_missing_parent_are_not_joined(place: Home) -> None:
    store(place, span("a", 1, 1, parent=99), span("b", 2, 2, parent=99))
    assert names(place, TRACES[1]) == ["a"]


def test_traces_that_are_each_others_parents_end(place: Home) -> None:
    store(place, span("a", 1, 1, parent=2), span("b", 2, 2, parent=1))
    assert names(place, TRACES[1]) == ["a", "b"]


def test_roots_of_one_trace_are_not_joined_to_other_roots(place: Home) -> None:
    store(place, span("a", 1, 1), span("b", 2, 2))
    assert names(place, TRACES[2]) == ["b"]


PAGES = [
    "https://CI.Example.com/job/team/job/app/7/",
    "https://ci.example.com:443/job/team/job/app/7",
    "HTTPS://ci.example.com/job/team/job/app/7/console",
    "https://ci.example.com/job/team/job/app/7/consoleFull?x=1#end",
    "https://ci.example.com/job/team/job/app/7/stages/?selected-node=12",
    "https://ci.example.com/job/team/job/app/7/pipeline-overview/log?nodeId=3",
    "https://ci.example.com/job/team/job/app/7/testReport/junit/(root)/Cart/adds/",
    "https://ci.example.com/view/all/job/team/job/app/7/",
    "https://ci.example.com/job/team/view/mine/job/app/7/console",
    "https://ci.example.com/blue/organizations/jenkins/team%2Fapp/detail/app/7/pipeline/12",
    " https://ci.example.com/job/team/job/app/7/ ",
]


@pytest.mark.parametrize("page", PAGES)
def test_a_build_is_found_by_the_address_of_each_of_its_pages(place: Home, page: str) -> None:
    store(place, run(Build(ROOT, "team/app", 7)), run(Build(ROOT, "team/app/job", 7), name="another"))
    assert names(place, page) == ["RUN team/app"]


@pytest.mark.parametrize(
    ("page", "job"),
    [
        (
            "https://ci.example.com/blue/organizations/jenkins/team%2Fapp/detail/feature%2Fx/7/pipeline",
            "team/app/feature%2Fx",
        ),
        ("https://ci.example.com/blue/organizations/jenkins/app/detail/main/7/", "app/main"),
        ("https://ci.example.com/job/app/job/feature%252Fx/7/console", "app/feature%2Fx"),
        ("https://ci.example.com/jenkins/job/7/7/console", "7"),
        ("https://ci.example.com/job/view/7/", "view"),
    ],
)
def test_the_job_of_a_page(page: str, job: str) -> None:
    found = build_on_page(page)
    assert found
    assert (found.job, found.number) == (job, 7)


@pytest.mark.parametrize(
    "page",
    [
        "https://ci.example.com/job/app/",
        "https://ci.example.com/7/",
        "https://ci.example.com/job/app/x/7",
        "//",
        "https://[/job/app/7",
    ],
)
def test_a_page_about_no_build_is_none(page: str) -> None:
    assert build_on_page(page) is None


def test_a_build_whose_controller_calls_itself_by_capitals_is_found(place: Home) -> None:
    one = run(Build(ROOT, "app", 7))
    one.resource = {**one.resource, c.PIPELINE_RUN_URL: "https://CI.example.com/job/app/7/"}
    store(place, one)
    assert names(place, "https://ci.example.com/job/app/7/console") == ["RUN app"]


def test_an_unknown_build_may_still_run(place: Home) -> None:
    said = refusal(place, f"{ROOT}/job/app/8/console")
    assert f"if it runs, see what it does with: pipeline-trace poll --once --open --jenkins-url {ROOT}" in said


@pytest.mark.parametrize("end", ["", "#span-00f067aa0ba902b7", "?q=1"])
def test_the_address_of_a_page_of_serve_names_its_trace(place: Home, end: str) -> None:
    store(place, span("make", 1, 1))
    assert local_lookup(place).trace_id(f"http://traces.example.com:4318/trace/{TRACES[1]}{end}") == TRACES[1]


@pytest.mark.parametrize("end", ["", "/", "/job/4711", "/attempts/2?pr=3"])
def test_a_run_of_another_system_is_found_by_the_address_of_its_pages(place: Home, end: str) -> None:
    pages = ("https://github.com/acme/shop/actions/runs/9000", "https://github.com/acme/cart/actions/runs/9000")
    for number, page in enumerate(pages):
        made = span("RUN ci", number, number + 1)
        made.attributes = {c.PIPELINE_RESULT: c.SUCCESS, c.PIPELINE_RUN_ID: "9000", c.PIPELINE_NAME: "ci"}
        made.attributes[c.PIPELINE_RUN_URL] = page
        store(place, made)
    assert local_lookup(place).trace_id(f"{pages[1]}{end}") == TRACES[1]
    with pytest.raises(NotFoundError):
        local_lookup(place).trace_id("https://github.com/acme/pay/actions/runs/9000")
