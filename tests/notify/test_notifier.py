"""The notifier and a real webhook on this machine: what arrives when the webhook is well, slow, full, broken or gone."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support import processes
from support.hooks import HANG, RESET, SECRET, Hook, Reply, texts
from support.otlp_receiver import free_port

from pipeline_trace.delivery.home import Home
from pipeline_trace.lookup.lookup import Lookup
from pipeline_trace.notify import disk, judging, webhook
from pipeline_trace.notify.notifier import Notifier
from pipeline_trace.notify.outcome import Failing, Outcome
from pipeline_trace.notify.settings import Settings, Webhook
from pipeline_trace.notify.told import MOST_MESSAGES, Book
from pipeline_trace.ownership.log.rules import Rules

JENKINS = "https://jenkins.example.com"


class Told:
    """A notifier on a home folder, and what it says."""

    def __init__(self, folder: Path, url: str, form: str = "json", template: str = "", *, history: bool = False) -> None:
        self.said: list[str] = []
        self.home = Home(folder)
        settings = Settings(Webhook(url, "PIPELINE_TRACE_NOTIFY"), form, template)
        self.notifier = Notifier(settings, self.home, {}, self.said.append, history=history)
        self.inbox = self.notifier.inbox(JENKINS)

    def start(self) -> Told:
        self.notifier.start()
        return self

    def ended(self, *outcomes: Outcome) -> None:
        """Let a poll end with these outcomes."""
        for outcome in outcomes:
            self.inbox.add(outcome)
        self.inbox.close()
        self.notifier.look()

    @property
    def book(self) -> Book:
        book = disk.load(disk.folder_of(self.home))
        assert book
        return book


def outcome(kind: str = "", job: str = "shop", line: str = "the line") -> Outcome:
    """Return how a build ended just now: it passed, or failed in a way that is Ops'."""
    at = time.time_ns()
    failing = Failing("ops", kind, 0.9, line, "Ops looks.", f"{job}#1", f"{JENKINS}/job/{job}/1/", at, sign=f"ops {kind}")
    return Outcome(JENKINS, job, "", at, "a" * 32, "b" * 16, failing if kind else None)


@pytest.fixture
def tell(tmp_path: Path) -> Iterator[Callable[..., Told]]:
    """Start notifiers on one home folder; all are closed."""
    started: list[Told] = []

    def begin(url: str, form: str = "json", template: str = "") -> Told:
        (tmp_path / "journals").mkdir(exist_ok=True)
        started.append(Told(tmp_path, url, form, template).start())
        return started[-1]

    yield begin
    for one in started:
        one.notifier.close(20)
        assert SECRET not in "".join(one.said)
        assert "x9Y8z7W6v5U4t3S2" not in "".join(one.said)


def test_a_failure_is_told_once_and_again_when_it_changes_and_is_over(tell: Callable[..., Told]) -> None:
    with Hook() as hook:
        told = tell(hook.url)
        for kind, count in (("disk_full", 1), ("disk_full", 1), ("tls_expired", 2), ("", 3), ("", 3)):
            told.ended(outcome(kind))
            hook.wait_for(count)
            processes.wait_for(lambda: not disk.ready(disk.folder_of(told.home)), "look")
        told.notifier.close(20)
        states = [(body["state"], body["kind"]) for body in hook.sent]
    assert states == [("begun", "disk_full"), ("changed", "tls_expired"), ("over", "tls_expired")]
    assert told.said == []


def test_a_restart_tells_nothing_twice(tell: Callable[..., Told]) -> None:
    with Hook() as hook:
        first = tell(hook.url)
        first.ended(outcome("disk_full"))
        hook.wait_for(1)
        first.notifier.close(20)
        second = tell(hook.url)
        second.ended(outcome("disk_full"), outcome("disk_full", job="other"))
        hook.wait_for(2)
        second.notifier.close(20)
        assert [body["job"] for body in hook.sent] == ["shop", "other"]


def test_a_poll_that_was_killed_is_told_with_the_next_one(tell: Callable[..., Told]) -> None:
    with Hook() as hook:
        first = tell(hook.url)
        first.inbox.add(outcome("disk_full"))
        first.notifier.close(20)
        assert hook.sent == []
        path = next(disk.folder_of(first.home).glob("*.open"))
        path.write_bytes(path.read_bytes() + b'\n{"job": "torn')
        tell(hook.url).ended(outcome("tls_expired", job="other"))
        assert [body["job"] for body in hook.wait_for(2)] == ["shop", "other"]


def test_a_storm_gives_few_messages(tell: Callable[..., Told]) -> None:
    with Hook() as hook:
        told = tell(hook.url)
        told.ended(*(outcome("disk_full", job=f"job-{n}") for n in range(500)))
        hook.wait_for(MOST_MESSAGES)
        told.ended(outcome("disk_full", job="later"))
        told.notifier.close(20)
        assert len(hook.sent) == MOST_MESSAGES
    assert hook.sent[-1]["more"] == 500 - MOST_MESSAGES
    assert texts(hook.sent[-1:]) == ["And 495 more: 495 Ops."]
    assert [story.last.job for story in told.book.stories.values() if story.state] == ["later"]


@pytest.mark.parametrize("reply", [Reply(500), RESET, Reply(503), Reply(302, {"Location": "https://login.example/"})])
def test_a_passing_failure_is_tried_again_at_once_and_not_said(tell: Callable[..., Told], reply: Reply) -> None:
    with Hook(reply) as hook:
        told = tell(hook.url)
        told.ended(outcome("disk_full"))
        hook.wait_for(1)
        told.notifier.close(20)
        assert len(hook.asked) == 2
        assert hook.asked[0]["id"] == hook.asked[1]["id"]
    assert told.said == []


def test_a_dead_webhook_is_one_line_and_what_is_new_waits(tell: Callable[..., Told]) -> None:
    port = free_port()
    told = tell(f"http://127.0.0.1:{port}/services/{SECRET}")
    told.ended(outcome("disk_full"))
    processes.wait_for(lambda: told.said, "line")
    told.ended(outcome("tls_expired", job="other"))
    processes.wait_for(lambda: len(told.book.stories) == 2, "other story")
    told.notifier.close(20)
    assert told.said == [
        "a webhook of 127.0.0.1 (json, from PIPELINE_TRACE_NOTIFY) takes no messages (Connection refused); "
        "they wait on the disk"
    ]
    assert (told.book.tries, told.book.problem) == (2, "Connection refused")
    assert 20 < told.book.next_try - time.time() <= 30


def test_the_webhook_says_when_to_come_again(tell: Callable[..., Told]) -> None:
    with Hook(Reply(429, {"Retry-After": "2"})) as hook:
        told = tell(hook.url)
        begun = time.monotonic()
        told.ended(outcome("disk_full"))
        hook.wait_for(1)
        assert time.monotonic() - begun >= 1.9
        told.notifier.close(20)
    assert [line.partition(") ")[2] for line in told.said] == [
        "takes no messages (it answered 429); they wait on the disk",
        "takes messages again",
    ]


def test_a_webhook_that_hangs_holds_up_nobody(tell: Callable[..., Told]) -> None:
    with Hook() as hook:
        hook.always = HANG
        told = tell(hook.url)
        told.ended(outcome("disk_full"))
        processes.wait_for(lambda: hook.asked, "request")
        begun = time.monotonic()
        told.ended(outcome("tls_expired", job="other"))
        told.notifier.close(0.2)
        assert time.monotonic() - begun < 2


def test_an_answer_that_never_ends_is_no_answer() -> None:
    with Hook(HANG) as hook:
        begun = time.monotonic()
        answer = webhook.send(Webhook(hook.url, "PIPELINE_TRACE_NOTIFY"), {}, {}, seconds=0.5)
        assert time.monotonic() - begun < 5
    assert answer.problem == "no answer in time"


def test_a_message_that_is_never_accepted_does_not_hold_up_the_next(tell: Callable[..., Told]) -> None:
    with Hook(Reply(400, {"Retry-After": "0"}), Reply(400), Reply(400)) as hook:
        told = tell(hook.url)
        told.ended(outcome("disk_full"))
        processes.wait_for(lambda: told.book.tries == 2, "second try")
        told.notifier.close(20)
        folder = disk.folder_of(told.home)
        disk.save(folder, replace(told.book, next_try=0))
        again = tell(hook.url)
        again.ended(outcome("tls_expired", job="other"))
        assert [body["job"] for body in hook.wait_for(1)] == ["other"]
        again.notifier.close(20)
    assert [line.partition(") ")[2] for line in again.said][:1] == ["does not accept a message (it answered 400)"]


@pytest.mark.process
def test_a_wrong_template_is_one_line_and_the_built_in_form(tell: Callable[..., Told]) -> None:
    with Hook() as hook:
        told = tell(hook.url, "slack", "{{ nothing }}")
        told.ended(outcome("disk_full"), outcome("disk_full", job="other"))
        hook.wait_for(2)
        told.notifier.close(20)
    assert texts(hook.sent)[0].startswith("Ops should look: shop fails with disk_full")
    assert len(told.said) == 1
    assert "'nothing' is undefined; messages have the built-in form" in told.said[0]


@pytest.mark.process
def test_a_template_that_the_webhook_refuses_is_tried_in_the_built_in_form(tell: Callable[..., Told]) -> None:
    with Hook(Reply(400)) as hook:
        tell(hook.url, "json", '{"wrong": {{ job | tojson }}}').ended(outcome("disk_full"))
        hook.wait_for(1)
        assert hook.asked[0] == {"wrong": "shop"}
        assert hook.sent[0]["job"] == "shop"


def test_nothing_is_sent_where_it_cannot_be_noted(tell: Callable[..., Told], monkeypatch: pytest.MonkeyPatch) -> None:
    with Hook() as hook:
        told = tell(hook.url)
        write, left = disk.write, [1]

        def full(folder: Path, book: Book) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(28, "No space left on device")
            write(folder, book)

        monkeypatch.setattr(disk, "write", full)
        told.ended(outcome("disk_full"))
        processes.wait_for(lambda: told.said, "line")
        told.notifier.close(20)
        assert hook.asked == []
    assert "No space left on device" in told.said[0]
    assert len(told.said) == 1


def test_a_failure_that_cannot_be_judged_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "journals").mkdir()

    def broken(lookup: Lookup, found: Outcome, failing: Failing, rules: Rules) -> Failing:
        if found.job == "odd":
            raise ZeroDivisionError("odd")
        return replace(failing, kind="by_history")

    monkeypatch.setattr(judging, "with_history", broken)
    with Hook() as hook:
        told = Told(tmp_path, hook.url, history=True).start()
        told.ended(outcome("disk_full", job="odd"), outcome("disk_full"))
        hook.wait_for(2)
        told.notifier.close(20)
    assert {body["job"]: body["kind"] for body in hook.sent} == {"odd": "disk_full", "shop": "by_history"}
    assert told.said == ["odd#1 cannot be judged (ZeroDivisionError: odd); please report this error"]


@pytest.mark.process
def test_only_one_process_tells_at_a_time(tell: Callable[..., Told]) -> None:
    with Hook() as hook:
        told = tell(hook.url)
        folder = disk.folder_of(told.home)
        child = os.fork()
        while child == 0:  # Another process, because a lock is a process's. The notifier may hold it for a moment.
            with disk.locked(folder) as is_ours:
                if is_ours:
                    (folder / "held").touch()
                    time.sleep(60)
        try:
            processes.wait_for((folder / "held").exists, "lock")
            told.ended(outcome("disk_full"))
            time.sleep(0.5)
            assert hook.asked == []
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
        hook.wait_for(1)


def test_a_damaged_book_is_begun_anew_and_a_newer_one_stays(tmp_path: Path) -> None:
    folder = tmp_path / "notify"
    folder.mkdir()
    (folder / "book.json").write_text('{"version": 1, "since_ns"')
    assert disk.prepare(folder, 5).since_ns == 5
    newer = json.dumps({"version": 2})
    (folder / "book.json").write_text(newer)
    with pytest.raises(disk.BookError, match="upgrade"):
        disk.prepare(folder, 5)
    assert (folder / "book.json").read_text() == newer
    assert [thread.name for thread in threading.enumerate() if thread.name == "notifier"] == []
