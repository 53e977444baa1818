"""A store that is moved, removed or replaced while `serve` runs: no span is lost in a file that nobody looks into."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from support.serving import Server

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.trace.span import Span

pytestmark = pytest.mark.process

HTML = {"Accept": "text/html"}
PAGES = ("/", "/deploys", "/traces", "/service?name=shop", "/platform", f"/trace/{1:032x}")


@pytest.fixture
def server(env: dict[str, str]) -> Iterator[Server]:
    with Server(env) as running:
        assert send(running, 1).status_code == 200
        until(lambda: "name 1" in page(running, "/traces").text)
        yield running


def send(server: Server, number: int) -> requests.Response:
    """Send one span. Each number makes another trace."""
    now = time.time_ns()
    told = {"traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": f"name {number}"}
    times = {"startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 1)}
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [told | times]}]}]}
    return requests.post(server.traces, json=body, timeout=60)


def page(server: Server, path: str) -> requests.Response:
    return requests.get(server.url + path, headers=HTML, timeout=60)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def traces_in(store: Path) -> list[int]:
    with closing(sqlite3.connect(store)) as database:
        return sorted(int(trace_id, 16) for (trace_id,) in database.execute("SELECT trace_id FROM spans"))


def test_nothing_is_taken_while_the_store_is_away_and_all_is_there_when_it_is_back(server: Server, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    for file in server.store.parent.glob("traces.db*"):
        file.rename(away / file.name)
    refused = send(server, 2)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert "somebody moved or removed it; put it back" in refused.text
    for path in PAGES:
        answer = page(server, path)
        assert (answer.status_code, "moved or removed" in answer.text) == (503, True), path
    assert not list(server.store.parent.glob("traces.db*"))
    for file in away.iterdir():
        file.rename(server.store.parent / file.name)
    assert send(server, 2).status_code == 200
    until(lambda: "name 2" in page(server, "/traces").text)
    assert traces_in(server.store) == [1, 2]


def test_another_store_at_its_place_is_not_touched_until_serve_is_started_again(
    env: dict[str, str], server: Server, tmp_path: Path
) -> None:
    other, old = tmp_path / "other.db", tmp_path / "old.db"
    with closing(Store(other)) as store:
        store.deliver([Span(f"{7:032x}", f"{7:016x}", None, "name 7", 10**18, 10**18 + 1)], 5)
    server.store.rename(old)
    other.rename(server.store)
    for path in PAGES:
        answer = page(server, path)
        assert (answer.status_code, "put another file at its place" in answer.text) == (503, True), path
    refused = send(server, 2)
    assert (refused.status_code, "end pipeline-trace serve and start it again" in refused.text) == (503, True)
    assert requests.get(f"{server.url}/readyz", timeout=60).status_code == 503
    server.end()
    assert [traces_in(old), traces_in(server.store)] == [[1], [7]]
    with Server(env) as again:
        assert send(again, 2).status_code == 200
        until(lambda: "name 2" in page(again, "/traces").text)
        assert "name 7" in page(again, "/traces").text
    assert traces_in(server.store) == [2, 7]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_file_that_is_moved_while_nothing_comes_is_whole(server: Server, tmp_path: Path, number: int) -> None:
    old = tmp_path / "old.db"
    log = Path(f"{server.store}-wal")
    until(lambda: not log.exists() or log.stat().st_size == 0)
    server.store.rename(old)
    server.end(number)
    assert traces_in(old) == [1]


def test_a_file_that_is_moved_right_after_a_span_is_whole_at_the_end(server: Server, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    assert send(server, 2).status_code == 200
    server.store.rename(old)
    server.end()
    assert traces_in(old) == [1, 2]
