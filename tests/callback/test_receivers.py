"""Whatever the receiver does: the playbook's end is held no longer than the flush limit, and its result is its own.

tests/whole/test_loss.py has the receivers that are down or silent, and what `ship` says of each; here is the callback's end.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import support
from support import pace, processes, runs
from support.otlp_receiver import Fault, Protocol, Receiver, free_port
from support.runs import Run

pytestmark = pytest.mark.process

Env = dict[str, str]
Spans = list[dict[str, Any]]

FLUSH_LIMIT = 2.0
# A machine under load may take this long for what needs no time at all; who waits for the receiver takes a minute.
SLACK_SECONDS = 30.0

# Ends with 2: the exit status that must come through.
FAILING = """
- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: Fast
      ansible.builtin.debug: {msg: done}
    - name: Breaks
      ansible.builtin.fail: {msg: "no"}
"""
# Playbook, play, and two tasks with their hosts.
ALL_SPANS = 2 + 2 * (1 + 3)


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    """A clean environment; after the test no process of it is left."""
    env = {**support.environ(tmp_path), "PIPELINE_TRACE_FLUSH_LIMIT": str(FLUSH_LIMIT)}
    yield env
    runs.end_all(env)


class Ended:
    """What a playbook did at its end: its status, all of its output, and for how long it was held behind its recap."""

    def __init__(self, run: Run) -> None:
        assert run.process.stdout
        recap = 0.0
        lines: list[str] = []
        for raw in run.process.stdout:
            lines.append(raw.decode())
            if re.match(r"h\d+ .*ok=", lines[-1]):
                recap = time.monotonic()
        # The pipe has ended: nobody holds it open any more.
        self.output = "".join(lines)
        self.status = run.end()
        assert recap, self.output
        self.held = time.monotonic() - recap
        run.close()

    @property
    def ours(self) -> list[str]:
        """Return the lines that are ours."""
        return runs.ours(self.output)


def ended(folder: Path, env: Mapping[str, str], text: str = FAILING) -> Ended:
    """Run a playbook to its end."""
    folder.mkdir(exist_ok=True)
    return Ended(Run(folder, env, support.write_playbook(folder, text), pipes=True))


def assert_said_waiting(done: Ended, env: Env) -> None:
    """One line says how many spans wait where, and which command delivers them."""
    (line,) = done.ours
    (path,) = support.journals(env)
    said = rf"\[WARNING\]: pipeline-trace: {ALL_SPANS} spans wait in {path} \(.+\); deliver them with: pipeline-trace ship"
    assert re.fullmatch(said, line), line


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=429, retry_after=3600),
        Fault("status", status=503, retry_after=3600),
        Fault("status", status=503, retry_after=1),
        Fault("status", status=503),
        Fault("status", status=400),
        Fault("status", status=413),
        Fault("status", status=401),
        Fault("slow", seconds=60),
        Fault("close"),
    ],
    ids=["429-later", "503-later", "503-soon", "503", "400", "413", "401", "too-slow", "close"],
)
def test_receiver_that_takes_nothing_holds_the_end_no_longer_than_the_limit_and_gets_all_later(
    tmp_path: Path, env: Env, protocol: Protocol, fault: Fault
) -> None:
    with Receiver(fault=fault) as receiver:
        env |= receiver.environ(protocol)
        done = ended(tmp_path / "run", env)
        assert (done.status, done.held < FLUSH_LIMIT + SLACK_SECONDS) == (2, True)
        # It gives up within the same limit.
        processes.wait_for(lambda: not processes.shipping(env), "end of the shipping process", FLUSH_LIMIT + SLACK_SECONDS)
        assert_said_waiting(done, env)
        assert receiver.spans() == []
        receiver.fault = None
        shipped = support.trace("ship", env=env)
        assert (shipped.returncode, shipped.stderr, support.journals(env)) == (0, "", [])
        assert (len(receiver.spans()), len(runs.ids(receiver.spans()))) == (ALL_SPANS, ALL_SPANS)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_receiver_with_a_wrong_certificate_does_not_hold_the_end_beyond_the_limit(
    tmp_path: Path, env: Env, protocol: Protocol
) -> None:
    with Receiver(tls=True) as receiver:
        trusted = receiver.environ(protocol)
        untrusted = {name: value for name, value in trusted.items() if "CERTIFICATE" not in name}
        done = ended(tmp_path / "run", {**env, **untrusted})
        assert (done.status, done.held < FLUSH_LIMIT + SLACK_SECONDS) == (2, True)
        assert_said_waiting(done, env)
        assert re.search("(?i)certificate|ssl|tls", done.ours[0])
        assert support.trace("ship", env={**env, **trusted}).returncode == 0
        assert len(runs.ids(receiver.spans())) == ALL_SPANS


@contextmanager
def dropping() -> Iterator[str]:
    """Give the address of somebody who lets nobody connect, and does not say so: as behind a firewall."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with suppress(BlockingIOError):
                waiting.connect(address)
        yield f"http://127.0.0.1:{address[1]}"


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_receiver_behind_a_firewall_that_drops_packets_holds_the_end_no_longer_than_the_limit(
    tmp_path: Path, env: Env, protocol: str
) -> None:
    with dropping() as address:
        env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
        done = ended(tmp_path / "run", env)
        assert (done.status, done.held < FLUSH_LIMIT + SLACK_SECONDS) == (2, True)
        assert_said_waiting(done, env)


def test_receiver_that_refuses_costs_the_end_nothing_compared_with_no_callback(tmp_path: Path, env: Env) -> None:
    """In turns, so that what else this machine does meets both; the least of each, since that has the least of it."""
    refused = {**env, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}", "PIPELINE_TRACE_FLUSH_LIMIT": "120"}
    without = {name: value for name, value in env.items() if name != "ANSIBLE_CALLBACKS_ENABLED"}
    held: dict[str, list[float]] = {"refused": [], "without": []}
    for turn in range(2):
        held["refused"].append(ended(tmp_path / f"refused-{turn}", refused).held)
        held["without"].append(ended(tmp_path / f"without-{turn}", without).held)
    # What is there to wait for is that the shipping process has come up and asked once; the limit is two minutes.
    assert min(held["refused"]) - min(held["without"]) < SLACK_SECONDS, held


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize(
    "fault",
    [Fault("slow", seconds=1), Fault("status", status=429, retry_after=1, times=1), Fault("status", status=503, times=1)],
    ids=["slow", "429-once", "503-once"],
)
def test_receiver_that_takes_its_time_gets_all_within_the_limit(
    tmp_path: Path, env: Env, protocol: Protocol, fault: Fault
) -> None:
    with Receiver(fault=fault) as receiver:
        env |= {**receiver.environ(protocol), "PIPELINE_TRACE_FLUSH_LIMIT": "60"}
        done = ended(tmp_path / "run", env)
        assert (done.status, done.held < 30) == (2, True)
        assert [line for line in done.ours if "WARNING" in line] == []
        assert (len(receiver.spans()), len(runs.ids(receiver.spans()))) == (ALL_SPANS, ALL_SPANS)
        assert support.journals(env) == []


POISONED = FAILING.replace("- name: Breaks", "- name: Poison\n      ansible.builtin.debug: {msg: done}\n    - name: Breaks")


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_one_span_that_the_receiver_finds_wrong_is_kept_and_said_and_the_others_arrive(
    tmp_path: Path, env: Env, protocol: Protocol
) -> None:
    def poisoned(spans: Spans) -> bool:
        return any(span["name"] == "Poison" for span in spans)

    with Receiver(fault=Fault("status", status=400, where=poisoned)) as receiver:
        env |= {**receiver.environ(protocol), "PIPELINE_TRACE_FLUSH_LIMIT": "60"}
        done = ended(tmp_path / "run", env, POISONED)
        spans = receiver.spans()
        assert (done.status, len(runs.ids(spans)), len(spans)) == (2, ALL_SPANS + 3, ALL_SPANS + 3)
        (kept,) = (Path(env["PIPELINE_TRACE_HOME"]) / "journals").glob("*.refused")
        (line,) = kept.read_text().splitlines()
        assert json.loads(line)["name"] == "Poison"
        assert kept.stat().st_mode & 0o077 == 0
        (said,) = done.ours
        assert re.search(rf"1 of {ALL_SPANS + 4} spans .* rejected .*{kept}", said), said
        asked = len(receiver.asked)
        # It is put aside for good: not tried again by what runs later.
        assert support.trace("ship", env=env).returncode == 0
        assert (len(receiver.asked), kept.exists(), support.journals(env)) == (asked, True, [])


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("most", [1, 4])
def test_receiver_that_takes_small_batches_only_gets_all_in_small_batches(
    tmp_path: Path, env: Env, protocol: Protocol, most: int
) -> None:
    with Receiver(fault=Fault("status", status=413, where=lambda spans: len(spans) > most)) as receiver:
        env |= {**receiver.environ(protocol), "PIPELINE_TRACE_FLUSH_LIMIT": "60"}
        done = ended(tmp_path / "run", env)
        assert (done.status, [line for line in done.ours if "WARNING" in line]) == (2, [])
        assert (len(receiver.spans()), len(runs.ids(receiver.spans()))) == (ALL_SPANS, ALL_SPANS)
        assert support.journals(env) == []


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_receiver_that_goes_in_the_middle_and_comes_back_misses_nothing(
    tmp_path: Path, env: Env, protocol: Protocol
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    port = free_port()

    def receiver() -> Receiver:
        return Receiver(http_port=port) if protocol == "http" else Receiver(grpc_port=port)

    with receiver() as before:
        env |= {**before.environ(protocol), "PIPELINE_TRACE_FLUSH_LIMIT": "60"}
        playbook = support.write_playbook(tmp_path, support.WAITING)
        run = Run(tmp_path / "run", env, playbook, "-e", f"marks={marks}")
        # The first task's spans are through, before anything is held.
        before.wait_for(3)
    try:
        processes.wait_for(lambda: len(list(marks.glob("h*"))) == 3, "hosts in the slow task", 60)
        (state,) = [journal.with_suffix(".state") for journal in support.journals(env)]
        # Ended while it was gone: an attempt failed, and said so.
        processes.wait_for(state.exists, "state", 20)
        with receiver() as after:
            (marks / "go").touch()
            assert run.end() == 0
            spans = [*before.spans(), *after.spans()]
        assert len(runs.ids(spans)) == ALL_SPANS
        assert [span["name"] for span in spans if any(e["name"] == "interrupted" for e in span["events"])] == []
        assert support.journals(env) == []
    finally:
        (marks / "go").touch()
        run.close()


def test_a_login_page_that_answers_200_is_no_delivery_and_one_line_says_what_answered(tmp_path: Path, env: Env) -> None:
    with Receiver(fault=Fault("answer", status=200)) as receiver:
        env |= receiver.environ("http")
        done = ended(tmp_path / "run", env)
        assert done.status == 2
        assert_said_waiting(done, env)
        assert 'answered 200 with text/html ("<!doctype html><title>Sign in' in done.ours[0]
        receiver.fault = None
        assert support.trace("ship", env=env).returncode == 0
        assert len(runs.ids(receiver.spans())) == ALL_SPANS


def test_a_wrong_endpoint_is_said_before_the_first_task_and_nothing_is_lost(tmp_path: Path, env: Env) -> None:
    env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}
    done = ended(tmp_path / "run", env)
    assert done.status == 2
    first, last = done.ours
    assert (
        "OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318 does not begin with http:// or https://; set it to a URL such as"
        in first
    )
    assert done.output.index(first) < done.output.index("TASK [Fast]")
    assert f"{ALL_SPANS} spans wait" in last
    with Receiver() as receiver:
        assert support.trace("ship", env={**env, **receiver.environ("http")}).returncode == 0
        assert len(runs.ids(receiver.spans())) == ALL_SPANS


@pytest.mark.parametrize("limit", ["0", "0.25"])
def test_a_short_flush_limit_delivers_while_the_playbook_runs_all_the_same(tmp_path: Path, env: Env, limit: str) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    # Slower than the limit: each delivery has its own time.
    with Receiver(fault=Fault("slow", seconds=0.5)) as receiver:
        env |= {**receiver.environ("http"), "PIPELINE_TRACE_FLUSH_LIMIT": limit}
        run = Run(tmp_path / "run", env, support.write_playbook(tmp_path, support.WAITING), "-e", f"marks={marks}")
        try:
            assert len(receiver.wait_for(4)) >= 4
        finally:
            (marks / "go").touch()
            assert run.end() == 0
            run.close()


# Open spans

HELD = ["Deploy", "Slow", "h1", "h2", "h3", "playbook site.yml"]


class Held:
    """A playbook whose second task waits, told of soon. ``let_go``: ends it, and returns its lines of ours that warn."""

    def __init__(self, tmp_path: Path, env: Env) -> None:
        self._marks = tmp_path / "marks"
        self._marks.mkdir()
        playbook = support.write_playbook(tmp_path, support.WAITING)
        self._run = Run(tmp_path / "run", {**env, **pace.quick(tmp_path)}, playbook, "-e", f"marks={self._marks}")
        processes.wait_for(lambda: len(list(self._marks.glob("h*"))) == 3, "hosts in the slow task", 60)

    def let_go(self) -> list[str]:
        (self._marks / "go").touch()
        assert self._run.end() == 0
        self._run.close()
        return [line for line in runs.ours(self._run.stderr) if "WARNING" in line]


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_receiver_that_takes_no_logs_is_asked_once_and_nobody_hears_of_it(
    tmp_path: Path, env: Env, protocol: Protocol
) -> None:
    with Receiver(logs="none") as receiver:
        held = Held(tmp_path, {**env, **receiver.environ(protocol), "OTEL_LOGS_EXPORTER": "otlp"})
        receiver.wait_until_told()
        time.sleep(3 * pace.EVERY)
        assert held.let_go() == []
        assert len(receiver.heard) == 1
        assert len(runs.ids(receiver.wait_for(ALL_SPANS))) == ALL_SPANS


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_receiver_that_is_not_ours_gets_no_logs(tmp_path: Path, env: Env, protocol: Protocol) -> None:
    with Receiver(logs="take") as receiver:
        held = Held(tmp_path, {**env, **receiver.environ(protocol)})
        receiver.wait_for(4)
        time.sleep(2 * pace.EVERY)
        assert held.let_go() == []
        receiver.wait_for(ALL_SPANS)
        assert receiver.heard == []
        # Nor a question: it has answered for the first task's spans.
        assert all(batch.sent for batch in receiver.batches)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_logs_that_hang_delay_no_span_and_not_the_end(tmp_path: Path, env: Env, protocol: Protocol) -> None:
    with Receiver(logs="never", keeps_open=True) as receiver:
        held = Held(tmp_path, {**env, **receiver.environ(protocol), "PIPELINE_TRACE_FLUSH_LIMIT": "60"})
        receiver.wait_until_told()
        # A request hangs now.
        assert held.let_go() == []
        assert len(runs.ids(receiver.spans())) == ALL_SPANS
        processes.wait_for(lambda: not processes.shipping(env), "end of the shipping process", SLACK_SECONDS)


def test_exporter_of_logs_is_told_and_names_what_is_open(tmp_path: Path, env: Env) -> None:
    with Receiver(logs="take") as receiver:
        held = Held(tmp_path, {**env, **receiver.environ("http"), "OTEL_LOGS_EXPORTER": "otlp"})
        processes.wait_for(lambda: HELD in [sorted(heard.names) for heard in receiver.heard], "all that is open", 60)
        assert held.let_go() == []
        # The outermost first.
        told = next(heard.names for heard in receiver.heard if sorted(heard.names) == HELD)
        assert told[:3] == ["playbook site.yml", "Deploy", "Slow"]


# Pipes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_the_end_waits_for_the_receiver_ends_it_at_once_and_quietly(
    tmp_path: Path, env: Env, number: signal.Signals
) -> None:
    """A person's Ctrl-C, or Jenkins' abort: what waits is in the journal, nobody has to stay for it."""
    with Receiver(fault=Fault("never")) as receiver:
        env |= {**receiver.environ(), "PIPELINE_TRACE_FLUSH_LIMIT": "60"}
        run = Run(tmp_path / "run", env, support.write_playbook(tmp_path, FAILING), pipes=True)
        assert run.process.stdout
        lines: list[str] = []
        for raw in run.process.stdout:
            lines.append(raw.decode())
            if re.match(r"h3 .*ok=", lines[-1]):
                break
        processes.wait_for(lambda: b'"type":"end"' in b"".join(p.read_bytes() for p in support.journals(env)), "last line")
        run.signal(number)
        rest = run.process.stdout.read().decode()
        status = run.end()
        # Nobody has answered yet: the end waited for nothing.
        assert receiver.spans() == []
        assert "Traceback" not in rest, rest
        # Its result stands already; TERM is TERM.
        assert status in ((2, 99, -number) if number == signal.SIGINT else (-number,))
        receiver.fault = None
        run.close()
        # The shipping process goes on, and delivers.
        assert len(runs.ids(receiver.wait_for(ALL_SPANS))) == ALL_SPANS


def test_pipes_of_a_build_step_end_with_the_playbook_while_the_delivery_goes_on(tmp_path: Path, env: Env) -> None:
    """As Jenkins runs a step: a shell in a session of its own, with cookies, its output read to its end."""
    with Receiver(fault=Fault("never")) as receiver:
        env |= {**receiver.environ(), "BUILD_ID": "1", "JENKINS_NODE_COOKIE": tmp_path.name}
        words = support.playbook_command(support.write_playbook(tmp_path, FAILING))
        step = subprocess.Popen(
            ["sh", "-c", '"$@"; echo $? > result', "step", *words],
            env=env,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert step.stdout
        read: list[bytes] = []
        reading = threading.Thread(target=lambda out=step.stdout: read.append(out.read()), daemon=True)
        reading.start()
        assert step.wait(60) == 0
        reading.join(SLACK_SECONDS)
        assert not reading.is_alive()
        step.stdout.close()
        assert (tmp_path / "result").read_text() == "2\n"
        assert b"spans wait in" in read[0]
        # Nothing is left with the build's cookie, by which Jenkins would kill it.
        assert [number for number in processes.of_test(env) if b"JENKINS_NODE_COOKIE" in environment(number)] == []
        receiver.fault = None


def environment(number: int) -> bytes:
    """Return a process's environment, nothing where it is gone."""
    with suppress(OSError):
        return (Path("/proc") / str(number) / "environ").read_bytes()
    return b""


def test_pipes_of_exec_end_with_the_command_while_the_delivery_goes_on(env: Env) -> None:
    with Receiver(fault=Fault("never")) as receiver:
        env |= receiver.environ()
        # Its shipping process may wait for a minute.
        done = support.spawn("exec", "--", "sh", "-c", "echo out; exit 3", env=env, timeout=SLACK_SECONDS)
        assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "")
        receiver.wait_until_asked(1)
        receiver.fault = None
        assert [span["name"] for span in receiver.wait_for(1)] == ["sh"]
