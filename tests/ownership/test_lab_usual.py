"""What the lab's tools share: faults of the agent, changes that a log shows, pages of registries."""

from __future__ import annotations

import re

import pytest
from lab.jvm import maven_pages
from lab.model import Reply
from lab.native import cargo_pages, go_pages
from lab.usual import Work, agent_cases, dev, misspelt, shown_change


@pytest.mark.parametrize(("name", "wrong"), [("go", "og"), ("gcc", "cgc"), ("g++", "+g+"), ("eslint", "selint")])
def test_a_misspelt_program_has_the_same_letters(name: str, wrong: str) -> None:
    assert misspelt(name) == wrong


def test_work_gives_a_case_for_each_limit_that_it_names() -> None:
    faults = [case.fault for case in agent_cases(Work("make", "make all", size="1m", output="out", slow="make slow"))]
    assert faults == [
        "read-only",
        "disk-full",
        "no-permission",
        "tool-missing",
        "tool-misspelt",
        "killed",
        "terminated",
        "timeout",
    ]


@pytest.mark.parametrize("line", ["make slow", "/usr/bin/make slow", "node /opt/bin/make", "node (make)"])
def test_a_kill_meets_the_program_however_it_runs(line: str) -> None:
    killed = next(case for case in agent_cases(Work("make", "make all", slow="make slow")) if case.fault == "killed")
    assert re.search(killed.machine.kill[1], line)
    assert not re.search(killed.machine.kill[1], "sh -xe /home/jenkins/script.sh")


def test_a_shown_change_commits_the_right_text_first() -> None:
    before, show = shown_change("pom.xml", "2.0.0", "2.9.0")
    assert before.index("s#2.9.0#2.0.0#g") < before.index("s#2.0.0#2.9.0#g")
    assert show == "git diff HEAD~1 -- pom.xml"


def test_changed_files_take_the_place_of_those_of_the_project() -> None:
    (case,) = dev("make", {"a": "1", "b": "2"}, ("syntax", "", {"b": "3"}))
    assert case.files == {"a": "1", "b": "3"}


@pytest.mark.parametrize(
    ("pages", "paths"),
    [
        (go_pages(("git.internal/rates", "v1.2.0", "package rates\n")), ["/git.internal/rates/@v/v1.2.0.zip"]),
        (cargo_pages("registry.example", ("shop-rates", "2.0.0", "")), ["/index/sh/op/shop-rates", "/index/config.json"]),
        (maven_pages(("com.acme", "rates", "2.0.0")), ["/com/acme/rates/2.0.0/rates-2.0.0.jar.sha1"]),
    ],
    ids=["go", "cargo", "maven"],
)
def test_registries_have_the_paths_of_their_protocol(pages: dict[str, Reply], paths: list[str]) -> None:
    assert set(paths) <= set(pages)
