"""What other builds say: usual times, what is flaky, what was retried; and the first screen's slots."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
import support
from support.pathways import Story
from support.report_samples import PATH, make, seconds

from pipeline_trace.answers.headline import headline
from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.delivery.home import find_home
from pipeline_trace.lookup.flaky import Flaky, flaky_builds
from pipeline_trace.lookup.journals import Journals
from pipeline_trace.lookup.local import LocalSource
from pipeline_trace.lookup.lookup import Lookup, local_lookup
from pipeline_trace.lookup.source import Window
from pipeline_trace.lookup.tree import build_tree, walk
from pipeline_trace.lookup.usual import OtherBuilds, other_builds, percentile, usual_times
from pipeline_trace.ownership import Verdict
from pipeline_trace.report.headline import path_view, verdict_view
from pipeline_trace.report.html import page_html
from pipeline_trace.report.panels import without_outages
from pipeline_trace.report.retries import Retry, find_retries
from pipeline_trace.report.trouble import find_trouble
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import trace_id
from pipeline_trace.trace.queries import build_key, environment_of
from pipeline_trace.trace.span import Event, Span

DAY = 86_400


def build(number: int, at: float, *, job: str = "app", commit: str = "c1", **stages: tuple[float, str]) -> list[Span]:
    """Return a build's run and stages; of each stage how long it took and how it ended."""
    run = make(f"{job}{number}", None, f"RUN {job}", at, at + 100, jenkins_type="run")
    run.attributes[c.VCS_HEAD_REVISION] = commit
    failed = any(result == c.FAILURE for _, result in stages.values())
    run.attributes[c.PIPELINE_RESULT] = c.FAILURE if failed else c.SUCCESS
    spans = [run]
    for name, (length, result) in stages.items():
        stage = make(f"{job}{number}{name}", f"{job}{number}", name, at, at + length, jenkins_type="stage")
        stage.attributes[c.TASK_RUN_RESULT] = result
        spans.append(stage)
    for span in spans:
        span.trace_id = trace_id((job, str(number)))
        span.resource = {c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: str(number)}
    return spans


def flaky_in(own: list[Span], run: Span, around: list[Span]) -> list[Flaky]:
    return flaky_builds([run], {build_key(run)[1]: own}, around, environment_of)[0]


def told(run: Span, total: int, *failed: str) -> None:
    run.attributes.update({"jenkins.tests.total": total, "jenkins.tests.failed": len(failed), "jenkins.tests.skipped": 0})
    run.events += [
        Event("test failed", run.end_ns, {"test.suite.name": "CartTest", "test.case.name": name}) for name in failed
    ]


def to(environment: str, spans: list[Span]) -> list[Span]:
    """Return a build whose parameters say where it deploys to."""
    spans[0].attributes["jenkins.parameter.TARGET_ENV"] = environment
    return spans


def test_only_deploys_to_the_same_environment_are_compared() -> None:
    failed = to("staging", build(138, 0, Deploy=(5, c.FAILURE)))
    assert flaky_in(failed, failed[0], to("integration", build(139, 200, Deploy=(5, c.SUCCESS)))) == []
    assert flaky_in(failed, failed[0], build(139, 200, Deploy=(5, c.SUCCESS))) == []
    assert flaky_in(failed, failed[0], to("stage", build(139, 200, Deploy=(5, c.SUCCESS))))


@pytest.mark.parametrize(("other", "flaky"), [("integration", False), ("staging", True)])
def test_a_build_deploys_where_its_playbook_says(tmp_path: Path, other: str, flaky: bool) -> None:
    lookup = local_lookup(find_home({"PIPELINE_TRACE_HOME": str(tmp_path)}))
    builds = [build(138, 0, Deploy=(5, c.FAILURE)), build(139, 200, Deploy=(5, c.SUCCESS))]
    for spans, environment in zip(builds, ("staging", other), strict=True):
        book = make(f"book{environment}{spans[0].span_id}", None, "site.yml", 1, 2, ansible_type="playbook")
        book.attributes[c.DEPLOYMENT_ENVIRONMENT] = environment
        book.trace_id, book.resource = spans[0].trace_id, spans[0].resource
        spans.append(book)
    store = Store(tmp_path / "traces.db")
    store.deliver([span for spans in builds for span in spans], 5.0)
    found = other_builds(lookup, builds[0]).flaky
    store.close()
    lookup.close()
    assert bool(found) is flaky


@pytest.mark.parametrize(("owner", "left"), [("ops", ["Test", "a test"]), ("dev", ["Deploy", "Test", "a test"])])
def test_a_stage_that_the_platform_let_fail_is_not_called_flaky(owner: str, left: list[str]) -> None:
    spans = build(2, 100, Test=(5, c.SUCCESS), Deploy=(5, c.FAILURE))
    flaky = [Flaky("app", "Deploy", "2", "1"), Flaky("app", "Test", "0", "1"), Flaky("app", "a test", "2", "1", True)]
    rows = list(walk(build_tree(spans)))
    found = without_outages(OtherBuilds({}, flaky), Verdict(owner, "a kind", 0.9), rows)
    assert [one.name for one in found.flaky] == left
    assert without_outages(OtherBuilds({}, flaky), None, rows).flaky == flaky


def test_usual_times_are_median_and_p95_of_what_succeeded() -> None:
    spans = [span for n in range(1, 21) for span in build(n, n * 1000, Test=(n, c.SUCCESS))]
    spans += [span for n in range(21, 40) for span in build(n, n * 1000, Test=(500, c.FAILURE))]
    usual = usual_times(spans)[("app", "Test")]
    assert (usual.median_ns, usual.p95_ns, usual.count) == (10_500_000_000, 19_000_000_000, 20)


def test_the_last_50_runs_count() -> None:
    spans = [span for n in range(1, 101) for span in build(n, n * 1000, Test=(n, c.SUCCESS))]
    usual = usual_times(spans)[("app", "Test")]
    assert (usual.median_ns, usual.count) == (75_500_000_000, 50)


def test_two_runs_are_no_usual_time() -> None:
    spans = [*build(1, 0, Test=(5, c.SUCCESS)), *build(2, 1000, Test=(5, c.SUCCESS))]
    assert usual_times(spans) == {}
    assert set(usual_times([*spans, *build(3, 2000, Test=(5, c.SUCCESS))])) == {("app", "Test")}


def test_percentile_is_one_of_the_values() -> None:
    assert [percentile([1, 2, 3, 4], p) for p in (50, 75, 95, 100)] == [2, 3, 4, 4]


def test_a_stage_that_failed_and_passed_on_one_commit_is_flaky() -> None:
    own = build(7, 0, Test=(5, c.FAILURE), Build=(5, c.SUCCESS))
    rerun = build(8, 200, Test=(5, c.SUCCESS), Build=(5, c.SUCCESS))
    (found,) = flaky_in(own, own[0], rerun)
    assert (found.name, found.failed_in, found.passed_in, found.test) == ("Test", "7", "8", False)
    # From the rerun's side it is the same.
    assert flaky_in(rerun, rerun[0], own) == [found]


def test_another_commit_or_a_stage_that_did_not_run_says_nothing() -> None:
    own = build(7, 0, Test=(5, c.FAILURE))
    assert flaky_in(own, own[0], build(8, 200, commit="c2", Test=(5, c.SUCCESS))) == []
    assert flaky_in(own, own[0], build(8, 200, Test=(5, c.SKIP))) == []
    assert flaky_in(own, own[0], build(8, 200, Other=(5, c.SUCCESS))) == []
    assert flaky_in(own, own[0], own) == []


def test_a_test_that_failed_and_passed_on_one_commit_is_flaky() -> None:
    own, rerun = build(7, 0), build(8, 200)
    told(own[0], 12, "adds twice", "always fails")
    told(rerun[0], 12, "always fails")
    (found,) = flaky_in(own, own[0], rerun)
    assert (found.name, found.test) == ("CartTest adds twice", True)


def test_where_other_tests_ran_or_not_all_failures_are_named_no_test_is_called_flaky() -> None:
    own, rerun = build(7, 0), build(8, 200)
    told(own[0], 12, "adds twice")
    told(rerun[0], 3)
    assert flaky_in(own, own[0], rerun) == []
    told(rerun[0], 12)
    rerun[0].attributes["jenkins.tests.failed"] = 60
    assert flaky_in(own, own[0], rerun) == []


def test_the_store_is_asked_for_the_builds_before_and_the_reruns_after(tmp_path: Path) -> None:
    store = Store(tmp_path / "traces.db")
    for n in range(1, 5):
        store.deliver(build(n, n * 1000, commit="old", Test=(10, c.SUCCESS)), 5)
    own = build(9, 9000, Test=(60, c.FAILURE))
    step = make("step", "app9", "sh", 9000, 9060, jenkins_type="step")
    step.trace_id, step.resource = own[0].trace_id, own[0].resource
    store.deliver([*own, step], 5)
    store.deliver(build(10, 9500, Test=(900, c.SUCCESS)), 5)
    store.deliver(build(11, 9000 + 3 * DAY, Test=(900, c.SUCCESS)), 5)
    store.deliver(build(1, 100, job="other", Test=(900, c.SUCCESS)), 5)
    lookup = asking(store)
    found = other_builds(lookup, own)
    assert found.usual[("app", "Test")].median_ns == 10_000_000_000
    assert found.usual[("app", "Test")].count == 4
    assert [(one.failed_in, one.passed_in) for one in found.flaky] == [("9", "10")]
    assert all(span.name != "sh" for span in lookup.stages_between("app", 0, seconds(10**6)))
    store.close()


def asking(store: Store) -> Lookup:
    """Return a Lookup on a store alone."""
    return Lookup(LocalSource(store), Journals(None))


class Asked:
    """A source that notes what it is asked for."""

    def __init__(self, store: Lookup) -> None:
        self.jobs: list[str] = []
        self._store = store

    def stages_between(self, pipeline: str, from_ns: int, to_ns: int, *, more: int = 0) -> list[Span]:
        self.jobs.append(pipeline)
        return self._store.stages_between(pipeline, from_ns, to_ns, more=more)

    def spans_of_build(self, pipeline: str, run: str, *, around: Window) -> list[Span]:
        return self._store.spans_of_build(pipeline, run, around=around)


def test_builds_of_one_job_in_a_trace_are_compared_with_few_queries_and_the_same_result(tmp_path: Path) -> None:
    store = Store(tmp_path / "traces.db")
    # One in three fails. Two commits take turns, so that each is built several times within a day.
    builds = [
        build(n, n * 1000, commit=f"c{n % 2}", Test=(n, c.FAILURE if n % 3 == 0 else c.SUCCESS), Build=(n, c.SUCCESS))
        for n in range(1, 31)
    ]
    for number, spans in enumerate(builds):
        told(spans[0], 12, *(["adds twice"] if number % 4 == 0 else []))
        store.deliver(spans, 5)
    # These builds are beyond the reruns of the first ones.
    store.deliver(build(40, 2 * DAY, commit="c1", Test=(1, c.SUCCESS)), 5)
    asked = Asked(asking(store))
    # The order of the spans says nothing about time.
    own = sorted((span for spans in builds[5:25] for span in spans), key=lambda span: span.span_id)
    found = other_builds(asked, own)
    alone = {one[0].span_id: other_builds(asking(store), one) for one in builds[5:25]}
    runs = [span for span in own if span.span_id in alone]
    assert found.flaky
    assert list(found.flaky) == list(dict.fromkeys(one for run in runs for one in alone[run.span_id].flaky))
    assert found.usual == alone[builds[24][0].span_id].usual
    assert asked.jobs == ["app", "app"]
    store.close()


def test_many_builds_of_one_job_in_a_trace_hide_no_earlier_build(tmp_path: Path) -> None:
    """The store returns a limited number of spans: those of the trace itself come on top of it."""
    store = Store(tmp_path / "traces.db")
    names = {f"stage{n}": (1.0, c.SUCCESS) for n in range(50)}
    store.deliver(build(1, 0, Test=(1, c.FAILURE)), 5)
    own = [span for n in range(2, 62) for span in build(n, 200 * n, Test=(1, c.SUCCESS), **names)]
    store.deliver(own, 5)
    found = other_builds(asking(store), own)
    assert ("Test", "1", "61") in [(one.name, one.failed_in, one.passed_in) for one in found.flaky]
    store.close()


def test_the_command_shows_what_other_builds_say(tmp_path: Path, env: dict[str, str]) -> None:
    home = Path(env["PIPELINE_TRACE_HOME"])
    home.mkdir(mode=0o700)
    store = Store(home / "traces.db")
    for n in range(1, 5):
        store.deliver(build(n, n * 1000, Test=(10, c.SUCCESS)), 5)
    store.deliver(build(9, 9000, Test=(60, c.FAILURE)), 5)
    store.close()
    page = tmp_path / "page.html"
    support.trace("report", "app#9", "-o", page, env=env)
    text = page.read_text(encoding="utf-8")
    assert "1 slower than usual" in text
    assert "failed in app#9 and passed in app#4" in text


def test_stages_are_found_by_an_index(tmp_path: Path) -> None:
    store = Store(tmp_path / "traces.db")
    plans: list[str] = []
    rows = store.rows
    store.rows = lambda query, *values: plans.extend(r[3] for r in rows(f"EXPLAIN QUERY PLAN {query}", *values)) or []  # type: ignore[method-assign]
    LocalSource(store).stages("app", Window(0, 1), 10)
    store.close()
    assert plans == [
        "SEARCH t USING INDEX traits_stages (pipeline=? AND end_ns>? AND end_ns<?)",
        "SEARCH spans USING PRIMARY KEY (trace_id=? AND span_id=?)",
    ]


def test_of_a_retry_the_last_attempt_is_told_and_what_is_in_it_is_not() -> None:
    spans = [make("run", None, "RUN x", 0, 9)]
    for attempt in (1, 2, 3):
        spans.append(make(f"s{attempt}", "run", "Flaky stage", attempt, attempt + 1, jenkins_type="stage"))
        spans.append(make(f"t{attempt}", f"s{attempt}", "sh", attempt, attempt + 1, jenkins_type="step"))
        for span in spans[-2:]:
            span.attributes.update(
                {"jenkins.retry.attempt": attempt, c.TASK_RUN_RESULT: c.FAILURE if attempt < 3 else c.SUCCESS}
            )
    spans.append(make("h", "run", "web1", 5, 6, ansible_type="host", ansible_attempts=4, ansible_result="ok"))
    spans.append(make("once", "run", "web2", 5, 6, ansible_type="host", ansible_attempts=1, ansible_result="ok"))
    rows = list(walk(build_tree(spans)))
    assert find_retries(rows) == [Retry(5, "Flaky stage", 3, "success"), Retry(7, "web1", 4, "success")]


def test_of_a_failed_step_the_end_of_its_log_is_shown() -> None:
    step = make("x", None, "sh", 0, 1, jenkins_type="step")
    step.fail("script returned exit code 1")
    step.attributes["jenkins.log"] = "\n".join(["+ make test", *(f"line {n}" for n in range(100)), "x" * 5000, ""])
    roots = build_tree([step])
    (entry,) = find_trouble(roots, list(walk(roots)), {}).entries
    assert len(entry["log"]) == 20
    assert entry["log"][0] == "line 81"
    assert len(entry["log"][-1]) == 400


def test_where_only_the_run_has_a_log_its_failed_stage_shows_it() -> None:
    run = make("run", None, "RUN x", 0, 2, jenkins_type="run")
    stage = make("stage", "run", "Build", 0, 1, jenkins_type="stage")
    for span in (run, stage):
        span.fail("no")
    run.attributes["jenkins.log"] = "why"
    roots = build_tree([run, stage])
    (entry,) = find_trouble(roots, list(walk(roots)), {}).entries
    assert (entry["name"], entry["log"]) == ("Build", ["why"])


def failed_host(message: str) -> Span:
    host = make("h", None, "web1", 0, 1, ansible_type="host", ansible_result="failed", ansible_message=message)
    host.fail(message)
    return host


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            "non-zero return code\nopening /srv/app\ncp: No space left on device",
            ["opening /srv/app", "cp: No space left on device"],
        ),
        ("non-zero return code\n1\n2\n3\n4", ["2", "3", "4"]),
        ("the checksum differs\nmore", ["the checksum differs", "more"]),
        (
            "MODULE FAILURE: No start of json char found\nSee stdout/stderr for the exact error\nTraceback\nKeyError: 1",
            ["Traceback", "KeyError: 1"],
        ),
        ("non-zero return code", ["non-zero return code"]),
        ("", []),
    ],
)
def test_a_failure_begins_with_what_its_host_says_of_the_cause(message: str, told: list[str]) -> None:
    roots = build_tree([failed_host(message)])
    (entry,) = find_trouble(roots, list(walk(roots)), {}).entries
    assert entry["cause"].splitlines() == told


def failed_step(log: str) -> Span:
    step = make("x", None, "sh", 0, 1, jenkins_type="step", jenkins_log=log)
    step.fail("script returned exit code 2")
    return step


LONG_LOG = "\n".join([*(f"before {n}" for n in range(100)), "  error: no such table", *(f"after {n}" for n in range(50))])


def test_a_failed_step_shows_its_log_around_the_line_that_decides() -> None:
    step = failed_step(LONG_LOG)
    roots = build_tree([step])
    (entry,) = find_trouble(roots, list(walk(roots)), {step.span_id: "error: no such table"}).entries
    assert entry["cause"] == "error: no such table"
    assert len(entry["log"]) == 20
    assert entry["log"][entry["marked"]] == "  error: no such table"
    assert entry["log"][-1] == "after 5"


def test_without_a_deciding_line_the_last_one_that_tells_something_is_the_cause() -> None:
    roots = build_tree([failed_step("compiling\ncart.c:7: error\nscript returned exit code 2\n")])
    (entry,) = find_trouble(roots, list(walk(roots)), {}).entries
    assert (entry["cause"], entry["marked"]) == ("cart.c:7: error", None)


def test_an_answer_knows_the_deciding_line_of_each_failure(tmp_path: Path) -> None:
    store = local_lookup(find_home({"PIPELINE_TRACE_HOME": str(tmp_path)}))
    step = failed_step(LONG_LOG.replace("error: no such table", "cp: cannot create: No space left on device"))
    found = headline(store, [step], step.trace_id).deciding
    store.close()
    assert found == {step.span_id: "cp: cannot create: No space left on device"}


def test_the_commands_of_a_page_find_its_trace_where_two_controllers_have_one_job(tmp_path: Path) -> None:
    stories = []
    for name in ("a", "b"):
        story = Story(name)
        run = story.run("app/deploy", 7, 0, 9, state=c.FAILURE)
        run.resource[c.PIPELINE_RUN_URL] = f"https://{name}.example.org/job/app/job/deploy/7/"
        story.run("app/test", 1 if name == "a" else 2, 1, 8, parent=run)
        stories.append(story)
    first = stories[0]
    for stored, known in ((stories[:1], "'app/deploy#7'"), (stories, first.trace)):
        with closing(Store(find_home({"PIPELINE_TRACE_HOME": str(tmp_path)}).store)) as store:
            store.deliver([span for story in stored for span in story.spans], 5)
        with closing(local_lookup(find_home({"PIPELINE_TRACE_HOME": str(tmp_path)}))) as lookup:
            found = headline(lookup, first.spans, first.trace)
        assert found.account
        assert found.account.commands == [f"pipeline-trace show {known}"]
        page = page_html(first.spans, headline=found)
        for name in ("show", "why", "compare", "report"):
            assert f"pipeline-trace {name} {known.replace(chr(39), '&#39;')}" in page


def test_without_verdict_and_path_nothing_is_said() -> None:
    assert verdict_view(None) is None
    assert path_view(None) is None
    assert not OtherBuilds().usual


def test_a_verdict_of_unknown_owner_says_so() -> None:
    verdict = SimpleNamespace(owner="unknown", kind="timeout", confidence=0.5, evidence=["a\u202eb"], next="Look.")
    view = verdict_view(verdict)
    assert view is not None
    assert view["says"] == "It is unknown who should look first"
    assert view["evidence"] == ["a\u2039U+202E\u203ab"]


@pytest.mark.parametrize(
    ("kind", "then", "shown"),
    [
        (
            "unknown",
            "",
            [
                "It is unknown who should look first",
                "no line and no fact tells why it failed",
                "Look at what failed first, and compare it with the last run that passed.",
            ],
        ),
        ("timeout", "Look.", ["It is unknown who should look first", "a time limit passed", "Look."]),
        ("odd_kind", "Look.", ["It is unknown who should look first", "odd kind", "Look."]),
        ("running", "See.", ["It still runs", "", "See."]),
        ("waiting_for_lock", "Check it.", ["The build waits for a lock", "", "Check it."]),
        ("nothing_failed", "", ["Nothing failed", "", ""]),
    ],
)
def test_where_no_team_is_named_a_sentence_says_what_is_known_and_what_to_do(kind: str, then: str, shown: list[str]) -> None:
    view = verdict_view(Verdict("unknown", kind, 0.5, [], then))
    assert view is not None
    assert [view[name] for name in ("says", "kind", "next")] == shown


def test_the_steps_of_a_path_are_read_and_only_web_addresses_are_links() -> None:
    view = path_view(PATH)
    assert view is not None
    steps = view["services"][0]["steps"]
    assert [(step["name"], step["state"], step["word"]) for step in steps] == [
        ("review", "unset", "not known"),
        ("merge", "success", ""),
        ("staging", "failure", ""),
        ("production", "unset", "not reached"),
    ]
    assert steps[1]["url"] == "https://ci.example.org/job/app-build/42/"
    assert steps[2]["url"] == ""
    assert "2025-03-05 15:30:12 UTC" in steps[1]["started"]
    assert steps[1]["ran"] == "5 min 18 s"
    # Not the 3 ms in the queue.
    assert steps[1]["waits"] == ["waited 1 min 01 s for a person (mara)"]


def test_a_path_of_another_shape_is_no_error() -> None:
    assert path_view({}) == {"answer": None, "services": [], "notes": []}
    assert path_view({"services": [{"steps": [{"step": None, "last": 3, "state": ["x"]}]}], "answer": "no"}) is not None
