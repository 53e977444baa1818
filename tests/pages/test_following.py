"""The page of a real playbook that runs, in a real Chromium: it follows without a reload, and the reader's place stays."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
import support
from playwright.sync_api import Browser, Page, expect
from support import pace, processes
from support.report_pages import Open, focused, names, needs_chromium, row
from support.runs import Run
from support.serving import Server

pytestmark = [pytest.mark.process, needs_chromium]

MS = 60_000
STEPS = 30
HOSTS = "h1,h2,h3,"
DEPLOY = ("-e", "app_name=shop", "-e", "version=1.7.3", "-e", "env=staging")
_STEP = "    - name: Step {0}\n      ansible.builtin.debug: {{msg: step {0} of the deploy}}\n"
# It says that it runs, and waits for a word.
_WAIT = """    - name: {0}
      ansible.builtin.shell: >-
        touch {{{{ marks }}}}/{0}-{{{{ inventory_hostname }}}};
        for i in $(seq 1200); do [ -e {{{{ marks }}}}/go-{0} ] && exit {1}; sleep 0.05; done; exit 1
"""
PLAYBOOK = (
    "- name: Deploy\n  hosts: all\n  gather_facts: false\n  tasks:\n"
    + "".join(_STEP.format(number) for number in range(1, STEPS + 1))
    + _WAIT.format("Migrate", 0)
    + _WAIT.format("Restart", "{{ status | default(0) }}")
    + "    - name: Check\n      ansible.builtin.debug: {msg: checked}\n"
)


class Story:
    """A playbook that waits in its tasks Migrate and Restart until it is told to go on."""

    def __init__(self, folder: Path, env: dict[str, str], *arguments: str) -> None:
        self.marks = folder / "marks"
        self.marks.mkdir()
        playbook = support.write_playbook(folder, PLAYBOOK)
        self.run = Run(folder / "run", env, playbook, "-e", f"marks={self.marks}", *DEPLOY, *arguments, hosts=HOSTS)

    def reached(self, task: str) -> None:
        """Wait until all hosts are in a task."""
        wanted = {f"{task}-{host}" for host in HOSTS.strip(",").split(",")}
        processes.wait_for(lambda: wanted <= set(os.listdir(self.marks)), f"task {task}", 60)

    def go_on(self, *tasks: str) -> None:
        """Let hosts leave tasks."""
        for task in tasks:
            (self.marks / f"go-{task}").touch()


@pytest.fixture
def server(env: dict[str, str]) -> Iterator[Server]:
    with Server(env) as server:
        yield server


@pytest.fixture
def story(tmp_path: Path, env: dict[str, str]) -> Iterator[Callable[..., Story]]:
    """Start the playbook."""
    begun: list[Story] = []

    def begin(*arguments: str) -> Story:
        begun.append(Story(tmp_path, env, *arguments))
        return begun[0]

    yield begin
    for one in begun:
        one.go_on("Migrate", "Restart")
        # Not the server, which has the same home.
        for number, words in processes.of_test(env).items():
            if " serve " not in words:
                kill(number)
        one.run.close()


def kill(number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(number, signal.SIGKILL)


def follow(server: Server, page_of: Open, **options: Any) -> Page:
    """Open the page of what runs, which nobody loads again."""
    page = page_of(server, "/trace/latest", **options)
    page.evaluate("window.loaded = 'once'")
    return page


def stands(page: Page, *where: str) -> None:
    """Wait until the page says where the playbook stands."""
    says = r"Stands at playbook site\.yml › Deploy › " + " › ".join(where)
    expect(page.locator("#stands")).to_have_text(re.compile(says), timeout=MS)


def duration_of(page: Page, name: str) -> str:
    return str(row(page, name).locator(".c-duration").inner_text())


def top_of_focus(page: Page) -> float:
    return float(page.evaluate("document.activeElement.getBoundingClientRect().top"))


def settled(page: Page) -> None:
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def migrating(server: Server, page_of: Open, story: Callable[..., Story], **options: int) -> tuple[Story, Page]:
    """Return a playbook that is in its task Migrate, and its page, which says so."""
    one = story()
    one.reached("Migrate")
    page = follow(server, page_of, **options)
    stands(page, "Migrate", "h1")
    return one, page


def test_what_ends_and_begins_comes_and_the_reader_keeps_the_place(
    server: Server, page_of: Open, story: Callable[..., Story]
) -> None:
    one, page = migrating(server, page_of, story, height=500)
    expect(page).to_have_title("Running: playbook site.yml")
    assert page.locator("#live-line").inner_text().startswith("This page follows the trace by itself.")

    # A filter, a folded row, a span with its details, a place in the page.
    page.fill("#search", "h2")
    row(page, "Step 7").locator(".toggle").click()
    row(page, "Step 9").locator(".name").click()
    page.evaluate("window.scrollBy(0, 180)")
    settled(page)
    row(page, "Step 12").evaluate("el => el.focus({preventScroll: true})")
    page.keyboard.press("ArrowDown")
    page.locator("#details details").evaluate("el => { el.open = true; }")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#details h2'))")
    settled(page)
    name, top, shown = focused(page), top_of_focus(page), names(page)
    matches = page.locator("#matches").inner_text()
    assert name == "h2"

    one.go_on("Migrate")
    one.reached("Restart")
    stands(page, "Restart", "h1")
    expect(page.locator("#matches")).not_to_have_text(matches)
    settled(page)
    assert focused(page) == name
    assert abs(top_of_focus(page) - top) < 2
    assert page.input_value("#search") == "h2"
    assert row(page, "Step 7").get_attribute("aria-expanded") == "false"
    assert names(page)[: len(shown)] == shown
    assert page.locator("#details h2").inner_text() == name
    assert page.locator("#details details").evaluate("el => el.open")
    assert page.evaluate("getSelection().toString()") == name
    assert page.evaluate("window.loaded") == "once"

    page.fill("#search", "")
    # All rows are drawn.
    page.set_viewport_size({"width": 1300, "height": 6000})
    migrate = row(page, "Migrate")
    expect(migrate).to_be_visible()
    assert "…" not in duration_of(page, "Migrate")
    assert migrate.locator(".bar.open").count() == 0
    assert "…" in duration_of(page, "Restart")
    assert row(page, "Restart").locator(".chip.s-running").count() == 1

    # Nothing comes now, but the time goes on.
    before = duration_of(page, "Restart")
    wide = row(page, "Restart").locator(".bar").evaluate("el => el.getBoundingClientRect().width")
    page.wait_for_function(
        "([was, name]) => [...document.querySelectorAll('#rows .row')].some(row =>"
        " row.querySelector('.name').textContent === name && row.querySelector('.c-duration').textContent !== was)",
        arg=[before, "Restart"],
    )
    page.wait_for_function(
        "([was, name]) => [...document.querySelectorAll('#rows .row')].some(row =>"
        " row.querySelector('.name').textContent === name && row.querySelector('.bar').getBoundingClientRect().width > was)",
        arg=[wide, "Restart"],
    )

    one.go_on("Restart")
    assert one.run.end() == 0
    expect(page).to_have_title("Succeeded: playbook site.yml", timeout=MS)
    expect(page.locator("#live-line")).to_have_text("The trace has ended. This page does not change any more.", timeout=MS)
    expect(page.locator("#live-said")).to_have_text("It has ended. Succeeded: playbook site.yml")
    expect(page.locator("#stands")).to_be_hidden()
    assert page.locator(".bar.open").count() == page.locator(".legend .bar.open").count()
    assert page.evaluate("window.loaded") == "once"


def test_failures_come_into_the_list_and_the_reader_stays_at_what_he_reads(
    server: Server, page_of: Open, story: Callable[..., Story]
) -> None:
    one = story("-e", "status=3")
    one.reached("Migrate")
    page = follow(server, page_of, height=600)
    stands(page, "Migrate", "h1")
    expect(page.locator("#only-failed")).to_be_hidden()
    page.mouse.wheel(0, 900)
    # The toolbar is in sight wherever one scrolls.
    page.locator("#search").evaluate("el => el.focus({preventScroll: true})")
    settled(page)
    seen = page.evaluate(
        "[...document.querySelectorAll('#rows .row')].find(row => row.getBoundingClientRect().top > 200)"
        ".querySelector('.name').textContent"
    )
    handle = page.evaluate_handle(
        "[...document.querySelectorAll('#rows .row')].find(row => row.getBoundingClientRect().top > 200)"
    ).as_element()
    assert handle
    top = float(handle.evaluate("el => el.getBoundingClientRect().top"))

    one.go_on("Migrate", "Restart")
    assert one.run.end() == 2
    expect(page).to_have_title("Failed: playbook site.yml", timeout=MS)
    expect(page.locator(".trouble li")).to_have_count(3)
    settled(page)
    assert handle.evaluate("el => el.isConnected")
    assert handle.evaluate("el => el.querySelector('.name').textContent") == seen
    # The list of failures above it has grown.
    assert abs(float(handle.evaluate("el => el.getBoundingClientRect().top")) - top) < 2
    expect(page.locator("#only-failed")).to_be_visible()
    page.locator("[data-jump]").nth(1).click()
    assert page.locator("#details h2").inner_text() == "h2"
    assert "Failed" in page.locator("#live-said").inner_text()


def test_the_grid_of_hosts_and_tasks_grows_around_the_current_cell(
    server: Server, page_of: Open, story: Callable[..., Story]
) -> None:
    one, page = migrating(server, page_of, story, width=1200)
    page.click("#matrix > summary")
    page.locator("#matrix-rows [role=gridcell]").first.wait_for()
    page.locator("#matrix-sheet [tabindex='0']").focus()
    for _ in range(STEPS):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    cell = page.locator("#matrix-rows :focus")
    expect(cell).to_have_attribute("aria-label", re.compile("^still running"))
    assert page.locator("#matrix-said").inner_text().startswith("h2 × Migrate")
    element = cell.element_handle()

    one.go_on("Migrate")
    one.reached("Restart")
    expect(cell).to_have_attribute("aria-label", re.compile("^changed, "), timeout=MS)
    assert element.evaluate("el => el === document.activeElement")
    assert page.locator("#matrix-said").inner_text().startswith("h2 × Migrate")
    assert page.locator("#matrix-counts").inner_text().endswith(f"{STEPS + 2} tasks")
    page.keyboard.press("ArrowRight")
    expect(cell).to_have_attribute("aria-label", re.compile("^still running"), timeout=MS)
    one.go_on("Restart")
    assert one.run.end() == 0
    expect(cell).to_have_attribute("aria-label", re.compile("^changed, "), timeout=MS)
    assert page.locator("#matrix-said").inner_text().startswith("h2 × Restart")


@pytest.mark.parametrize("also", ["alone", "with its shipping process"])
def test_a_killed_playbook_becomes_an_error_on_the_open_page(
    server: Server, page_of: Open, story: Callable[..., Story], also: str
) -> None:
    one, page = migrating(server, page_of, story)
    if also != "alone":
        kill(one.run.shipping())
    one.run.signal(signal.SIGKILL)
    assert one.run.end() == -signal.SIGKILL
    expect(page).to_have_title("Error: playbook site.yml", timeout=MS)
    expect(page.locator(".trouble")).to_contain_text("still open when its process ended (SIGKILL or a crash)")
    expect(page.locator("#live-line")).to_contain_text("The trace has ended.", timeout=MS)
    assert page.evaluate("window.loaded") == "once"


def test_when_the_server_is_away_the_page_says_so_and_follows_again(
    env: dict[str, str], browser: Browser, story: Callable[..., Story]
) -> None:
    """The browser asks again by itself. What it says of a server that is away is no trouble of the page."""
    one = story()
    one.reached("Migrate")
    with closing(browser.new_context()) as context:
        page = context.new_page()
        with Server(env) as first:
            page.goto(f"{first.url}/trace/latest")
            stands(page, "Migrate", "h1")
            page.evaluate("window.loaded = 'once'")
            page.fill("#search", "Restart")
        expect(page.locator("#live-line")).to_contain_text("No connection since", timeout=MS)
        so_far = page.locator("#so-far").inner_text()
        one.go_on("Migrate")
        one.reached("Restart")
        time.sleep(1.2)
        # Nobody knows whether it still runs.
        assert page.locator("#so-far").inner_text() == so_far
        with Server(env, "--port", str(first.port)):
            stands(page, "Restart", "h1")
            expect(page.locator("#live-line")).to_contain_text("This page follows the trace by itself.", timeout=MS)
            assert row(page, "Restart").is_visible()
            one.go_on("Restart")
            assert one.run.end() == 0
            expect(page).to_have_title("Succeeded: playbook site.yml", timeout=MS)
            assert page.input_value("#search") == "Restart"
            assert page.evaluate("window.loaded") == "once"


def test_a_page_that_nobody_sees_holds_no_connection(server: Server, page_of: Open, story: Callable[..., Story]) -> None:
    one = story()
    one.reached("Migrate")
    page = page_of(server, "/traces")
    page.add_init_script(
        "window.sources = []; window.EventSource = class extends EventSource {"
        " constructor(url) { super(url); window.sources.push(this); } }"
    )
    page.goto(f"{server.url}/trace/latest")
    stands(page, "Migrate", "h1")

    def hide(hidden: str) -> None:
        page.evaluate(
            f"Object.defineProperty(document, 'hidden', {{value: {hidden}, configurable: true}});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )

    hide("true")
    page.wait_for_function("() => window.sources.every(one => one.readyState === EventSource.CLOSED)", timeout=MS)
    one.go_on("Migrate")
    one.reached("Restart")
    hide("false")
    stands(page, "Restart", "h1")
    assert page.evaluate("window.sources.length") >= 2


def test_the_page_of_a_trace_that_has_ended_asks_for_nothing(env: dict[str, str], page_of: Open) -> None:
    playbook = support.write_playbook(Path(env["HOME"]), support.DEPLOY)
    assert support.run_playbook(playbook, env=env).returncode == 0
    with Server(env) as server:
        asked: list[str] = []
        page = page_of(server, "/traces")
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{server.url}/trace/latest")
        assert page.title() == "Succeeded: playbook site.yml"
        assert page.locator("#live-line, #live-said, #stands").count() == 0
        assert "connect-src" not in str(page.locator("meta[http-equiv]").get_attribute("content"))
        assert [url for url in asked if not url.startswith("data:")] == [f"{server.url}/trace/latest"]


def test_what_runs_on_another_machine_is_followed_until_it_is_not_heard_of(
    tmp_path: Path, env: dict[str, str], page_of: Open
) -> None:
    folder = tmp_path / "agent"
    folder.mkdir()
    with Server(env) as server:
        there = {**support.environ(folder), **pace.quick(folder), "OTEL_EXPORTER_OTLP_ENDPOINT": server.url}
        there["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
        one = Story(folder, there)
        try:
            one.reached("Migrate")
            processes.wait_for(lambda: "Migrate" in requests.get(server.url, timeout=20).text, "open spans", 60)
            trace = re.findall(r"/trace/[0-9a-f]{32}", requests.get(server.url, timeout=20).text)[0]
            page = page_of(server, trace, height=6000)
            page.evaluate("window.loaded = 'once'")
            stands(page, "Migrate", "h1")
            assert "…" in duration_of(page, "Migrate")
            one.go_on("Migrate")
            one.reached("Restart")
            stands(page, "Restart", "h1")
            assert "…" not in duration_of(page, "Migrate")

            kill(one.run.shipping())
            one.run.signal(signal.SIGKILL)
            assert one.run.end() == -signal.SIGKILL
            expect(page).to_have_title("Not heard of: playbook site.yml", timeout=MS)
            expect(page.locator("#stands")).to_contain_text("Stood at playbook site.yml")
            expect(page.locator(".unfinished")).to_contain_text("Not heard of since")
            quiet = row(page, "Restart")
            expect(quiet.locator(".chip")).to_have_text(re.compile(r"^not heard of since \d\d:\d\d:\d\d$"))
            before = duration_of(page, "Restart")
            assert before.startswith("≥ ")
            page.wait_for_timeout(1500)
            assert duration_of(page, "Restart") == before
            assert "This page follows the trace by itself." in page.locator("#live-line").inner_text()
            assert page.evaluate("window.loaded") == "once"
        finally:
            one.go_on("Migrate", "Restart")
            for number in processes.of_test(there):
                kill(number)
            one.run.close()
