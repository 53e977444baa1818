"""The grid of hosts and tasks in a real Chromium: what is drawn, its keys, the ways to the waterfall and back, print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import support
from playwright.sync_api import Page
from support.accessible import violations
from support.grid_samples import Book, all_kinds, large, no_hosts, of_failures_only, running, two_playbooks
from support.report_pages import Open, cpu_seconds, focused, needs_chromium, overflow, row
from support.report_samples import make, sample

pytestmark = [pytest.mark.process, needs_chromium]

_FOCUS = (Path(support.__file__).with_name("focus.js")).read_text(encoding="utf-8")
PANEL = "#matrix > summary"
CELLS = "#matrix-rows [role=gridcell]"
LOST = "web8.shop.example.org"


def grid(open_report: Open, spans: Any, **options: Any) -> Page:
    """Open a report and the grid in it."""
    page = open_report(spans, **options)
    page.click(PANEL)
    page.locator("#matrix-counts strong").first.wait_for()
    return page


def cell(page: Page, host: str, task: str) -> Any:
    """Return the cell of a host and a task."""
    column = page.locator(f"#matrix-tasks [title^='{task} (']").get_attribute("data-column")
    place = page.locator(".m-host").filter(has_text=host).locator("xpath=..").get_attribute("data-host")
    return page.locator(f"#m-line-{place} [data-column='{column}']")


def hosts(page: Page) -> list[str]:
    return page.locator("#matrix-hosts .m-name").all_inner_texts()


def at(page: Page) -> str:
    """Return the label of what has the focus."""
    return str(page.evaluate("document.activeElement.getAttribute('aria-label')"))


def test_a_playbook_has_a_grid_with_failed_hosts_first(open_report: Open) -> None:
    page = grid(open_report, sample())
    assert hosts(page) == ["web3", "web1", "web2"]
    assert page.locator("#matrix-counts").inner_text() == "3 hosts: 1 failed, 2 changed; 6 tasks"
    assert (
        cell(page, "web3", "Restart the service").get_attribute("aria-label").startswith("failed, 38.2 s: Unable to start")
    )
    assert cell(page, "web3", "Smoke test").get_attribute("aria-label") == "not reached: failed at Restart the service"
    assert cell(page, "web1", "Migrate the database").get_attribute("aria-label") == "skipped"
    assert cell(page, "web2", "Smoke test").get_attribute("aria-label") == "failed, ignored, 5.6 s"


@pytest.mark.parametrize(
    "names",
    [
        ["web001", "web141", "web499"],
        ["web1", "w"],
        ["PROD-WEB-01", "PROD-WEB-02"],
        ["ip-10-0-12-34.eu-west-1.compute.internal"],
        ["サーバー一号", "サーバー二号"],
    ],
)
def test_the_names_of_hosts_are_whole_where_there_is_room(open_report: Open, names: list[str]) -> None:
    book = Book()
    book.play("all")
    for number in range(40):
        book.task(f"Task {number}", dict.fromkeys(names, "ok"))
    page = grid(open_report, book.spans)
    cut = page.locator("#matrix-hosts .m-name").evaluate_all(
        "all => all.filter((name) => name.scrollWidth > name.clientWidth).map((name) => name.textContent)"
    )
    assert cut == []
    # And no wider than that.
    spare = page.locator("#matrix-hosts .m-name").evaluate_all(
        """all => Math.min(...all.map((name) =>
            name.parentElement.getBoundingClientRect().right - name.getBoundingClientRect().right))"""
    )
    assert spare < 12


def test_a_trace_without_a_playbook_has_no_grid(open_report: Open) -> None:
    page = open_report([make("run", None, "RUN app", 0, 9, jenkins_type="run")])
    assert page.locator("#matrix").is_hidden()


def test_without_javascript_there_is_no_grid_and_no_word_of_it(open_report: Open) -> None:
    page = open_report(sample(), java_script_enabled=False)
    assert page.locator("#matrix").is_hidden()
    assert "Hosts and tasks" not in page.locator("body").inner_text()


def test_kinds_are_told_apart_without_colour(open_report: Open) -> None:
    page = grid(open_report, all_kinds())
    looks = page.locator("#matrix-marks .m-cell").evaluate_all(
        """all => all.map(cell => {
          const style = getComputedStyle(cell);
          return [cell.textContent, style.backgroundImage !== 'none', style.borderColor.endsWith(', 0)')].join();
        })"""
    )
    assert len(looks) == len(set(looks)) == 12


def test_of_many_cells_only_those_in_sight_are_in_the_page(open_report: Open) -> None:
    page = grid(open_report, large(200, 100))
    assert page.get_by_role("grid", name="Hosts and tasks").get_attribute("aria-rowcount") == "201"
    assert page.get_by_role("grid", name="Hosts and tasks").get_attribute("aria-colcount") == "101"
    assert 300 < page.locator(CELLS).count() < 4000
    page.evaluate("document.querySelector('#matrix-box').scrollTo(1400, 3000)")
    page.locator("#m-line-128 [aria-colindex='70']").wait_for()
    assert page.locator(CELLS).count() < 4000
    for parts in ("#matrix-hosts > *", "#matrix-rows > *"):
        order = page.locator(parts).evaluate_all("all => all.map(one => Number(one.dataset.host))")
        assert order == sorted(order)


def test_it_has_one_tab_stop_and_arrows_move_in_it(open_report: Open) -> None:
    page = grid(open_report, all_kinds())
    assert page.locator("#matrix-box [tabindex='0']").count() == 1
    page.locator(PANEL).focus()
    page.keyboard.press("Tab")
    assert at(page).startswith("unreachable, 10.0 s: Failed to connect")
    page.keyboard.press("ArrowRight")
    assert at(page) == "not reached: unreachable at Gathering Facts"
    page.keyboard.press("ArrowDown")
    assert at(page).startswith("failed, 3.0 s")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert at(page) == "Install packages (role nginx, play Web servers)"
    page.keyboard.press("End")
    assert at(page) == "Vacuum (play Databases)"
    page.keyboard.press("Control+Home")
    page.keyboard.press("ArrowLeft")
    assert at(page) == f"{LOST}: unreachable"
    page.keyboard.press("ArrowUp")
    assert at(page).startswith("Gathering Facts")
    page.keyboard.press("Control+End")
    assert at(page) == "ok, 2 min 00 s"
    assert page.locator("#matrix-box [tabindex='0']").count() == 1
    page.keyboard.press("Tab")
    assert not page.evaluate("document.querySelector('#matrix').contains(document.activeElement)")


@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_focus_is_seen_wherever_it_is(open_report: Open, width: int, scheme: str) -> None:
    page = grid(open_report, large(60, 60), width=width, height=700, color_scheme=scheme)
    page.locator("#matrix-box [tabindex='0']").focus()
    for key in (
        "Control+End",
        "ArrowUp",
        "Control+Home",
        "PageDown",
        "End",
        "PageDown",
        "Home",
        "ArrowLeft",
        "PageDown",
        "ArrowRight",
    ):
        page.keyboard.press(key)
        assert page.evaluate(_FOCUS)[1] == "", key
    # Away, scrolled elsewhere, and back.
    page.keyboard.press("Shift+Tab")
    page.evaluate("document.querySelector('#matrix-box').scrollTo(900, 900)")
    page.keyboard.press("Tab")
    assert page.evaluate(_FOCUS)[1] == ""


@pytest.mark.parametrize("press", [True, False], ids=["Enter", "click"])
def test_a_cell_leads_to_its_span_and_the_details_lead_back(open_report: Open, press: bool) -> None:
    page = grid(open_report, sample())
    page.click("#collapse")
    found = cell(page, "web2", "Smoke test")
    if press:
        found.focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Shift+Tab")
        page.locator("#matrix-box [tabindex='0']").focus()
        page.keyboard.press("Control+Home")
        for key in ("ArrowDown", "ArrowDown", "End", "Enter"):
            page.keyboard.press(key)
    else:
        found.click()
    assert focused(page) == "web2"
    assert page.locator("#details h2").inner_text() == "web2"
    assert "5.6 s" in page.locator("#details").inner_text()
    page.click("#matrix > summary")
    page.get_by_text("Show in the grid").click()
    assert at(page) == "failed, ignored, 5.6 s"
    assert page.locator("#matrix").get_attribute("open") is not None


def test_headers_lead_to_the_task_and_to_what_a_host_failed_at(open_report: Open) -> None:
    page = grid(open_report, sample())
    page.locator("#matrix-tasks [title^='Migrate']").click()
    assert focused(page) == "Migrate the database"
    page.locator("#matrix-hosts .m-host").first.click()
    assert page.locator("#details h2").inner_text() == "web3"
    assert "Connection refused" in page.locator("#details").inner_text()


def test_the_row_of_a_task_leads_to_its_column(open_report: Open) -> None:
    page = open_report(sample())
    row(page, "Install packages").click()
    page.get_by_text("Show in the grid").click()
    assert at(page) == "Install packages (play Deploy the application)"
    row(page, "make test").click()
    assert page.get_by_text("Show in the grid").count() == 0


def test_a_task_before_its_first_host_has_no_cell_to_go_to(open_report: Open) -> None:
    book = Book()
    book.play("All")
    book.task("Only begun", {})
    page = open_report(book.spans)
    row(page, "Only begun").click()
    page.get_by_text("Show in the grid").click()
    assert page.get_by_text("There is nothing to show").is_visible()


def test_of_several_playbooks_the_failed_one_is_first_and_others_can_be_chosen(open_report: Open) -> None:
    page = grid(open_report, two_playbooks())
    assert hosts(page) == ["production2", "production1"]
    choice = page.get_by_label("Playbook")
    assert choice.locator("option").all_inner_texts() == [
        "playbook deploy-staging.yml, in Deploy staging",
        "playbook deploy-production.yml, in Deploy production, failed",
    ]
    choice.select_option(index=0)
    assert hosts(page) == ["staging1", "staging2"]
    row(page, "production1").first.click()
    page.get_by_text("Show in the grid").click()
    assert at(page) == "changed, 1.0 s"
    assert hosts(page) == ["production2", "production1"]
    assert choice.locator("option:checked").inner_text().startswith("playbook deploy-production.yml")


def test_at_390_pixels_it_scrolls_in_its_own_box_beside_the_hosts(open_report: Open) -> None:
    page = grid(open_report, large(40, 60), width=390, height=800)
    assert overflow(page) <= 0
    box = page.locator("#matrix-box")
    assert box.evaluate("el => el.scrollWidth > 3 * el.clientWidth")
    host = page.locator("#matrix-hosts .m-host").first
    before = host.bounding_box()
    box.evaluate("el => el.scrollBy(500, 0)")
    assert host.bounding_box() == before
    assert before is not None
    assert before["width"] < 180
    box.evaluate("el => el.scrollBy(0, 300)")
    head = page.locator("#matrix-head").bounding_box()
    assert head is not None
    assert abs(head["y"] - (box.bounding_box() or {})["y"]) < 3


def test_the_words_of_a_cell_are_said_where_the_pointer_is(open_report: Open) -> None:
    page = grid(open_report, sample())
    cell(page, "web1", "Install packages").hover()
    said = page.locator("#matrix-said").inner_text()
    assert "web1 \u00d7 Install packages" in said
    assert "play Deploy the application" in said
    assert "changed, 31.2 s" in said
    page.locator("#matrix-hosts .m-host").first.hover()
    assert "1 failed, 1 changed, 3 ok" not in said
    assert "1 failed" in page.locator("#matrix-said").inner_text()


def test_where_a_playbook_runs_the_grid_says_what_runs_and_what_waits(open_report: Open) -> None:
    page = grid(open_report, running())
    assert hosts(page)[0] == "web8"
    assert cell(page, "web3", "Drain").get_attribute("aria-label").startswith("still running, ")
    assert cell(page, "web5", "Drain").get_attribute("aria-label") == "not reached yet"


@pytest.mark.parametrize(
    ("spans", "said"), [(no_hosts(), "There is nothing to show"), (of_failures_only(), "Only hosts that failed")]
)
def test_what_is_not_there_is_said(open_report: Open, spans: Any, said: str) -> None:
    page = grid(open_report, spans)
    assert page.get_by_text(said).is_visible()


def test_a_screen_reader_finds_rows_with_their_header_and_cells(open_report: Open) -> None:
    page = grid(open_report, all_kinds())
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    nodes = {node["nodeId"]: node for node in tree}

    def role(node: dict[str, Any]) -> str:
        return "" if node["ignored"] else str(node["role"]["value"])

    def inside(node: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what is in a node, without what a reader passes over."""
        below = [nodes[child] for child in node["childIds"] if child in nodes]
        return [one for child in below for one in (inside(child) if role(child) in ("", "generic", "none") else [child])]

    (table,) = [node for node in tree if role(node) == "grid"]
    rows = [row for group in inside(table) for row in inside(group)]
    assert {role(row) for row in rows} == {"row"}
    told = [[(role(cell), cell["name"]["value"]) for cell in inside(row)] for row in rows]
    assert told[0][:2] == [("columnheader", "Host"), ("columnheader", "Gathering Facts (play Web servers)")]
    assert told[1][0] == ("rowheader", f"{LOST}: unreachable")
    assert told[1][1][1].startswith("unreachable, 10.0 s: Failed to connect")
    assert told[1][2:] == [("gridcell", "not reached: unreachable at Gathering Facts")] * 6


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("spans", [all_kinds, running, of_failures_only, no_hosts], ids=lambda one: one.__name__)
def test_axe_finds_nothing_in_it(open_report: Open, spans: Any, width: int, scheme: str) -> None:
    page = grid(open_report, spans(), width=width, color_scheme=scheme)
    assert violations(page) == []


def test_on_paper_the_failed_hosts_stand_for_the_grid(open_report: Open) -> None:
    page = open_report(all_kinds(), width=794)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    paper = page.locator("#matrix-print")
    assert "2 of 9 hosts failed" in paper.inner_text()
    assert paper.locator("tbody tr").count() == 2
    assert "Install packages (role nginx, play Web servers)" in paper.inner_text()
    assert page.locator("#matrix-screen").is_hidden()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert paper.inner_text() == ""
    assert page.locator("#matrix").get_attribute("open") is None


def test_the_first_open_of_the_grid_costs_little_more_where_it_is_large(open_report: Open) -> None:
    def first(page: Page) -> None:
        page.click(PANEL)
        page.locator(CELLS).first.wait_for()

    small, big = (open_report(large(hosts, 100)) for hosts in (50, 400))
    # Eight times as many cells: what is drawn is the same.
    assert cpu_seconds(big, lambda: first(big)) < 3 * cpu_seconds(small, lambda: first(small))
