"""What two runs have in common, what only one of them has, and what the run did not reach."""

from __future__ import annotations

import pytest
from support.pathways import GREEN, Story

from pipeline_trace.compare.made import comparison_of
from pipeline_trace.compare.record import Comparison, Part
from pipeline_trace.lookup.tree import build_tree
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span


def compared(run: Story, base: Story) -> Comparison:
    """Compare the first roots of two stories."""
    one, other = (build_tree(story.spans)[0] for story in (run, base))
    return comparison_of(one, other)


def names(parts: object) -> list[str]:
    assert isinstance(parts, (list, tuple))
    return [part.name if isinstance(part, Part) else part.run.name for part in parts]


def build(number: int = 1, *stages: tuple[str, str], name: str = "base") -> Story:
    story = Story(name)
    story.build(number, 100, *(stages or GREEN))
    return story


def host(story: Story, name: str, task: Span, state: str = c.SUCCESS, result: str = "ok", **more: str) -> Span:
    attributes = {c.ANSIBLE_TYPE: c.TYPE_HOST, c.TASK_RUN_RESULT: state, c.ANSIBLE_RESULT: result}
    at = task.start_ns
    span = story.add(name, 0, 1, task, state, attributes=attributes, **more)
    span.start_ns, span.end_ns = at, task.end_ns
    return span


def task(story: Story, name: str, start: float, end: float, above: Span, state: str = c.SUCCESS) -> Span:
    return story.add(name, start, end, above, state, attributes={c.ANSIBLE_TYPE: c.TYPE_TASK, c.TASK_RUN_RESULT: state})


def test_two_runs_alike_have_nothing_to_tell() -> None:
    found = compared(build(2, name="run"), build(1))
    assert (found.failed, found.new, found.gone, found.not_reached) == ([], [], [], [])
    slower = found.slower
    assert not any((slower.stages, slower.steps, slower.tasks, slower.waits, found.commits))


def test_a_part_that_only_one_run_has_is_new_or_gone_and_what_is_in_it_is_counted() -> None:
    run = build(2, ("Unit test", c.SUCCESS), ("Scan", c.SUCCESS), name="run")
    story = build(1, ("Unit test", c.SUCCESS), ("Deploy staging", c.SUCCESS))
    found = compared(run, story)
    assert (names(found.new), names(found.gone)) == (["Scan"], ["Deploy staging"])
    # The build that it started.
    assert found.gone[0].below == 1
    assert found.not_reached == []


def test_what_comes_after_the_failure_is_not_reached() -> None:
    failed = ("Deploy staging", c.FAILURE)
    skipped = build(2, *GREEN[:2], failed, ("Deploy production", c.SKIP), name="run")
    # A scripted Pipeline has no stage for what it did not reach.
    for run in (skipped, build(2, *GREEN[:2], failed, name="run")):
        found = compared(run, build(1))
        assert (names(found.gone), names(found.not_reached)) == ([], ["Deploy production"])


def test_after_a_new_step_that_failed_the_rest_of_its_stage_is_not_reached() -> None:
    run, base = Story("run"), Story("base")
    for story, second, state in ((run, "Scan", c.FAILURE), (base, "Test", c.SUCCESS)):
        root = story.run("shop/build", 1, 0, 90, state=state)
        stage = story.stage("Check", 1, 60, root, state)
        story.stage("Lint", 2, 10, stage, kind=c.TYPE_STEP)
        story.stage(second, 11, 50, stage, state, c.TYPE_STEP)
    found = compared(run, base)
    assert (names(found.failed), names(found.new)) == (["Scan"], ["Scan"])
    assert (names(found.gone), names(found.not_reached)) == ([], ["Test"])


def test_what_was_left_out_before_the_failure_is_gone() -> None:
    run = build(2, ("Unit test", c.SKIP), *GREEN[1:2], ("Deploy staging", c.FAILURE), name="run")
    found = compared(run, build(1))
    assert (names(found.gone), names(found.not_reached)) == (["Unit test"], ["Deploy production"])


def test_what_ran_for_the_first_time_is_new() -> None:
    found = compared(build(2, name="run"), build(1, *GREEN[:3], ("Deploy production", c.SKIP)))
    assert names(found.new) == ["Deploy production"]


def test_a_failure_is_told_where_it_began_with_what_it_was_before() -> None:
    found = compared(build(2, *GREEN[:2], ("Deploy staging", c.FAILURE), name="run"), build(1))
    (failed,) = found.failed
    assert (failed.run.kind, failed.run.name, failed.run.path) == ("run", "RUN shop/deploy", ("Deploy staging",))
    assert failed.base
    assert failed.base.state == c.SUCCESS
    assert failed.cause == "broke"


def test_hosts_that_failed_alike_are_one_failure_of_their_task() -> None:
    run, base = Story("run"), Story("base")
    for story, state, result in ((run, c.FAILURE, "unreachable"), (base, c.SUCCESS, "ok")):
        book = story.playbook(0, 9, "staging", state=state)
        copy = task(story, "Copy", 1, 8, book, state)
        host(story, "web1", copy)
        for name in ("web3", "web2"):
            host(story, name, copy, state, result, message=f"no route to {name}" if state == c.FAILURE else "")
    (failed,) = compared(run, base).failed
    assert (failed.run.kind, failed.run.name, failed.hosts) == ("task", "Copy", ["web2", "web3"])
    assert failed.cause.startswith("no route to web")
    assert failed.base


def test_a_step_that_only_says_its_exit_status_is_told_by_its_log() -> None:
    run = Story("run")
    root = run.run("shop/build", 2, 0, 9, state=c.FAILURE)
    step = run.stage("Shell Script", 1, 8, root, c.FAILURE, c.TYPE_STEP, message="script returned exit code 2")
    step.attributes[c.JENKINS_LOG] = "compiling\ncart.c:7: error: no such table\nscript returned exit code 2\n"
    base = Story("base")
    base.run("shop/build", 1, 0, 9)
    (failed,) = compared(run, base).failed
    assert (failed.cause, failed.base) == ("cart.c:7: error: no such table", None)


@pytest.mark.parametrize("below_stage", [True, False])
def test_a_step_whose_playbook_failed_is_told_by_the_playbook(below_stage: bool) -> None:
    run, base = Story("run"), Story("base")
    for story, state in ((run, c.FAILURE), (base, c.SUCCESS)):
        root = story.run("shop/deploy", 1, 0, 90, state=state)
        stage = story.stage("Run playbook", 1, 80, root, state)
        story.stage("Shell Script", 2, 79, stage, state, c.TYPE_STEP)
        story.playbook(3, 78, "staging", parent=stage if below_stage else root, state=state)
    assert names(compared(run, base).failed) == ["playbook site.yml"]


def test_the_line_that_decides_is_the_cause() -> None:
    run = Story("run")
    root = run.run("shop/build", 2, 0, 9, state=c.FAILURE)
    step = run.stage("Shell Script", 1, 8, root, c.FAILURE, c.TYPE_STEP, message="script returned exit code 2")
    step.attributes[c.JENKINS_LOG] = "No space left on device\nweb1 : ok=5 changed=1 failed=1\n"
    base = Story("base")
    base.run("shop/build", 1, 0, 9)
    one, other = (build_tree(story.spans)[0] for story in (run, base))
    (failed,) = comparison_of(one, other, deciding={step.span_id: "No space left on device"}).failed
    assert failed.cause == "No space left on device"


def test_what_only_waits_for_another_build_is_not_slower_itself() -> None:
    run, base = Story("run"), Story("base")
    for story, more in ((run, 50), (base, 0)):
        root = story.run("shop/build", 1, 0, 100 + more)
        stage = story.stage("Deploy", 1, 90 + more, root)
        step = story.stage("Building shop/deploy", 2, 80 + more, stage, kind=c.TYPE_STEP)
        deploy = story.deploy(1, 3, 79 + more, "staging", parent=step)
        story.stage("Run playbook", 4, 78 + more, deploy)
    slower = compared(run, base).slower
    assert (sorted(names(slower.stages)), slower.steps) == (["Deploy", "Run playbook"], [])


def test_steps_of_one_name_belong_together_by_their_script() -> None:
    run, base = Story("run"), Story("base")
    for story, scripts in ((run, ("make", "make lint", "make test")), (base, ("make", "make test"))):
        root = story.run("shop/build", 1, 0, 90)
        for at, script in enumerate(scripts):
            step = story.stage("Shell Script", 10 * at, 10 * at + 9, root, kind=c.TYPE_STEP)
            step.attributes[c.JENKINS_STEP_DESCRIPTION] = script
    found = compared(run, base)
    (new,) = found.new
    assert new.span_id == run.spans[2].span_id
    assert found.gone == []


def test_slower_parts_are_told_by_what_they_are_the_most_first() -> None:
    run, base = Story("run"), Story("base")
    for story, more in ((run, 1), (base, 0)):
        root = story.run("shop/build", 1, 0, 400)
        story.stage("Schedule", 0, 2 + 60 * more, root, kind=c.TYPE_QUEUE)
        first = story.stage("Unit test", 60, 100 + 10 * more, root)
        story.stage("make test", 61, 99 + 10 * more, first, kind=c.TYPE_STEP)
        # A fifth of a second, and a twentieth of the time: nobody cares.
        story.stage("Lint", 120, 120.1 + 0.2 * more, root)
        story.stage("Scan", 130, 150 + 1 * more, root)
        second = story.stage("Deploy", 160, 200 + 50 * more, root)
        book = story.playbook(161, 199 + 50 * more, "staging", parent=second)
        task(story, "Copy", 162, 198 + 50 * more, book)
    slower = compared(run, base).slower
    assert names(slower.stages) == ["Deploy", "Unit test"]
    assert names(slower.steps) == ["playbook site.yml", "make test"]
    assert names(slower.tasks) == ["Copy"]
    assert names(slower.waits) == ["Schedule"]
    assert slower.tasks[0].more_ns == 50 * 10**9
    assert slower.tasks[0].run.path == ("Deploy", "playbook site.yml")


def test_how_long_a_failed_part_takes_is_not_slower() -> None:
    run, base = Story("run"), Story("base")
    for story, state, end in ((run, c.TIMEOUT, 300), (base, c.SUCCESS, 20)):
        root = story.run("shop/build", 1, 0, 400, state=state)
        story.stage("Unit test", 0, end, root, state)
    assert compared(run, base).slower.stages == []


def test_waits_that_may_be_left_out_are_new_only_if_they_were_long() -> None:
    run, base = Story("run"), Story("base")
    root = run.run("shop/build", 1, 0, 400)
    run.stage("Schedule", 0, 0.5, root, kind=c.TYPE_QUEUE)
    run.stage("Allocate agent linux", 1, 40, root, kind=c.TYPE_AGENT)
    base.run("shop/build", 1, 0, 400)
    assert names(compared(run, base).new) == ["Allocate agent linux"]


def test_a_run_that_goes_on_has_not_reached_the_rest_yet() -> None:
    run = build(2, *GREEN[:2], name="run")
    root, last = run.spans[0], run.spans[-1]
    for span in (root, last, run.spans[-2]):
        span.end_ns = 0
        span.attributes = {key: value for key, value in span.attributes.items() if "result" not in key}
    found = compared(run, build(1))
    assert (names(found.gone), names(found.not_reached)) == ([], ["Deploy staging", "Deploy production"])
    assert found.run.took_ns is None


def test_many_levels_are_no_trouble() -> None:
    stories = []
    for name in ("run", "base"):
        story = Story(name)
        above = story.run("deep", 1, 0, 9)
        for level in range(3000):
            above = story.stage(f"level {level}", 0, 9, above)
        stories.append(story)
    assert compared(*stories).new == []


def test_secrets_of_other_tools_are_masked() -> None:
    token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
    run = build(2, ("Unit test", c.SUCCESS), name="run")
    run.stage(f"push with token={token}", 1, 2, run.spans[0], c.FAILURE, message=f"token={token}")
    run.spans[0].attributes[f"{c.JENKINS_PARAMETER_PREFIX}NOTE"] = f"token={token}"
    assert token not in repr(compared(run, build(1)))
