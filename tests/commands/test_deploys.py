"""`pipeline-trace deploys`: the board and the list in a terminal and as JSON, and what it says where there is nothing."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path

import pytest
import support
from support import shop

from pipeline_trace_demo.replay import Replay

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A store with an incident: a host that is down on staging."""
    env = support.environ(tmp_path_factory.mktemp("deploys"))
    with Replay(support.recording("incident-host-down")) as jenkins:
        done = support.poll(jenkins.url, env=env)
        assert done.returncode == 0, done.stderr
    return env


def test_the_board_tells_what_is_where(env: dict[str, str]) -> None:
    done = support.trace("deploys", "--since", "5000d", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    shop = lines[lines.index("shop") :]
    assert [line.split()[0] for line in shop if line.startswith("  ") and line[2] != " "] == [
        "integration",
        "staging",
        "production",
    ]
    assert any("✗ failed" in line for line in shop)
    assert any("ops: host unreachable" in line for line in shop)


def test_a_service_that_is_named_has_a_list(env: dict[str, str]) -> None:
    done = support.trace("deploys", "shop", "--environment", "Prod", "--since", "5000d", "--format", "json", env=env)
    told = json.loads(done.stdout)
    first = told["deploys"][0]
    assert (first["run"], first["state"]) == ("shop/deploy#132", "success")
    assert {tuple(one["environments"]) for one in told["deploys"]} == {("production",)}
    text = support.trace("deploys", "shop", "--since", "5000d", "--utc", env=env).stdout
    assert "shop/deploy#140; by admin; Run playbook; script returned exit code 4; ops: host unreachable" in text


def test_a_list_is_sorted(env: dict[str, str]) -> None:
    def listed(*arguments: str) -> list[dict[str, object]]:
        done = support.trace("deploys", "--since", "5000d", "--format", "json", *arguments, env=env)
        return list(json.loads(done.stdout)["deploys"])

    longest = listed("shop", "--sort", "longest")
    took = [span_of(one) for one in longest]
    assert len(took) > 5
    assert took == sorted(took, reverse=True)
    assert longest == sorted(listed("shop"), key=lambda one: (-span_of(one), -begin_of(one)))
    assert listed("shop", "--sort", "oldest") == sorted(listed("shop"), key=begin_of)


def test_a_list_that_is_full_says_how_to_see_the_others(tmp_path: Path) -> None:
    env, now_ns = support.environ(tmp_path), time.time_ns()
    numbers = range(1, 56)
    support.store_spans(
        env, [span for number in numbers for span in shop.deploy(number, now_ns - number * shop.HOUR, "qa", "1.7.3")]
    )
    said = (
        "these are the newest 50; there are older ones: --sort oldest begins with the oldest, --environment or --host takes"
    )
    text = support.trace("deploys", "shop", env=env).stdout
    assert said in text
    told = json.loads(support.trace("deploys", "shop", "--format", "json", env=env).stdout)
    assert told["notes"][0].startswith(said)
    oldest = json.loads(support.trace("deploys", "shop", "--sort", "oldest", "--format", "json", env=env).stdout)
    assert oldest["deploys"][0]["run"] == "shop/deploy#55"


def span_of(deploy: dict[str, object]) -> float:
    return (datetime.fromisoformat(str(deploy["ended"])) - datetime.fromisoformat(str(deploy["started"]))).total_seconds()


def begin_of(deploy: dict[str, object]) -> float:
    return datetime.fromisoformat(str(deploy["started"])).timestamp()


def test_only_a_list_is_sorted(env: dict[str, str]) -> None:
    done = support.trace("deploys", "--sort", "longest", env=env)
    assert done.returncode == 2
    assert "name a service or --host" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "web99", "--since", "5000d"], "there is no deploy on web99 of that time here"),
        (["--since", "1s"], "there is no deploy of that time here; try --since 90d"),
        (["nobody", "--environment", "qa"], "there is no deploy of nobody to qa of that time here"),
    ],
)
def test_without_deploys_one_line_says_what_to_try(env: dict[str, str], arguments: list[str], said: str) -> None:
    done = support.trace("deploys", *arguments, env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_wrong_age_is_wrong_usage(env: dict[str, str]) -> None:
    done = support.trace("deploys", "--since", "soon", env=env)
    assert done.returncode == 2
    assert "is not an age" in done.stderr
