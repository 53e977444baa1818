"""A build that runs, on the first page of a `serve`: told by a real poller until it has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from re import search, sub

import pytest
import requests
import support
from support import processes
from support.model import ModelJenkins, play, shapes
from support.otlp_receiver import Receiver
from support.service import Service
from support.serving import Server

pytestmark = pytest.mark.process

START_MS = 1_800_000_000_000
SINCE = ("--since", "5000w", "--interval", "1")
NOTHING = "Nothing runs now, as far as it is told here."


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "server"
    folder.mkdir()
    with Server(support.environ(folder)) as server:
        yield server


@pytest.fixture
def jenkins() -> Iterator[ModelJenkins]:
    played = play(shapes.NAMED["no-agent"], start_ms=START_MS, job="shop/build", number=61)
    with ModelJenkins([played], moment_ms=START_MS + 20_000) as jenkins:
        yield jenkins


def shown(server: Server) -> str:
    """Return the text of the first page."""
    return " ".join(unescape(sub("<[^>]*>", " ", requests.get(server.url, timeout=30).text)).split())


def test_it_is_shown_with_what_it_waits_for_until_it_has_ended(
    server: Server, jenkins: ModelJenkins, start: Callable[..., Service]
) -> None:
    service = start("--jenkins-url", jenkins.url, *SINCE, OTEL_EXPORTER_OTLP_ENDPOINT=server.url)
    processes.wait_for(lambda: "shop/build#61" in shown(server), "build on the page")
    text = shown(server)
    assert "stands at RUN shop/build › Mac › Allocate agent macos" in text
    assert "waits for an agent (macos): There are no nodes with the label ‘macos’" in text
    assert "Compare the label macos with the labels of the agents." in text
    assert NOTHING not in text
    trace = search("/trace/[0-9a-f]{32}", requests.get(server.url, timeout=30).text)
    assert trace
    page = requests.get(server.url + trace[0], timeout=30).text
    assert "for an agent (macos): There are no nodes with the label ‘macos’" in unescape(page)
    assert "<title>Running: shop/build#61</title>" in page
    jenkins.moment_ms = None
    processes.wait_for(lambda: NOTHING in shown(server), "end of the build")
    assert service.end()[0] == 0


def test_a_serve_that_starts_later_on_the_same_machine_shows_it_too(
    env: dict[str, str], jenkins: ModelJenkins, start: Callable[..., Service]
) -> None:
    start("--jenkins-url", jenkins.url, *SINCE)
    processes.wait_for(lambda: sum("/computer/" in one for one in list(jenkins.requests)) > 1, "polls")
    with Server(env) as server:
        processes.wait_for(lambda: "shop/build#61" in shown(server), "build on the page", 60)
        assert "waits for an agent (macos)" in shown(server)
        jenkins.moment_ms = None
        processes.wait_for(lambda: NOTHING in shown(server), "end of the build")


def test_other_receivers_get_no_record_and_cost_the_controller_no_request(
    jenkins: ModelJenkins, start: Callable[..., Service]
) -> None:
    with Receiver() as receiver:
        service = start("--jenkins-url", jenkins.url, *SINCE, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.http_url)
        processes.wait_for(lambda: sum("/computer/" in one for one in list(jenkins.requests)) > 3, "polls")
        assert service.end()[0] == 0
        assert receiver.heard == []
    assert not [one for one in jenkins.requests if "/queue/" in one]


def test_its_page_offers_nothing_that_is_not_there_yet_and_find_leads_to_it(
    server: Server, jenkins: ModelJenkins, start: Callable[..., Service]
) -> None:
    start("--jenkins-url", jenkins.url, *SINCE, OTEL_EXPORTER_OTLP_ENDPOINT=server.url)
    processes.wait_for(lambda: "shop/build#61" in shown(server), "build on the page")
    found = requests.get(f"{server.url}/search", {"q": "shop/build#61"}, timeout=30)
    assert "/trace/" in found.url
    for absent in ("Compare with the last green run", "Export as OTLP JSON", "pipeline-trace show"):
        assert absent not in found.text, absent
    listed = requests.get(f"{server.url}/builds?result=running", timeout=30).text
    assert ">shop/build#61</a>" in listed
    assert ">shop/build#61</a>" not in requests.get(f"{server.url}/builds?result=failed", timeout=30).text
    assert requests.get(f"{server.url}/search", {"q": found.url.rpartition("/")[2]}, timeout=30).url == found.url
