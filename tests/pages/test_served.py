"""The pages in a real Chromium, from a real server: the list, its filters, a trace's report, the login."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import support
from playwright.sync_api import Browser, Page
from support import OUTPUT
from support.report_pages import Open, needs_chromium, overflow
from support.report_samples import HOSTILE, hostile_spans, sample
from support.serving import Server

from pipeline_trace.delivery import journal
from pipeline_trace.delivery.home import Home
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

pytestmark = [pytest.mark.process, needs_chromium]

TOKEN = "correct-horse-battery-staple"
NIGHTLY = f"{0xABC:032x}"


def run(trace: str, name: str, minutes_ago: float, result: str, environment: str, commit: str) -> Span:
    start = time.time_ns() - int(minutes_ago * 60e9)
    span = Span(trace, trace[-16:], None, name, start, start + 90 * 10**9, kind="SERVER")
    span.attributes = {
        c.JENKINS_TYPE: c.TYPE_RUN,
        c.PIPELINE_RESULT: result,
        c.DEPLOYMENT_ENVIRONMENT: environment,
        c.VCS_HEAD_REVISION: commit,
    }
    span.resource = {
        c.PIPELINE_NAME: "nightly",
        c.PIPELINE_RUN_ID: "7",
        c.PIPELINE_RUN_URL: "https://jenkins.example.org/job/nightly/7/",
    }
    return span


def few() -> list[Span]:
    return [
        run(NIGHTLY, "RUN nightly", 60, "success", "production", "4f1c2d9e0b7a"),
        run(f"{2:032x}", "RUN checks", 120, "failure", "staging", "aaaa2d9e0b7a"),
    ]


def ask(page: Page) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name="Filter").click()


def follow(page: Page, text: str) -> None:
    with page.expect_navigation():
        page.get_by_text(text).first.click()


def names(page: Page) -> list[str]:
    return page.locator("td.name a").all_inner_texts()


def test_an_empty_store_says_what_to_do(env: dict[str, str], page_of: Open) -> None:
    with Server(env) as server:
        page = page_of(server)
        assert f"OTEL_EXPORTER_OTLP_ENDPOINT={server.url}" in page.locator("main").inner_text()


def test_the_list_leads_to_the_report_and_to_jenkins(env: dict[str, str], page_of: Open) -> None:
    support.store_spans(env, [*sample(), *few()])
    with Server(env) as server:
        page = page_of(server)
        assert names(page)[:2] == ["RUN nightly#7", "RUN checks#7"]
        assert "RUN app-build#42" in names(page)
        row = page.locator("tr").filter(has_text="RUN nightly")
        for text in ("Succeeded", "1 min 30 s", "production", "4f1c2d9e0b"):
            assert text in row.inner_text()
        assert row.get_by_text("jenkins.example.org").get_attribute("href") == "https://jenkins.example.org/job/nightly/7/"
        OUTPUT.mkdir(exist_ok=True)
        page.screenshot(path=OUTPUT / "serve-list.png")
        follow(page, "RUN app-build#42")
        assert page.title() == "Failed: app-build#42"
        assert page.locator("#rows .row").count() > 10
        links = page.locator("nav.links a")
        assert links.all_inner_texts()[:3] == ["What runs now", "All traces", "app-build#42"]
        addresses = links.evaluate_all("all => all.map(a => a.getAttribute('href'))")
        assert [address.rpartition("/job/")[2] for address in addresses] == [
            "/",
            "/traces",
            "app-build/42/",
            "app-deploy/17/",
        ]
        follow(page, "All traces")
        assert page.url == f"{server.url}/traces"


def test_the_page_gives_its_trace_as_a_file_and_its_own_address(env: dict[str, str], page_of: Open) -> None:
    support.store_spans(env, few())
    with Server(env) as server:
        page = page_of(server, "/trace/latest", accept_downloads=True, permissions=["clipboard-read", "clipboard-write"])
        with page.expect_download() as loading:
            page.get_by_role("link", name="Export as OTLP JSON").click()
        assert loading.value.suggested_filename == f"trace-{NIGHTLY[:12]}.json"
        (group,) = json.loads(loading.value.path().read_text())["resourceSpans"]
        assert [span["name"] for span in group["scopeSpans"][0]["spans"]] == ["RUN nightly"]
        page.get_by_role("button", name="Copy for the chat").click()
        page.get_by_role("button", name="Copied").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.endswith(f"\nthe trace's page {server.url}/trace/{NIGHTLY}")


def test_both_pages_are_fresh_at_each_load(env: dict[str, str], page_of: Open) -> None:
    with Server(env) as server:
        page = page_of(server)
        assert names(page) == []
        support.store_spans(env, few())
        page.reload()
        assert len(names(page)) == 2
        follow(page, "RUN nightly")
        assert page.locator("#rows .row").count() == 1
        child = run(NIGHTLY, "deploy", 60, "success", "production", "4f")
        child.span_id, child.parent_id = "c" * 16, few()[0].span_id
        support.store_spans(env, [child])
        page.reload()
        assert page.locator("#rows .row").count() == 2


def test_what_runs_now_stands_first(env: dict[str, str], page_of: Open) -> None:
    support.store_spans(env, few())
    home = Home(Path(env["PIPELINE_TRACE_HOME"]))
    home.journals.mkdir(mode=0o700, exist_ok=True)
    writer = journal.Writer(home.journals)
    live = Span("9" * 32, "9" * 16, None, "playbook site.yml", time.time_ns() - 5 * 10**9)
    live.attributes = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK}
    writer.open(live)
    with Server(env) as server:
        page = page_of(server)
        assert page.locator("section").first.locator("h2").inner_text() == "Running now"
        assert names(page) == ["playbook site.yml", "RUN nightly#7", "RUN checks#7"]
        page.goto(f"{server.url}/?result=running")
        assert names(page) == ["playbook site.yml"]
        page.goto(f"{server.url}/?q=checks")
        assert names(page) == ["RUN checks#7"]
        page.goto(f"{server.url}/trace/{live.trace_id}")
        assert page.title() == "Running: playbook site.yml"
    writer.discard()


def test_filters_and_search(env: dict[str, str], page_of: Open) -> None:
    support.store_spans(env, [*sample(), *few()])
    with Server(env) as server:
        page = page_of(server)
        page.get_by_label("Result").select_option("Failed")
        ask(page)
        assert "RUN nightly#7" not in names(page)
        assert {"RUN checks#7", "RUN app-build#42"} <= set(names(page))
        page.get_by_label("Environment").select_option("staging")
        page.get_by_label("Search", exact=True).fill("web3 restart")
        ask(page)
        assert names(page) == ["RUN app-build#42"]
        assert page.get_by_label("Result").input_value() == "failure"
        assert page.get_by_label("Search").input_value() == "web3 restart"
        follow(page, "Show all")
        page.get_by_label("Commit", exact=True).fill("4f1c2d9e0b7a")
        ask(page)
        assert set(names(page)) == {"RUN nightly#7", "RUN app-build#42"}
        page.get_by_label("Commit", exact=True).fill("")
        page.get_by_label("From").fill(time.strftime("%Y-%m-%dT%H:%M", time.localtime(time.time() - 5400)))
        ask(page)
        assert names(page) == ["RUN nightly#7"]
        page.get_by_label("Search", exact=True).fill("no such thing")
        ask(page)
        assert "No trace matches. Change the filter, or show all traces." in page.locator("main").inner_text()


def test_many_traces_are_paged(env: dict[str, str], page_of: Open) -> None:
    support.store_spans(env, [run(f"{n:032x}", f"RUN {n:03}", n, "success", "", "") for n in range(1, 121)])
    with Server(env) as server:
        page = page_of(server, "/traces?result=success")
        assert (names(page)[0], len(names(page))) == ("RUN 001#7", 50)
        assert "120 traces, page 1 of 3" in page.locator("nav.pages").inner_text()
        follow(page, "Older")
        follow(page, "Older")
        assert (names(page)[-1], len(names(page))) == ("RUN 120#7", 20)
        assert page.get_by_text("Older").count() == 0
        follow(page, "Newer")
        assert names(page)[0] == "RUN 051#7"
        assert "result=success" in page.url


def test_hostile_texts_are_text(env: dict[str, str], page_of: Open) -> None:
    spans = hostile_spans()
    for number, span in enumerate(spans):
        span.trace_id, span.parent_id = f"{number + 1:032x}", None
        span.attributes = {c.DEPLOYMENT_ENVIRONMENT: span.name, c.VCS_HEAD_REVISION: span.name, **span.attributes}
    support.store_spans(env, spans)
    with Server(env) as server:
        page = page_of(server)
        shown = names(page)
        assert HOSTILE[0] in shown
        assert HOSTILE[1] in shown
        assert page.locator("main img, main script").count() == 0
        page.goto(f"{server.url}/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&environment=%3Cb%3E&from=%3Ci%3E")
        assert page.locator("main script, main i, main b").count() == 0
        assert "“<i>” is not a valid time; write it in UTC, like 2026-11-23T16:30" in page.locator("main").inner_text()
        missing = page.request.get(f"{server.url}/trace/%3Cscript%3E")
        assert (missing.status, "content-security-policy" in missing.headers) == (404, True)
        other = page.request.get(f"{server.url}/%3Cb%3E", headers={"Accept": "text/html"})
        assert (other.status, "content-security-policy" in other.headers) == (404, True)
        assert "<b>" not in other.text()
        assert "&lt;script&gt;&#39; is not a trace id" in missing.text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_at_360_pixels_nothing_is_cut_off(env: dict[str, str], page_of: Open, scheme: str) -> None:
    support.store_spans(
        env, [*sample(), *few(), run("8" * 32, "RUN " + "a-very-long-job-name" * 6, 9, "error", "e" * 90, "f" * 40)]
    )
    with Server(env) as server:
        page = page_of(server, width=360, height=740, color_scheme=scheme)
        assert overflow(page) <= 0
        assert page.get_by_text("RUN nightly#7").is_visible()
        page.screenshot(path=OUTPUT / f"serve-narrow-{scheme}.png")
        follow(page, "RUN nightly#7")
        assert overflow(page) <= 0
        assert page.get_by_text("All traces").is_visible()


def test_a_browser_logs_in(env: dict[str, str], page_of: Open) -> None:
    support.store_spans(env, few())
    with Server({**env, "PIPELINE_TRACE_SERVE_TOKEN": TOKEN}) as server:
        page = page_of(server, f"/trace/{NIGHTLY}")
        assert page.url.startswith(f"{server.url}/login?next=")
        page.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{server.url}/trace/{NIGHTLY}")
        assert page.title() == "Succeeded: nightly#7"


def test_the_page_of_another_site_gets_nothing(env: dict[str, str], browser: Browser) -> None:
    support.store_spans(env, few())
    with Server(env) as server:
        context = browser.new_context()
        page = context.new_page()
        # Any page that is none of the server's.
        page.goto("data:text/html,<p>elsewhere")
        said = page.evaluate(
            """async url => {
              const tries = [
                fetch(url),
                fetch(url + 'v1/traces', {method: 'POST', body: '{}'}),
                fetch(url + 'v1/traces', {method: 'POST', body: '{}', headers: {'Content-Type': 'application/json'}}),
              ];
              return (await Promise.allSettled(tries)).map(done => done.status);
            }""",
            f"{server.url}/",
        )
        assert said == ["rejected"] * 3
        context.close()
    assert len(support.stored(env)) == 2
