"""A playbook ends with a link to its trace where `serve` on this machine shows it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import support
from support.serving import Server

from pipeline_trace.delivery import listening
from pipeline_trace.delivery.home import Home, find_home

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ROOT = "http://127.0.0.1:1/"
BUILD = {"JENKINS_URL": ROOT, "BUILD_URL": f"{ROOT}job/app/1/", "JOB_NAME": "app", "BUILD_NUMBER": "1"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return find_home({"PIPELINE_TRACE_HOME": str(tmp_path)})


@pytest.fixture
def port() -> Iterator[int]:
    """Return a port of this machine on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def endpoint(text: str) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": text}


def test_without_a_server_there_is_no_link(home: Home) -> None:
    assert listening.page_of(home, {}, TRACE) == ""


def test_a_server_of_this_store_is_linked(home: Home, port: int) -> None:
    listening.note(home, f"http://127.0.0.1:{port}", "127.0.0.1:4317")
    assert listening.page_of(home, {}, TRACE) == f"http://127.0.0.1:{port}/trace/{TRACE}"


def test_a_server_that_was_killed_is_not_linked(home: Home) -> None:
    listening.note(home, "http://127.0.0.1:1", "127.0.0.1:2")
    assert listening.page_of(home, {}, TRACE) == ""


def test_a_server_that_gets_the_spans_is_linked_and_no_other(home: Home, port: int) -> None:
    listening.note(home, f"http://127.0.0.1:{port}", "127.0.0.1:4317")
    for receiver in (f"http://localhost:{port}", f"http://127.0.0.1:{port}/", "http://localhost:4317", "127.0.0.1:4317"):
        assert listening.page_of(home, endpoint(receiver), TRACE), receiver
    for receiver in ("http://collector:4318", f"http://collector:{port}", "http://localhost:4319", "http://["):
        assert not listening.page_of(home, endpoint(receiver), TRACE), receiver


def test_a_server_on_all_addresses_is_linked_by_the_machines_name(home: Home, port: int) -> None:
    listening.note(home, f"http://0.0.0.0:{port}", "0.0.0.0:4317")
    assert listening.page_of(home, {}, TRACE) == f"http://{socket.gethostname()}:{port}/trace/{TRACE}"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": 5}', '{"url": "http://x"}', "x" * 9999])
def test_a_damaged_note_is_no_link(home: Home, text: str) -> None:
    (home.path / "serve.json").write_text(text)
    assert listening.page_of(home, {}, TRACE) == ""


def test_only_its_own_note_is_removed(home: Home, port: int) -> None:
    listening.note(home, f"http://127.0.0.1:{port}", "127.0.0.1:4317")
    listening.forget(home, "http://127.0.0.1:1")
    assert listening.page_of(home, {}, TRACE)
    listening.forget(home, f"http://127.0.0.1:{port}")
    assert not listening.page_of(home, {}, TRACE)


@pytest.mark.process
@pytest.mark.parametrize("sent", [False, True], ids=["store", "otlp"])
def test_a_real_playbook_in_a_build_ends_with_the_link(tmp_path: Path, sent: bool) -> None:
    env = support.environ(tmp_path, **BUILD)
    playbook = support.write_playbook(tmp_path, support.DEPLOY)
    with Server(env) as server:
        done = support.run_playbook(playbook, env={**env, **(endpoint(server.url) if sent else {})})
        assert f"pipeline-trace: {server.url}/trace/" in done.stdout + done.stderr
    assert not (Path(env["PIPELINE_TRACE_HOME"]) / "serve.json").exists()
