"""Placing a build: the one function by which the poller and every process inside a build come to the same trace."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pipeline_trace.place.ci import PER_BUILD
from pipeline_trace.place.ci.jenkins.chain import BuildPlace, Cause, Facts, Gone, Unanswered, place_of_build
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.place.ci.jenkins.inside import ControllerAnswer, locate
from pipeline_trace.trace.ids import key_trace_id, span_id
from pipeline_trace.trace.span import Link

ROOT = "https://ci.example.com"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
UNSAMPLED = f"00-{TRACE}-{SPAN}-00"


def build(name: str) -> Build:
    job, _, number = name.partition("#")
    return Build(ROOT, job, int(number))


def up(name: str) -> Cause:
    return Cause("upstream", build(name), by_step=True)


USER = Cause("user", who="jane")


class Fetch:
    """Answers from memory. Who is not there is gone; ``silent`` cannot be asked now."""

    def __init__(
        self, facts: Mapping[str, Facts], silent: tuple[str, ...] = (), no_starter: type[Exception] | None = None
    ) -> None:
        self._facts = {build(name): found for name, found in facts.items()}
        self._silent = {build(name) for name in silent}
        self._no_starter = no_starter
        self.asked: list[Build] = []

    def facts(self, build: Build) -> Facts:
        self.asked.append(build)
        if build in self._silent:
            raise Unanswered("busy")
        if build not in self._facts:
            raise Gone("404")
        return self._facts[build]

    def starter(self, upstream: Build, started: Build, cause: Cause) -> str:
        if self._no_starter:
            raise self._no_starter("no")
        return starter(upstream, started)


def starter(upstream: Build, started: Build) -> str:
    return span_id(("starter", upstream.job, str(upstream.number), started.job, str(started.number)))


def chain(length: int) -> dict[str, Facts]:
    """Return builds job#1 (the root) to job#length, each started by the one before it."""
    return {f"job#{n}": Facts([up(f"job#{n - 1}")] if n > 1 else [USER]) for n in range(1, length + 1)}


def linked(placed: BuildPlace) -> list[tuple[str, str]]:
    """Return what a build is linked to: which build, and why."""
    found = []
    for link in placed.links:
        name = f"{link.attributes.get('cicd.pipeline.name', '')}#{link.attributes.get('cicd.pipeline.run.id', '')}"
        if name != "#":
            assert (link.trace_id, link.span_id) == (build(name).trace_id, build(name).run_span_id)
        found.append((name, str(link.attributes["jenkins.link"])))
    return found


@pytest.mark.parametrize("causes", [[], [USER], [Cause("timer"), Cause("scm")]])
def test_a_build_that_no_other_started_is_a_root(causes: list[Cause]) -> None:
    assert place_of_build(build("app#7"), Fetch({"app#7": Facts(causes)})) == BuildPlace(build("app#7").trace_id)


def test_a_started_build_hangs_under_the_step_that_started_it_in_its_roots_trace() -> None:
    placed = place_of_build(build("job#2"), Fetch(chain(2)))
    assert placed == BuildPlace(build("job#1").trace_id, starter(build("job#1"), build("job#2")))


@pytest.mark.parametrize("length", [3, 10, 49, 50])
def test_a_chain_of_any_depth_is_one_trace(length: int) -> None:
    placed = place_of_build(build(f"job#{length}"), Fetch(chain(length)))
    assert placed == BuildPlace(build("job#1").trace_id, starter(build(f"job#{length - 1}"), build(f"job#{length}")))


def test_every_build_of_a_chain_comes_to_the_same_trace() -> None:
    fetch = Fetch(chain(6))
    assert {place_of_build(build(f"job#{n}"), fetch).trace_id for n in range(1, 7)} == {build("job#1").trace_id}


@pytest.mark.parametrize("length", [51, 52, 80])
def test_a_walk_that_does_not_end_within_50_builds_makes_a_root_with_a_link(length: int) -> None:
    fetch = Fetch(chain(length))
    placed = place_of_build(build(f"job#{length}"), fetch)
    assert (placed.trace_id, placed.parent_id) == (build(f"job#{length}").trace_id, None)
    assert linked(placed) == [(f"job#{length - 1}", "upstream")]
    assert len(fetch.asked) <= 51


@pytest.mark.parametrize(
    "facts",
    [
        {"a#1": Facts([up("b#1")]), "b#1": Facts([up("a#1")])},
        {"a#1": Facts([up("b#1")]), "b#1": Facts([up("b#1")])},
        {"a#1": Facts([up("b#1")]), "b#1": Facts([up("c#1")]), "c#1": Facts([up("b#1")])},
    ],
)
def test_a_loop_makes_a_root_with_a_link(facts: dict[str, Facts]) -> None:
    placed = place_of_build(build("a#1"), Fetch(facts))
    assert (placed.trace_id, placed.parent_id, linked(placed)) == (build("a#1").trace_id, None, [("b#1", "upstream")])


def test_a_build_that_started_itself_is_a_root_with_a_link() -> None:
    placed = place_of_build(build("a#1"), Fetch({"a#1": Facts([up("a#1")])}))
    assert (placed.trace_id, placed.parent_id) == (build("a#1").trace_id, None)


def test_an_upstream_that_is_gone_makes_a_root_with_a_link() -> None:
    placed = place_of_build(build("a#1"), Fetch({"a#1": Facts([up("gone#5")])}))
    assert (placed.trace_id, placed.parent_id, linked(placed)) == (build("a#1").trace_id, None, [("gone#5", "upstream")])


def test_the_last_build_that_can_be_seen_is_the_root_so_that_all_below_it_stay_together() -> None:
    facts = {"c#1": Facts([up("b#1")]), "b#1": Facts([up("gone#5")])}
    assert place_of_build(build("c#1"), Fetch(facts)) == BuildPlace(
        build("b#1").trace_id, starter(build("b#1"), build("c#1"))
    )
    assert place_of_build(build("b#1"), Fetch(facts)).trace_id == build("b#1").trace_id


def test_an_upstream_that_goes_while_it_is_asked_makes_a_root_with_a_link() -> None:
    placed = place_of_build(build("job#2"), Fetch(chain(2), no_starter=Gone))
    assert (placed.trace_id, placed.parent_id, linked(placed)) == (build("job#2").trace_id, None, [("job#1", "upstream")])


def test_a_build_that_is_gone_itself_cannot_be_placed() -> None:
    with pytest.raises(Gone):
        place_of_build(build("a#1"), Fetch({}))


@pytest.mark.parametrize("silent", ["job#1", "job#2", "job#3"])
def test_a_controller_that_does_not_answer_now_decides_nothing(silent: str) -> None:
    with pytest.raises(Unanswered):
        place_of_build(build("job#3"), Fetch(chain(3), silent=(silent,)))


def test_a_starter_that_cannot_be_asked_now_decides_nothing() -> None:
    with pytest.raises(Unanswered):
        place_of_build(build("job#2"), Fetch(chain(2), no_starter=Unanswered))


def test_a_traceparent_parameter_is_the_parent() -> None:
    placed = place_of_build(build("a#1"), Fetch({"a#1": Facts([USER], {"TRACEPARENT": TRACEPARENT})}))
    assert placed == BuildPlace(TRACE, SPAN)


def test_a_traceparent_parameter_of_a_started_build_links_to_its_upstream_and_asks_nobody() -> None:
    fetch = Fetch({"a#1": Facts([up("b#1")], {"TRACEPARENT": TRACEPARENT})})
    placed = place_of_build(build("a#1"), fetch)
    assert (placed.trace_id, placed.parent_id, linked(placed)) == (TRACE, SPAN, [("b#1", "upstream")])
    assert fetch.asked == [build("a#1")]


def test_the_first_traceparent_on_the_way_up_ends_the_walk() -> None:
    facts = chain(5)
    facts["job#3"] = Facts([up("job#2")], {"TRACEPARENT": TRACEPARENT})
    fetch = Fetch(facts)
    placed = place_of_build(build("job#5"), fetch)
    assert placed == BuildPlace(TRACE, starter(build("job#4"), build("job#5")))
    assert build("job#2") not in fetch.asked


@pytest.mark.parametrize("parameters", [{"PIPELINE_TRACE_KEY": "rel-1"}, {"PIPELINE_TRACE_KEY": "rel-1", "TRACEPARENT": ""}])
def test_a_key_parameter_makes_a_root_of_the_keys_trace(parameters: dict[str, str]) -> None:
    assert place_of_build(build("a#1"), Fetch({"a#1": Facts([USER], parameters)})) == BuildPlace(key_trace_id("rel-1"))
    started = place_of_build(build("a#1"), Fetch({"a#1": Facts([up("b#1")], parameters)}))
    assert (started.trace_id, started.parent_id, linked(started)) == (key_trace_id("rel-1"), None, [("b#1", "upstream")])


def test_the_first_key_on_the_way_up_ends_the_walk() -> None:
    facts = chain(4)
    facts["job#2"] = Facts([up("job#1")], {"PIPELINE_TRACE_KEY": "rel-1"})
    assert place_of_build(build("job#4"), Fetch(facts)) == BuildPlace(
        key_trace_id("rel-1"), starter(build("job#3"), build("job#4"))
    )


def test_a_traceparent_comes_before_a_key() -> None:
    parameters = {"TRACEPARENT": TRACEPARENT, "PIPELINE_TRACE_KEY": "rel-1"}
    assert place_of_build(build("a#1"), Fetch({"a#1": Facts([USER], parameters)})).trace_id == TRACE


@pytest.mark.parametrize(
    "value", ["", "  ", "junk", TRACEPARENT.upper(), f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01"]
)
def test_a_malformed_or_empty_parameter_counts_as_absent(value: str) -> None:
    facts = chain(2)
    facts["job#2"] = Facts([up("job#1")], {"TRACEPARENT": value})
    assert place_of_build(build("job#2"), Fetch(facts)).trace_id == build("job#1").trace_id


def test_flag_00_means_that_the_build_and_all_below_it_are_not_emitted() -> None:
    facts = {"a#1": Facts([USER], {"TRACEPARENT": UNSAMPLED}), "b#1": Facts([up("a#1")]), "c#1": Facts([up("b#1")])}
    fetch = Fetch(facts)
    assert [place_of_build(build(name), fetch).sampled for name in ("a#1", "b#1", "c#1")] == [False, False, False]


@pytest.mark.parametrize("value", [TRACEPARENT, f" {TRACEPARENT} ", f"{TRACEPARENT}\n", f"{TRACEPARENT}\r\n"])
def test_the_poller_and_the_process_inside_read_one_value_alike(value: str) -> None:
    """A text parameter may hold white space; both sides see it."""
    placed = place_of_build(build("app#7"), Fetch({"app#7": Facts([USER], {"TRACEPARENT": value})}))
    environ = {"JENKINS_URL": f"{ROOT}/", "BUILD_URL": f"{ROOT}/job/app/7/", "BUILD_NUMBER": "7", "TRACEPARENT": value}
    asked = locate(environ, lambda build: ControllerAnswer(placed, {"TRACEPARENT": value}))
    silent = locate(environ, lambda build: None)
    assert asked is not None
    assert silent is not None
    assert placed.trace_id == asked.trace_id == silent.trace_id == TRACE


@pytest.mark.parametrize("kind", ["replay", "restart", "rebuild"])
def test_a_repeated_build_is_a_root_that_links_to_what_it_repeats(kind: str) -> None:
    facts = {"a#2": Facts([USER, Cause(kind)], repeats=build("a#1")), "a#1": Facts([USER])}
    placed = place_of_build(build("a#2"), Fetch(facts))
    assert (placed.trace_id, placed.parent_id, linked(placed)) == (build("a#2").trace_id, None, [("a#1", "repeats")])


def test_what_a_repeated_build_copied_are_links_and_no_parents() -> None:
    copied = Facts([up("b#1"), Cause("replay")], {"TRACEPARENT": TRACEPARENT}, repeats=build("a#1"))
    placed = place_of_build(build("a#2"), Fetch({"a#2": copied, "b#1": Facts([USER])}))
    assert (placed.trace_id, placed.parent_id) == (build("a#2").trace_id, None)
    assert linked(placed)[:2] == [("b#1", "upstream"), ("a#1", "repeats")]
    assert [(link.trace_id, link.span_id) for link in placed.links[2:]] == [(TRACE, SPAN)]


def test_what_a_repeated_build_started_is_in_its_trace() -> None:
    facts = {
        "c#1": Facts([up("a#2")]),
        "a#2": Facts([up("b#1"), Cause("replay")], {"TRACEPARENT": TRACEPARENT}, repeats=build("a#1")),
        "b#1": Facts([USER]),
    }
    assert place_of_build(build("c#1"), Fetch(facts)) == BuildPlace(
        build("a#2").trace_id, starter(build("a#2"), build("c#1"))
    )


def test_further_upstream_causes_are_links() -> None:
    facts = {"a#1": Facts([up("b#1"), USER, up("c#1"), up("d#1")]), "b#1": Facts([USER])}
    placed = place_of_build(build("a#1"), Fetch(facts))
    assert (placed.trace_id, placed.parent_id) == (build("b#1").trace_id, starter(build("b#1"), build("a#1")))
    assert linked(placed) == [("c#1", "upstream"), ("d#1", "upstream")]


def test_a_user_cause_before_the_upstream_cause_does_not_hide_it() -> None:
    facts = {"a#1": Facts([USER, up("b#1")]), "b#1": Facts([USER])}
    assert place_of_build(build("a#1"), Fetch(facts)).trace_id == build("b#1").trace_id


def test_one_trace_a_build_asks_for_no_other_build() -> None:
    fetch = Fetch(chain(3))
    placed = place_of_build(build("job#3"), fetch, PER_BUILD)
    assert (placed.trace_id, placed.parent_id, linked(placed)) == (build("job#3").trace_id, None, [("job#2", "upstream")])
    assert fetch.asked == [build("job#3")]


@pytest.mark.parametrize(
    ("parameters", "placed"),
    [({"TRACEPARENT": TRACEPARENT}, BuildPlace(TRACE, SPAN)), ({"PIPELINE_TRACE_KEY": "x"}, BuildPlace(key_trace_id("x")))],
)
def test_one_trace_a_build_still_follows_its_own_parameters(parameters: dict[str, str], placed: BuildPlace) -> None:
    assert place_of_build(build("a#1"), Fetch({"a#1": Facts([USER], parameters)}), PER_BUILD) == placed


def test_all_links_are_made_also_for_a_root_by_a_missing_upstream() -> None:
    placed = place_of_build(build("a#1"), Fetch({"a#1": Facts([up("gone#1"), up("c#1")])}))
    assert linked(placed) == [("gone#1", "upstream"), ("c#1", "upstream")]


def test_links_are_links() -> None:
    placed = place_of_build(build("a#1"), Fetch({"a#1": Facts([up("b#1")])}))
    assert all(isinstance(link, Link) for link in placed.links)
