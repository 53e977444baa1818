"""What asks a controller from within a build, where the controller takes its time: what is there counts."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support import hostile
from support.asking import asked, odd_environ, place
from support.graphs import node

from pipeline_trace.place.ci.jenkins.client import MOST_NODES, SECONDS
from pipeline_trace.place.ci.jenkins.identity import Build

# What is asked of a controller is asked in a child.
pytestmark = pytest.mark.process


def of_chain(path: str) -> dict[str, Any]:
    """Return the document of a build: 7 of app was started by 3 of middle, and that by 1 of root."""
    above = {"/job/app/7/": ("middle", 3), "/job/middle/3/": ("root", 1)}
    started = next(({"upstreamProject": job, "upstreamBuild": number} for begin, (job, number) in above.items()
                    if path.startswith(begin)), None)  # fmt: skip
    actions: list[dict[str, Any]] = [
        {"_class": "x.CauseAction", "causes": [{"_class": "x.UpstreamCause", **(started or {})}]}
    ]
    if "nodes[" in path:
        nodes = [node(2, "Start of Pipeline", "first"), node(3, "Stage : Start", "start", 2), node(4, "Deploy", "start", 3)]
        actions.append({"_class": "x.FlowGraphAction", "nodes": nodes})
    return {"actions": actions}


@contextmanager
def holding_back(*begins: str) -> Iterator[str]:
    """Serve of_chain, but never answer a path that has one of these texts in it; yield the address."""
    end = threading.Event()

    def answer(path: str) -> hostile.Pieces:
        if any(begin in path for begin in begins):
            end.wait(60)
        return hostile.of_json(of_chain(path))

    with hostile.answering(answer) as controller:
        try:
            yield controller.url
        finally:
            end.set()


def test_a_graph_that_does_not_come_costs_only_the_stage() -> None:
    with holding_back("nodes[") as url:
        found = place(odd_environ(url))
    assert found.trace_id == Build(url, "root", 1).trace_id
    assert found.attributes["jenkins.stage.assumed"] is True


def test_builds_above_that_do_not_come_cost_only_the_trace() -> None:
    with holding_back("/job/root/") as url:
        answer = asked(odd_environ(url))
    assert answer is not None
    assert (answer.place.trace_id, answer.whole) == (Build(url, "app", 7).trace_id, False)
    assert answer.clock_skew_ms is not None


def test_what_is_asked_at_the_same_time_is_all_there_in_the_end() -> None:
    with holding_back() as url:
        answer = asked(odd_environ(url))
    assert answer is not None
    assert (answer.place.trace_id, answer.whole) == (Build(url, "root", 1).trace_id, True)
    assert list(answer.nodes) == ["2", "3", "4"]


def test_a_graph_of_which_only_a_part_is_read_tells_no_stage() -> None:
    document = of_chain("/job/root/1/?nodes[")
    nodes = document["actions"][1]["nodes"]
    nodes += [node(number, "Shell Script", "step", number - 1) for number in range(5, MOST_NODES + 3)]
    assert len(nodes) == MOST_NODES + 1
    with hostile.answering(lambda path: hostile.of_json(document)) as controller:
        assert place(odd_environ(controller.url)).attributes["jenkins.stage.assumed"] is True
        nodes.pop()
        assert "jenkins.stage.assumed" not in place(odd_environ(controller.url)).attributes


def dripping(path: str) -> hostile.Pieces:
    """Return an answer that comes byte by byte, each one in time."""
    for byte in hostile.head() + b"x" * 4000:
        time.sleep(0.1)
        yield bytes([byte])


def circling(path: str) -> hostile.Pieces:
    return [f"HTTP/1.1 302 Found\r\nLocation: {path}&x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()]


def late(path: str) -> hostile.Pieces:
    time.sleep(1.9)
    return hostile.of_json(of_chain(path))


@pytest.mark.parametrize("answer", [dripping, circling, late])
def test_nothing_that_a_controller_does_blocks_for_long(answer: hostile.Answer) -> None:
    before = time.monotonic()
    with hostile.answering(answer) as controller:
        assert place(odd_environ(controller.url)).trace_id == Build(controller.url, "app", 7).trace_id
        assert time.monotonic() - before < 2 * SECONDS


def test_a_name_that_nobody_resolves_does_not_block_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: time.sleep(60))
    before = time.monotonic()
    assert asked(odd_environ("http://ci.invalid")) is None
    assert time.monotonic() - before < 2 * SECONDS
