"""What load balancers ask: does the process answer, can it answer questions? Anybody may, and learns nothing else."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import support
from starlette.requests import Request
from starlette.responses import Response
from support.loops import ran
from support.serving import Server

from pipeline_trace.serve import health
from pipeline_trace.serve.health import Health
from pipeline_trace.serve.index import Index

REQUEST = Request({"type": "http"})


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Asked:
    """Counts how often it is asked, and answers in turn; the last answer again and again."""

    def __init__(self, *answers: str | Exception) -> None:
        self.times = 0
        self._answers = answers

    def __call__(self) -> str:
        found = self._answers[min(self.times, len(self._answers) - 1)]
        self.times += 1
        if isinstance(found, Exception):
            raise found
        return found


def told(answer: Response) -> tuple[int, bytes]:
    return answer.status_code, bytes(answer.body)


def test_many_probes_are_one_question_a_second() -> None:
    asked, clock = Asked(""), Clock()

    async def probes() -> None:
        found = Health(asked, clock)
        for seconds, times in ((0, 1), (0.9, 1), (0.2, 2), (0, 2), (5, 3)):
            clock.seconds += seconds
            answers = await asyncio.gather(*(found.readiness(REQUEST) for _ in range(20)))
            assert {told(answer) for answer in answers} == {(200, b"ready\n")}
            assert asked.times == times

    ran(probes())


@pytest.mark.parametrize("problem", ["no server at https://mara:hunter2hunter2@db.example.com", OSError("no /srv/traces")])
def test_what_is_wrong_is_in_the_log_alone(problem: str | Exception, caplog: pytest.LogCaptureFixture) -> None:
    asked, clock = Asked(problem, problem, "", ""), Clock()

    async def probes() -> list[tuple[int, bytes]]:
        found, answers = Health(asked, clock), []
        for _ in range(4):
            answers.append(told(await found.readiness(REQUEST)))
            clock.seconds += 1
        return answers

    with caplog.at_level(logging.WARNING):
        assert ran(probes()) == [(503, b"not ready\n")] * 2 + [(200, b"ready\n")] * 2
    # Once when it begins and once when it is over.
    first, last = caplog.messages
    assert first.startswith("not ready: no ")
    assert "hunter2" not in first
    assert last == "ready again"


def test_a_question_that_hangs_is_not_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_PATIENCE_SECONDS", 0.05)
    answered, asked = threading.Event(), Asked("")

    def hanging() -> str:
        found = asked()
        answered.wait(20)
        return found

    async def probes() -> None:
        clock = Clock()
        found = Health(hanging, clock)
        for _ in range(3):
            assert told(await found.readiness(REQUEST)) == (503, b"not ready\n")
            assert told(await found.health(REQUEST)) == (200, b"ok\n")
            clock.seconds += 5
        answered.set()
        monkeypatch.setattr(health, "_PATIENCE_SECONDS", 20)
        assert told(await found.readiness(REQUEST)) == (200, b"ready\n")
        assert asked.times == 1

    ran(probes())


def test_a_store_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    index = Index(tmp_path / "a b?c#d" / "traces.db")
    index._path.parent.mkdir()
    index.prepare()
    assert index.problem() == ""
    index._path.rename(tmp_path / "away")
    assert "unable to open" in index.problem()
    assert not index._path.exists()
    index._path.write_text("this is no database" * 100)
    assert "not a database" in index.problem()


# Real servers

TRUST = ("--trust-user-header", "X-Forwarded-User", "--trust-from", "192.0.2.1")


@pytest.fixture(scope="module", params=["token", "proxy"])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that lets nobody in without a login."""
    env = support.environ(tmp_path_factory.mktemp("guarded"))
    if request.param == "token":
        env["PIPELINE_TRACE_SERVE_TOKEN"] = "correct-horse-battery-staple"
    with Server(env, *(TRUST if request.param == "proxy" else ())) as running:
        yield running


@pytest.mark.process
@pytest.mark.parametrize("host", ["evil.example", "10.0.0.7:4318", "", "localhost"])
@pytest.mark.parametrize(("path", "said"), [("/healthz", "ok\n"), ("/readyz", "ready\n")])
def test_probes_need_no_login_and_no_name(guarded: Server, path: str, said: str, host: str) -> None:
    headers = {"Host": host, "Accept": "text/html", "Origin": "null"}
    assert requests.get(guarded.url + path, headers=headers, timeout=20, allow_redirects=False).text == said
    head = requests.head(guarded.url + path, headers=headers, timeout=20, allow_redirects=False)
    assert (head.status_code, head.text) == (200, "")


@pytest.mark.process
@pytest.mark.parametrize("path", ["/healthz/", "/healthz/x", "//healthz", "/readyz;x", "/", "/readyz/../"])
def test_nothing_else_is_open_by_that(guarded: Server, path: str) -> None:
    asked = requests.Request("GET", guarded.url).prepare()
    asked.url = guarded.url + path
    with requests.Session() as session:
        assert session.send(asked, timeout=20, allow_redirects=False).status_code in (401, 403)
        asked.headers["Host"] = "evil.example"
        assert session.send(asked, timeout=20, allow_redirects=False).status_code == 403


@pytest.mark.process
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_send_nothing(guarded: Server, path: str) -> None:
    assert requests.post(guarded.url + path, b"x", timeout=20).status_code == 401
    assert requests.post(guarded.url + path, b"x", headers={"Host": "evil.example"}, timeout=20).status_code == 403


@pytest.mark.process
def test_a_server_whose_store_is_away_is_alive_but_not_ready(env: dict[str, str]) -> None:
    server = Server(env)
    away = server.store.with_name("away")
    server.store.rename(away)
    until(lambda: requests.get(f"{server.url}/readyz", timeout=20), 503, "not ready\n")
    assert requests.get(f"{server.url}/healthz", timeout=20).text == "ok\n"
    away.rename(server.store)
    until(lambda: requests.get(f"{server.url}/readyz", timeout=20), 200, "ready\n")
    status, said = server.end()
    # The list, which is kept up in the background, may complain too.
    first, last = [line for line in said.splitlines() if "ready" in line]
    assert (status, last) == (0, "pipeline-trace: ready again")
    assert first.startswith(f"pipeline-trace: not ready: the store {server.store} cannot be read (")


def until(ask: Callable[[], requests.Response], status: int, said: str) -> None:
    """Ask until this is the answer."""
    deadline = time.monotonic() + 60
    while True:
        answer = ask()
        if (answer.status_code, answer.text) == (status, said):
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)
