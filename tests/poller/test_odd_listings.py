"""Odd and hostile lists of jobs and builds: what can be read is read, the rest is named once, and every list ends."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from poller.test_discovery import Canned, folder, job
from support import hostile
from support.polling import Polling

from jenkins_poller.fetch.errors import ApiError, LoginRefused, Malformed, Passing, Unreachable, Untrusted
from jenkins_poller.poll import discovery
from jenkins_poller.poll.discovery import Job, Selection

HALF, NUL, ESCAPE, LONG = "half \ud83d", "nul\0x", "\x1b[31mred\nline", "x" * 100_000
ODD: list[Any] = [None, 1, "x", [], {}, {"name": None}, {"name": 3, "fullName": ["x"]}, {"fullName": "", "name": ""}, True]
NO_NUMBERS: list[Any] = [None, "2", 2.5, -1, True, [], {}, 1 << 31, 10**400, float("nan")]
Asked = Callable[[str, str], Any]


@pytest.fixture(autouse=True)
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    caplog.set_level(logging.WARNING, "pipeline_trace.poll")
    yield caplog
    for record in caplog.records:
        said = record.getMessage()
        assert said.isprintable(), said
        assert len(said) <= 1000


def found(answer: Asked | Any, selection: Selection | None = None) -> list[str]:
    controller = Canned(answer if callable(answer) else lambda path, tree: answer)
    return [one.name for one in discovery.find_jobs(controller, selection or Selection())]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_what_is_no_job_stops_no_job(odd: Any) -> None:
    assert found({"jobs": [odd, job("a"), odd, folder("f", odd, job("f/b")), odd]}) == ["a", "f/b"]


@pytest.mark.parametrize("jobs", [None, 1, "jobs", {"a": 1}, True], ids=repr)
def test_what_is_no_list_has_no_jobs(jobs: Any) -> None:
    assert found({"jobs": jobs}) == []
    inside = Canned(lambda path, tree: {"jobs": [{**folder("f"), "jobs": jobs}, job("a")] if path == "api/json" else jobs})
    assert [one.name for one in discovery.find_jobs(inside, Selection())] == ["a"]


@pytest.mark.parametrize(
    "number", [None, "2", 2.5, -1, True, [], {}, 1 << 31, 10**400, float("nan")], ids=lambda n: repr(n)[:9]
)
def test_a_job_without_a_next_build_number_is_named_once(heard: pytest.LogCaptureFixture, number: Any) -> None:
    controller = Canned(lambda path, tree: {"jobs": [{**job("odd"), "nextBuildNumber": number}, job("a")]})
    for _ in range(2):
        assert [one.name for one in discovery.find_jobs(controller, Selection())] == ["a"]
    (record,) = heard.records
    assert record.getMessage().startswith("odd: its next build number is ")


@pytest.mark.parametrize("name", [HALF, LONG, "/".join("x" * 60)], ids=["half", "long", "deep"])
def test_a_job_that_cannot_be_asked_for_is_named_once(heard: pytest.LogCaptureFixture, name: str) -> None:
    assert found({"jobs": [job("a"), {**job("b"), "fullName": name}, {**job("c"), "fullName": name}]}) == ["a"]
    assert len(heard.records) == 1
    assert heard.records[0].getMessage().endswith("it is not read")


@pytest.mark.parametrize("name", [NUL, ESCAPE])
def test_other_letters_are_asked_for(heard: pytest.LogCaptureFixture, name: str) -> None:
    assert found({"jobs": [{**job("a"), "fullName": name}]}) == [name]
    assert heard.records == []


def test_a_job_that_is_not_wanted_is_not_named(heard: pytest.LogCaptureFixture) -> None:
    assert found({"jobs": [{**job("odd"), "nextBuildNumber": None}]}, Selection(exclude=("odd",))) == []
    assert heard.records == []


def test_a_job_that_is_listed_twice_is_read_once() -> None:
    assert found({"jobs": [job("a"), job("a", 9), folder("f", job("a"))]}) == ["a"]


@pytest.mark.parametrize(
    "url",
    [
        None,
        5,
        "",
        "job",
        "http://[x/job/a/",
        "ftp://ci/job/a/",
        "http://ci/job/\ud83d/job/a/",
        "//job/a",
        "http://ci:x/job/a/",
    ],
)
def test_a_job_without_a_url_is_read_by_the_controllers_own_address(url: Any) -> None:
    controller = Canned(lambda path, tree: {"jobs": [{**job("a"), "url": url}, job("b")]})
    one, other = discovery.find_jobs(controller, Selection())
    assert discovery.root_url_of(one) == ""
    assert discovery.root_url_of(other) == "https://ci.example.com"


def test_a_url_of_another_depth_says_nothing_about_the_root() -> None:
    assert discovery.root_url_of(Job("f/a", "https://ci/job/a/", 1)) == ""


def test_a_folder_that_lists_itself_is_asked_for_once() -> None:
    itself = {**folder("f", {"name": "x"}), "url": "https://ci.example.com/job/f/"}
    controller = Canned(lambda path, tree: {"jobs": [itself, job("a")]})
    assert [one.name for one in discovery.find_jobs(controller, Selection())] == ["a"]
    assert [path for path, _ in controller.asked] == ["api/json", "job/f/api/json"]


def test_folders_without_end_are_left_out(heard: pytest.LogCaptureFixture) -> None:
    def answer(path: str, tree: str) -> Any:
        inside = "/".join(["f"] * (path.count("job/") + 1))
        return {"jobs": [folder(inside, {"name": "x"}), job(f"{inside}-job")]}

    assert len(found(answer)) == 50
    assert "lies in too many folders" in heard.records[-1].getMessage()


def test_folders_without_number_are_left_out(monkeypatch: pytest.MonkeyPatch, heard: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(discovery, "_MOST_FOLDERS", 20)

    def answer(path: str, tree: str) -> Any:
        outer = path.replace("job/", "").removesuffix("api/json")
        return {"jobs": [job(f"{outer}a"), *(folder(f"{outer}{n}", {"name": "x"}) for n in range(3))]}

    controller = Canned(answer)
    assert len(list(discovery.find_jobs(controller, Selection()))) == len(controller.asked) == 20
    assert [record.getMessage() for record in heard.records] == [
        "there are more than 20 folders on deep levels; the others are not read"
    ]


def test_jobs_nested_deeper_than_was_asked_for_are_read() -> None:
    inner = job("end")
    for _ in range(3000):
        inner = {"name": "f", "fullName": "f", "url": "https://ci/job/f/", "jobs": [inner]}
    assert found({"jobs": [inner]}) == ["end"]


@pytest.mark.parametrize("error", [Passing("500"), Malformed("no object")])
def test_a_folder_that_cannot_be_read_stops_no_other(heard: pytest.LogCaptureFixture, error: ApiError) -> None:
    def answer(path: str, tree: str) -> Any:
        if path == "job/bad/api/json":
            raise error
        name = "good/a" if path == "job/good/api/json" else "top"
        return {"jobs": [job(name), folder("bad", {"name": "x"}), folder("good", {"name": "x"})]}

    assert sorted(found(answer)) == ["good/a", "top"]
    assert [record.getMessage() for record in heard.records] == [f"bad: its jobs are not read: {error}"]


def test_a_controller_that_goes_away_ends_the_search() -> None:
    def answer(path: str, tree: str) -> Any:
        if path != "api/json":
            raise Unreachable("gone")
        return {"jobs": [folder("f", {"name": "x"})]}

    with pytest.raises(Unreachable):
        found(answer)


# A job's builds


def numbers(page: Any, since_ms: int = 0) -> list[int]:
    controller = Canned(lambda path, tree: {"builds": page})
    return [one.number for one in discovery.list_builds(controller, "app", above=0, since_ms=since_ms).new]


@pytest.mark.parametrize("odd", [None, 1, "x", [], True], ids=repr)
def test_what_is_no_build_stops_no_build(odd: Any) -> None:
    assert numbers([odd, {"number": 3}, odd, {"number": 2}, odd]) == [3, 2]


@pytest.mark.parametrize("number", [None, "3", 3.5, True, -1, 0, 1 << 40, [], {}], ids=repr)
def test_a_build_without_a_number_is_told(heard: pytest.LogCaptureFixture, number: Any) -> None:
    assert numbers([{"number": number}, {"number": 2}, {"number": number}]) == [2]
    assert [record.getMessage() for record in heard.records] == ["app: a build in its list has no number; it is not read"]


@pytest.mark.parametrize("start", [None, 0, -1000, "5", [], 10**400, float("inf")], ids=lambda s: repr(s)[:9])
def test_a_build_with_an_impossible_start_is_not_taken_for_an_old_one(start: Any) -> None:
    assert numbers([{"number": 2, "timestamp": start}, {"number": 1, "timestamp": 5}], since_ms=10) == [2]


@pytest.mark.parametrize("page", ["builds", 3, {"number": 1}, True], ids=repr)
def test_a_list_that_is_none_is_an_error(page: Any) -> None:
    """No build of it would ever be read."""
    with pytest.raises(ApiError, match="the list of its builds is no list"):
        numbers(page)


@pytest.mark.parametrize("item", [{"number": 7}, None], ids=repr)
def test_the_same_page_again_and_again_is_an_error(item: Any) -> None:
    controller = Canned(lambda path, tree: dict.fromkeys(("builds", "allBuilds"), [item] * 100))
    with pytest.raises(ApiError, match="does not end"):
        discovery.list_builds(controller, "app", above=0, since_ms=0)
    assert len(controller.asked) <= 2


def test_a_list_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_MOST_LISTED", 1000)

    def answer(path: str, tree: str) -> Any:
        start = int(re.findall(r"\d+", tree)[0])
        return {tree.partition("[")[0]: [{"number": 10**9 - start - n} for n in range(100)]}

    controller = Canned(answer)
    with pytest.raises(ApiError, match="does not end"):
        discovery.list_builds(controller, "app", above=0, since_ms=0)
    assert len(controller.asked) == 10


# Whole polls


def same_page(path: str) -> Any:
    if "uilds" in path:
        page = [{"number": 1000 - n, "timestamp": 9} for n in range(100)]
        return {"builds": page, "allBuilds": page}
    return {"jobs": [job("a", 100_001)]}


def growing(path: str) -> Any:
    depth = path.count("job/") + 1
    return {"jobs": [folder("/".join([f"f{n}"] * depth), {"name": "x"}) for n in range(2)]}


def test_the_same_page_for_ever_is_one_line_and_the_cursor_stays(tmp_path: Path, heard: pytest.LogCaptureFixture) -> None:
    with hostile.answering(lambda path: hostile.of_json(same_page(path))) as jenkins:
        polling = Polling(tmp_path / "poller", jenkins)
        first, second = polling.sweep(), polling.sweep()
        assert (first.builds, first.unread, second.unread) == (0, 1, 1)
        assert polling.state.cursors() == {}
        assert len(jenkins.asked) <= 6
        polling.state.close()
    (said,) = [*first.problems, *second.problems]
    assert "the list of its builds is not told: " in said
    assert "does not end" in said
    assert heard.records == []


@pytest.mark.parametrize("error", [Unreachable("gone"), LoginRefused("401"), Untrusted("certificate")])
def test_a_controller_that_does_not_answer_is_no_odd_list(heard: pytest.LogCaptureFixture, error: ApiError) -> None:
    def answer(path: str, tree: str) -> Any:
        raise error

    with pytest.raises(type(error)):
        discovery.list_builds(Canned(answer), "app", above=0, since_ms=0)
    assert heard.records == []


def test_deeper_and_deeper_folders_end(tmp_path: Path, heard: pytest.LogCaptureFixture) -> None:
    with hostile.answering(lambda path: hostile.of_json(growing(path))) as jenkins:
        polling = Polling(tmp_path / "poller", jenkins)
        assert polling.sweep().builds == 0
        assert len(jenkins.asked) == 2 * 50 + 1
        assert len(heard.records) == 2
        polling.state.close()


def test_odd_jobs_are_read_as_json_with_half_surrogates(tmp_path: Path) -> None:
    document = {"jobs": [{**job("a"), "fullName": HALF}, *ODD]}
    assert json.loads(json.dumps(document)) == document
    with hostile.answering(lambda path: hostile.of_json(document)) as jenkins:
        polling = Polling(tmp_path / "poller", jenkins)
        assert polling.sweep().builds == 0
        polling.state.close()
