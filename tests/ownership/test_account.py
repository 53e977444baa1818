"""What an account tells of a failed build and of the builds around it, from a store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.delivery.home import Home, find_home
from pipeline_trace.lookup.lookup import local_lookup
from pipeline_trace.ownership import judge
from pipeline_trace.ownership.account import FORMATS, Account, account_of, rendered
from pipeline_trace.ownership.log.rules import load_rules
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id, trace_id
from pipeline_trace.trace.span import Event, Span

MINUTE = 60 * 10**9
DAY = 1_795_000_000 * 10**9
LOG = "+ curl -fsS https://mirror.internal/tool\ncurl: (6) Could not resolve host: mirror.internal"
OTHER = "+ make\nmain.c:3:1: error: unknown type name 'x'\nmake: *** [all] Error 1"
REPOSITORY = "https://github.com/acme/shop.git"
A, B, C = "a1" * 20, "b2" * 20, "c3" * 20


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return find_home({"PIPELINE_TRACE_HOME": str(tmp_path / "trace-home")})


def build(
    job: str, number: int, minute: int, log: str = "", *, commit: str = A, agent: str = "linux-1", **more: object
) -> list[Span]:
    """Return a build that began so many minutes after the start of a day; it failed if it has a log.

    ``more``: attributes of its run, by their names with ``__`` for a dot.
    """
    key = (job, str(number))
    resource = {
        c.PIPELINE_NAME: job,
        c.PIPELINE_RUN_ID: str(number),
        c.PIPELINE_RUN_URL: f"https://ci.example.com/job/{job}/{number}/",
    }
    spans = []
    for name, parent in (("run", None), ("step", span_id((*key, "run")))):
        at = DAY + minute * MINUTE
        made = Span(trace_id(key), span_id((*key, name)), parent, name, at, at + MINUTE // 2, resource=resource)
        made.attributes = {c.JENKINS_TYPE: name, c.WORKER_NAME: agent}
        if log:
            made.fail("script returned exit code 6")
        spans.append(made)
    run, step = spans
    result = c.FAILURE if log else c.SUCCESS
    run.attributes |= {c.PIPELINE_RESULT: result, c.VCS_HEAD_REVISION: commit, c.VCS_REPOSITORY_URL: REPOSITORY}
    run.attributes |= {c.JENKINS_AGENTS: [agent], **{key.replace("__", "."): value for key, value in more.items()}}
    run.attributes |= {c.PIPELINE_RUN_URL: resource[c.PIPELINE_RUN_URL]}
    if log:
        step.attributes[c.JENKINS_LOG] = log
    return spans


def told(place: Home, reference: str, *builds: Sequence[Span], page: str = "") -> Account:
    """Return the account of a build among these."""
    with closing(Store(place.store)) as store:
        for spans in builds:
            store.deliver(spans, 5)
    with closing(local_lookup(place)) as lookup:
        return account_of(judge.judged_for(lookup, reference, load_rules()), page)


def names(account: Account, what: str) -> list[tuple[str, str, int, str]]:
    return [(one.job, one.agent, one.count, one.last.name) for one in getattr(account, what)]


HISTORY = (
    build("shop", 1, 0, LOG),
    build("shop", 2, 10),
    build("shop", 3, 20, OTHER, commit=B),
    build("shop", 4, 30, LOG, commit=B, jenkins__change__authors=2),
    build("shop", 5, 40, LOG, commit=C),
    build("orders", 8, 35, LOG),
    build("orders", 9, 38, LOG),
    build("web", 3, 36),
    build("web", 4, 37, agent="linux-2"),
    build("web", 2, 5),
)


def test_since_when_and_how_often_the_job_fails_so(place: Home) -> None:
    streak = told(place, "shop#5", *HISTORY).streak
    assert streak is not None
    # Not the first of all that failed so: the job was green since.
    assert (streak.job, streak.first.name, streak.first.at_ns) == ("shop", "shop#4", DAY + 30 * MINUTE)
    assert streak.first.url == "https://ci.example.com/job/shop/4/"
    # The first and the last two failed so; one was green, one failed otherwise.
    assert (streak.alike, streak.builds) == (3, 5)


def test_the_last_green_build_and_the_commits_since(place: Home) -> None:
    streak = told(place, "shop#5", *HISTORY).streak
    assert streak is not None
    assert streak.green is not None
    assert (streak.green.name, streak.green.commit, streak.commits, streak.authors) == ("shop#2", A, [B, C], 2)
    assert streak.compare == f"https://github.com/acme/shop/compare/{A}...{C}"
    assert streak.green_again is None


def test_no_number_of_authors_is_made_of_several(place: Home) -> None:
    more = build("shop", 5, 40, LOG, commit=C, jenkins__change__authors=1)
    streak = told(place, "shop#5", *HISTORY[:4], more).streak
    assert streak is not None
    assert streak.authors is None


def test_commits_of_two_repositories_are_not_compared(place: Home) -> None:
    moved = build("shop", 5, 40, LOG, commit=C, vcs__repository__url__full="https://github.com/acme/other")
    streak = told(place, "shop#5", *HISTORY[:4], moved).streak
    assert streak is not None
    assert streak.compare == ""


def test_a_commit_that_only_a_parameter_names_is_not_compared(place: Home) -> None:
    deploy = build("shop", 5, 40, LOG, commit=C, jenkins__parameter__COMMIT=B)
    streak = told(place, "shop#5", *HISTORY[:4], deploy).streak
    assert streak is not None
    assert (streak.commits[-1], streak.compare) == (B, "")


def test_that_it_is_green_again_is_told(place: Home) -> None:
    streak = told(place, "shop#4", *HISTORY[:4], build("shop", 5, 40)).streak
    assert streak is not None
    assert streak.green_again is not None
    assert streak.green_again.name == "shop#5"


def test_what_else_fails_alike_and_what_passes_meanwhile(place: Home) -> None:
    account = told(place, "shop#5", *HISTORY)
    assert names(account, "alike") == [("orders", "linux-1", 2, "orders#9")]
    # web#2 is older than the failure, web#4 ran elsewhere.
    assert names(account, "fine") == [("web", "linux-1", 1, "web#3")]
    assert account.says.endswith(", and 1 other project fails alike.")


def test_the_same_job_that_passes_on_another_agent_is_told(place: Home) -> None:
    account = told(place, "shop#5", *HISTORY[:5], build("shop", 6, 45, agent="linux-2"))
    assert names(account, "fine") == [("shop", "linux-2", 1, "shop#6")]


def test_deploys_to_another_environment_are_another_job_that_passes(place: Home) -> None:
    to = "jenkins__parameter__ENVIRONMENT"
    account = told(
        place,
        "shop#3",
        build("shop", 1, 0, **{to: "staging"}),
        build("shop", 2, 21, agent="linux-2", **{to: "integration"}),
        build("shop", 3, 20, LOG, **{to: "staging"}),
    )
    assert account.streak is not None
    assert (account.streak.job, account.streak.builds) == ("shop to staging", 2)
    assert names(account, "fine") == [("shop to integration", "linux-2", 1, "shop#2")]


@pytest.mark.parametrize(
    ("cause", "by"),
    [
        (("user", "Started by user Mara", "Mara"), "Mara"),
        (("timer", "Started by timer", ""), "a timer"),
        (("scm", "Started by an SCM change", ""), "a change in the repository"),
        (("replay", "Replayed #3", "Mara"), "Mara, as a replay"),
        (("upstream", 'Started by upstream project "shop" build number 3', ""), "shop#3"),
        (("OtherCause", "Started by a robot", ""), "a robot"),
    ],
)
def test_who_or_what_started_it(place: Home, cause: tuple[str, str, str], by: str) -> None:
    spans = build("shop", 5, 40, LOG)
    told_by = zip((c.JENKINS_CAUSE, c.JENKINS_CAUSE_DESCRIPTION, c.JENKINS_CAUSE_USER), cause, strict=True)
    spans[0].events = [Event("trigger", DAY, {name: value for name, value in told_by if value})]
    start = told(place, "shop#5", spans).start
    assert start is not None
    assert (start.kind, start.by, [one.name for one in start.way]) == (cause[0], by, ["shop#5"])


def test_without_a_cause_nobody_started_it(place: Home) -> None:
    account = told(place, "shop#5", build("shop", 5, 40, LOG))
    assert account.start is None
    assert "Started" not in rendered(account, "text")


def test_what_to_go_on_with(place: Home) -> None:
    account = told(place, "shop#5", build("shop", 5, 40, LOG), page="https://traces.example.com/{trace_id}")
    assert account.commands == ["pipeline-trace show 'shop#5'"]
    assert account.page == f"https://traces.example.com/{account.trace_id}"
    # An address without the id is no page of this trace.
    assert told(place, "shop#5", page="https://traces.example.com/").page == ""


def test_the_line_that_decides_comes_before_what_else_is_seen(place: Home) -> None:
    account = told(place, "shop#5", *HISTORY)
    assert account.line == "curl: (6) Could not resolve host: mirror.internal"
    assert account.line not in account.because
    assert (account.place.agent, account.place.steps) == ("linux-1", ["shop", "step"])


def test_a_build_that_did_not_fail_has_no_more_to_tell(place: Home) -> None:
    account = told(place, "shop#2", *HISTORY)
    assert (account.says, account.streak, account.commands) == ("Nothing failed.", None, ())


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_that_others_sent_shows_a_secret(place: Home, form: str) -> None:
    log = f"{LOG}\ncurl: (6) Could not resolve host: mirror.internal; password=hunter2"
    spans = build("shop", 5, 40, log, agent="token=hunter2", jenkins__parameter__ENVIRONMENT="password=hunter2")
    spans[1].name = "curl --password hunter2"
    spans[0].events = [Event("trigger", DAY, {c.JENKINS_CAUSE_DESCRIPTION: "Started by token=hunter2"})]
    said = rendered(told(place, "shop#5", spans), form)
    assert "hunter2" not in said
    assert "***" in said


def test_a_name_with_line_ends_stays_one_line(place: Home) -> None:
    spans = build("shop", 5, 40, LOG, agent="linux\n- **web**: fine\u202e")
    account = told(place, "shop#5", spans)
    assert account.place.agent.startswith("linux - **web**: fine")
    assert "\u202e" not in rendered(account, "markdown")


def test_json_of_a_real_judgement_can_be_read(place: Home) -> None:
    document = json.loads(rendered(told(place, "shop#5", *HISTORY), "json"))
    assert document["since"]["name"] == "shop#4"
    assert "green_again" not in document
