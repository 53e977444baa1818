"""The demo tells one trace, and the report shows the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import support
from playwright.sync_api import Browser
from support import told as stories
from support.report_pages import needs_chromium

pytestmark = pytest.mark.process

MS = 1_000_000


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, list[dict[str, Any]]]:
    """The demo, told once: its folder, its output and the spans."""
    done = stories.demo(tmp_path_factory.getbasetemp())
    folder = done.folder
    env = {**support.environ(folder), "PIPELINE_TRACE_HOME": str(folder / "told")}
    shown = support.trace("show", "app-build#1", "--format", "json", env=env)
    return folder / "told", done.stdout, json.loads(shown.stdout)


def children(spans: list[dict[str, Any]], parent: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the children of a span that have a type."""
    return support.by_type([span for span in spans if span["parent_span_id"] == parent["span_id"]], kind)


def chain(spans: list[dict[str, Any]], environment: str) -> Iterator[dict[str, Any]]:
    """Yield the spans from app-build down to a host, each the parent of the next."""
    current = support.named(spans, "RUN app-build")
    yield current
    stages = {"RUN app-build": f"Deploy {environment}", "RUN app-deploy": "Run playbook"}
    for kind in ("stage", "step", "run", "stage", "playbook", "play", "role", "task", "host"):
        found = children(spans, current, kind)
        current = next(span for span in found if kind != "stage" or span["name"] == stages[current["name"]])
        yield current


@pytest.mark.parametrize("environment", ["integration", "staging", "production"])
def test_a_deploy_is_one_trace_from_the_build_to_the_host(told: tuple[Path, str, Any], environment: str) -> None:
    links = list(chain(told[2], environment))
    assert [link["name"] for link in links] == [
        "RUN app-build",
        f"Deploy {environment}",
        "Building app-deploy",
        "RUN app-deploy",
        "Run playbook",
        "playbook deploy.yml",
        "Deploy the application",
        "role web",
        "Make the folder of the release",
        f"{environment}-web1",
    ]
    assert len({link["trace_id"] for link in links}) == 1


def test_all_is_one_tree_within_time(told: tuple[Path, str, Any]) -> None:
    spans = told[2]
    by_id = {span["span_id"]: span for span in spans}
    assert [span["name"] for span in spans if span["parent_span_id"] is None] == ["RUN app-build"]
    for span in spans:
        parent = by_id.get(span["parent_span_id"])
        if parent and span["attributes"].get("jenkins.type") != "queue":
            assert parent["start_unix_nano"] - 50 * MS <= span["start_unix_nano"], span["name"]
            assert span["end_unix_nano"] <= parent["end_unix_nano"] + 50 * MS, span["name"]


def test_three_hosts_run_every_task(told: tuple[Path, str, Any]) -> None:
    spans = told[2]
    for task in support.by_type(spans, "task"):
        assert len(children(spans, task, "host")) == 3


def test_it_prints_the_tree_and_last_the_bare_path_of_the_report(told: tuple[Path, str, Any]) -> None:
    folder, output, _ = told
    assert "RUN app-build" in output
    assert "production-web3" in output
    assert output.splitlines()[-1] == str(folder / "report.html")
    assert not list((folder / "journals").glob("*.journal"))


@needs_chromium
def test_the_report_shows_the_same(told: tuple[Path, str, Any], browser: Browser) -> None:
    folder, _, spans = told
    page = browser.new_page(viewport={"width": 1400, "height": 860})
    page.goto((folder / "report.html").as_uri())
    page.get_by_role("button", name="Expand all").click()
    grid = page.get_by_role("treegrid")
    assert grid.get_attribute("aria-rowcount") == str(len(spans) + 1)
    page.get_by_role("searchbox").fill("staging-web2")
    assert page.get_by_role("row").filter(has_text="staging-web2").count() > 0
    assert page.get_by_role("row").filter(has_text="Deploy staging").count() == 1
    support.OUTPUT.mkdir(exist_ok=True)
    page.get_by_role("row").filter(has_text="staging-web2").nth(1).click()
    # This is the README's picture: docs/images/report.png.
    page.screenshot(path=support.OUTPUT / "demo-report.png")
    page.close()
