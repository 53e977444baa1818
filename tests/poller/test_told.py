"""The poller as a service tells a failed build by a webhook: once, after any kill, and never its address."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import support
from support import processes
from support.hooks import HANG, Hook, Reply
from support.otlp_receiver import Receiver
from support.service import Service
from support.serving import Server

from pipeline_trace.commands import doctor_notify
from pipeline_trace.notify import disk
from pipeline_trace.trace import redact
from pipeline_trace_demo.replay import Replay, TimeMap

pytestmark = pytest.mark.process

ARGUMENTS = ("--interval", "1", "-vv", "--since", "5000w", "--jenkins-url")


@pytest.fixture
def jenkins() -> Iterator[Replay]:
    """A controller whose one build failed: as if it ended just after the poller's start."""
    with Replay(support.recording("31")) as replay:
        ends = [d["timestamp"] + (d["duration"] or 0) for d in replay.documents.values() if "timestamp" in d]
        replay.time_map = TimeMap([(max(ends), int((time.time() + 60) * 1000))])
        yield replay


def ended(service: Service, number: signal.Signals = signal.SIGTERM) -> str:
    """End a service; return what it said, which has no part of the webhook's address."""
    status, said = service.end(number)
    assert status in (0, -signal.SIGKILL)
    assert "x9Y8z7W6v5U4t3S2" not in said
    assert "T0123456" not in said
    return said


def polls(jenkins: Replay, count: int = 2) -> None:
    """Wait for so many further polls."""
    before = len(jenkins.requests)
    processes.wait_for(lambda: len(jenkins.requests) >= before + count, "polls")


@pytest.mark.parametrize("with_receiver", [True, False])
def test_a_failed_build_is_told_once_with_its_line_and_link(
    start: Callable[..., Service], jenkins: Replay, with_receiver: bool
) -> None:
    with Hook() as hook, Receiver() as receiver:
        more = receiver.environ() if with_receiver else {}
        service = start(*ARGUMENTS, jenkins.url, PIPELINE_TRACE_NOTIFY=hook.url, **more)
        (body,) = hook.wait_for(1)
        polls(jenkins)
        said = ended(service)
        assert len(hook.asked) == 1
    assert (body["state"], body["job"], body["run"]) == ("begun", "fail-sh", "fail-sh#1")
    assert body["url"].endswith("/job/fail-sh/1/")
    assert body["line"]
    # With -vv, urllib3 says each request, with its path.
    assert f"POST {redact.MASK} HTTP" in said


def test_a_killed_poller_tells_after_its_restart_what_it_had_not_told_and_nothing_else(
    start: Callable[..., Service], jenkins: Replay
) -> None:
    with Hook() as hook:
        hook.always = HANG
        first = start(*ARGUMENTS, jenkins.url, PIPELINE_TRACE_NOTIFY=hook.url)
        processes.wait_for(lambda: hook.asked, "request")
        ended(first, signal.SIGKILL)
        hook.always = None
        second = start(*ARGUMENTS, jenkins.url, PIPELINE_TRACE_NOTIFY=hook.url)
        hook.wait_for(1)
        polls(jenkins, 3)
        ended(second, signal.SIGKILL)
        third = start(*ARGUMENTS, jenkins.url, PIPELINE_TRACE_NOTIFY=hook.url)
        polls(jenkins, 4)
        ended(third)
        assert len(hook.sent) == 1


# Dies before or after the first call of a function.
DYING = """
import os, signal, sys
from pipeline_trace.commands import main
from pipeline_trace.notify import disk, webhook

owner, name, when = {"disk": disk, "Inbox": disk.Inbox, "webhook": webhook}[sys.argv[1]], sys.argv[2], sys.argv[3]
function = getattr(owner, name)

def dying(*args, **kwargs):
    if when == "after":
        function(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, dying)
sys.argv[1:] = sys.argv[4:]
main()
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("owner", "name"), [("Inbox", "add"), ("Inbox", "close"), ("disk", "commit"), ("disk", "write"), ("webhook", "send")]
)
def test_a_poller_killed_anywhere_loses_no_message(
    env: dict[str, str], start: Callable[..., Service], jenkins: Replay, owner: str, name: str, when: str
) -> None:
    with Hook() as hook:
        folder = Path(env["PIPELINE_TRACE_HOME"]) / "notify"
        folder.mkdir(parents=True)
        disk.prepare(folder, time.time_ns())
        words = [sys.executable, "-c", DYING, owner, name, when, "poll", *ARGUMENTS, jenkins.url]
        dead = support.run(*words, env={**env, "PIPELINE_TRACE_NOTIFY": hook.url})
        assert dead.returncode == -signal.SIGKILL
        service = start(*ARGUMENTS, jenkins.url, PIPELINE_TRACE_NOTIFY=hook.url)
        hook.wait_for(1)
        polls(jenkins, 3)
        ended(service)
        # Only a kill between a message and its note sends it twice.
        twice = (owner, name, when) in (("webhook", "send", "after"), ("disk", "commit", "before"))
        assert len({body["id"] for body in hook.sent}) == 1
        assert len(hook.sent) in ((1, 2) if twice else (1,))


def test_poll_and_serve_on_one_home_tell_a_failure_once(
    env: dict[str, str], start: Callable[..., Service], jenkins: Replay, tmp_path: Path
) -> None:
    broken = support.write_playbook(tmp_path, support.DEPLOY.replace('"true"', '"false"'))
    with Hook() as hook, Server({**env, "PIPELINE_TRACE_NOTIFY": hook.url}):
        service = start(*ARGUMENTS, jenkins.url, PIPELINE_TRACE_NOTIFY=hook.url)
        hook.wait_for(1)
        # It arrives later than the build: when `serve` tells it, `serve` has looked at the build too.
        support.run_playbook(broken, env=env, hosts="web1,")
        hook.wait_for(2)
        ended(service)
        assert [body["job"] for body in hook.asked] == ["fail-sh", "playbook site.yml"]


def test_a_dead_webhook_holds_up_no_span(env: dict[str, str], start: Callable[..., Service], jenkins: Replay) -> None:
    with Hook() as hook:
        hook.always = HANG
        service = start(*ARGUMENTS, jenkins.url, PIPELINE_TRACE_NOTIFY=hook.url)
        processes.wait_for(lambda: hook.asked, "request")
        polls(jenkins)
        assert support.by_type(support.stored(env), "run")
        ended(service)


def test_old_builds_and_a_poll_that_is_no_service_tell_nothing(
    env: dict[str, str], start: Callable[..., Service], jenkins: Replay
) -> None:
    with Hook() as hook, Replay(support.recording("31")) as old:
        assert support.poll(jenkins.url, env={**env, "PIPELINE_TRACE_NOTIFY": hook.url}).returncode == 0
        service = start(*ARGUMENTS, old.url, PIPELINE_TRACE_NOTIFY=hook.url)
        processes.wait_for(lambda: len(support.by_type(support.stored(env), "run")) == 2, "builds")
        polls(old)
        ended(service)
        assert hook.asked == []


def test_a_wrong_setting_is_one_line_and_polling_goes_on(
    env: dict[str, str], start: Callable[..., Service], jenkins: Replay, tmp_path: Path
) -> None:
    file = tmp_path / "hook"
    file.write_text("no-address-x9Y8z7W6v5U4t3S2")
    service = start(*ARGUMENTS[:2], *ARGUMENTS[3:], jenkins.url, PIPELINE_TRACE_NOTIFY_FILE=str(file))
    processes.wait_for(lambda: support.by_type(support.stored(env), "run"), "build")
    (line,) = ended(service).splitlines()
    assert "no failures are told: PIPELINE_TRACE_NOTIFY_FILE has no address of a webhook" in line


def test_rules_that_cannot_be_read_are_one_line_and_polling_goes_on(
    env: dict[str, str], start: Callable[..., Service], jenkins: Replay
) -> None:
    rules = {"PIPELINE_TRACE_RULES": "/nowhere"}
    with Hook() as hook:
        service = start(*ARGUMENTS[:2], *ARGUMENTS[3:], jenkins.url, PIPELINE_TRACE_NOTIFY=hook.url, **rules)
        processes.wait_for(lambda: support.by_type(support.stored(env), "run"), "build")
        polls(jenkins)
        (line,) = ended(service).splitlines()
        assert hook.asked == []
    assert "failed builds get no verdict: cannot read the rules in /nowhere" in line
    assert json.loads(support.trace("why", "fail-sh#1", "--format", "json", env=env).stdout)["owner"] == "unknown"


def test_doctor_says_what_became_of_the_last_message_and_sends_none(
    env: dict[str, str], start: Callable[..., Service], jenkins: Replay
) -> None:
    def doctor(**more: str) -> list[str]:
        checks = list(doctor_notify.notifier({**env, **more}))
        assert "x9Y8z7W6v5U4t3S2" not in str(checks)
        return [f"{check.name}: {check.text}" for check in checks]

    with Hook(Reply(500), Reply(500)) as hook:
        more = {"PIPELINE_TRACE_NOTIFY": hook.url, "PIPELINE_TRACE_NOTIFY_FORM": "slack"}
        where = "notify: a webhook of 127.0.0.1 (slack, from PIPELINE_TRACE_NOTIFY)"
        assert doctor() == ["notify: no failures are told: PIPELINE_TRACE_NOTIFY is not set"]
        assert doctor(**more) == [f"{where}: no service tells failures yet"]
        service = start(*ARGUMENTS, jenkins.url, **more)
        processes.wait_for(lambda: len(hook.asked) == 2, "two tries")
        ended(service)
        assert doctor(**more) == [f"{where}: the last message did not arrive (it answered 500), after 2 tries"]
        assert len(hook.asked) == 2
        (line,) = doctor(PIPELINE_TRACE_NOTIFY="hooks.slack.com/x9Y8z7W6v5U4t3S2")
        assert line.startswith("notify: PIPELINE_TRACE_NOTIFY has no address")
        assert f"{where}: the last message did not arrive" in support.trace("doctor", env={**env, **more}).stdout
