"""Both incidents of the demo, with a browser alone: from the first page to what failed, whose it is, and since when."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import support
from playwright.sync_api import Locator, Page
from support import told
from support.report_pages import Open, needs_chromium, overflow
from support.serving import Server

pytestmark = [pytest.mark.process, needs_chromium]

MS = 30_000


@dataclass(frozen=True)
class Incident:
    """What a reader finds out. ``cell``: where shop failed. ``failed``: its version there. ``line``: the cause."""

    name: str
    cell: str
    owner: str
    kind: str
    failed: str
    production: str
    line: str
    says: str


INCIDENTS = [
    Incident(
        *("host-down", "staging", "ops", "host unreachable", "1.7.3", "1.7.3"),
        "could not reach web2",
        "Ops looks at web2; the change is not the cause.",
    ),
    Incident(
        *("broken-change", "integration", "dev", "app unhealthy", "1.8.0", "1.7.3"),
        "version 1.8.0 reports: missing setting DB_URL",
        "Dev looks at what",
    ),
]


@pytest.fixture(params=INCIDENTS, ids=lambda one: one.name)
def incident(request: pytest.FixtureRequest) -> Incident:
    found: Incident = request.param
    return found


@pytest.fixture
def server(incident: Incident, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A `serve` that shows a copy of what the demo told."""
    told_home = told.incidents(tmp_path_factory.getbasetemp()).folder / "told" / incident.name
    env = support.environ(tmp_path)
    shutil.copytree(told_home, env["PIPELINE_TRACE_HOME"], dirs_exist_ok=True)
    with Server(env) as server:
        yield server


def cell(page: Page, environment: str) -> Locator:
    """Return the cell of shop on the board."""
    row = page.locator("tr", has=page.get_by_role("link", name="shop", exact=True))
    return row.locator("td", has=page.get_by_text(environment, exact=True))


def test_the_board_tells_what_failed_where_whose_it_is_and_what_is_in_production(
    server: Server, page_of: Open, incident: Incident
) -> None:
    page = page_of(server, "/")
    failed = cell(page, incident.cell).inner_text()
    assert f"Failed {incident.failed}" in failed
    assert f"{incident.owner}: {incident.kind}" in failed
    assert "failing since" in failed
    assert cell(page, "production").inner_text().split("\n")[0].startswith(incident.production)
    assert "Failed" not in cell(page, "production").inner_text()


def test_a_click_on_what_failed_leads_to_its_trace_with_the_cause_and_the_next_step(
    server: Server, page_of: Open, incident: Incident
) -> None:
    page = page_of(server, "/")
    cell(page, incident.cell).locator(".since-then a").click()
    headline = page.locator(".headline").inner_text()
    assert f"{incident.owner.title()} should look first: {incident.kind}" in headline
    assert incident.line in headline
    assert incident.says in headline
    assert "Can it be deployed? no" in headline
    assert re.search(r"Since\s+\d{4}-\d\d-\d\d \d\d:\d\d:\d\d.*, first in shop/deploy#", headline)
    assert "Last green" in headline
    assert overflow(page) == 0


def test_its_hosts_and_tasks_are_a_grid_in_which_what_failed_is_first(
    server: Server, page_of: Open, incident: Incident
) -> None:
    page = page_of(server, "/")
    cell(page, incident.cell).locator(".since-then a").click()
    page.locator("#matrix > summary").click()
    page.locator("#matrix-counts strong").first.wait_for(timeout=MS)
    hosts = page.locator("#matrix-hosts .m-name").all_inner_texts()
    assert sorted(hosts) == ["web1", "web2", "web3"]
    if incident.name == "host-down":
        assert hosts[0] == "web2"
        assert "1 failed" in page.locator("#matrix-counts").inner_text()


def test_it_is_compared_with_the_last_green_one(server: Server, page_of: Open, incident: Incident) -> None:
    page = page_of(server, "/")
    cell(page, incident.cell).locator(".since-then a").click()
    page.get_by_role("link", name="Compare with the last green run").click()
    said = page.locator("main").inner_text()
    assert "failed" in said.lower()
    if incident.name == "broken-change":
        # Commit and version differ; in the other incident they do not.
        assert incident.failed in said
    assert overflow(page) == 0


def test_the_lists_find_it_and_what_it_hit(server: Server, page_of: Open, incident: Incident) -> None:
    page = page_of(server, "/deploys")
    page.goto(f"{server.url}/deploys?service=shop&environment={incident.cell}&result=failed&owner={incident.owner}")
    names = page.locator("td.name").all_inner_texts()
    assert names
    assert all(f"{incident.owner}: {incident.kind}" in one for one in names)
    page.goto(f"{server.url}/builds?result=failed&kind={incident.kind.replace(' ', '_')}")
    services = set(page.locator("td.service").all_inner_texts())
    assert services == ({"shop", "orders"} if incident.name == "host-down" else {"shop"})


def test_over_time_the_failures_are_counted_by_owner(server: Server, page_of: Open, incident: Incident) -> None:
    page = page_of(server, f"/service?name=shop&environment={incident.cell}")
    rate = page.locator("main").inner_text()
    assert "Change failure rate" in rate
    failed = page.locator("section", has=page.get_by_role("heading", name="What failed"))
    assert failed.get_by_role("link").count() >= 3
    page.goto(f"{server.url}/job?name=shop/deploy")
    owners = page.get_by_role("region", name="Table of owners").inner_text()
    assert f"{incident.owner}: {incident.kind}" in owners
    page.goto(f"{server.url}/platform")
    text = page.locator("main").inner_text()
    assert ("host unreachable" in text) == (incident.name == "host-down")


def test_what_a_person_types_leads_there(server: Server, page_of: Open, incident: Incident) -> None:
    page = page_of(server, "/")
    cell(page, incident.cell).locator(".since-then a").click()
    build = page.get_by_role("link", name="shop/deploy#").first.inner_text()
    page.goto(server.url)
    find = page.get_by_role("searchbox")
    find.fill(build)
    find.press("Enter")
    page.wait_for_url("**/trace/**")
    assert incident.line in page.locator(".headline").inner_text()


def test_nothing_of_it_needs_javascript(server: Server, page_of: Open, incident: Incident) -> None:
    page = page_of(server, "/", java_script_enabled=False)
    assert f"{incident.owner}: {incident.kind}" in cell(page, incident.cell).inner_text()
    cell(page, incident.cell).locator(".since-then a").click()
    assert incident.line in page.locator(".headline").inner_text()
    page.get_by_role("link", name="Compare with the last green run").click()
    assert "failed" in page.locator("main").inner_text().lower()
