"""Broken ids make spans each other's parents: each command that reads a trace answers all the same, and at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import support
from support.spans import TRACE, span

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

COMMIT = "4f1c2d9e0b7a6c5d4e3f2a1b0c9d8e7f6a5b4c3d"


def failed(number: int, parent: int | None, **more: object) -> Span:
    made = span(number, parent, 10 * number, 10 * number + 5, **more)
    made.fail(f"{made.name} broke")
    return made


def run(number: int, parent: int | None) -> Span:
    """Return the run of a build that deploys to staging and fails."""
    made = failed(number, parent, name=f"RUN app-{number}", jenkins_type=c.TYPE_RUN)
    made.attributes |= {c.PIPELINE_RESULT: c.FAILURE, c.VCS_HEAD_REVISION: COMMIT}
    made.attributes[f"{c.JENKINS_PARAMETER_PREFIX}TARGET_ENV"] = "staging"
    made.resource = {c.PIPELINE_NAME: f"app-{number}", c.PIPELINE_RUN_ID: "1"}
    return made


def two() -> list[Span]:
    return [run(1, 2), run(2, 1)]


def itself() -> list[Span]:
    return [run(1, 1)]


def three() -> list[Span]:
    return [run(1, 3), run(2, 1), run(3, 2), failed(4, 3)]


def beside_a_tree() -> list[Span]:
    whole = span(7, None, 0, 5, name="RUN fine", jenkins_type=c.TYPE_RUN)
    return [whole, span(8, 7, 1, 2), run(1, 2), run(2, 1)]


def around_a_playbook() -> list[Span]:
    """Return a build whose step ran a playbook, and whose parent is a host of this playbook."""
    step = span(4, 2, 50, 200, name="Shell Script", jenkins_type=c.TYPE_STEP)
    step.fail("script returned exit code 2")
    host = failed(7, 6, name="web1", ansible_type=c.TYPE_HOST)
    host.attributes[c.ANSIBLE_RESULT] = "failed"
    return [
        run(1, 7),
        failed(2, 1, jenkins_type=c.TYPE_STAGE),
        step,
        failed(5, 2, ansible_type=c.TYPE_PLAYBOOK),
        failed(6, 5, ansible_type=c.TYPE_TASK),
        host,
    ]


@pytest.fixture(params=[two, itself, three, beside_a_tree, around_a_playbook])
def env(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a store with such a trace."""
    make: Callable[[], list[Span]] = request.param
    found = support.environ(tmp_path)
    Path(found["PIPELINE_TRACE_HOME"]).mkdir()
    store = Store(Path(found["PIPELINE_TRACE_HOME"]) / "traces.db")
    store.deliver(make(), 5.0)
    store.close()
    return found


def said(env: dict[str, str], *arguments: object) -> str:
    done = support.trace(*arguments, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("reference", ["latest", TRACE, "app-1#1"])
def test_why_names_what_broke(env: dict[str, str], reference: str) -> None:
    found = json.loads(said(env, "why", reference, "--format", "json"))
    assert found["kind"] != "nothing_failed"
    assert "app-1" in "\n".join(found["evidence"])


def test_the_path_has_a_deploy_to_staging_that_failed(env: dict[str, str]) -> None:
    for reference in (COMMIT, TRACE):
        steps = json.loads(said(env, "path", reference, "--format", "json"))["services"][0]["steps"]
        assert [step["state"] for step in steps if step["step"] == "staging"] == ["failure"]


def test_the_tree_and_the_page_have_each_span(env: dict[str, str], tmp_path: Path) -> None:
    said(env, "report", TRACE, "-o", tmp_path / "trace.html")
    page, shown = (tmp_path / "trace.html").read_text(encoding="utf-8"), said(env, "show", TRACE)
    for one in support.stored(env):
        assert one["name"] in page
        assert one["name"] in shown
