"""What the callback reads of Ansible's decisions, and when it holds a failure back, with objects as Ansible has them."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.pipeline_trace.otel.plugins.plugin_utils import doubt, results
from ansible_collections.pipeline_trace.otel.plugins.plugin_utils.doubt import Doubt
from ansible_collections.pipeline_trace.otel.plugins.plugin_utils.verdict import Errors, Verdict

from pipeline_trace.delivery.journal import Writer
from pipeline_trace.trace.span import Span

DEAD = "A worker was found in a dead state"


class TaskQueueManager:
    """As Ansible's: it calls hooks from its ``run``."""

    def __init__(self) -> None:
        self._failed_hosts: dict[str, bool] = {}
        self._unreachable_hosts: dict[str, bool] = {}
        self._stats = SimpleNamespace(rescued={})
        self._workers: list[Any] = []

    def run(self, hook: Callable[[], None], result: int | None) -> int:
        """Run a play; with None, break off. Ansible calls hooks when it has the result, too: of the next play."""
        hook()
        if result is None:
            raise RuntimeError
        self._failed_hosts.update({"h2": True} if result else {})
        play_return = result
        hook()
        return play_return


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> TaskQueueManager:
    """The one that calls the hooks."""
    module = SimpleNamespace(TaskQueueManager=TaskQueueManager)
    monkeypatch.setitem(sys.modules, "ansible.executor.task_queue_manager", module)
    return TaskQueueManager()


def play(manager: TaskQueueManager, verdict: Verdict, result: int | None) -> Any:
    """Run a play; return what the verdict knows of it."""
    runs: list[Any] = []
    with suppress(RuntimeError):
        manager.run(lambda: runs.append(verdict.play()), result)
    return runs[0]


def test_a_plays_result_is_known_when_it_has_ended(manager: TaskQueueManager) -> None:
    verdict = Verdict()
    seen: list[int | None] = []

    def hook() -> None:
        run = verdict.play()
        assert run
        seen.append(run.result)

    manager.run(hook, 2)
    assert seen == [None, 2]
    assert play(manager, verdict, 2).result == 2
    assert play(manager, verdict, 0).result == 0
    assert play(manager, verdict, None).result is None


def test_hosts_that_a_play_lost_are_those_that_are_out_behind_it(manager: TaskQueueManager) -> None:
    verdict = Verdict()
    manager._unreachable_hosts["h9"] = True
    run = play(manager, verdict, 2)
    assert run.lost(set()) == ["h2"]
    assert not run.began_whole
    # One that failed and was cleared is not lost; one that failed again is.
    assert play(manager, verdict, 0).lost({"h1", "h9"}) == ["h9"]


@pytest.mark.usefixtures("manager")
def test_outside_of_ansibles_run_nothing_is_known() -> None:
    verdict = Verdict()
    assert verdict.play() is None
    assert not verdict.is_rescued("h1")
    assert verdict.killed_by(DEAD) == ""


def test_a_failure_is_rescued_if_ansible_has_just_counted_it_so(manager: TaskQueueManager) -> None:
    verdict = Verdict()
    play(manager, verdict, 0)
    assert not verdict.is_rescued("h1")
    manager._stats.rescued["h1"] = 1
    assert verdict.is_rescued("h1")
    assert not verdict.is_rescued("h1")
    assert not verdict.is_rescued("h2")


def closed() -> Any:
    """Return a worker that Ansible has closed, as multiprocessing has it."""

    class Closed:
        @property
        def exitcode(self) -> int:
            raise ValueError("process object is closed")

    return Closed()


@pytest.mark.parametrize(
    ("codes", "message", "signal"),
    [
        ([-15, -15, 0], DEAD, "SIGTERM"),
        ([-15, None], f"{DEAD}.", "SIGTERM"),
        ([-2, -15], DEAD, "SIGINT"),
        ([-9, -15], DEAD, ""),
        ([-11], DEAD, ""),
        ([1, -15], DEAD, ""),
        ([0, None], DEAD, ""),
        # Ansible ends its other workers when it stops.
        ([-15, -15], "The requested handler was not found", ""),
    ],
)
def test_who_ended_the_workers(manager: TaskQueueManager, codes: list[int | None], message: str, signal: str) -> None:
    verdict = Verdict()
    play(manager, verdict, 0)
    manager._workers = [None, closed(), *(SimpleNamespace(exitcode=code) for code in codes)]
    assert verdict.killed_by(message) == signal


@pytest.mark.parametrize("kind", [set, dict.fromkeys])
def test_the_error_that_stopped_ansible_is_the_one_since_the_last_that_did_not(kind: Any) -> None:
    display = SimpleNamespace(_errors=kind(["[ERROR]: old"]))
    errors = Errors(display)
    errors.pass_over()
    assert errors.last() == ""
    add = display._errors.add if kind is set else lambda text: display._errors.update({text: 1})
    add("[ERROR]: no such thing\nOrigin: site.yml:1:1\n")
    assert errors.last() == "no such thing"
    add("ERROR! and another")
    # Which one stopped it is not known then.
    assert errors.last() == ""
    add(f"[ERROR]: {DEAD}")
    assert errors.last() == DEAD
    assert Errors(SimpleNamespace()).last() == ""


@pytest.mark.parametrize(
    ("result", "ended"),
    [({"rc": -15}, True), ({"rc": 143}, True), ({"rc": -2}, True), ({"rc": 1}, False), ({"rc": -9}, False), ({}, False)],
)
def test_a_command_that_an_abort_may_have_ended(result: dict[str, Any], ended: bool) -> None:
    assert results.is_terminated(result) is ended


class Journal:
    """A real journal, and what is in it."""

    def __init__(self, folder: Path) -> None:
        self.writer = Writer(folder)
        self.used: Any = self.writer
        self.doubt = Doubt(self.writer, self.put)

    def put(self, journal: Any) -> None:
        self.used = journal

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.writer.path.read_text().splitlines()]

    def end(self, name: str, result: str, error: str = "") -> None:
        """Write a span that has ended."""
        span = Span("a" * 32, "b" * 16, None, name, 1_000, 2_000, attributes={"cicd.pipeline.task.run.result": result})
        if error:
            span.fail(error)
            span.attributes |= {"error.type": "failed", "ansible.result": "failed", "deployment.status": "failed"}
        self.used.span(span)


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    """A journal; no timer of it is left."""
    found = Journal(tmp_path)
    yield found
    found.writer.discard()
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()


def test_what_ends_in_doubt_is_written_as_it_is_if_no_signal_comes(journal: Any) -> None:
    journal.doubt.begin()
    journal.end("one", "failure", "no")
    journal.used.open(Span("a" * 32, "c" * 16, None, "begun", 1_000))
    assert [line["name"] for line in journal.lines()] == ["begun"]
    journal.doubt.end()
    journal.end("two", "success")
    assert [(line["name"], line["status"]["code"]) for line in journal.lines()[1:]] == [("one", "ERROR"), ("two", "UNSET")]
    assert journal.used is journal.writer


def test_what_failed_in_doubt_is_cancelled_by_a_signal_and_what_succeeded_is_not(journal: Any) -> None:
    journal.doubt.begin()
    journal.end("failed", "failure", "non-zero return code")
    journal.end("fine", "success")
    journal.end("passed over", "skip")
    journal.doubt.end("SIGTERM")
    failed, fine, skipped = journal.lines()
    assert failed["status"] == {"code": "UNSET", "message": ""}
    assert failed["attributes"] == {"cicd.pipeline.task.run.result": "cancellation"}
    assert failed["events"] == [{"name": "interrupted", "time_unix_nano": 2_000, "attributes": {"reason": "SIGTERM"}}]
    assert (failed["type"], failed["end_unix_nano"]) == ("span", 2_000)
    assert [line["attributes"]["cicd.pipeline.task.run.result"] for line in (fine, skipped)] == ["success", "skip"]


def test_doubt_ends_by_itself_though_nobody_calls(journal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doubt, "SECONDS", 0.01)
    journal.doubt.begin()
    journal.end("one", "failure", "no")
    (timer,) = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    timer.join(20)
    for thread in threading.enumerate():
        # A second one, if the first was too early.
        if isinstance(thread, threading.Timer):
            thread.join(20)
    assert [line["name"] for line in journal.lines()] == ["one"]
    assert journal.used is journal.writer


def test_in_doubt_only_so_much_is_held_back(journal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doubt, "_MOST_LINES", 3)
    journal.doubt.begin()
    for number in range(5):
        journal.end(str(number), "failure", "no")
    assert [line["name"] for line in journal.lines()] == ["0", "1", "2", "3", "4"]
