"""From a build down to what failed first in it."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline_trace.ownership.failure import Failure, Trace
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import ERROR, Link, Span

TRACE = "a" * 32


def span(
    number: int, parent: int | None, name: str, start: int, end: int, /, failed: bool = True, **attributes: Any
) -> Span:
    """Return a span; names of attributes have ``__`` for dots."""
    found = {key.replace("__", "."): value for key, value in attributes.items()}
    made = Span(TRACE, f"{number:016x}", f"{parent:016x}" if parent else None, name, start, end, attributes=found)
    if failed:
        made.fail(f"{name} failed")
    return made


def run(number: int, parent: int | None = None, **attributes: Any) -> Span:
    return span(number, parent, f"RUN {number}", 0, 100, jenkins__type="run", **attributes)


def stage(number: int, parent: int, start: int, end: int, *, failed: bool = True, **attributes: Any) -> Span:
    return span(number, parent, f"stage {number}", start, end, failed, jenkins__type="stage", **attributes)


def step(number: int, parent: int, start: int, end: int, *, failed: bool = True, **attributes: Any) -> Span:
    return span(number, parent, f"step {number}", start, end, failed, jenkins__type="step", **attributes)


def failure(*spans: Span) -> Failure:
    found = Trace(spans).failure(spans[0])
    assert found
    return found


def test_what_did_not_fail_has_no_failure() -> None:
    good = span(1, None, "RUN", 0, 1, False, jenkins__type="run")
    assert Trace([good]).failure(good) is None


def test_of_branches_that_failed_the_first_one_is_the_cause() -> None:
    found = failure(run(1), stage(2, 1, 0, 90), stage(3, 1, 0, 40), step(4, 2, 80, 90), step(5, 3, 30, 40))
    assert [one.name for one in found.path] == ["RUN 1", "stage 3", "step 5"]


def test_of_tries_the_last_one_decides() -> None:
    tries = [step(3 + n, 2, 10 * n, 10 * n + 5, jenkins__retry__attempt=n + 1) for n in range(3)]
    assert failure(run(1), stage(2, 1, 0, 90), *tries).span.name == "step 5"


@pytest.mark.parametrize("own_trace", [False, True])
def test_a_downstream_build_is_followed_also_where_it_has_a_trace_of_its_own(own_trace: bool) -> None:
    starter = step(3, 2, 10, 90)
    starter.links.append(Link(TRACE, f"{4:016x}", {"jenkins.link": "started"}))
    below = run(4, None if own_trace else 3)
    assert failure(run(1), stage(2, 1, 0, 90), starter, below, step(5, 4, 20, 30)).span.name == "step 5"


def test_where_the_downstream_build_is_not_here_that_is_told() -> None:
    starter = step(3, 2, 10, 90)
    starter.links.append(Link(TRACE, f"{4:016x}", {"jenkins.link": "started"}))
    assert failure(run(1), stage(2, 1, 0, 90), starter).downstream


def test_links_in_a_circle_end() -> None:
    first = run(1)
    first.links.append(Link(TRACE, f"{2:016x}", {"jenkins.link": "started"}))
    second = run(2)
    second.links.append(Link(TRACE, f"{1:016x}", {"jenkins.link": "started"}))
    assert failure(first, second).span.name == "RUN 2"


# A Pipeline that catches an error and ends as a failure.


def ended_as_failure(number: int = 1, **attributes: Any) -> Span:
    known = {"jenkins__result": "FAILURE", "cicd__pipeline__result": "failure", **attributes}
    return run(number, **known)


def names(*spans: Span) -> list[str]:
    return [one.name for one in failure(*spans).path]


def test_where_all_stages_ended_well_the_last_failed_step_is_the_cause() -> None:
    deploy, notify = stage(2, 1, 0, 50, failed=False), stage(3, 1, 50, 90, failed=False)
    steps = [step(4, 2, 0, 20), step(5, 2, 20, 50, jenkins__log="UNREACHABLE"), step(6, 3, 50, 90, failed=False)]
    found = failure(ended_as_failure(), deploy, notify, *steps)
    assert ([one.name for one in found.path], found.log) == (["RUN 1", "stage 2", "step 5"], "UNREACHABLE")


def test_what_is_in_the_path_of_a_failed_stage_comes_before_an_error_that_was_caught() -> None:
    caught = [stage(2, 1, 0, 50, failed=False), step(4, 2, 0, 50)]
    assert names(ended_as_failure(), *caught, stage(3, 1, 50, 90)) == ["RUN 1", "stage 3"]


@pytest.mark.parametrize(
    "told",
    [
        {"jenkins__tests__failed": 2},
        {"jenkins__interruptions": ["UserInterruption"]},
        {"jenkins__result": "UNSTABLE"},
        {"jenkins__result": "ABORTED", "cicd__pipeline__result": "cancellation"},
    ],
)
def test_a_run_that_tells_why_it_failed_is_not_explained_by_an_error_that_was_caught(told: dict[str, Any]) -> None:
    assert names(ended_as_failure(**told), stage(2, 1, 0, 50, failed=False), step(4, 2, 0, 50)) == ["RUN 1"]


def tries(number: int, *failed: bool, **attributes: Any) -> list[Span]:
    """Return the tries of one step in stage 2, ten moments each."""
    made = [
        step(number + n, 2, 10 * n, 10 * n + 9, failed=bad, jenkins__retry__attempt=n + 1, **attributes)
        for n, bad in enumerate(failed)
    ]
    for one in made:
        one.name = "Shell Script"
    return made


def test_of_caught_errors_in_tries_the_last_try_decides() -> None:
    last = tries(10, True, True, True)
    assert failure(ended_as_failure(), stage(2, 1, 0, 90, failed=False), *last).span is last[-1]


def test_a_try_after_which_another_ended_well_is_never_the_cause() -> None:
    well = stage(2, 1, 0, 90, failed=False)
    assert failure(ended_as_failure(), well, *tries(10, True, True, False)).span.name == "RUN 1"
    assert failure(ended_as_failure(), well, *tries(10, True, True, False), step(5, 2, 1, 2)).span.name == "step 5"


def test_so_it_is_where_the_tries_are_stages() -> None:
    first, second = (stage(n, 1, 10 * n, 10 * n + 9, failed=False, jenkins__retry__attempt=n - 1) for n in (2, 3))
    first.name = second.name = "Deploy"
    assert names(ended_as_failure(), first, second, step(4, 2, 20, 29)) == ["RUN 1"]


@pytest.mark.parametrize(("other", "cause"), [(True, "step 6"), (False, "deploy")])
def test_a_step_that_ended_well_later_is_the_cause_only_if_nothing_else_failed(other: bool, cause: str) -> None:
    command = {"jenkins__step__description": "ansible-playbook site.yml"}
    twice = [step(4, 2, 20, 30, **command), step(5, 2, 40, 50, failed=False, **command)]
    for one in twice:
        one.name = "deploy"
    earlier = step(6, 2, 0, 10, failed=other)
    assert failure(ended_as_failure(), stage(2, 1, 0, 90, failed=False), *twice, earlier).span.name == cause


def test_a_caught_error_of_a_downstream_build_stays_there() -> None:
    starter, below = step(3, 1, 0, 50, failed=False), ended_as_failure(4)
    below.parent_id = starter.span_id
    inside = [stage(5, 4, 0, 50, failed=False), step(6, 5, 0, 40)]
    assert names(ended_as_failure(), starter, below, *inside) == ["RUN 1"]
    assert [one.name for one in Trace([below, *inside]).failure(below).path][-1] == "step 6"  # type: ignore[union-attr]


def test_spans_that_are_each_others_parents_end() -> None:
    first, second = stage(2, 3, 0, 9, failed=False), stage(3, 2, 0, 9, failed=False)
    assert names(ended_as_failure(), first, second) == ["RUN 1"]


def playbook(number: int, parent: int | None, start: int) -> list[Span]:
    """Return a playbook whose second task failed on two hosts, one of which could not be reached."""
    base = number * 10
    return [
        span(base, parent, "playbook site.yml", start, start + 20, ansible__type="playbook"),
        span(base + 1, base, "Copy", start, start + 5, False, ansible__type="task"),
        span(base + 2, base, "Restart", start + 5, start + 20, ansible__type="task", ansible__task__action="service"),
        span(base + 3, base + 2, "web1", start + 5, start + 9, ansible__type="host", ansible__result="failed"),
        span(base + 4, base + 2, "web2", start + 5, start + 8, ansible__type="host", ansible__result="unreachable"),
        span(base + 5, base + 2, "web3", start + 5, start + 8, False, ansible__type="host", ansible__result="ok"),
    ]


def test_a_playbook_that_a_failed_step_ran_says_which_hosts() -> None:
    ran = step(3, 2, 10, 50, jenkins__log="fatal: …", jenkins__step__description="ansible-playbook site.yml")
    ran.status_message = "script returned exit code 2"
    found = failure(run(1), stage(2, 1, 0, 90), ran, *playbook(5, 2, 15), *playbook(6, 2, 60))
    assert (found.span.name, found.exit_status, found.log, found.command) == (
        "step 3",
        2,
        "fatal: …",
        "ansible-playbook site.yml",
    )
    assert {(one["host"], one["event"], one["task"], one["action"]) for one in found.task_result or ()} == {
        ("web1", "failed", "Restart", "service"),
        ("web2", "unreachable", "Restart", "service"),
    }


def test_a_playbook_alone_is_followed_to_its_hosts() -> None:
    found = failure(*playbook(5, None, 0))
    assert found.run is None
    assert {host.name for host in found.hosts} == {"web1", "web2"}
    assert c.ANSIBLE_TYPE in found.span.attributes
    assert found.span.status_code == ERROR


def half_done(result: str = "failed", *, ended: int = 0, block_ended: int | None = None) -> Trace:
    """Return a playbook of which a host failed and another one still runs.

    ``ended``: when the task ended that failed. ``block_ended``: there is a block around it; 0 if it is open.
    """
    around = [] if block_ended is None else [span(3, 2, "Try", 0, block_ended, False, ansible__type="block")]
    return Trace(
        [
            span(1, None, "playbook site.yml", 0, 0, False, ansible__type="playbook"),
            span(2, 1, "Deploy", 0, 0, False, ansible__type="play"),
            *around,
            span(4, 3 if around else 2, "Install", 0, ended, bool(ended), ansible__type="task"),
            span(5, 4, "web2", 0, 5, ansible__type="host", ansible__result=result),
            span(6, 4, "web1", 0, ended, False, ansible__type="host", **({"ansible__result": "ok"} if ended else {})),
        ]
    )


@pytest.mark.parametrize("ended", [0, 9])
def test_a_host_that_failed_is_known_while_others_still_run(ended: int) -> None:
    found = half_done(ended=ended).failed_so_far()
    assert found
    assert ([host.name for host in found.hosts], found.task and found.task.name) == (["web2"], "Install")
    assert [one.name for one in found.path] == ["playbook site.yml", "Deploy", "Install", "web2"]


def test_what_is_ignored_or_may_still_be_rescued_has_not_failed() -> None:
    assert half_done("ignored").failed_so_far() is None
    assert half_done(ended=9, block_ended=0).failed_so_far() is None
    assert half_done(ended=9, block_ended=12).failed_so_far() is None
    # Only what runs is asked for so.
    done = half_done(ended=9)
    for one in done.spans:
        one.end_ns = one.end_ns or 20
    assert done.failed_so_far() is None
