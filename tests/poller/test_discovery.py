"""Which builds are new: few requests, folders of any depth, lists of any length."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import support

from jenkins_poller.fetch.api import Controller
from jenkins_poller.poll import discovery
from jenkins_poller.poll.discovery import Job, Selection
from pipeline_trace_demo.replay import Replay

ROOT = "https://ci.example.com"


class Canned(Controller):
    """Answers from memory; notes what was asked."""

    def __init__(self, answer: Callable[[str, str], Any]) -> None:
        super().__init__(ROOT)
        self._answer = answer
        self.asked: list[tuple[str, str]] = []

    def get(self, path: str, tree: str = "") -> Any:
        self.asked.append((path, tree))
        return self._answer(path, tree)


def job(name: str, number: int = 2) -> dict[str, Any]:
    path = "".join(f"job/{part}/" for part in name.split("/"))
    return {"fullName": name, "name": name.rpartition("/")[2], "url": f"{ROOT}/{path}", "nextBuildNumber": number}


def folder(name: str, *jobs: dict[str, Any]) -> dict[str, Any]:
    data = job(name)
    del data["nextBuildNumber"]
    return {**data, "jobs": list(jobs)}


def found(document: Any, selection: Selection | None = None) -> list[str]:
    return [one.name for one in discovery.find_jobs(Canned(lambda path, tree: document), selection or Selection())]


def test_all_jobs_are_learnt_with_one_request() -> None:
    document = {"jobs": [job("a", 8), folder("f", job("f/b"), folder("f/g", job("f/g/c"))), folder("empty")]}
    controller = Canned(lambda path, tree: document)
    assert list(discovery.find_jobs(controller, Selection())) == [
        Job("a", f"{ROOT}/job/a/", 8),
        Job("f/b", f"{ROOT}/job/f/job/b/", 2),
        Job("f/g/c", f"{ROOT}/job/f/job/g/job/c/", 2),
    ]
    assert [path for path, _ in controller.asked] == ["api/json"]


def test_the_sweep_asks_for_nothing_that_loads_builds() -> None:
    controller = Canned(lambda path, tree: {"jobs": []})
    list(discovery.find_jobs(controller, Selection()))
    (tree,) = [tree for _, tree in controller.asked]
    assert not re.search(r"color|health|last\w*Build|builds|depth", tree)
    assert tree.count("nextBuildNumber") == 4


def test_folders_deeper_than_the_request_are_descended_into() -> None:
    deep = folder("a", folder("a/b", folder("a/b/c", folder("a/b/c/d", {}, {}))))
    answers = {"api/json": {"jobs": [deep]}, "job/a/job/b/job/c/job/d/api/json": {"jobs": [job("a/b/c/d/e")]}}
    controller = Canned(lambda path, tree: answers[path])
    assert [one.name for one in discovery.find_jobs(controller, Selection())] == ["a/b/c/d/e"]
    assert [path for path, _ in controller.asked] == list(answers)


def test_descending_never_asks_twice_and_ends() -> None:
    def answer(path: str, tree: str) -> Any:
        depth = path.count("job/")
        names = ["f" + "/f" * n for n in range(depth, depth + 4)]
        inner: dict[str, Any] = {"_class": "x.Folder"}
        for name in reversed(names):
            inner = folder(name, inner)
        return {"jobs": [inner] if depth < 12 else [job("f" + "/f" * depth)]}

    controller = Canned(answer)
    assert [one.name for one in discovery.find_jobs(controller, Selection())] == ["f" + "/f" * 12]
    assert len({path for path, _ in controller.asked}) == len(controller.asked) == 4


def test_names_of_paths_are_encoded_when_descending() -> None:
    deep = folder("Team A", folder("Team A/ü", folder("Team A/ü/x%2Fy", folder("Team A/ü/x%2Fy/d", {}))))
    answers = {"api/json": {"jobs": [deep]}}
    controller = Canned(lambda path, tree: answers.get(path, {"jobs": []}))
    list(discovery.find_jobs(controller, Selection()))
    assert controller.asked[1][0] == "job/Team%20A/job/%C3%BC/job/x%252Fy/job/d/api/json"


@pytest.mark.parametrize("document", [{}, {"jobs": None}, {"jobs": []}, {"jobs": [{}]}, {"jobs": [{"_class": "x.Folder"}]}])
def test_an_empty_controller_has_no_jobs(document: Any) -> None:
    assert found(document) == []


def test_an_older_controller_without_full_names_is_understood() -> None:
    inner = {"name": "b", "url": f"{ROOT}/job/f/job/b/", "nextBuildNumber": 3}
    assert found({"jobs": [{"name": "f", "url": f"{ROOT}/job/f/", "jobs": [inner]}]}) == ["f/b"]


@pytest.mark.parametrize(
    ("include", "exclude", "wanted"),
    [
        ((), (), ["a", "team/app", "team/lib", "Team/app"]),
        (("team/*",), (), ["team/app", "team/lib"]),
        (("*app",), (), ["team/app", "Team/app"]),
        (("a", "team/lib"), (), ["a", "team/lib"]),
        ((), ("team/*",), ["a", "Team/app"]),
        (("team/*",), ("*/lib",), ["team/app"]),
        (("nothing",), (), []),
        (("[tT]eam/app",), (), ["team/app", "Team/app"]),
    ],
)
def test_jobs_are_selected_by_globs_over_full_names(
    include: tuple[str, ...], exclude: tuple[str, ...], wanted: list[str]
) -> None:
    jobs = [job("a"), folder("team", job("team/app"), job("team/lib")), folder("Team", job("Team/app"))]
    assert found({"jobs": jobs}, Selection(include, exclude)) == wanted


@pytest.mark.parametrize(
    ("name", "url", "root"),
    [
        ("a", "https://ci/job/a/", "https://ci"),
        ("f/a", "https://ci/jenkins/job/f/job/a/", "https://ci/jenkins"),
        ("job", "https://ci/job/job/", "https://ci"),
        ("job/job", "https://ci/job/job/job/job/", "https://ci"),
        ("Team A/multi/feature%2Fx", "https://ci/job/Team%20A/job/multi/job/feature%252Fx/", "https://ci"),
    ],
)
def test_the_configured_root_url_is_that_of_a_jobs_url(name: str, url: str, root: str) -> None:
    assert discovery.root_url_of(Job(name, url, 1)) == root


# A job's builds


def listing(count: int, capped: bool = True) -> Canned:
    """A job with builds 1 to ``count``, number N started at N seconds; ``builds`` shows 100, as Jenkins does."""

    def answer(path: str, tree: str) -> Any:
        match = re.fullmatch(r"(builds|allBuilds)\[([^]]*)\]\{(\d+),(\d+)\}", tree)
        assert match, tree
        numbers = list(range(count, 0, -1))[: 100 if match[1] == "builds" and capped else None]
        shown = numbers[int(match[3]) : int(match[4])]
        return {match[1]: [{"number": n, "timestamp": n * 1000, "result": "SUCCESS", "building": False} for n in shown]}

    return Canned(answer)


def numbers(controller: Controller, above: int = 0, since_ms: int = 0) -> list[int]:
    return [one.number for one in discovery.list_builds(controller, "app", above=above, since_ms=since_ms).new]


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250, 300])
def test_lists_of_any_length_are_read_whole(count: int) -> None:
    controller = listing(count)
    assert numbers(controller) == list(range(count, 0, -1))
    assert len(controller.asked) == count // 100 + 1


def test_what_is_new_is_read_without_the_rest() -> None:
    controller = listing(300)
    assert numbers(controller, above=297) == [300, 299, 298]
    assert len(controller.asked) == 1
    assert "allBuilds" not in controller.asked[0][1]


@pytest.mark.parametrize(("above", "expected"), [(300, []), (299, [300]), (350, [])])
def test_a_number_known_already_is_not_new(above: int, expected: list[int]) -> None:
    assert numbers(listing(300), above=above) == expected


def test_builds_before_a_time_are_left_out_and_the_time_itself_is_not() -> None:
    assert numbers(listing(300), since_ms=298_000) == [300, 299, 298]
    assert numbers(listing(300), since_ms=298_001) == [300, 299]


@pytest.mark.parametrize(
    ("count", "above", "since_ms"), [(0, 0, 0), (5, 0, 0), (300, 299, 0), (300, 300, 0), (300, 0, 10**9)]
)
def test_the_highest_number_listed_is_known_even_where_nothing_is_new(count: int, above: int, since_ms: int) -> None:
    """By it the cursor learns whether a number that was given away is still to come."""
    assert discovery.list_builds(listing(count), "app", above=above, since_ms=since_ms).highest == count


def test_numbers_that_are_missing_do_not_end_the_list() -> None:
    page = [{"number": n, "timestamp": n} for n in (9, 7, 3)]
    assert numbers(Canned(lambda path, tree: {"builds": page})) == [9, 7, 3]


def test_a_field_that_is_missing_is_an_empty_list() -> None:
    assert numbers(Canned(lambda path, tree: {})) == []
    assert numbers(Canned(lambda path, tree: {"builds": None})) == []


@pytest.mark.parametrize(
    ("data", "running"),
    [
        ({"result": "SUCCESS", "building": False}, False),
        ({"result": None, "building": True}, True),
        ({"result": None, "building": False}, True),
        # Freestyle, while its post-build steps run.
        ({"result": "SUCCESS", "building": True}, True),
        ({}, False),
    ],
)
def test_a_build_runs_until_it_has_a_result_and_is_not_building(data: dict[str, Any], running: bool) -> None:
    controller = Canned(lambda path, tree: {"builds": [{"number": 1, "timestamp": 5, **data}]})
    assert [one.running for one in discovery.list_builds(controller, "app", above=0, since_ms=0).new] == [running]


# Against recordings


@pytest.fixture
def unicode_folders() -> Iterator[Replay]:
    with Replay(support.recording("70")) as replay:
        yield replay


def test_recorded_folders_with_spaces_and_accents(unicode_folders: Replay) -> None:
    controller = Controller(unicode_folders.url, first_pause=0.001)
    names = [one.name for one in discovery.find_jobs(controller, Selection())]
    assert {"Team A/déploy ünï", "Team A/sub/leaf job"} <= set(names)
    for name in ("Team A/déploy ünï", "Team A/sub/leaf job"):
        assert [one.number for one in discovery.list_builds(controller, name, above=0, since_ms=0).new] == [1]


def test_a_recorded_backfill_is_read_whole(tmp_path: Path) -> None:
    with Replay(support.recording("80")) as replay:
        controller = Controller(replay.url, first_pause=0.001)
        by_name = {one.name: one for one in discovery.find_jobs(controller, Selection(("noop-*",)))}
        assert by_name
        for name, one in by_name.items():
            found = [build.number for build in discovery.list_builds(controller, name, above=0, since_ms=0).new]
            assert found == sorted(found, reverse=True)
            assert len(set(found)) == len(found) == one.next_number - 1 == 300
