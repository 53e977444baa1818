"""The board and lists give a verdict on failures that no poller judged: the same verdict that `why` gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import put

from pipeline_trace.answers import verdicts
from pipeline_trace.answers.verdicts import Verdicts
from pipeline_trace.change.entries import Entry
from pipeline_trace.change.for_board import find_for_board
from pipeline_trace.change.search import Search, find_builds, find_deploys
from pipeline_trace.delivery.home import Home
from pipeline_trace.figures import verdicts as figures_verdicts
from pipeline_trace.figures.jobs import job_over_time
from pipeline_trace.figures.periods import periods_of
from pipeline_trace.figures.platform import of_platform, platform_over_time
from pipeline_trace.figures.verdicts import Verdict
from pipeline_trace.lookup.lookup import Lookup
from pipeline_trace.ownership import judge
from pipeline_trace.ownership.log.rules import VARIABLE, load_rules
from pipeline_trace.ownership.verdict import OWNERS
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import ERROR, Span

S = 10**9
START = 1_795_000_000 * S
LATER = START + 86_400 * S
NO_SPACE = "cp: error writing 'out.bin': No space left on device"
BROKEN = "/srv/shop/app.py: SyntaxError: invalid syntax"
DISK = "ops", "disk_full"
EVERY = 1000


def span(trace: int, number: int, parent: int | None, name: str, attributes: dict[str, Any]) -> Span:
    start = START + trace * 60 * S + number * S
    above = f"{trace:012x}{parent:04x}" if parent else None
    return Span(f"{trace:032x}", f"{trace:012x}{number:04x}", above, name, start, start + S, attributes=attributes)


def playbook(trace: int, environment: str = "staging", message: str = NO_SPACE, tasks: int = 1) -> list[Span]:
    """Return a deploy without a build. ``message``: with which its last task fails on the second host; "" for none."""
    state = c.FAILURE if message else c.SUCCESS
    told = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, c.TASK_TYPE: c.DEPLOY, c.TASK_RUN_RESULT: state}
    told |= {c.DEPLOYMENT_NAME: "shop", c.DEPLOYMENT_ENVIRONMENT: environment, c.ARTIFACT_VERSION: "1.7.3"}
    book = span(trace, 1, None, "playbook site.yml", told)
    play = span(trace, 2, 1, "play web", {c.ANSIBLE_TYPE: c.TYPE_PLAY, c.TASK_RUN_RESULT: state})
    task = {c.ANSIBLE_TYPE: c.TYPE_TASK, c.ANSIBLE_TASK_ACTION: "ansible.builtin.command"}
    done = [span(trace, 100 + at, 2, "Copy", {**task, c.TASK_RUN_RESULT: c.SUCCESS}) for at in range(tasks - 1)]
    last = span(trace, 3, 2, "Copy", {**task, c.TASK_RUN_RESULT: state})
    fine = span(trace, 4, 3, "web1", {c.ANSIBLE_TYPE: c.TYPE_HOST, c.ANSIBLE_RESULT: "ok"})
    bad = span(trace, 5, 3, "web2", {c.ANSIBLE_TYPE: c.TYPE_HOST, c.ANSIBLE_RESULT: "failed" if message else "ok"})
    for one in (book, play, last, bad) if message else ():
        one.fail(message)
    if message:
        bad.attributes[c.ANSIBLE_MESSAGE] = message
    return [book, play, *done, last, fine, bad]


def deploys(lookup: Lookup, search: Search | None = None) -> list[Entry]:
    return list(find_deploys(lookup, search or Search(), EVERY).entries)


def told(entries: list[Entry]) -> list[tuple[str, str]]:
    return [(one.owner, one.kind) for one in entries]


def test_a_playbook_without_a_build_gets_the_verdict_that_why_gives(home: Home, lookup: Lookup) -> None:
    put(home.store, *playbook(1), *playbook(2, "production", BROKEN), *playbook(3, "qa", ""))
    verdicts = [judge.judged_for(lookup, f"{trace:032x}", load_rules()).verdict for trace in (2, 1)]
    said = [("", ""), *((verdict.owner, verdict.kind) for verdict in verdicts)]
    assert told(Verdicts(lambda: LATER).on(lookup, deploys(lookup))) == said == [("", ""), ("dev", "compile_error"), DISK]


def test_what_a_poller_judged_stays_and_is_not_read(home: Home, lookup: Lookup, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home.store, *playbook(1))
    (found,) = deploys(lookup)
    judged = replace(found, owner="dev", kind="test_failure")
    monkeypatch.setattr(lookup, "failures", None)
    assert Verdicts(lambda: LATER).on(lookup, [judged]) == [judged]


def test_a_failed_run_of_another_tool_is_judged_by_what_it_says(home: Home, lookup: Lookup) -> None:
    put(home.store, *workflow(1))
    (found,) = find_builds(lookup, Search(), EVERY).entries
    assert told(Verdicts(lambda: LATER).on(lookup, [found])) == [DISK]


def test_what_is_no_owner_is_not_taken_for_one(home: Home, lookup: Lookup) -> None:
    run, step = workflow(1)
    run.attributes |= {c.FAILURE_OWNER: "marketing\x1b[31m", c.FAILURE_KIND: "mood"}
    put(home.store, run, step)
    (found,) = find_builds(lookup, Search(), EVERY).entries
    assert told([found]) == [("", "")]
    assert told(Verdicts(lambda: LATER).on(lookup, [found])) == [DISK]


def test_the_owners_are_those_that_a_verdict_may_have() -> None:
    assert frozenset(OWNERS) == c.FAILURE_OWNERS


def workflow(trace: int) -> list[Span]:
    """Return a run of another tool that failed."""
    told = {c.PIPELINE_RESULT: c.FAILURE, c.PIPELINE_NAME: "deploy", c.PIPELINE_RUN_ID: str(trace)}
    run, step = span(trace, 1, None, "RUN deploy", told), span(trace, 2, 1, "rsync", {})
    for one in (run, step):
        one.fail(NO_SPACE)
    return [run, step]


def test_the_pages_of_a_job_and_the_platform_count_the_runs_that_no_poller_judged(
    home: Home, lookup: Lookup, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(home.store, *workflow(1), *workflow(2), *workflow(3))
    periods, on = periods_of(7, LATER), Verdicts(lambda: LATER).on
    assert job_over_time(lookup, "deploy", periods, on).verdicts == [Verdict(*DISK, 3)]
    assert len(of_platform(platform_over_time(lookup, periods, on).failed)) == 3
    # Of many, the newest ones.
    monkeypatch.setattr(figures_verdicts, "_MOST_JUDGED", 2)
    found = platform_over_time(lookup, periods, Verdicts(lambda: LATER).on)
    assert told(list(found.failed)) == [DISK, DISK, ("", "")]


def test_of_several_playbooks_of_a_deploy_the_failed_one_is_judged(home: Home, lookup: Lookup) -> None:
    first, second = playbook(1, message=""), playbook(2)
    above = span(1, 9, None, "make deploy", {})
    for one in second:
        one.trace_id = above.trace_id
    first[0].parent_id = second[0].parent_id = above.span_id
    put(home.store, above, *first, *second)
    (found,) = Verdicts(lambda: LATER).on(lookup, deploys(lookup))
    assert (found.state, found.owner, found.kind) == (c.FAILURE, "ops", "disk_full")


def test_an_owner_finds_playbooks_too(home: Home, lookup: Lookup) -> None:
    put(home.store, *playbook(1), *playbook(2, "production", BROKEN), *playbook(3, "qa", ""))
    on = Verdicts(lambda: LATER).on

    def environments(search: Search) -> list[str]:
        return [one.environments[0] for one in find_deploys(lookup, search, EVERY, judge=on).entries]

    assert environments(Search(owner="ops")) == environments(Search(kind="disk_full")) == ["staging"]
    assert environments(Search(owner="ops", environment="production")) == []
    assert environments(Search(owner="dev")) == ["production"]


def test_words_find_what_a_verdict_says(home: Home, lookup: Lookup) -> None:
    put(home.store, *playbook(1), *playbook(2, "production", BROKEN), *playbook(3, "qa", ""))
    on = Verdicts(lambda: LATER).on

    def environments(*words: str) -> list[str]:
        return [one.environments[0] for one in find_deploys(lookup, Search(words=words), EVERY, judge=on).entries]

    assert environments("disk_full") == environments("disk", "full", "STAGING") == ["staging"]
    assert environments("shop") == ["qa", "production", "staging"]
    assert environments("disk_full", "production") == []


def test_only_the_newest_deploy_of_a_cell_is_judged(home: Home, lookup: Lookup, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home.store, *playbook(1), *playbook(2), *playbook(3, "production", ""))
    read = counting(lookup, monkeypatch)
    found = Verdicts(lambda: LATER).on_board(lookup, find_for_board(lookup, Search()).entries)
    assert [(one.environments[0], one.owner) for one in found] == [("production", ""), ("staging", "ops"), ("staging", "")]
    assert read == [[f"{2:032x}"]]


def test_what_failed_before_the_deploy_that_runs_is_judged(home: Home, lookup: Lookup) -> None:
    put(home.store, *playbook(1), *playbook(2))
    (failed, *others) = find_for_board(lookup, Search()).entries
    after = replace(failed, state="running", start_ns=failed.start_ns + S, end_ns=0, span_id="f" * 16)
    found = Verdicts(lambda: LATER).on_board(lookup, [after, failed, *others])
    assert [one.owner for one in found] == ["", "ops", ""]


@pytest.mark.parametrize(("ended_ago", "kept"), [(86_400, 300.0), (60, 20.0)])
def test_a_verdict_is_remembered_for_a_while_since_spans_arrive_late(
    home: Home, lookup: Lookup, monkeypatch: pytest.MonkeyPatch, ended_ago: int, kept: float
) -> None:
    first, *rest = playbook(1)
    put(home.store, first)
    read = counting(lookup, monkeypatch)
    clock = [1000.0]
    found = Verdicts(lambda: first.end_ns + ended_ago * S, lambda: clock[0])
    # Its message alone says it: what is below changes that.
    assert told(found.on(lookup, deploys(lookup))) == told(found.on(lookup, deploys(lookup))) == [DISK]
    assert len(read) == 1
    rest[-1].attributes[c.ANSIBLE_MESSAGE] = BROKEN
    put(home.store, *rest)
    clock[0] += kept - 1
    assert told(found.on(lookup, deploys(lookup))) == [DISK]
    clock[0] += 2
    assert told(found.on(lookup, deploys(lookup))) == [("dev", "compile_error")]
    assert len(read) == 2


def test_so_many_verdicts_are_remembered_and_no_more(home: Home, lookup: Lookup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "_MOST_REMEMBERED", 10)
    put(home.store, *(span for number in range(1, 16) for span in playbook(number)))
    found = Verdicts(lambda: LATER)
    entries = deploys(lookup)
    for at in range(0, 15, 5):
        found.on(lookup, entries[at : at + 5])
    read = counting(lookup, monkeypatch)
    found.on(lookup, entries[5:])
    assert read == []
    found.on(lookup, entries[:5])
    assert len(read) == 1


def test_a_trace_that_is_too_large_has_no_verdict_and_takes_none_from_others(
    home: Home, lookup: Lookup, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = [replace(playbook(1)[-1], span_id=f"{at:016x}", name=f"web{at}") for at in range(100, 130)]
    put(home.store, *playbook(1), *hosts, *playbook(2, "production"))
    monkeypatch.setattr(verdicts, "_MOST_SPANS", 20)
    found = Verdicts(lambda: LATER)
    assert told(found.on(lookup, deploys(lookup))) == [DISK, ("", "")]
    # It is not read again each time.
    monkeypatch.setattr(lookup, "failures", None)
    assert told(found.on(lookup, deploys(lookup))) == [DISK, ("", "")]


def test_rules_that_cannot_be_read_leave_the_list(
    home: Home, lookup: Lookup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(home.store, *playbook(1))
    broken = tmp_path / "rules.yaml"
    broken.write_text("rules: 7\n")
    monkeypatch.setenv(VARIABLE, str(broken))
    found = deploys(lookup)
    assert Verdicts(lambda: LATER).on(lookup, found) == found


def counting(lookup: Lookup, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return which traces are read, as they are."""
    found: list[list[str]] = []
    failures = lookup.failures

    def counted(trace_ids: list[str], most: int) -> list[Span]:
        found.append(list(trace_ids))
        return failures(trace_ids, most)

    monkeypatch.setattr(lookup, "failures", counted)
    return found


def test_of_a_playbook_only_what_failed_is_read(home: Home, lookup: Lookup) -> None:
    put(home.store, *playbook(1, tasks=30), *playbook(2))
    read = lookup.failures([f"{1:032x}"], EVERY)
    assert [one.name for one in read] == ["playbook site.yml", "play web", "Copy", "web2"]
    assert {one.status_code for one in read} == {ERROR}
