"""A real playbook on the first page, in a real Chromium that nobody reloads: it comes, hangs, ends, is killed."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import support
from playwright.sync_api import Browser, ElementHandle, Page, expect
from support import processes, shop
from support.report_pages import Open, needs_chromium
from support.runs import Run
from support.serving import Server

pytestmark = [pytest.mark.process, needs_chromium]

MS = 60_000
DEPLOY = ("-e", "app_name=shop", "-e", "version=1.7.3", "-e", "env=staging")
NOTHING = "Nothing runs now, as far as it is told here."


@pytest.fixture
def server(env: dict[str, str]) -> Iterator[Server]:
    with Server(env) as server:
        yield server


@pytest.fixture
def marks(tmp_path: Path) -> Iterator[Path]:
    """The folder by which a playbook says that it is in its slow task, and is told to go on."""
    folder = tmp_path / "marks"
    folder.mkdir()
    yield folder
    (folder / "go").touch()


@pytest.fixture
def slow(tmp_path: Path, env: dict[str, str], marks: Path) -> Iterator[Run]:
    """A playbook that deploys shop 1.7.3 to staging, and waits in its second task."""
    run = Run(tmp_path / "run", env, support.write_playbook(tmp_path, support.WAITING), "-e", f"marks={marks}", *DEPLOY)
    try:
        yield run
    finally:
        (marks / "go").touch()
        # Not the server, which has the same home.
        for number, words in processes.of_test(env).items():
            if " serve " not in words:
                kill(number)
        run.close()


def kill(number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(number, signal.SIGKILL)


def stands(page: Page) -> None:
    """Wait until the page says where the playbook stands."""
    expect(page.locator(".running .stands")).to_have_text("stands at playbook site.yml › Deploy › Slow › h1", timeout=MS)


def came_again(page: Page, element: ElementHandle) -> None:
    """Wait until the part of the page with an element has come again."""
    page.wait_for_function("one => !one.isConnected", arg=element, timeout=MS)


def focused(page: Page) -> str:
    """Return what has the focus: the address of a link, else the id of an element."""
    return str(page.evaluate("document.activeElement.getAttribute('href') || document.activeElement.id"))


def test_a_playbook_comes_and_goes_without_a_reload(
    server: Server, page_of: Open, marks: Path, request: pytest.FixtureRequest
) -> None:
    page = page_of(server, "/")
    expect(page.locator("#now")).to_contain_text(NOTHING)
    page.evaluate("window.loaded = 'once'")
    run: Run = request.getfixturevalue("slow")
    stands(page)
    card = page.locator(".running li")
    expect(card).to_contain_text("shop 1.7.3 → staging")
    expect(card).to_contain_text("How long it usually takes is not known")
    cell = page.locator(".board td")
    expect(cell).to_contain_text("Running 1.7.3", timeout=MS)
    expect(cell).to_contain_text("no success known")

    link = page.locator(".running a")
    trace = link.get_attribute("href")
    link.focus()
    for _ in range(2):
        came_again(page, link.element_handle())
        assert focused(page) == trace
    page.keyboard.press("Tab")
    inside = focused(page)
    came_again(page, link.element_handle())
    assert focused(page) == inside != trace

    link.focus()
    (marks / "go").touch()
    assert run.end() == 0
    expect(page.locator("#now")).to_contain_text(NOTHING, timeout=MS)
    expect(cell.locator(".there")).to_have_text("1.7.3", timeout=MS)
    expect(cell).not_to_contain_text("Running")
    # The link is gone: the reader stays where it was.
    assert focused(page) == "now"
    assert page.evaluate("window.loaded") == "once"
    page.goto(server.url + str(trace))
    assert page.title() == "Succeeded: playbook site.yml"


def test_what_runs_longer_than_it_ever_took_hangs(
    env: dict[str, str], server: Server, page_of: Open, request: pytest.FixtureRequest
) -> None:
    now_ns = time.time_ns()
    earlier = [shop.deploy(n, now_ns - n * shop.HOUR, "staging", "1.7.2", took_ns=3 * shop.SECOND) for n in (1, 2, 3)]
    support.store_spans(env, [span for spans in earlier for span in spans])
    page = page_of(server, "/")
    request.getfixturevalue("slow")
    stands(page)
    card = page.locator(".running li")
    expect(card).to_contain_text("usually 3.0 s, 95 % within 3.0 s, of 3 that succeeded", timeout=MS)
    expect(card.locator(".chip")).to_contain_text("hangs", timeout=MS)
    expect(card).to_contain_text("It never took longer than 3.0 s.")
    bar = page.get_by_role("meter")
    expect(bar).to_have_accessible_name(re.compile("usually 3.0 s"))
    assert float(bar.get_attribute("value") or 0) > float(bar.get_attribute("high") or 0)
    expect(page.locator(".board .there")).to_contain_text("1.7.2")


@pytest.mark.parametrize("also", ["alone", "with its shipping process"])
def test_a_killed_playbook_does_not_run_and_is_no_success(server: Server, page_of: Open, slow: Run, also: str) -> None:
    page = page_of(server, "/")
    stands(page)
    if also != "alone":
        kill(slow.shipping())
    slow.signal(signal.SIGKILL)
    assert slow.end() == -signal.SIGKILL
    expect(page.locator("#now")).to_contain_text(NOTHING, timeout=MS)
    cell = page.locator(".board td")
    expect(cell).to_contain_text("Error 1.7.3", timeout=MS)
    expect(cell).to_contain_text("no success known")
    page.goto(f"{server.url}/deploys")
    assert "still open when its process ended (SIGKILL or a crash)" in page.locator("td.name").inner_text()
    page.goto(f"{server.url}/deploys?result=running")
    assert page.locator("td.name").count() == 0


def test_who_looks_when_the_server_is_away_sees_it_again(
    env: dict[str, str], browser: Browser, marks: Path, slow: Run
) -> None:
    """The browser asks again by itself. What it says of a server that is away is no trouble of the page."""
    with closing(browser.new_context()) as context:
        page = context.new_page()
        with Server(env) as first:
            page.goto(first.url)
            stands(page)
            page.evaluate("window.loaded = 'once'")
        with Server(env, "--port", str(first.port)):
            came_again(page, page.locator(".running a").element_handle())
            (marks / "go").touch()
            assert slow.end() == 0
            expect(page.locator("#now")).to_contain_text(NOTHING, timeout=MS)
            assert page.evaluate("window.loaded") == "once"


def test_a_page_that_hears_nothing_says_that_it_is_old_and_asks_again(
    env: dict[str, str], browser: Browser, marks: Path, slow: Run
) -> None:
    """Something between may answer for the server, such as a proxy while that is away: a browser then gives up."""
    with closing(browser.new_context()) as context:
        page = context.new_page()
        page.clock.install()
        with Server(env) as server:
            page.goto(server.url)
            stands(page)
            assert page.locator("#lost").is_hidden()
            page.route("**/*", lambda route: route.fulfill(status=502, body="Bad gateway"))
        page.clock.fast_forward(31_000)
        expect(page.locator("#lost")).to_contain_text("Nothing new since", timeout=MS)
        expect(page.locator("#lost")).to_contain_text("The page asks again by itself.")
        stands(page)
        with Server(env, "--port", str(server.port)):
            (marks / "go").touch()
            assert slow.end() == 0
            page.unroute("**/*")
            page.clock.fast_forward(16_000)
            expect(page.locator("#now")).to_contain_text(NOTHING, timeout=MS)
            expect(page.locator("#lost")).to_be_hidden(timeout=MS)


def test_who_is_one_reader_too_many_sees_what_is_new_all_the_same(env: dict[str, str], browser: Browser) -> None:
    with closing(browser.new_context()) as context, Server(env) as server:
        page = context.new_page()
        page.clock.install()
        page.route("**/now/events", lambda route: route.fulfill(status=204))
        page.goto(server.url)
        expect(page.locator("#where")).to_contain_text("There is no deploy")
        support.store_spans(env, shop.deploy(7, time.time_ns() - shop.HOUR, "staging", "1.7.3"))
        page.clock.fast_forward(16_000)
        expect(page.locator("#where")).to_contain_text("1.7.3", timeout=MS)
        with page.expect_response("**/now/events"):
            page.clock.fast_forward(16_000)
        assert page.locator("#lost").is_hidden()


def test_a_stream_that_falls_silent_is_given_up(env: dict[str, str], browser: Browser) -> None:
    """As when the machine that passed it on has lost its power: the connection stays, and nothing comes."""
    with closing(browser.new_context()) as context, Server(env) as server:
        page = context.new_page()
        page.clock.install()
        page.add_init_script(
            "window.EventSource = class { constructor() { this.readyState = 1 } addEventListener() {} close() {} }"
        )
        page.goto(server.url)
        expect(page.locator("#where")).to_contain_text("There is no deploy")
        support.store_spans(env, shop.deploy(7, time.time_ns() - shop.HOUR, "staging", "1.7.3"))
        page.clock.fast_forward(31_000)
        expect(page.locator("#where")).to_contain_text("1.7.3", timeout=MS)
        expect(page.locator("#lost")).to_be_hidden(timeout=MS)


def test_a_page_whose_login_has_ended_says_so(env: dict[str, str], browser: Browser) -> None:
    token = "a-token-of-some-length"
    with closing(browser.new_context(extra_http_headers={"Authorization": f"Bearer {token}"})) as context:
        page = context.new_page()
        page.clock.install()
        with Server({**env, "PIPELINE_TRACE_SERVE_TOKEN": token}) as server:
            page.goto(server.url)
            expect(page.locator("#where")).to_contain_text("There is no deploy")
        with Server({**env, "PIPELINE_TRACE_SERVE_TOKEN": "another-token-of-that-length"}, "--port", str(server.port)):
            page.clock.fast_forward(31_000)
            page.clock.fast_forward(16_000)
            expect(page.locator("#lost")).to_contain_text("perhaps your login has ended", timeout=MS)


def test_a_board_that_is_scrolled_stays_so(env: dict[str, str], server: Server, page_of: Open) -> None:
    now_ns = time.time_ns()
    names = ("integration", "test", "qa", "staging", "preprod", "production", "eu-1", "eu-2", "us-1")
    deploys = [shop.deploy(n, now_ns - (n + 1) * shop.HOUR, name, "1.7.2") for n, name in enumerate(names)]
    support.store_spans(env, [span for spans in deploys for span in spans])
    page = page_of(server, "/", width=1100)
    board = page.locator(".scroll")
    # At once: the parts come for the first time while the page is looked at.
    before = page.evaluate_handle(
        """() => {
          const board = document.querySelector(".scroll");
          board.focus();
          board.scrollLeft = 200;
          return board;
        }"""
    ).as_element()
    assert before
    support.store_spans(env, shop.deploy(77, now_ns - shop.MINUTE, "us-1", "1.7.3"))
    came_again(page, before)
    expect(board).to_contain_text("1.7.3", timeout=MS)
    assert board.evaluate("one => [one.scrollLeft, document.activeElement === one]") == [200, True]
