"""The pages over time in a real Chromium, from a real server: each figure leads to what it was counted from."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import support
from playwright.sync_api import Browser, Page
from support.report_pages import needs_chromium
from support.serving import Server

from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

pytestmark = [pytest.mark.process, needs_chromium]

HOUR = 3600 * 10**9
STATUS = {c.SUCCESS: "UNSET"}


def build(job: str, number: int, hours_ago: float, state: str = c.SUCCESS, **more: str) -> Span:
    """Return the run of a build of ten minutes. Parameters are in capitals."""
    start = time.time_ns() - round(hours_ago * HOUR)
    name = f"{abs(hash((job, number))) % 2**60:016x}"
    made = Span(name * 2, name, None, f"RUN {job}", start, start + HOUR // 6, kind="SERVER")
    made.status_code = STATUS.get(state, "ERROR")
    told = {f"jenkins.parameter.{key}" if key.isupper() else key: value for key, value in more.items()}
    made.attributes = {c.JENKINS_TYPE: c.TYPE_RUN, c.PIPELINE_RESULT: state, **told}
    made.resource = {c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: str(number)}
    return made


def commit(letter: str) -> dict[str, str]:
    return {c.VCS_HEAD_REVISION: letter * 40}


def deploys() -> list[Span]:
    """Return a month of shop: eight deploys, of which one failed and one was rolled back, and the builds before."""
    stories = [("a", c.SUCCESS, 200), ("b", c.SUCCESS, 150), ("d", c.FAILURE, 100), ("e", c.SUCCESS, 97)]
    found = [build("shop/build", 1 + at, ago + 4, **commit(of)) for at, (of, _state, ago) in enumerate(stories)]
    for at, (of, state, ago) in enumerate(stories):
        told = {"ENVIRONMENT": "production", "VERSION": f"1.{at}", **commit(of)}
        found.append(build("shop/deploy", 10 + at, ago, state, **told))
    back = {"ENVIRONMENT": "prod", "VERSION": "1.1", **commit("b")}
    found.append(build("shop/deploy", 20, 90, **back))
    found.append(build("shop/deploy", 21, 80, ENVIRONMENT="staging", **commit("e")))
    found.append(build("shop/deploy", 5, 24 * 40, c.FAILURE, ENVIRONMENT="production"))
    # All of both periods is recorded, however long they are.
    found += [build("infra/backup", days, 24 * days) for days in (62, 63, 182, 183)]
    return found


@contextmanager
def opened(browser: Browser, url: str, *, javascript: bool = True) -> Iterator[Page]:
    """Open a page; at the end the console and the policy were silent, and nothing else was asked."""
    context = browser.new_context(java_script_enabled=javascript)
    page, troubles = context.new_page(), list[str]()
    page.add_init_script("addEventListener('securitypolicyviolation', e => console.error(e.violatedDirective))")
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(url)
    try:
        yield page
    finally:
        context.close()
    assert troubles == []


def card(page: Page, label: str) -> str:
    return page.locator(".cards li", has=page.get_by_role("heading", name=label)).first.inner_text()


def follow(page: Page, text: str, within: str = "main") -> None:
    with page.expect_navigation():
        page.locator(within).get_by_role("link", name=text, exact=True).first.click()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_service_shows_its_figures_and_each_leads_to_its_deploys(
    env: dict[str, str], browser: Browser, javascript: bool
) -> None:
    support.store_spans(env, deploys())
    with Server(env) as server, opened(browser, server.url + "/", javascript=javascript) as page:
        follow(page, "shop", "#where")
        assert page.title() == "Service shop: pipeline-trace"
        assert page.get_by_role("heading", level=2).first.inner_text() == "Delivery to production, last 30 days"
        assert "4 in 30 days" in card(page, "frequency")
        assert "4 h 10 min" in card(page, "Lead time")
        assert "40 %" in card(page, "failure rate")
        assert "30 days before: 100 %" in card(page, "failure rate")
        assert "median of 2 failures" in card(page, "restore")
        rows = page.locator("#failures tbody tr")
        assert [row.locator("th").inner_text() for row in rows.all()] == ["1.3", "1.2"]
        assert "rolled back" in rows.first.inner_text()
        follow(page, "1 failed")
        assert page.locator("td.name a").all_inner_texts() == ["1.2"]
        page.go_back()
        follow(page, "of 5 deploys")
        assert page.locator("td.name a").all_inner_texts() == ["1.1", "1.3", "1.2", "1.1", "1.0"]


def test_a_service_of_another_environment_and_time(env: dict[str, str], browser: Browser) -> None:
    support.store_spans(env, deploys())
    with Server(env) as server, opened(browser, f"{server.url}/service?name=shop&days=7") as page:
        follow(page, "staging", "nav.quick")
        follow(page, "90 days", "nav.quick")
        assert page.get_by_role("heading", level=2).first.inner_text() == "Delivery to staging, last 90 days"
        assert "1 in 90 days" in card(page, "frequency")
        assert page.locator("nav.quick [aria-current]").all_inner_texts() == ["90 days", "staging"]
        chart = page.locator("figure").filter(has_text="Deploys by day")
        chart.get_by_text("The same as a table").click()
        assert re.fullmatch(r"\d{4}-\d\d-\d\d\t1\t0", chart.locator("tbody tr").inner_text())


@pytest.mark.parametrize("javascript", [True, False])
def test_a_job_is_a_click_from_the_list_and_leads_to_its_builds(
    env: dict[str, str], browser: Browser, javascript: bool
) -> None:
    support.store_spans(env, deploys())
    with Server(env) as server, opened(browser, server.url + "/builds", javascript=javascript) as page:
        follow(page, "shop/deploy")
        assert page.title() == "Job shop/deploy: pipeline-trace"
        assert "1.4 a week" in card(page, "Runs")
        assert "83 %" in card(page, "Success rate")
        assert "30 days before: 0 %" in card(page, "Success rate")
        assert "10 min 00 s" in card(page, "Duration")
        follow(page, "1 failed")
        assert page.locator("td.name a").all_inner_texts() == ["shop/deploy#12"]
        page.go_back()
        page.goto(f"{server.url}/job?name=none")
        assert "There is no build of none of the last 60 days" in page.locator("main").inner_text()


def test_a_host_is_two_clicks_from_its_job(env: dict[str, str], browser: Browser) -> None:
    spans = deploys()
    run = spans[6]
    book = Span(run.trace_id, "b" * 16, run.span_id, "playbook site.yml", run.start_ns, run.end_ns, resource=run.resource)
    book.attributes = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, c.ANSIBLE_PLAYBOOK_NAME: "site.yml"}
    support.store_spans(env, [*spans, book, *made(run)])
    with Server(env) as server, opened(browser, f"{server.url}/job?name=shop/deploy") as page:
        follow(page, "Tasks and hosts of its playbooks")
        assert "Copy application" in page.locator("main").inner_text()
        follow(page, "web3")
        assert page.title() == "Host web3: pipeline-trace"
        assert "1" in card(page, "Unreachable")
        assert "No route to host" in page.locator("#failures").inner_text()
        follow(page, "Copy application", "#failures")
        assert "/trace/" in page.url


def test_the_platform_is_among_the_rooms_and_leads_to_its_failures(env: dict[str, str], browser: Browser) -> None:
    spans = deploys()
    ours = build("shop/build", 99, 5, c.FAILURE, **{c.FAILURE_OWNER: "ops", c.FAILURE_KIND: "disk_full"})
    agent = Span(ours.trace_id, "a" * 16, ours.span_id, "Allocate agent gpu", ours.start_ns, ours.start_ns + HOUR // 60)
    agent.attributes = {c.JENKINS_TYPE: c.TYPE_AGENT, c.JENKINS_AGENT_LABEL: "gpu"}
    agent.resource = ours.resource
    support.store_spans(env, [*spans, ours, agent])
    with Server(env) as server, opened(browser, server.url + "/") as page:
        follow(page, "Platform", "nav.rooms")
        assert page.locator("nav.rooms [aria-current]").inner_text() == "Platform"
        assert (
            page.get_by_role("region", name="Table of labels")
            .locator("tbody tr")
            .inner_text()
            .startswith("gpu\t1\t1 min 00 s")
        )
        assert "1" in card(page, "Failures of the platform")
        follow(page, "which")
        assert page.locator("td.name a").all_inner_texts() == ["shop/build#99"]


def made(run: Span) -> list[Span]:
    """Return the spans of a playbook's task on two hosts, of which one is not reached."""
    found = []
    for at, (name, result) in enumerate([("web3", "unreachable"), ("web1", "ok")]):
        word = c.ERROR if result == "unreachable" else c.SUCCESS
        task = Span(run.trace_id, f"{0xA0 + at:016x}", run.span_id, "Copy application", run.start_ns, run.end_ns)
        task.attributes = {c.ANSIBLE_TYPE: c.TYPE_TASK, c.TASK_RUN_RESULT: c.SUCCESS}
        host = Span(run.trace_id, f"{0xB0 + at:016x}", task.span_id, name, run.start_ns, run.end_ns)
        host.attributes = {c.ANSIBLE_TYPE: c.TYPE_HOST, c.ANSIBLE_RESULT: result, c.TASK_RUN_RESULT: word}
        if word == c.ERROR:
            host.status_code, host.status_message = "ERROR", "No route to host"
        task.resource = host.resource = run.resource
        found += [task, host]
    return found


def test_a_service_that_is_not_known_says_so(env: dict[str, str], browser: Browser) -> None:
    support.store_spans(env, deploys())
    with Server(env) as server, opened(browser, f"{server.url}/service?name=%3Cb%3Enone") as page:
        assert "There is no deploy of <b>none of the last 60 days" in page.locator("main").inner_text()
        assert page.request.get(f"{server.url}/service").status == 404
