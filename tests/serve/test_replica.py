"""`serve --from`: the pages of a source alone. Several show the same, none takes spans, a source that is away is told."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import support
from support import clickhouse_schema, processes
from support.clickhouse import Engine, Fault, needs_engine
from support.report_samples import sample
from support.serving import Server

from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

pytestmark = [needs_engine, pytest.mark.process]

DAY_NS = 86_400 * 10**9
LINE = re.compile(r'href="/trace/([0-9a-f]{32})">([^<]*)</a></td>')
SIZE = re.compile(r'<td class="number (?:duration|spans)">([^<]*)')


def recent(spans: list[Span], ago_ns: int = 0) -> list[Span]:
    """Move spans to now: the list has the traces of the last days."""
    by = time.time_ns() - ago_ns - max(span.end_ns for span in spans)
    for span in spans:
        span.start_ns, span.end_ns = span.start_ns + by, span.end_ns + by
    return spans


@pytest.fixture(scope="module")
def spans() -> list[Span]:
    return recent(sample())


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, spans: list[Span]) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("replica") / "engine") as engine:
        clickhouse_schema.create(engine)
        clickhouse_schema.insert(engine, spans)
        # Delivered twice.
        clickhouse_schema.insert(engine, spans[:5])
        yield engine


def source(engine: Engine) -> str:
    return f"clickhouse://default@127.0.0.1:{engine.port}/default"


def page(server: Server, path: str = "/traces") -> str:
    answer = requests.get(f"{server.url}{path}", headers={"Accept": "text/html"}, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/traces",
        "/traces?result=failure",
        "/traces?result=success",
        "/traces?q=deploy",
        "/traces?q=nothing-like-it",
        "/traces?page=2",
    ],
)
def test_the_list_is_that_of_the_local_store(engine: Engine, env: dict[str, str], spans: list[Span], path: str) -> None:
    support.store_spans(env, spans)
    with Server(env) as local, Server(env, "--from", source(engine)) as replica:
        texts = [page(local, path), page(replica, path)]
    roots = {span.trace_id for span in spans if span.parent_id is None}
    wanted, found = ([line for line in LINE.findall(text) if line[0] in roots] for text in texts)
    assert found == wanted
    if len(LINE.findall(texts[0])) == len(wanted):
        assert SIZE.findall(texts[1]) == SIZE.findall(texts[0])


def test_two_replicas_show_the_same_trace_as_one_store(engine: Engine, env: dict[str, str], spans: list[Span]) -> None:
    path = f"/trace/{spans[0].trace_id}"
    with Server(env, "--from", source(engine)) as one, Server({**env, "PIPELINE_TRACE_SOURCE": source(engine)}) as other:
        first, second = (
            # Each names its own address.
            re.sub(r"<footer.*?</footer>", "", page(server, path), flags=re.DOTALL).replace(server.url, "")
            for server in (one, other)
        )
        assert page(one, f"{path}.json") == page(other, f"{path}.json")
        command = f"pipeline-trace compare {spans[0].trace_id} --from"
        assert command in page(one, f"/compare?trace={spans[0].trace_id}")
    assert first == second
    assert spans[0].name in first


def test_older_traces_are_found_by_their_time(tmp_path: Path, env: dict[str, str]) -> None:
    old = recent(sample(), 100 * DAY_NS)
    with Engine(tmp_path / "engine") as engine:
        clickhouse_schema.create(engine)
        clickhouse_schema.insert(engine, old)
        with Server(env, "--from", source(engine)) as server:
            text = page(server)
            assert not LINE.findall(text)
            assert "To see older ones, set From" in text
            assert LINE.findall(page(server, "/traces?from=2020-01-01T00:00"))


def test_it_takes_no_spans_and_says_where_they_go(engine: Engine, env: dict[str, str]) -> None:
    with Server(env, "--from", source(engine)) as server:
        for path in (server.traces, f"{server.url}/v1/logs"):
            answer = requests.post(path, data=b"", headers={"Content-Type": "application/x-protobuf"}, timeout=20)
            assert (answer.status_code, "Collector" in answer.text) == (404, True)
            assert "pipeline-trace-open-spans" not in answer.headers
    assert not (Path(env["PIPELINE_TRACE_HOME"]) / "traces.db").exists()


def test_a_source_that_goes_away_is_told_and_read_again(tmp_path: Path, env: dict[str, str], spans: list[Span]) -> None:
    with Engine(tmp_path / "engine") as engine:
        clickhouse_schema.create(engine)
        clickhouse_schema.insert(engine, spans)
        server = Server(env, "--from", source(engine))
        assert requests.get(f"{server.url}/readyz", timeout=20).status_code == 200
        engine.kill()
        answer = requests.get(server.url, headers={"Accept": "text/html"}, timeout=60)
        assert (answer.status_code, "check host and port" in answer.text) == (503, True)
        assert [requests.get(f"{server.url}/{name}", timeout=20).status_code for name in ("healthz",)] == [200]
        processes.wait_for(lambda: requests.get(f"{server.url}/readyz", timeout=20).status_code == 503, "not ready")
        engine.start()
        processes.wait_for(lambda: requests.get(f"{server.url}/readyz", timeout=20).status_code == 200, "ready again")
        assert LINE.findall(page(server))
        with engine.fault(Fault("status")):
            assert requests.get(server.url, headers={"Accept": "text/html"}, timeout=60).status_code == 503
        status, said = server.end()
    assert status == 0
    assert all(line.startswith("pipeline-trace: ") and "ready" in line for line in said.splitlines()), said


def test_it_starts_before_its_source(tmp_path: Path, env: dict[str, str]) -> None:
    engine = Engine(tmp_path / "engine")
    server = Server(env, "--from", source(engine))
    assert requests.get(f"{server.url}/healthz", timeout=20).status_code == 200
    assert requests.get(f"{server.url}/readyz", timeout=20).status_code == 503
    assert server.end()[0] == 0


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("clickhouse://me:secret@db/otel", "has a password"),
        ("http://db:8123", "must be an address like clickhouse://"),
        ("clickhouse://me@db/otel?password=secret", "has a password"),
    ],
)
def test_a_wrong_address_is_one_line(env: dict[str, str], address: str, said: str) -> None:
    done = support.spawn("serve", "--from", address, env=env)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "secret" not in done.stderr


def test_a_token_opens_the_pages_of_every_replica(engine: Engine, env: dict[str, str]) -> None:
    token = "a-token-of-some-length"
    with_token = {**env, "PIPELINE_TRACE_SERVE_TOKEN": token}
    with Server(with_token, "--from", source(engine)) as one, Server(with_token, "--from", source(engine)) as other:
        session = requests.Session()
        assert session.post(f"{one.url}/login", data={"token": token}, timeout=20).status_code == 200
        cookie = session.cookies.get("pipeline_trace")
        assert cookie
        answer = requests.get(other.url, cookies={"pipeline_trace": cookie}, timeout=60)
        assert answer.status_code == 200
        assert requests.get(other.url, timeout=20).status_code == 401


def test_the_environments_are_those_of_deploys(tmp_path: Path, env: dict[str, str]) -> None:
    run = Span("a" * 32, "b" * 16, None, "RUN shop/deploy", 0, 60 * 10**9)
    run.attributes = {c.JENKINS_TYPE: c.TYPE_RUN, c.PIPELINE_RESULT: c.SUCCESS, "jenkins.parameter.ENV": "prod"}
    run.resource = {c.SERVICE_NAME: "ci", c.PIPELINE_NAME: "shop/deploy", c.PIPELINE_RUN_ID: "7"}
    with Engine(tmp_path / "engine") as engine:
        clickhouse_schema.create(engine)
        clickhouse_schema.insert(engine, recent([run]))
        with Server(env, "--from", source(engine)) as server:
            assert "<option>production</option>" in page(server)
            assert len(LINE.findall(page(server, "/traces?environment=production"))) == 1
            assert not LINE.findall(page(server, "/traces?environment=staging"))
