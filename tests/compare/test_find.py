"""Which run is the one to compare with: the last green one of the same job, environment and stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import support
from support import others
from support.pathways import COMMIT, GREEN, OTHER, Story

from pipeline_trace.compare import find
from pipeline_trace.compare.find import compare
from pipeline_trace.compare.record import Comparison
from pipeline_trace.delivery.home import Home
from pipeline_trace.lookup.lookup import NotFoundError, local_lookup
from pipeline_trace.trace import conventions as c

FAILED = [*GREEN[:2], ("Deploy staging", c.FAILURE), ("Deploy production", c.SKIP)]


def found(env: dict[str, str], reference: str, other: str = "") -> Comparison:
    lookup = local_lookup(Home(Path(env["PIPELINE_TRACE_HOME"])))
    try:
        return compare(lookup, reference, other)
    finally:
        lookup.close()


def stored(env: dict[str, str], *stories: Story) -> None:
    support.store_spans(env, [span for story in stories for span in story.spans])


def build(number: int, at: float, stages: list[tuple[str, str]], **more: str) -> Story:
    story = Story(f"{more.get('job', 'shop/build')}#{number}")
    story.build(number, at, *stages, **more)
    return story


def test_the_newest_green_run_before_it_is_taken(env: dict[str, str]) -> None:
    stored(
        env,
        build(1, 1000, GREEN),
        build(2, 2000, GREEN),
        build(3, 3000, FAILED),
        build(4, 4000, FAILED),
        # It is green again since.
        build(5, 5000, GREEN),
        build(90, 3500, GREEN, job="orders/build"),
    )
    one = found(env, "shop/build#4")
    assert (one.run.name, one.base.name, one.note) == ("shop/build#4", "shop/build#2", "")
    assert (one.run.state, one.base.state) == (c.FAILURE, c.SUCCESS)


def test_a_trace_is_the_run_that_failed_in_it(env: dict[str, str]) -> None:
    failed = build(4, 4000, FAILED)
    stored(env, build(2, 2000, GREEN), failed)
    assert found(env, failed.trace).run.name == "shop/build#4"
    assert found(env, "latest").run.name == "shop/build#4"


def test_a_build_within_a_trace_is_compared_alone(env: dict[str, str]) -> None:
    stored(env, build(1, 1000, GREEN), build(2, 2000, FAILED))
    # Builds that deploy have the number of the build and of the stage.
    one = found(env, "shop/deploy#22")
    assert (one.run.name, one.base.name) == ("shop/deploy#22", "shop/deploy#12")
    assert [failed.run.name for failed in one.failed] == ["RUN shop/deploy"]


def test_a_deploy_elsewhere_is_another_thing(env: dict[str, str]) -> None:
    story = Story()
    story.deploy(1, 100, 109, "staging")
    story.deploy(2, 200, 209, "production")
    story.deploy(3, 300, 309, "PROD")
    story.deploy(4, 400, 409, "stage", state=c.FAILURE)
    stored(env, story)
    assert found(env, "shop/deploy#4").base.name == "shop/deploy#1"


def behind_others(number: int) -> Story:
    """Return a failed deploy to staging, of that number. Of all before it, only the first one went there."""
    story = Story()
    story.deploy(1, 100, 109, "staging")
    for other in range(2, number):
        story.deploy(other, 100 * other, 100 * other + 9, "production")
    story.deploy(number, 100 * number, 100 * number + 9, "staging", state=c.FAILURE)
    return story


def test_many_deploys_elsewhere_do_not_hide_the_last_green_one(env: dict[str, str]) -> None:
    stored(env, behind_others(60))
    assert found(env, "shop/deploy#60").base.name == "shop/deploy#1"


def told_by_stage(number: int, place: str, state: str = c.SUCCESS) -> Story:
    story = Story(f"rel#{number}")
    run = story.run("rel/deploy", number, 100 * number, 100 * number + 9, state=state)
    story.stage(f"Deploy {place}", 100 * number, 100 * number + 9, run, state)
    return story


def told_by_playbook(number: int, place: str, state: str = c.SUCCESS) -> Story:
    story = Story(f"rel#{number}")
    # A build of a branch, which its playbook does not make a deploy as a whole.
    run = story.run("rel/deploy", number, 100 * number, 100 * number + 9, state=state, branch="main")
    story.playbook(100 * number + 1, 100 * number + 8, place, parent=run, state=state)
    return story


@pytest.mark.parametrize("told", [told_by_stage, told_by_playbook])
def test_many_deploys_elsewhere_hide_nothing_where_a_part_of_the_build_tells_where(
    env: dict[str, str], told: Callable[..., Story]
) -> None:
    elsewhere = (told(number, "integration") for number in range(2, 50))
    stored(env, told(1, "production"), *elsewhere, told(50, "production", c.FAILURE))
    one = found(env, "rel/deploy#50")
    assert (one.base.name, one.note) == ("rel/deploy#1", "")


@pytest.mark.parametrize("told", [told_by_stage, told_by_playbook])
def test_a_green_run_elsewhere_is_none_where_a_part_of_the_build_tells_where(
    env: dict[str, str], told: Callable[..., Story]
) -> None:
    stored(env, told(1, "integration"), told(2, "production", c.FAILURE))
    with pytest.raises(NotFoundError, match="there is no green run of rel/deploy to production before rel/deploy#2 here; "):
        found(env, "rel/deploy#2")


def test_a_build_that_failed_at_its_first_place_is_compared_with_one_that_went_on(env: dict[str, str]) -> None:
    stored(env, build(1, 1000, GREEN), build(2, 2000, [GREEN[0], ("Deploy integration", c.FAILURE)]))
    one = found(env, "shop/build#2")
    assert (one.base.name, one.note) == ("shop/build#1", "")


def test_those_that_say_where_they_went_are_found_behind_more_than_are_looked_at(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "_MOST_GREEN", 5)
    stored(env, behind_others(10))
    assert found(env, "shop/deploy#10").base.name == "shop/deploy#1"


def test_where_not_all_green_runs_were_looked_at_it_says_so(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "_MOST_GREEN", 5)
    elsewhere = (told_by_stage(number, "integration") for number in range(2, 10))
    stored(env, told_by_stage(1, "production"), *elsewhere, told_by_stage(50, "production", c.FAILURE))
    with pytest.raises(NotFoundError) as error:
        found(env, "rel/deploy#50")
    assert str(error.value) == (
        "there is no green run of rel/deploy to production among the newest 5 green runs of it before rel/deploy#50; "
        "an older one must be named: pipeline-trace compare 'rel/deploy#50' --with JOB#N"
    )


def played(number: int, name: str, place: str, service: str = "", state: str = c.SUCCESS) -> Story:
    story = Story(f"{name} {number}")
    book = story.playbook(100 * number, 100 * number + 9, place, service=service, state=state)
    book.name = f"playbook {name}"
    return story


@pytest.mark.parametrize("place", ["", "production"])
def test_many_other_playbooks_hide_no_green_one(env: dict[str, str], monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setattr(find, "_MOST_GREEN", 5)
    others_ = (played(number, "busy.yml", place) for number in range(2, 30))
    failed = played(50, "rare.yml", place, state=c.FAILURE)
    green = played(1, "rare.yml", place)
    stored(env, green, *others_, failed)
    assert found(env, failed.trace).base.trace_id == green.trace


def test_a_dry_run_is_no_base_of_a_deploy(env: dict[str, str]) -> None:
    green, tried = played(1, "site.yml", "production"), played(2, "site.yml", "production")
    tried.spans[0].attributes[c.ANSIBLE_CHECK_MODE] = True
    failed = played(3, "site.yml", "production", state=c.FAILURE)
    stored(env, green, tried, failed)
    assert found(env, failed.trace).base.trace_id == green.trace


def test_of_playbooks_too_it_says_where_not_all_were_looked_at(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "_MOST_GREEN", 5)
    monkeypatch.setattr(find, "_MOST_ENDED_WELL", 10)
    others_ = (played(number, "busy.yml", "") for number in range(2, 30))
    failed = played(50, "rare.yml", "", state=c.FAILURE)
    stored(env, played(1, "rare.yml", ""), *others_, failed)
    with pytest.raises(NotFoundError) as error:
        found(env, failed.trace)
    assert str(error.value) == (
        "there is no green run of playbook rare.yml among the newest 10 green runs before playbook rare.yml; "
        f"an older one must be named: pipeline-trace compare {failed.trace} --with TRACE"
    )


def test_a_green_run_is_compared_with_the_one_before_it(env: dict[str, str]) -> None:
    stored(env, build(1, 1000, GREEN), build(2, 2000, GREEN), build(3, 3000, GREEN))
    assert found(env, "shop/build#2").base.name == "shop/build#1"


def test_an_environment_that_only_playbooks_tell_counts(env: dict[str, str]) -> None:
    stories = []
    for number, (place, state) in enumerate([("staging", c.SUCCESS), ("production", c.SUCCESS), ("staging", c.FAILURE)]):
        story = Story(f"{number}")
        run = story.run("roll", number, 100 * number + 1, 100 * number + 9, state=state)
        story.playbook(100 * number + 2, 100 * number + 8, place, parent=run, state=state)
        stories.append(story)
    stored(env, *stories)
    assert found(env, "roll#2").base.name == "roll#0"


def test_a_run_with_other_stages_is_passed_over(env: dict[str, str]) -> None:
    nightly = [*GREEN, ("Load test", c.SUCCESS)]
    only_tests = [GREEN[0], *((name, c.SKIP) for name, _ in GREEN[1:])]
    failed = [*GREEN[:2], ("Deploy staging", c.FAILURE), ("Deploy production", c.SKIP), ("Load test", c.SKIP)]
    stored(env, build(1, 1000, nightly), build(2, 2000, only_tests), build(3, 3000, failed))
    assert found(env, "shop/build#3").base.name == "shop/build#1"


def test_a_run_that_ran_what_this_one_left_out_is_passed_over(env: dict[str, str]) -> None:
    scanned, not_scanned = ("Scan", c.SUCCESS), ("Scan", c.SKIP)
    stored(
        env,
        build(1, 1000, [not_scanned, *GREEN]),
        build(2, 2000, [scanned, *GREEN]),
        build(3, 3000, [not_scanned, *FAILED]),
    )
    assert found(env, "shop/build#3").base.name == "shop/build#1"


def test_where_no_run_had_the_same_stages_the_last_green_one_is_taken_and_said(env: dict[str, str]) -> None:
    stored(env, build(1, 1000, GREEN), build(2, 2000, [("Scan", c.SUCCESS), *FAILED]))
    one = found(env, "shop/build#2")
    assert one.base.name == "shop/build#1"
    assert one.note == "no green run had the same stages: this is the last green one"
    assert [part.name for part in one.new] == ["Scan"]


def test_a_job_of_another_controller_is_another_job(env: dict[str, str]) -> None:
    stories = [build(1, 1000, GREEN), build(2, 2000, GREEN), build(3, 3000, FAILED)]
    for story, host in zip(stories, ("a", "b", "a"), strict=True):
        for span in story.spans:
            number = span.resource.get(c.PIPELINE_RUN_ID)
            job = str(span.resource.get(c.PIPELINE_NAME)).replace("/", "/job/")
            span.resource = {**span.resource, c.PIPELINE_RUN_URL: f"https://{host}.example.org/job/{job}/{number}/"}
    stored(env, *stories)
    assert found(env, "shop/build#3").base.name == "shop/build#1"


def test_a_playbook_alone_is_compared_with_its_last_green_deploy(env: dict[str, str]) -> None:
    stories = []
    for number, (place, service, state) in enumerate(
        [
            ("staging", "shop", c.SUCCESS),
            ("staging", "cart", c.SUCCESS),
            ("prod", "shop", c.SUCCESS),
            ("staging", "shop", c.FAILURE),
        ]
    ):
        story = Story(f"{number}")
        story.playbook(100 * number + 1, 100 * number + 9, place, service=service, state=state)
        stories.append(story)
    stored(env, *stories)
    one = found(env, stories[3].trace)
    assert (one.run.trace_id, one.base.trace_id) == (stories[3].trace, stories[0].trace)
    assert one.run.name == "playbook site.yml"


def test_another_run_can_be_named(env: dict[str, str]) -> None:
    stored(env, build(1, 1000, GREEN), build(2, 2000, GREEN), build(3, 3000, FAILED), build(4, 4000, FAILED))
    assert found(env, "shop/build#4", "shop/build#1").base.name == "shop/build#1"
    assert found(env, "shop/build#4", "shop/build#3").base.state == c.FAILURE


def test_the_same_run_is_nothing_to_compare_with(env: dict[str, str]) -> None:
    stored(env, build(1, 1000, GREEN))
    with pytest.raises(NotFoundError, match="shop/build#1 is the same run; name another one"):
        found(env, "shop/build#1", "shop/build#1")


def test_without_a_green_run_one_line_says_what_to_do(env: dict[str, str]) -> None:
    story = Story()
    story.deploy(1, 100, 109, "production")
    story.deploy(2, 200, 209, "staging", state=c.FAILURE)
    stored(env, story)
    with pytest.raises(NotFoundError) as error:
        found(env, "shop/deploy#2")
    assert str(error.value) == (
        "there is no green run of shop/deploy to staging before shop/deploy#2 here; "
        "compare it with another one: pipeline-trace compare 'shop/deploy#2' --with JOB#N"
    )


def test_what_to_do_names_the_run_by_a_name_that_finds_it(env: dict[str, str]) -> None:
    stories = []
    for name in ("a", "b"):
        story = Story(name)
        run = story.run("shop/deploy", 2, 200, 209, state=c.FAILURE)
        run.resource[c.PIPELINE_RUN_URL] = f"https://{name}.example.org/job/shop/job/deploy/2/"
        stories.append(story)
    stored(env, *stories)
    with pytest.raises(NotFoundError, match=f"pipeline-trace compare {stories[0].trace} --with JOB#N"):
        found(env, stories[0].trace)


def test_a_command_alone_is_nothing_to_compare(env: dict[str, str]) -> None:
    story = Story()
    story.add("make", 1, 2, attributes={c.PROCESS_EXECUTABLE_NAME: "make"})
    stored(env, story)
    with pytest.raises(NotFoundError, match="there is no build and no playbook in latest to compare"):
        found(env, "latest")


def test_the_commits_between_are_those_of_the_job(env: dict[str, str]) -> None:
    stories = [build(1, 1000, GREEN), build(2, 2000, FAILED), build(3, 3000, FAILED)]
    for story, commit in zip(stories, (OTHER, "c" * 40, COMMIT), strict=True):
        for span in story.spans:
            if c.VCS_HEAD_REVISION in span.attributes:
                span.attributes[c.VCS_HEAD_REVISION] = commit
    stored(env, *stories)
    assert found(env, "shop/build#3").built == ["c" * 40, COMMIT]


WORD = "Zq7xVrT4mKp9"


def test_a_parameter_that_a_name_calls_a_secret_is_not_told(env: dict[str, str]) -> None:
    green, failed = Story("green"), Story("failed")
    green.run("shop/build", 1, 1000, 1009, DB_PASSWORD=f"{WORD}-1", SIZE="a")
    failed.run("shop/build", 2, 2000, 2009, state=c.FAILURE, DB_PASSWORD=f"{WORD}-2", SIZE="b")
    stored(env, green, failed)
    assert [one.name for one in found(env, "shop/build#2").parameters] == ["SIZE"]


def test_neither_is_one_that_jenkins_plugin_lists(env: dict[str, str]) -> None:
    for number, result, size in ((1, "SUCCESS", "a"), (2, "FAILURE", "b")):
        plugin = others.Plugin(f"plugin {number}")
        told = {"DB_PASSWORD": f"{WORD}{number}", "SIZE": size}
        plugin.build("ci/deploy", number, number * 100, number * 100 + 10, result, **told)
        support.store_spans(env, plugin.spans)
    assert [one.name for one in found(env, "ci/deploy#2").parameters] == ["SIZE"]
