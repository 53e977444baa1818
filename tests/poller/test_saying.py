"""What `poll --once` says of a poll that did not fail: counts in good grammar, and what people can do."""

from __future__ import annotations

from typing import Any

import pytest
import support
from poller.test_discovery import folder, job
from support import hostile

from jenkins_poller.poll import saying
from jenkins_poller.poll.swept import Swept

Env = dict[str, str]
LOGIN = "export JENKINS_USER=… JENKINS_API_TOKEN=… (a user with Overall/Read and Job/Read)"


def said(env: Env, jobs: Any, *arguments: str) -> tuple[int, str, str]:
    """Return the exit status of a poll of a controller with these jobs, its first line, and what it says on stderr."""
    with hostile.answering(lambda path: hostile.of_json({"jobs": jobs} if path.startswith("/api/json") else {})) as jenkins:
        done = support.poll(jenkins.url, *arguments, env=env)
    return done.returncode, done.stdout.splitlines()[0], done.stderr.removeprefix("pipeline-trace: ").rstrip("\n")


@pytest.mark.parametrize("jobs", [[], None, [folder("empty")]], ids=["empty", "null", "a folder"])
def test_where_no_job_is_visible_that_is_told_with_what_to_do(env: Env, jobs: Any) -> None:
    assert said(env, jobs) == (0, "0 builds read, 0 spans", f"no job is visible without a login; {LOGIN}")


def test_the_user_who_sees_no_job_is_named(env: Env) -> None:
    login = {**env, "JENKINS_USER": "mara", "JENKINS_API_TOKEN": "abc"}
    assert said(login, [])[2] == f"no job is visible as mara; {LOGIN}"


@pytest.mark.parametrize("arguments", [(), ("--exclude", "*")])
def test_a_job_without_builds_and_one_that_is_not_wanted_are_visible(env: Env, arguments: tuple[str, ...]) -> None:
    assert said(env, [{**job("a"), "nextBuildNumber": 1}], *arguments) == (0, "0 builds read, 0 spans", "")


@pytest.mark.parametrize(
    ("swept", "line"),
    [
        (Swept(odd_times=1, first_odd="a#7"), "1 build with impossible times is left out: a#7"),
        (Swept(odd_times=3, first_odd="a#7"), "3 builds with impossible times are left out, the first is a#7"),
        (
            Swept(without_times=1),
            "1 Pipeline build has stages without times in its trace; to see ",
        ),
        (
            Swept(without_times=2),
            "2 Pipeline builds have stages without times in their traces; to see ",
        ),
    ],
)
def test_one_build_is_singular_and_the_first_odd_one_is_named(swept: Swept, line: str) -> None:
    (found,) = saying.warnings(swept)
    assert found.startswith(line)


@pytest.mark.parametrize(("count", "text"), [(0, "0 builds"), (1, "1 build"), (2, "2 builds")])
def test_a_count_has_its_noun(count: int, text: str) -> None:
    assert saying.counted(count, "build") == text


def test_a_plugin_that_is_too_old_is_to_be_updated() -> None:
    (missing,), (old,) = (saying.warnings(Swept(without_times=1, outdated=outdated)) for outdated in (False, True))
    assert "install the plugin Pipeline Graph View" in missing
    assert "update the plugin Pipeline Graph View" in old
    assert "April 2025" in old
