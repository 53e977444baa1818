"""What of a trace in the store is told: builds and playbooks that ended, each failure once, with the verdict of `why`."""

from __future__ import annotations

from typing import Any

from support import put

from pipeline_trace.delivery.home import Home
from pipeline_trace.lookup.lookup import Lookup
from pipeline_trace.notify import judging
from pipeline_trace.notify.arrivals import Arrivals
from pipeline_trace.notify.outcome import Outcome
from pipeline_trace.ownership.log.rules import load_rules
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import ERROR, Span

S = 10**9
START = 1_796_000_000 * S
TRACE = "a" * 32
NO_SPACE = "cp: error writing 'out.bin': No space left on device"


def span(number: int, parent: int | None, name: str, attributes: dict[str, Any], job: str = "shop", **more: Any) -> Span:
    resource = {c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: "1"} if job else {}
    above = f"{parent:016x}" if parent else None
    end = START + number * S
    trace = more.pop("trace", TRACE)
    return Span(trace, f"{number:016x}", above, name, START, end, attributes=attributes, resource=resource, **more)


def run(number: int, job: str, result: str, parent: int | None = None, log: str = "", **more: Any) -> Span:
    url = f"https://ci.example.com/job/{job}/1/"
    said = {c.JENKINS_TYPE: c.TYPE_RUN, c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: "1", c.PIPELINE_RUN_URL: url}
    status = ERROR if result == c.FAILURE else "UNSET"
    attributes = {**said, c.PIPELINE_RESULT: result, **({c.JENKINS_LOG: log} if log else {})}
    return span(number, parent, f"RUN {job}", attributes, job, status_code=status, **more)


def playbook(number: int, job: str = "", url: str = "") -> Span:
    said = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, c.TASK_RUN_RESULT: c.FAILURE, **({c.PIPELINE_RUN_URL: url} if url else {})}
    return span(number, None, "playbook site.yml", said, job, status_code=ERROR, status_message=NO_SPACE)


def outcomes(lookup: Lookup, since: int = START) -> list[Outcome]:
    return list(judging.outcomes_of_trace(lookup, TRACE, since, load_rules()))


def test_a_build_that_failed_by_one_that_it_started_is_not_told_but_the_other_one_is(home: Home, lookup: Lookup) -> None:
    put(home.store, run(5, "upstream", c.FAILURE), run(4, "deploy", c.FAILURE, parent=5, log=NO_SPACE))
    (told,) = outcomes(lookup)
    assert (told.job, told.controller) == ("deploy", "https://ci.example.com")
    assert told.failing
    assert told.failing.owner == "ops"


def test_a_playbook_is_told_by_itself_but_not_inside_a_jenkins_build(home: Home, lookup: Lookup) -> None:
    put(home.store, playbook(1), playbook(2, "shop", "https://ci.example.com/job/shop/1/"))
    (told,) = outcomes(lookup)
    assert told.job == "playbook site.yml"
    assert told.ended_ns == START + S


def test_a_playbook_of_another_ci_system_is_told_by_itself(home: Home, lookup: Lookup) -> None:
    put(home.store, playbook(1, "group/project", "https://gitlab.example.com/group/project/-/pipelines/1"))
    assert len(outcomes(lookup)) == 1


def test_what_is_stopped_runs_or_ended_before_is_not_told(home: Home, lookup: Lookup) -> None:
    put(home.store, run(1, "old", c.FAILURE, log=NO_SPACE), run(3, "stopped", c.CANCELLATION), run(4, "fine", c.SUCCESS))
    assert [(told.job, told.failing) for told in outcomes(lookup, START + 2 * S)] == [("fine", None)]


def test_the_verdict_of_the_poller_is_the_sign_and_history_gives_the_rest(home: Home, lookup: Lookup) -> None:
    said = {c.FAILURE_OWNER: "dev", c.FAILURE_KIND: "odd", c.FAILURE_CONFIDENCE: 0.5}
    failed = run(1, "shop", c.FAILURE, log=NO_SPACE)
    failed.attributes.update(said)
    put(home.store, failed)
    (told,) = outcomes(lookup)
    assert told.failing
    assert (told.failing.sign, told.failing.line) == ("dev odd", "")
    whole = judging.with_history(lookup, told, told.failing, load_rules())
    assert (whole.sign, whole.owner) == ("dev odd", "ops")
    assert "No space left on device" in whole.line


def test_traces_that_arrive_are_looked_at_once_and_again_when_they_change(home: Home) -> None:
    arrivals = Arrivals(home)
    put(home.store, run(1, "shop", c.SUCCESS))
    assert arrivals.since(0)[0] == arrivals.since(0)[0] == [TRACE]
    arrivals.looked()
    found, seen_s = arrivals.since(0)
    assert found == []
    put(home.store, run(2, "other", c.SUCCESS, trace="b" * 32))
    assert arrivals.since(seen_s)[0] == ["b" * 32]
    arrivals.close()
    again = Arrivals(home)
    assert set(again.since(seen_s)[0]) == {TRACE, "b" * 32}
    again.close()
