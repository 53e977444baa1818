"""From the first page to what somebody looks for, in a real Chromium: by clicks, by filters in the address, by Find."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import support
from playwright.sync_api import Locator, Page, expect
from support import shop
from support.report_pages import Open, needs_chromium, overflow
from support.report_samples import HOSTILE
from support.serving import Server

from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

pytestmark = [pytest.mark.process, needs_chromium]

COMMIT = shop.COMMITS["1.7.3"]
FAILED = shop.deploy(141, 0, "staging", "1.7.3")[0]
BLUE = f"{shop.JENKINS}/blue/organizations/jenkins/shop%2Fdeploy/detail/deploy/141/pipeline/12"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the deploys of the last days, and one every three hours for what depends on the time of day."""
    env, now_ns = support.environ(tmp_path_factory.mktemp("now")), time.time_ns()
    hours = [
        shop.deploy(number, now_ns - (3 * number + 1) * shop.HOUR, "eu", "7", service="clock") for number in range(1, 21)
    ]
    support.store_spans(env, [*shop.last_days(now_ns), *(span for spans in hours for span in spans)])
    with Server(env) as server:
        yield server


def follow(page: Page, link: Locator) -> None:
    """Click on a link, and wait for its page."""
    with page.expect_navigation():
        link.click()


def query(page: Page) -> dict[str, str]:
    """Return the filters in the address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def runs(page: Page) -> list[str]:
    """Return the builds in a list, in its order."""
    return [text.rpartition(", ")[2] for text in page.locator("td.run").all_inner_texts()]


def cell(page: Page, service: str, environment: str) -> Locator:
    """Return a cell of the board."""
    columns = page.locator(".board thead th").all_inner_texts()
    row = page.locator(".board tbody tr").filter(has=page.get_by_role("rowheader", name=service, exact=True))
    return row.locator("td").nth(columns.index(environment) - 1)


def field(page: Page, name: str) -> Locator:
    """Return a field of the form."""
    return page.locator(f"form.toolbar [name={name}]")


def chip(page: Page, text: str) -> Locator:
    return page.locator("a.chip").filter(has_text=text)


def test_yesterdays_deploy_of_shop_to_staging_that_failed_is_three_clicks_away(server: Server, page_of: Open) -> None:
    page = page_of(server, "/", timezone_id="UTC")
    follow(page, cell(page, "shop", "staging").get_by_role("link", name="1.7.2"))
    follow(page, page.get_by_role("navigation", name="Filters").get_by_role("link", name="failed"))
    assert runs(page) == ["shop/deploy#141", "shop/deploy#135"]
    yesterday = page.evaluate("new Date(Date.now() - 86400000).toISOString().slice(0, 10)")
    follow(page, page.locator("tr").filter(has_text=yesterday).locator("td.name a"))
    # The verdict is at the top.
    assert urlsplit(page.url)[2:] == (f"/trace/{FAILED.trace_id}", "", "")
    assert page.title() == "Failed: shop/deploy#141"


def test_what_failed_since_is_one_click_away(server: Server, page_of: Open) -> None:
    page = page_of(server, "/")
    staging = cell(page, "shop", "staging")
    assert "ops: host unreachable" in staging.inner_text()
    assert "behind integration, for" in staging.inner_text()
    follow(page, staging.locator(".since-then a"))
    assert urlsplit(page.url).path == f"/trace/{FAILED.trace_id}"


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("javascript", [True, False])
def test_a_list_is_sorted_by_a_link(server: Server, page_of: Open, width: int, *, javascript: bool) -> None:
    page = page_of(server, "/deploys?service=shop", width=width, java_script_enabled=javascript, timezone_id="UTC")
    wide = width > 1000
    link = page.locator("th a") if wide else page.locator(".orders a")
    head = page.locator("th").filter(has_text="Duration")
    link.filter(has_text="Duration" if wide else "longest").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert query(page) == {"service": "shop", "sort": "longest"}
    # The one that took four minutes; all others took two.
    assert runs(page)[0] == "shop/deploy#139"
    expect(head).to_have_attribute("aria-sort", "descending")
    assert page.locator("a.sorts:visible").count() == (2 if wide else 0)
    assert overflow(page) <= 0
    # The filter stays, also where another one is set by the form.
    field(page, "result").select_option("success")
    follow(page, page.get_by_role("button", name="Filter"))
    assert {"service": "shop", "sort": "longest", "result": "success"}.items() <= query(page).items()


def test_filters_combine_and_live_in_the_address(server: Server, page_of: Open) -> None:
    page = page_of(server, "/deploys")
    field(page, "service").fill("shop")
    field(page, "result").select_option("failed, timed out or error")
    follow(page, page.get_by_role("button", name="Filter"))
    assert query(page) == {"service": "shop", "result": "failed"}
    assert runs(page) == ["shop/deploy#141", "shop/deploy#135"]
    follow(page, page.get_by_role("link", name="last 7 days"))
    page.get_by_text("More filters").click()
    field(page, "kind").fill("disk_full")
    field(page, "kind").press("Enter")
    page.wait_for_url("**kind=disk_full**")
    assert query(page) == {"service": "shop", "result": "failed", "when": "7d", "kind": "disk_full"}
    assert runs(page) == ["shop/deploy#135"]
    assert field(page, "kind").is_visible()
    assert page.locator("a.chip").count() == 4

    elsewhere = page_of(server, page.url.removeprefix(server.url))
    assert runs(elsewhere) == ["shop/deploy#135"]
    assert field(elsewhere, "service").input_value() == "shop"

    page.go_back()
    assert query(page) == {"service": "shop", "result": "failed", "when": "7d"}
    assert field(page, "when").input_value() == "7d"
    assert runs(page) == ["shop/deploy#141", "shop/deploy#135"]
    page.go_forward()
    assert runs(page) == ["shop/deploy#135"]


def test_a_chip_takes_its_filter_away_and_no_other(server: Server, page_of: Open) -> None:
    page = page_of(server, "/deploys?service=shop&environment=staging&result=failed&from=2020-01-01T00:00")
    follow(page, chip(page, "Environment: staging"))
    assert query(page) == {"service": "shop", "result": "failed", "from": "2020-01-01T00:00:00"}
    assert chip(page, "Environment").count() == 0
    follow(page, chip(page, "Result: failed"))
    follow(page, chip(page, "From:"))
    assert query(page) == {"service": "shop"}
    # What is set is taken away by the same click.
    follow(page, page.get_by_role("link", name="running"))
    assert query(page) == {"service": "shop", "result": "running"}
    follow(page, page.get_by_role("link", name="running", exact=True).first)
    assert query(page) == {"service": "shop"}
    follow(page, page.get_by_role("link", name="Show all"))
    assert page.url == f"{server.url}/deploys"
    assert page.locator("a.chip").count() == 0


def test_times_of_the_form_and_of_its_chip_are_the_readers(server: Server, page_of: Open) -> None:
    page = page_of(server, "/builds", timezone_id="Asia/Kolkata")
    page.get_by_text("More filters").click()
    field(page, "from").fill("2026-01-02T05:30")
    follow(page, page.get_by_role("button", name="Filter"))
    assert query(page) == {"from": "2026-01-02T00:00", "zone": "330"}
    assert field(page, "from").input_value() == "2026-01-02T05:30"
    assert "From: 2026-01-02 05:30:00 +05:30" in chip(page, "From").inner_text()


def test_an_empty_answer_leads_to_what_one_filter_hides(server: Server, page_of: Open) -> None:
    page = page_of(server, "/deploys?service=shop&environment=production&result=failed")
    assert runs(page) == []
    assert "No deploy matches." in page.locator("#found").inner_text()
    ways = page.locator(".loosened a")
    assert ways.all_inner_texts() == ["2 without Environment: production", "2 without Result: failed"]
    follow(page, ways.filter(has_text="Result"))
    assert runs(page) == ["shop/deploy#142", "shop/deploy#137"]
    page.goto(f"{server.url}/deploys?service=shop&branch=no-such-branch&when=7d")
    (without,) = page.locator(".loosened a").all_inner_texts()
    assert without == "9 without Branch: no-such-branch"
    follow(page, page.locator(".loosened a"))
    assert len(runs(page)) == 9
    page.goto(f"{server.url}/builds?job=a&branch=b")
    assert "take away two or more" in page.locator("#found").inner_text()
    follow(page, page.get_by_role("link", name="show all builds"))
    assert page.url == f"{server.url}/builds"


TRACE = f"/trace/{FAILED.trace_id}"


@pytest.mark.parametrize(
    ("words", "address"),
    [
        ("shop/deploy#141", TRACE),
        (" shop/deploy#141 ", TRACE),
        (FAILED.trace_id, TRACE),
        (FAILED.trace_id.upper(), TRACE),
        (f"{shop.JENKINS}/job/shop/job/deploy/141/", TRACE),
        (f"{shop.JENKINS}/job/shop/job/deploy/141/console", TRACE),
        (f"{shop.JENKINS}/job/shop/job/deploy/141/pipeline-overview/?selected-node=12", TRACE),
        (f"{shop.JENKINS}/job/shop/job/deploy/141/execution/node/12/log/?consoleFull#end", TRACE),
        (BLUE, TRACE),
        ("1.7.3", "/deploys?version=1.7.3"),
        (COMMIT, f"/builds?commit={COMMIT}"),
        (COMMIT[:7].upper(), f"/builds?commit={COMMIT[:7]}"),
        ("orders", "/deploys?service=orders"),
        ("shop/build", "/builds?job=shop%2Fbuild"),
        ("latest", "/traces"),
        ("shop/deploy#999", "/traces?q=shop%2Fdeploy%23999"),
        ("https://other.example.org/job/shop/job/deploy/141/", "/traces?q=https%3A%2F%2Fother.example.org%2F"),
        ("no such \"thing' <b>", "/traces?q=no+such"),
        ("", "/"),
    ],
)
def test_find_leads_to_what_a_text_names(server: Server, page_of: Open, words: str, address: str) -> None:
    page = page_of(server, "/deploys")
    page.keyboard.press("Tab")
    find = page.get_by_role("banner").get_by_role("searchbox")
    find.fill(words)
    with page.expect_navigation():
        find.press("Enter")
    assert page.url.startswith(server.url + address)
    if address.startswith(("/deploys", "/builds")):
        assert runs(page)
    elif "?q=" in address:
        assert "No trace matches." in page.locator("main").inner_text()
        assert page.get_by_label("Search", exact=True).input_value() == words.strip()
    elif address == TRACE:
        assert page.title() == "Failed: shop/deploy#141"


def test_builds_are_called_by_their_number_and_deploys_by_what_was_deployed(server: Server, page_of: Open) -> None:
    page = page_of(server, "/builds?commit=9e0a338")
    assert page.locator("td.name").all_inner_texts() == [
        f"shop/deploy#141 1.7.3 → staging\nops: host unreachable in Run playbook: {shop.UNREACHABLE}",
        "shop/deploy#140 1.7.3 → integration",
        "shop/build#47 1.7.3",
    ]
    page.goto(f"{server.url}/deploys?commit=9e0a338")
    assert page.locator("td.name a").all_inner_texts() == ["1.7.3", "1.7.3"]
    job, build = (page.locator("td.run").first.locator("a").nth(at).get_attribute("href") for at in (0, 1))
    assert (job, build) == ("/job?name=shop%2Fdeploy", f"{shop.JENKINS}/job/shop/job/deploy/141/")


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles", "UTC"])
def test_today_and_yesterday_are_the_readers(server: Server, page_of: Open, zone: str) -> None:
    page = page_of(server, "/deploys?service=clock", timezone_id=zone)
    everything = started(page)
    assert len(everything) == 20

    def by_link(word: str) -> None:
        page.goto(f"{server.url}/deploys?service=clock")
        follow(page, page.get_by_role("link", name=word))

    def by_form(word: str) -> None:
        page.goto(f"{server.url}/deploys?service=clock")
        field(page, "when").select_option(word)
        follow(page, page.get_by_role("button", name="Filter"))

    def from_elsewhere(word: str) -> None:
        # An address of somebody whose day is another one.
        page.goto(f"{server.url}/deploys?service=clock&when=7d&zone=-600")
        follow(page, page.get_by_role("link", name=word))

    for ask in (by_link, by_form, from_elsewhere):
        asked_within_a_day(page, lambda ask=ask: ask("today"))  # type: ignore[misc]
        day = midnight(page)
        assert started(page) == [moment for moment in everything if moment >= day]
        asked_within_a_day(page, lambda ask=ask: ask("yesterday"))  # type: ignore[misc]
        day = midnight(page)
        assert started(page) == [moment for moment in everything if day - 86_400 <= moment < day]


def started(page: Page) -> list[float]:
    """Return when each in the list began, in seconds since the epoch."""
    found: list[float] = page.locator("td.started time").evaluate_all(
        "all => all.map(one => Date.parse(one.dateTime) / 1000)"
    )
    return found


def midnight(page: Page) -> float:
    """Return when the reader's day began, in seconds since the epoch."""
    return float(page.evaluate("new Date().setHours(0, 0, 0, 0) / 1000"))


def asked_within_a_day(page: Page, ask: Callable[[], None]) -> None:
    """Ask; again if midnight passed meanwhile."""
    before = None
    while before != midnight(page):
        before = midnight(page)
        ask()


def test_all_works_without_javascript(server: Server, page_of: Open) -> None:
    page = page_of(server, "/", java_script_enabled=False)
    assert page.locator("meta[http-equiv=refresh]").get_attribute("content") == "15"
    assert "Nothing runs now, as far as it is told here." in page.locator("#now").inner_text()
    assert re.search(r"\d\d:\d\d:\d\d UTC", cell(page, "shop", "staging").inner_text())
    follow(page, cell(page, "shop", "staging").get_by_role("link", name="1.7.2"))
    assert runs(page)[0] == "shop/deploy#141"
    follow(page, page.get_by_role("link", name="succeeded"))
    assert runs(page) == ["shop/deploy#139", "shop/deploy#136"]
    follow(page, chip(page, "Result"))
    page.get_by_text("More filters").click()
    field(page, "from").fill("2020-01-01T00:00")
    field(page, "when").select_option("yesterday")
    follow(page, page.get_by_role("button", name="Filter"))
    assert {"service", "environment", "from", "when"} == set(query(page))
    assert "00:00:00 UTC" in chip(page, "From").inner_text()
    page.get_by_role("banner").get_by_role("searchbox").fill("shop/deploy#141")
    follow(page, page.get_by_role("button", name="Find"))
    assert urlsplit(page.url).path == TRACE
    page.goto(f"{server.url}/builds?job=no-such-job&owner=ops")
    follow(page, page.locator(".loosened a"))
    assert len(runs(page)) == 3


def test_the_first_page_is_reached_from_every_page_by_keyboard(server: Server, page_of: Open) -> None:
    page = page_of(server, "/builds")
    for name, path in (("Now", "/"), ("Deploys", "/deploys"), ("Traces", "/traces"), ("Builds", "/builds")):
        link = page.get_by_role("navigation", name="Pages of pipeline-trace").get_by_role("link", name=name)
        link.focus()
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.url == server.url + path
        assert page.locator("[aria-current=page]").inner_text() == page.locator("h1").inner_text() == name
        page.keyboard.press("Tab")
        assert page.locator(":focus").inner_text().startswith("Skip to") or path == "/"


def hostile() -> list[Span]:
    """Return deploys in which every text is made to break a page."""
    now_ns, found = time.time_ns(), list[Span]()
    for number, text in enumerate(HOSTILE):
        told = {"branch": text, "who": text, "agent": text, "message": text, "owner": text, "kind": text}
        state = c.FAILURE if number % 2 else c.SUCCESS
        start_ns = now_ns - (number + 1) * shop.HOUR
        found += shop.deploy(number, start_ns, text, text, state, service=text, url="javascript:alert(5)", **told)
        found[-1].name = text
        found[-2].attributes[c.VCS_HEAD_REVISION] = text
    return found


def test_hostile_texts_are_text(env: dict[str, str], page_of: Open) -> None:
    support.store_spans(env, hostile())
    with Server(env) as server:
        page = page_of(server, "/", width=390)
        for path in ("/", "/deploys", "/builds", "/deploys?result=failed"):
            page.goto(server.url + path)
            said = page.locator("main").inner_text()
            for text in (HOSTILE[1], HOSTILE[3], HOSTILE[9]) if "failed" in path else (HOSTILE[0], HOSTILE[2], HOSTILE[8]):
                assert text in said, path
            assert "invoice\u202efdp.exe" not in said
            assert page.locator("main :is(script, img, svg), a[href^='javascript']").count() == 0
            assert overflow(page) <= 0
        for field in ("service", "environment", "version", "branch", "owner", "kind", "agent", "commit", "q"):
            page.goto(f"{server.url}/deploys")
            address = page.evaluate("([name, text]) => new URLSearchParams({[name]: text}).toString()", [field, HOSTILE[8]])
            page.goto(f"{server.url}/deploys?{address}")
            assert page.locator("main :is(script, img, svg)").count() == 0
            assert HOSTILE[8] in chip(page, ":").first.inner_text()
        for text in HOSTILE:
            page.goto(f"{server.url}/deploys")
            find = page.get_by_role("banner").get_by_role("searchbox")
            find.fill(text.encode("utf-8", "replace").decode())
            with page.expect_navigation():
                find.press("Enter")
            assert page.locator("main :is(script, img, svg)").count() == 0
        # Its stream ends before the server does.
        page.goto("about:blank")
        expect(page.locator("body")).to_be_empty()
