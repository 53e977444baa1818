"""`poll --config`: several controllers from one file, and what is wrong with it said before anything is asked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import support
import yaml

from jenkins_poller.config import ConfigError, load
from jenkins_poller.fetch.api import Login
from pipeline_trace_demo.replay import Replay

# It has the form of no known token: only that it is never repeated keeps it out.
SECRET = "kept4ourselves"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "poller.yaml"


def write(file: Path, *controllers: Any) -> Path:
    file.write_text(yaml.safe_dump({"controllers": list(controllers)}))
    return file


def mistakes(file: Path, text: str) -> list[str]:
    """Return what is wrong with a text, without the file's name at the beginning of each line."""
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(file, {"SET": "x"})
    assert all(line.startswith(f"{file}: ") and "\n" not in line for line in error.value.lines)
    return [line.removeprefix(f"{file}: ") for line in error.value.lines]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "controllers: is missing; write a list of controllers, each beginning with `- url:`"),
        ("controllers: []", "controllers: is empty; write a list"),
        ("controllers: {}", "controllers: is wrong; write a list"),
        ("controllers: https://ci", "controllers: is wrong; write a list"),
        ("- url: https://ci", "the file: is not a mapping; write keys and values such as `controllers: [...]`"),
        ("controllers: [https://ci]", "controllers[0]: is not a mapping; write keys and values such as `url: …`"),
        ("controllers: [{}]", "controllers[0].url: is missing; write a URL such as https://jenkins.example.com/"),
        ("controlers: []\ncontrollers: [{url: 'http://a'}]", "controlers: unknown key; did you mean controllers?"),
        (
            "controllers: [{url: ci.example.com}]",
            "controllers[0].url: 'ci.example.com' is not an http(s) URL; use one such as https://jenkins",
        ),
        ("controllers: [{url: 'ftp://ci'}]", "controllers[0].url: 'ftp://ci' is not an http(s) URL"),
        ("controllers: [{url: 7}]", "controllers[0].url: is wrong; write a URL"),
        ("controllers: [{url: 'http://a'}, {url: 'http://A:80/'}]", "controllers[1].url: is also the URL of controllers[0]"),
        ("controllers: [{url: 'http://a', intervall: 5}]", "controllers[0].intervall: unknown key; did you mean interval?"),
        ("controllers: [{url: 'http://a', colour: red}]", "controllers[0].colour: unknown key; use url, include,"),
        (
            "controllers: [{url: 'http://a', include: x}]",
            'controllers[0].include: is wrong; write a list of globs such as ["',
        ),
        ("controllers: [{url: 'http://a', exclude: [1]}]", "controllers[0].exclude[0]: is wrong; write a list of globs"),
        (
            "controllers: [{url: 'http://a', since: 7}]",
            "controllers[0].since: 7 is not an age; write for example 30m, 12h or 7d",
        ),
        ("controllers: [{url: 'http://a', since: }]", "controllers[0].since: None is not an age"),
        ("controllers: [{url: 'http://a', detail: all}]", "controllers[0].detail: is wrong; write build, stage or step"),
        (
            "controllers: [{url: 'http://a', trace_per: day}]",
            "controllers[0].trace_per: is wrong; write pipeline or build",
        ),
        ("controllers: [{url: 'http://a', interval: 0}]", "controllers[0].interval: is wrong; write 30 (seconds, at"),
        (
            "controllers: [{url: 'http://a', interval: often}]",
            "controllers[0].interval: 'often' is not an age; write for example 30m",
        ),
        (
            "controllers: [{url: 'http://a', requests_per_second: 0}]",
            "controllers[0].requests_per_second: is wrong; write a",
        ),
        ("controllers: [{url: 'http://a', root_url: x}]", "controllers[0].root_url: 'x' is not an http(s) URL"),
        ("controllers: [{url: 'http://a', user_env: SET}]", "controllers[0]: has a user and no token; add token_env or"),
        ("controllers: [{url: 'http://a', token_env: SET}]", "controllers[0]: has a token and no user; add user_env or"),
        (
            "controllers: [{url: 'http://a', user_env: SET, token_env: UNSET}]",
            "controllers[0]: token_env: the variable that it names is not set; set it in the poller's environment",
        ),
        (
            "controllers: [{url: 'http://a', user_env: SET, token_file: nowhere}]",
            "controllers[0]: token_file: cannot read nowhere (No such file or directory); check its path and permissions",
        ),
        (
            "controllers: [{url: 'http://a', user_env: SET, token_env: SET, token_file: x}]",
            "controllers[0]: has both token_env and token_file; keep one",
        ),
        ("controllers: [", "line 1, column 15: is not valid YAML (expected the node content"),
        (
            "controllers:\n  - url: http://a\n    url: http://b",
            "line 3, column 5: is not valid YAML (the key url occurs twice)",
        ),
        (
            "controllers: !!python/object:os.system []",
            "line 1, column 14: is not valid YAML (could not determine a constructor",
        ),
    ],
)
def test_a_mistake_is_a_line_that_says_where_it_is_and_what_would_be_right(file: Path, text: str, said: str) -> None:
    (line,) = mistakes(file, text)
    assert line.startswith(said)


def test_all_mistakes_are_said_at_once(file: Path) -> None:
    text = "controllers: [{url: ci, detial: step}, {url: 'http://a', since: never}]"
    keys = [line.partition(": ")[0] for line in mistakes(file, text)]
    assert keys == ["controllers[0].url", "controllers[0].detial", "controllers[1].since"]


@pytest.mark.parametrize(
    "key",
    [
        f"token: {SECRET}",
        f"password: {SECRET}",
        f"user: {SECRET}",
        f"token_env: {SECRET}",
        f"user_env: SET, token_env: 11-{SECRET}",
        f"url: 'https://me:{SECRET}@ci'",
    ],
)
def test_a_login_in_the_file_is_refused_and_never_repeated(file: Path, key: str) -> None:
    url = "" if key.startswith("url") else "url: 'http://a', "
    said = "\n".join(mistakes(file, f"controllers: [{{{url}{key}}}]"))
    assert SECRET not in said
    assert "token_env" in said


def test_what_is_not_said_has_the_options_defaults(file: Path) -> None:
    ((found, login),) = load(write(file, {"url": "HTTPS://CI.example.com:443/"}), {})
    assert found.url == "https://ci.example.com"
    assert (found.include, found.exclude, found.since, found.detail) == ((), (), 7 * 86400, "step")
    assert (found.trace_per, found.root_url, found.interval, found.requests_per_second) == ("pipeline", "", 30, None)
    assert login is None


@pytest.mark.parametrize(("interval", "seconds"), [(5, 5.0), (1.5, 1.5), ("90s", 90.0), ("5m", 300.0)])
def test_an_interval_is_seconds_or_an_age(file: Path, interval: Any, seconds: float) -> None:
    ((found, _),) = load(write(file, {"url": "http://a", "interval": interval}), {})
    assert found.interval == seconds


def test_keys_may_be_shared_by_yamls_own_means(file: Path) -> None:
    file.write_text("controllers:\n- &one {url: 'http://a', detail: stage}\n- {<<: *one, url: 'http://b'}\n")
    assert [(found.url, found.detail) for found, _ in load(file, {})] == [("http://a", "stage"), ("http://b", "stage")]


def test_a_login_comes_from_variables_or_from_files_beside_the_configuration(file: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t2\n")
    (tmp_path / "user").write_text("u2")
    write(
        file,
        {"url": "http://a", "user_env": "A_USER", "token_env": "A_TOKEN"},
        {"url": "http://b", "user_file": "user", "token_file": str(tmp_path / "token")},
    )
    logins = [login for _, login in load(file, {"A_USER": "u1", "A_TOKEN": "t1"})]
    assert logins == [Login("u1", "t1"), Login("u2", "t2")]


# The command


@pytest.fixture
def two() -> Iterator[tuple[Replay, Replay]]:
    with Replay(support.recording("11"), login=("ann", "t1")) as one, Replay(support.recording("20")) as other:
        yield one, other


def test_each_controller_is_polled_as_the_file_says(env: dict[str, str], file: Path, two: tuple[Replay, Replay]) -> None:
    one, other = two
    common = {"since": "5000w", "requests_per_second": 1000}
    write(
        file,
        {
            "url": one.url,
            "user_env": "ANN",
            "token_env": "ANNS_TOKEN",
            "include": ["app-*"],
            "exclude": ["*-build"],
            **common,
        },
        {"url": other.url, "detail": "stage", "include": ["parallel-nested"], **common},
    )
    done = support.trace("poll", "--once", "--config", file, env={**env, "ANN": "ann", "ANNS_TOKEN": "t1"})
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{one.url}: 3 builds read" in done.stdout
    assert f"{other.url}: 1 build read" in done.stdout
    spans = support.stored(env)
    assert {span["attributes"]["cicd.pipeline.name"] for span in support.by_type(spans, "run")} == {
        "app-deploy",
        "parallel-nested",
    }
    steps = {span["resource"]["cicd.pipeline.name"] for span in support.by_type(spans, "step")}
    assert steps == {"app-deploy"}


def test_a_controller_that_is_down_does_not_keep_the_others_from_being_polled(
    env: dict[str, str], file: Path, two: tuple[Replay, Replay]
) -> None:
    one, other = two
    write(file, {"url": one.url, "since": "5000w"}, {"url": other.url, "since": "5000w"})
    done = support.trace("poll", "--once", "--config", file, env=env)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"pipeline-trace: {one.url}: ")
    assert "403" in line
    assert support.by_type(support.stored(env), "run")


def test_mistakes_are_wrong_usage_and_nothing_is_asked(env: dict[str, str], file: Path, two: tuple[Replay, Replay]) -> None:
    write(file, {"url": two[1].url, "detial": "step"}, {"url": "ci"})
    done = support.trace("poll", "--once", "--config", file, env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"pipeline-trace: {file}: controllers[0].detial: unknown key; did you mean detail?",
        f"pipeline-trace: {file}: controllers[1].url: 'ci' is not an http(s) URL; use one such as https://jenkins.example.com/",
    ]
    assert two[1].requests == []


def test_a_file_that_cannot_be_read_is_wrong_usage(env: dict[str, str], file: Path) -> None:
    done = support.trace("poll", "--config", file, env=env)
    assert (done.returncode, done.stderr) == (
        2,
        f"pipeline-trace: {file}: cannot be read (No such file or directory); check its path and permissions\n",
    )
    file.write_bytes(b"\xff\xfe\x00")
    done = support.trace("poll", "--config", file, env=env)
    assert (done.returncode, done.stderr) == (2, f"pipeline-trace: {file}: is not UTF-8 text; save it as UTF-8\n")


@pytest.mark.parametrize(
    "option", ["--jenkins-url=http://a", "--include=x", "--since=1h", "--detail=step", "--interval=5", "--token-file=x"]
)
def test_options_for_one_controller_belong_into_the_file(env: dict[str, str], file: Path, option: str) -> None:
    write(file, {"url": "http://127.0.0.1:1"})
    done = support.trace("poll", "--once", "--config", file, option, env=env)
    assert done.returncode == 2
    assert f"{option.partition('=')[0]} is for one controller" in done.stderr


def test_what_is_open_is_listed_of_one_controller(env: dict[str, str], file: Path) -> None:
    write(file, {"url": "http://127.0.0.1:1"}, {"url": "http://127.0.0.1:2"})
    done = support.trace("poll", "--once", "--open", "--config", file, env=env)
    assert done.returncode == 2
    assert "--open lists one controller" in done.stderr


def test_the_options_variables_do_not_count_beside_a_file(
    env: dict[str, str], file: Path, two: tuple[Replay, Replay]
) -> None:
    """On a Jenkins agent JENKINS_URL is set for everybody."""
    write(file, {"url": two[1].url, "since": "5000w"})
    said = {"JENKINS_URL": "http://127.0.0.1:1/", "JENKINS_USER": "x", "PIPELINE_TRACE_PER": "build"}
    done = support.trace("poll", "--once", "--config", file, env={**env, **said})
    assert (done.returncode, done.stderr) == (0, "")


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in pairwise("abcdefghij")
)
MERGES = "a: &a {x: 1, y: 1}\n" + "".join(
    f"{name}: &{name}\n  <<: [{', '.join([f'*{before}'] * 10)}]\n" for before, name in pairwise("abcdefghij")
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 50_000, "nested deeper than 50"),
        ("- " * 60 + "x", "nested deeper than 50"),
        ("{a: " * 60, "nested deeper than 50"),
        ("? " * 60, "nested deeper than 50"),
        (f"{BOMB}controllers: *j\n", "more than 100000 values, with those that aliases repeat"),
        (f"{MERGES}controllers: *j\n", "more than 100000 values, with those that aliases repeat"),
        (f"{BOMB}? *j\n: x\n", "more than 100000 values, with those that aliases repeat"),
        ("controllers: &a [*a]\n", r"the alias \*a stands for nothing, or for itself"),
        ("controllers: *b\n", r"the alias \*b stands for nothing, or for itself"),
        ("x" * (2 << 20), "larger than 1048576 bytes"),
        ("controllers:\n  - url: 2026-99-99\n", "month must be in 1..12"),
        ("controllers: \0\n", "not valid YAML"),
        ("!!python/object/apply:os.system [x]\n", "could not determine a constructor"),
    ],
)
def test_a_hostile_file_is_one_line(file: Path, text: str, said: str) -> None:
    (mistake,) = mistakes(file, text)
    assert re.search(said, mistake), mistake
    assert "\n" not in mistake
    assert len(mistake) < 400


def test_a_file_or_a_token_that_is_no_regular_file_holds_nothing_up(file: Path, tmp_path: Path) -> None:
    os.mkfifo(file)
    with pytest.raises(ConfigError, match=r"cannot be read \(not a regular file\)"):
        load(file, {})
    file.unlink()
    os.mkfifo(tmp_path / "token")
    write(file, {"url": "http://a", "user_env": "SET", "token_file": "token"})
    with pytest.raises(ConfigError, match=r"token_file: cannot read token \(not a regular file\)"):
        load(file, {"SET": "x"})
