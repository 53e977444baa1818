"""The first page and the lists: from this machine's store and from ClickHouse alike, and when that cannot be read."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import support
from support import clickhouse_schema, processes, shop
from support.clickhouse import Engine, Fault, needs_engine
from support.clickhouse_sources import address
from support.serving import Server

from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Event, Span

pytestmark = pytest.mark.process

HTML = {"Accept": "text/html"}
NO_SPACE = "cp: error writing 'out.bin': No space left on device"
COMMIT = shop.COMMITS["1.7.3"]
PATHS = [
    "/",
    "/deploys",
    "/builds",
    "/deploys?service=shop&environment=Prod",
    "/deploys?result=failed&when=7d",
    "/deploys?owner=ops&kind=host_unreachable&q=web3",
    f"/builds?commit={COMMIT[:9].upper()}",
    "/builds?version=1.7.2&agent=agent-1",
    "/builds?job=shop/build&branch=feature/basket",
    "/builds?q=shop/deploy%23141",
    "/deploys?service=shop&environment=nowhere&result=failed",
    "/deploys?when=soon&from=4:30",
    f"/deploys?until={'9' * 18}",
    "/deploys?host=web3&result=failed",
    "/builds?host=web3",
    "/deploys?host=web9&service=shop",
    "/builds?sort=longest",
    "/deploys?sort=oldest&service=shop",
    "/deploys?owner=ops&kind=disk_full",
    "/service?name=billing",
]


@pytest.fixture(scope="module")
def spans() -> list[Span]:
    made = shop.last_days(time.time_ns())
    stage = next(span for span in made if span.parent_id and span.resource[c.PIPELINE_RUN_ID] == "141")
    playbook = replace(stage, span_id="a" * 16, parent_id=stage.span_id, name="playbook site.yml", attributes={})
    playbook.attributes = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, c.ANSIBLE_PLAYBOOK_NAME: "site.yml"}
    playbook.events = [Event("recap", stage.end_ns, {c.ANSIBLE_HOST_NAME: "web3", "unreachable": 1})]
    host = replace(playbook, span_id="b" * 16, parent_id=playbook.span_id, name="web3", events=[])
    host.attributes = {c.ANSIBLE_TYPE: c.TYPE_HOST, c.ANSIBLE_RESULT: "unreachable", c.TASK_RUN_RESULT: c.ERROR}
    return [*made, playbook, host, *_without_a_build(made[-1].end_ns)]


def _without_a_build(start_ns: int) -> list[Span]:
    """Return a deploy of billing that failed, and that nobody judged."""
    book = Span("b" * 32, "c" * 16, None, "playbook site.yml", start_ns, start_ns + 9 * shop.SECOND)
    book.attributes = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, c.TASK_TYPE: c.DEPLOY, c.TASK_RUN_RESULT: c.FAILURE}
    book.attributes |= {c.DEPLOYMENT_NAME: "billing", c.DEPLOYMENT_ENVIRONMENT: "staging"}
    task = replace(book, span_id="d" * 16, parent_id=book.span_id, name="Copy", attributes={c.ANSIBLE_TYPE: c.TYPE_TASK})
    host = replace(book, span_id="e" * 16, parent_id=task.span_id, name="web2")
    host.attributes = {c.ANSIBLE_TYPE: c.TYPE_HOST, c.ANSIBLE_RESULT: "failed", c.ANSIBLE_MESSAGE: NO_SPACE}
    for one in (book, task, host):
        one.fail(NO_SPACE)
    return [book, task, host]


@pytest.fixture
def local(env: dict[str, str], spans: list[Span]) -> Iterator[Server]:
    support.store_spans(env, spans)
    with Server(env) as server:
        yield server


def get(server: Server, path: str) -> requests.Response:
    return requests.get(server.url + path, headers=HTML, timeout=60, allow_redirects=False)


def shown(server: Server, path: str) -> str:
    """Return what a page has in its main part, without what time adds and where the spans are."""
    answer = get(server, path)
    assert answer.status_code == 200, answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    main = answer.text.partition("<main>")[2].partition("</main>")[0]
    main = re.sub(r" --from clickhouse:\S+", "", main)
    return re.sub(r"behind \w+, for [^<]*|\([^<]* ago\)|(?<=matches in )[^<]*", "", main)


def runs_in(text: str) -> list[str]:
    """Return the builds that lines of a list name, in their order: the name leads to the job, the number to Jenkins."""
    return ["".join(one) for one in re.findall(r">([a-z/]+)(?:</a><a [^>]*>)?(#\d+)</a>", text)]


@needs_engine
def test_every_page_is_the_same_from_clickhouse_and_from_the_store(
    tmp_path: Path, env: dict[str, str], local: Server, spans: list[Span]
) -> None:
    with Engine(tmp_path / "engine") as engine:
        clickhouse_schema.create(engine)
        clickhouse_schema.insert(engine, spans)
        with Server(env, "--from", address(engine)) as replica:
            for path in PATHS:
                assert shown(replica, path) == shown(local, path), path
            for words in ("shop/deploy#141", COMMIT[:8], "1.7.2", "orders", "shop/build", "web3", "nothing"):
                found = [get(server, f"/search?q={words.replace('#', '%23')}") for server in (replica, local)]
                assert [answer.status_code for answer in found] == [303, 303]
                assert found[0].headers["Location"] == found[1].headers["Location"], words
            assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in get(replica, "/").text


@pytest.mark.parametrize(
    ("words", "page"),
    [
        (f"http://127.0.0.1:4318/trace/{'b' * 32}", f"/trace/{'b' * 32}"),
        (f"https://traces.example.com/trace/{'b' * 32}#span-{'d' * 16}", f"/trace/{'b' * 32}#span-{'d' * 16}"),
        ("no space left", "/deploys?q=no+space+left"),
        ("disk full", "/deploys?q=disk+full"),
        ("nobody has this", "/traces?q=nobody+has+this"),
    ],
)
def test_what_pages_print_is_found(local: Server, words: str, page: str) -> None:
    answer = requests.get(f"{local.url}/search", {"q": words}, timeout=60, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, page)


def test_the_lists_have_what_is_asked_for(local: Server) -> None:
    runs = {path: set(runs_in(shown(local, path))) for path in PATHS}
    assert runs["/deploys?service=shop&environment=Prod"] == {"shop/deploy#137", "shop/deploy#142"}
    assert runs["/deploys?result=failed&when=7d"] == {"shop/deploy#135", "shop/deploy#141", "orders/deploy#22"}
    assert runs["/deploys?owner=ops&kind=host_unreachable&q=web3"] == {"shop/deploy#141", "orders/deploy#22"}
    assert runs[PATHS[6]] == {"shop/build#47", "shop/deploy#140", "shop/deploy#141"}
    assert runs["/builds?version=1.7.2&agent=agent-1"] == {"shop/build#46", "shop/deploy#138", "shop/deploy#139"}
    assert runs["/builds?job=shop/build&branch=feature/basket"] == {"shop/build#44"}
    assert runs["/builds?q=shop/deploy%23141"] == {"shop/deploy#141"}
    assert runs["/deploys?host=web3&result=failed"] == runs["/builds?host=web3"] == {"shop/deploy#141"}
    assert len(runs["/builds"]) == 15
    assert len(runs["/deploys"]) == 11


def test_a_long_list_has_pages_with_each_once(env: dict[str, str]) -> None:
    now_ns = time.time_ns()
    made = [span for number in range(120) for span in shop.deploy(number, now_ns - number * shop.HOUR, "staging", "1.7.3")]
    support.store_spans(env, made)
    with Server(env) as server:
        seen: list[str] = []
        path, pages = "/deploys?result=success", 0
        while path:
            text = shown(server, path)
            seen += runs_in(text)
            pages += 1
            assert ("Newest" in text) is (pages > 1)
            older = re.search(r'href="([^"]*)" rel="next"', text)
            path = older[1].replace("&amp;", "&") if older else ""
    assert seen == [f"shop/deploy#{number}" for number in range(120)]
    assert pages == 3


def test_a_list_that_was_cut_never_says_that_nothing_matches(env: dict[str, str]) -> None:
    now_ns = time.time_ns()
    made = [shop.build("lib/check", number, now_ns - number * shop.MINUTE) for number in range(2, 330)]
    made += shop.deploy(1, now_ns - shop.DAY, "staging", "1.7.3", who="olga", branch="fix/cart")
    support.store_spans(env, made)
    with Server(env) as server:
        text = shown(server, "/builds?branch=fix/cart&agent=agent-1")
        assert "No build matches" not in text
        assert re.search(
            r"Nothing found so far: looked at the newest 300 traces, back to <time [^>]*>[^<]* UTC</time>;", text
        )
        # Without the branch there are builds: but nobody knows whether it hides some.
        assert "With one filter less" not in text
        (older,) = re.findall(r'<a href="([^"]*)" rel="next">Look further back', text)
        assert set(runs_in(shown(server, older.replace("&amp;", "&")))) == {"shop/deploy#1"}
        text = shown(server, "/builds?branch=fix/cart&sort=longest")
        (older,) = re.findall(r'<a href="([^"]*)" rel="next">Look further back', text)
        assert set(runs_in(shown(server, older.replace("&amp;", "&")))) == {"shop/deploy#1"}
        text = shown(server, "/builds?job=lib/check&sort=longest")
        assert "only the newest 300 builds are sorted: looked at the newest 300 traces, back to <time" in text
        # The deploy tells its environment itself: all else is on the pages after it.
        text = shown(server, "/deploys?q=olga")
        assert runs_in(text) == ["shop/deploy#1"]
        assert re.search(r"all is here back to <time [^>]*>[^<]*</time>; of what is older, only what names its", text)
        (older,) = re.findall(r'<a href="([^"]*)" rel="next">Older', text)
        assert "No older deploy matches." in shown(server, older.replace("&amp;", "&"))


def test_filters_that_hide_something_together_are_said(local: Server) -> None:
    text = shown(local, "/builds?job=none&branch=none")
    assert "Without one of these filters there is none either: take away two or more, above, or <a" in text
    assert "Without this filter there is none either" not in text


def test_find_leads_to_a_version_of_another_tool(env: dict[str, str]) -> None:
    now_ns = time.time_ns()
    run = Span("e" * 32, "e" * 16, None, "search CI", now_ns - shop.HOUR, now_ns - shop.MINUTE, kind="SERVER")
    run.resource = {c.PIPELINE_NAME: "search CI", c.PIPELINE_RUN_ID: "9", c.VCS_REPOSITORY_NAME: "search"}
    run.attributes = {c.PIPELINE_RESULT: "success"}
    job = replace(run, span_id="f" * 16, parent_id=run.span_id, name="deploy", kind="INTERNAL")
    job.attributes = {c.TASK_NAME: "deploy", c.TASK_RUN_ID: "2", c.TASK_TYPE: c.DEPLOY, c.ARTIFACT_VERSION: "v4"}
    job.attributes |= {c.DEPLOYMENT_ENVIRONMENT: "prod", c.TASK_RUN_RESULT: "success"}
    support.store_spans(env, [run, job])
    with Server(env) as server:
        assert get(server, "/search?q=v4").headers["Location"] == "/deploys?version=v4"
        assert get(server, "/search?q=v5").headers["Location"] == "/traces?q=v5"
        assert "No deploy matches" not in shown(server, "/deploys?version=v4")


def test_a_list_is_sorted_over_all_its_pages(env: dict[str, str]) -> None:
    now_ns, made = time.time_ns(), list[Span]()
    for number in range(120):
        # The longest is in the middle.
        took = shop.MINUTE * (200 - abs(number - 60))
        made += shop.deploy(number, now_ns - (number + 4) * shop.HOUR, "staging", "1.7.3", took_ns=took)
    support.store_spans(env, made)
    with Server(env) as server:
        pages = [shown(server, f"/deploys?sort=longest&page={page}") for page in (1, 2, 3)]
        assert [len(runs_in(page)) for page in pages] == [50, 50, 20]
        numbers = [int(run.partition("#")[2]) for page in pages for run in runs_in(page)]
        assert sorted(numbers) == list(range(120))
        assert [abs(number - 60) for number in numbers] == sorted(abs(number - 60) for number in numbers)
        assert (
            'aria-sort="descending"><span class="unsorted">Duration</span><a class="sorts" href="/deploys?sort=shortest"'
            in pages[0]
        )
        assert ["Next page" in page for page in pages] == [True, True, False]
        assert ["First page" in page for page in pages] == [False, True, True]
        assert "are sorted" not in pages[0]
        # With a filter, and back.
        filtered = shown(server, "/deploys?sort=oldest&service=shop")
        assert runs_in(filtered)[0] == "shop/deploy#119"
        assert 'href="/deploys?service=shop"' in filtered


def test_prices_are_in_the_pages_of_the_platform_and_of_a_job(env: dict[str, str]) -> None:
    run = shop.build("shop/build", 7, time.time_ns() - shop.HOUR)
    run.attributes |= {c.JENKINS_HELD_MS: 600_000, c.JENKINS_HELD_LENGTHS_MS: [600_000]}
    run.attributes |= {c.JENKINS_HELD_LABELS: ["linux && docker"], c.JENKINS_HELD_WORKERS: [""]}
    support.store_spans(env, [run])
    pages = ("/platform", "/job?name=shop/build")
    with Server(env, "--cost", "linux&&docker=0.12 EUR/min", "--cost", "*=9/h") as server:
        assert ["1.20 EUR" in shown(server, path) for path in pages] == [True, True]
    with Server(env) as server:
        assert ["Agent-minutes" in shown(server, path) for path in pages] == [True, True]
        assert ["Cost" in shown(server, path) for path in pages] == [False, False]


@pytest.mark.parametrize("query", ["q=shop&result=failure", "page=2", "anything"])
def test_old_addresses_of_the_list_lead_to_it(local: Server, query: str) -> None:
    answer = get(local, f"/?{query}")
    assert (answer.status_code, answer.headers["Location"]) == (307, f"/traces?{query}")
    assert get(local, answer.headers["Location"]).status_code == 200


def test_an_empty_store_says_what_to_do(env: dict[str, str]) -> None:
    with Server(env) as server:
        assert f"OTEL_EXPORTER_OTLP_ENDPOINT={server.url}" in shown(server, "/")
        for path in ("/deploys", "/builds"):
            assert "matches in" in shown(server, path)
        assert get(server, "/search?q=shop").headers["Location"] == "/traces?q=shop"
        assert get(server, "/search").headers["Location"] == "/"


def test_long_and_odd_fields_are_no_error(local: Server) -> None:
    for fields in ({"q": "x" * 5000}, {"commit": "%00"}, {"from": "0001-01-01T00:00", "zone": "-" + "9" * 400}):
        for path in ("/deploys", "/builds"):
            answer = requests.get(local.url + path, fields, headers=HTML, timeout=60)
            assert answer.status_code == 200, (path, fields)
            assert len(answer.text) < 100_000
    answer = requests.get(f"{local.url}/search", {"q": "x" * 5000}, timeout=60, allow_redirects=False)
    assert len(parse_qs(urlsplit(answer.headers["Location"]).query)["q"][0]) == 500


def problem(server: Server, path: str) -> tuple[int, str]:
    """Return the status of a page and the one line on it."""
    answer = get(server, path)
    (line,) = re.findall(r"<section class=\"card\">.*?<p>(.*?)</p>", answer.text, re.DOTALL) or [answer.text]
    return answer.status_code, line


def _nobody_has_open(store: Path) -> bool:
    """Return whether nobody else has a store open: the last connection takes these files with it.

    Of two that are closed at one time, neither may be the last. So the one here is.
    """
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("SELECT count(*) FROM spans").fetchone()
    return not list(store.parent.glob(f"{store.name}-*"))


def _put_at_the_begin(store: Path, new: bytes) -> bytes:
    """Write over the first bytes of a store, which never is cut or empty, and return what was there."""
    with store.open("r+b") as file:
        old = file.read(len(new))
        file.seek(0)
        file.write(new)
    return old


def test_a_store_that_cannot_be_read_is_told_in_one_line(env: dict[str, str], local: Server) -> None:
    # A process that has the store open may never see another one at this path.
    processes.wait_for(lambda: _nobody_has_open(local.store), "store that nobody has open")
    head = _put_at_the_begin(local.store, b"no database at all\n" * 5)
    for path in ("/", "/deploys", "/builds?job=shop/build", "/search?q=shop"):
        status, line = problem(local, path)
        assert (status, line.endswith("reload the page in a few seconds")) == (503, True), (path, line)
        assert "\n" not in line
    # Who looks stays connected, and sees the store again when it is back.
    with requests.get(f"{local.url}/now/events", stream=True, timeout=60) as events:
        assert events.status_code == 200
        lines = events.iter_lines(decode_unicode=True)
        assert [next(lines), next(lines), next(lines)] == ["retry: 2000", "", ":"]
        _put_at_the_begin(local.store, head)
        deadline = time.monotonic() + 60
        where = next(line for line in lines if "board" in line or time.monotonic() > deadline)
        assert where.startswith("data: ")
        assert "1.7.2" in json.loads(where.removeprefix("data: "))
    local.end()


@needs_engine
def test_a_source_that_cannot_be_read_is_told_in_one_line(tmp_path: Path, env: dict[str, str], spans: list[Span]) -> None:
    with Engine(tmp_path / "engine") as engine:
        clickhouse_schema.create(engine)
        clickhouse_schema.insert(engine, spans)
        with Server(env, "--from", address(engine)) as server:
            assert get(server, "/").status_code == 200
            for fault in (Fault("status"), Fault("cut")):
                with engine.fault(fault):
                    for path in ("/", "/deploys", "/builds?job=shop/build", "/search?q=shop"):
                        status, line = problem(server, path)
                        assert (status, "\n" in line, line.startswith("clickhouse://")) == (503, False, True), (path, line)
            assert "1.7.3" in shown(server, "/")


@pytest.mark.parametrize("streams", [1, 100])
def test_it_ends_at_once_while_streams_are_open(env: dict[str, str], spans: list[Span], streams: int) -> None:
    support.store_spans(env, spans)
    with Server(env) as server, ExitStack() as stack:
        readers = [follow(server, stack) for _ in range(streams)]
        # It says nothing of answers that it had to break off.
        assert server.end() == (0, "")
        for events in readers:
            # The stream has its proper end, or this raises an error.
            assert list(filter(None, events.iter_lines()))[:1] == [b"retry: 2000"]


@needs_engine
def test_a_replica_ends_at_once_while_a_stream_is_open(tmp_path: Path, env: dict[str, str]) -> None:
    with Engine(tmp_path / "engine") as engine:
        clickhouse_schema.create(engine)
        with Server(env, "--from", address(engine)) as server, ExitStack() as stack:
            events = follow(server, stack)
            assert server.end() == (0, "")
            assert next(events.iter_lines()) == b"retry: 2000"


def follow(server: Server, stack: ExitStack) -> requests.Response:
    """Return a stream that has begun."""
    answer = requests.get(f"{server.url}/now/events", stream=True, timeout=60)
    stack.callback(answer.close)
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, "text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"
    return answer


def test_a_hundred_readers_may_follow_and_those_that_go_make_room(local: Server) -> None:
    with ExitStack() as stack:
        for _ in range(100):
            follow(local, stack)
        # A browser takes this answer as the end, and does not ask again.
        assert is_full(local)
        assert get(local, "/").status_code == 200

    processes.wait_for(lambda: not is_full(local), "room for another reader")


def is_full(server: Server) -> bool:
    with requests.get(f"{server.url}/now/events", stream=True, timeout=20) as answer:
        assert answer.status_code in (200, 204)
        return answer.status_code == 204


def test_without_the_token_nobody_follows(env: dict[str, str], spans: list[Span]) -> None:
    support.store_spans(env, spans)
    token = "a-token-of-some-length"
    with Server({**env, "PIPELINE_TRACE_SERVE_TOKEN": token}) as server:
        for path in ("/now/events", "/deploys", "/builds", "/search?q=shop"):
            assert requests.get(server.url + path, timeout=20).status_code == 401
        headers = {"Authorization": f"Bearer {token}"}
        with requests.get(f"{server.url}/now/events", headers=headers, stream=True, timeout=20) as answer:
            assert answer.status_code == 200
