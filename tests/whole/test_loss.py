"""A kill, a crash, a receiver that is down or a full disk costs no span, and never the playbook. Real processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import support
from support import processes
from support.otlp_receiver import Fault, Protocol, Receiver, free_port

from pipeline_trace.delivery import journal
from pipeline_trace.trace.span import Span
from pipeline_trace_demo.replay import Replay

pytestmark = pytest.mark.process

Env = dict[str, str]
Spans = list[dict[str, Any]]

HOSTS = 3
# Playbook, play, and two tasks with their hosts.
ALL_SPANS = 2 + 2 * (1 + HOSTS)
# A machine under load may take this long for what needs no time at all.
SLACK_SECONDS = 30.0

QUICK = """
- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: Fast
      ansible.builtin.debug: {msg: done}
    - name: Fast too
      ansible.builtin.debug: {msg: done}
"""


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    """A clean environment; after the test no process of it is left."""
    env = support.environ(tmp_path)
    yield env
    # A killed playbook may leave commands of its slow task behind: they end when they find this file.
    for marks in tmp_path.rglob("marks"):
        (marks / "go").touch()
    try:
        processes.wait_for(lambda: not processes.of_test(env), "end of all processes")
    finally:
        processes.end_all(env)


@dataclass
class Running:
    """An ansible-playbook that runs. ``folder``: where it leaves its output and its marks."""

    process: subprocess.Popen[bytes]
    folder: Path

    def wait_for_the_slow_task(self) -> None:
        """Return when every host is in the middle of it."""

        def there() -> bool:
            assert self.process.poll() is None, self.stderr
            return len(list((self.folder / "marks").glob("h*"))) == HOSTS

        processes.wait_for(there, "hosts in the slow task", 60)

    def go(self) -> None:
        """Let the slow task end."""
        (self.folder / "marks" / "go").touch()

    def end(self) -> int:
        """Return its exit status, minus N where signal N ended it."""
        return self.process.wait(60)

    def send(self, number: signal.Signals) -> int:
        """Send a signal in the middle of the slow task; return the exit status."""
        self.wait_for_the_slow_task()
        self.process.send_signal(number)
        return self.end()

    @property
    def stderr(self) -> str:
        """Return what it said on stderr so far."""
        return (self.folder / "stderr").read_text()


def start(folder: Path, env: Mapping[str, str], text: str = support.WAITING, stdout: int | None = None) -> Running:
    """Start a playbook; its stdout goes to a file unless told otherwise."""
    (folder / "marks").mkdir(parents=True, exist_ok=True)
    command = support.playbook_command(support.write_playbook(folder, text), "-e", f"marks={folder / 'marks'}")
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(
            # Whoever runs the tests may ignore these, as nohup does, and children inherit that.
            ["env", "--default-signal=INT,HUP", *command],
            env=dict(env),
            # Away from this checkout's ansible.cfg, which enables the callback.
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out if stdout is None else stdout,
            stderr=err,
        )
    return Running(process, folder)


def without_us(env: Mapping[str, str]) -> Env:
    """Return the environment without the callback, still recognised as one of the test's."""
    return {name: value for name, value in env.items() if name != "ANSIBLE_CALLBACKS_ENABLED"}


def delivered(env: Mapping[str, str]) -> Spans:
    """Return the stored spans when no journal is left."""
    processes.wait_for(lambda: not support.journals(env), "end of the delivery")
    return support.stored(env)


def ours(stderr: str) -> list[str]:
    """Return the lines on stderr that are ours."""
    return [line.strip() for line in stderr.splitlines() if "pipeline-trace" in line]


def said_waiting(line: str) -> tuple[int, str, str]:
    """Return what the line says: how many spans wait, where, and which command delivers them."""
    match = re.fullmatch(r"\[WARNING\]: pipeline-trace: (\d+) spans wait in (\S+) \(.+\); deliver them with: (.+)", line)
    assert match, line
    return int(match[1]), match[2], match[3]


def interrupted(spans: Spans) -> list[str]:
    """Return the names of the spans that did not end by themselves."""
    return [span["name"] for span in spans if any(event["name"] == "interrupted" for event in span["events"])]


def ids(spans: Spans) -> set[str]:
    return {span["span_id"] for span in spans}


def assert_interrupted(spans: Spans, reason: str, *, code: str, result: str) -> None:
    """What had ended is as it ended; what was open is closed, and says so."""
    assert (len(spans), len(ids(spans))) == (ALL_SPANS, ALL_SPANS)
    interrupted = [span for span in spans if span["events"]]
    assert sorted(span["name"] for span in interrupted) == ["Deploy", "Slow", "h1", "h2", "h3", "playbook site.yml"]
    for span in interrupted:
        assert [(e["name"], e["attributes"]["reason"]) for e in span["events"]] == [("interrupted", reason)]
        assert (span["status"]["code"], span["attributes"]["cicd.pipeline.task.run.result"]) == (code, result)
        assert span["attributes"].get("error.type") == ("interrupted" if code == "ERROR" else None)
        assert span["start_unix_nano"] <= span["end_unix_nano"] <= time.time_ns()
    for span in spans:
        if not span["events"]:
            assert (span["status"]["code"], span["attributes"]["cicd.pipeline.task.run.result"]) == ("UNSET", "success")


# Kills


@pytest.mark.parametrize("kind", ["store", "http", "grpc"])
def test_sigkill_in_the_middle_of_a_task_keeps_what_ended_and_closes_what_was_open_as_an_error(
    tmp_path: Path, env: Env, kind: Any
) -> None:
    with Receiver() as receiver:
        sending = env if kind == "store" else {**env, **receiver.environ(kind)}
        assert start(tmp_path, sending).send(signal.SIGKILL) == -signal.SIGKILL
        stored = delivered(env)
        spans = stored if kind == "store" else receiver.wait_for(ALL_SPANS)
    assert_interrupted(spans, "SIGKILL or a crash", code="ERROR", result="error")


def test_sigkill_of_the_playbook_and_of_the_shipping_process_loses_nothing_after_ship(tmp_path: Path, env: Env) -> None:
    running = start(tmp_path, env)
    running.wait_for_the_slow_task()
    (shipping,) = processes.shipping(env)
    os.kill(shipping, signal.SIGKILL)
    running.send(signal.SIGKILL)
    processes.wait_for(lambda: not processes.shipping(env), "end of the shipping process")
    shipped = support.trace("ship", env=env)
    assert (shipped.returncode, shipped.stderr) == (0, "")
    assert_interrupted(delivered(env), "SIGKILL or a crash", code="ERROR", result="error")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 99), (signal.SIGHUP, -signal.SIGHUP)]
)
def test_termination_is_a_cancellation_and_the_exit_status_is_the_one_without_us(
    tmp_path: Path, env: Env, number: signal.Signals, status: int
) -> None:
    with_us, without = start(tmp_path / "with", env), start(tmp_path / "without", without_us(env))
    assert (with_us.send(number), without.send(number)) == (status, status)
    assert_interrupted(delivered(env), number.name, code="UNSET", result="cancellation")


def test_kill_of_the_shipping_process_costs_nothing(tmp_path: Path, env: Env) -> None:
    running = start(tmp_path, env)
    running.wait_for_the_slow_task()
    ((shipping, command),) = processes.shipping(env).items()
    assert str(support.journals(env)[0]) in command
    os.kill(shipping, signal.SIGKILL)
    running.go()
    assert running.end() == 0
    # Another one is started at the end.
    spans = delivered(env)
    assert (len(spans), interrupted(spans)) == (ALL_SPANS, [])
    assert support.journals(env) == []


def test_shipping_process_is_detached_from_the_playbook_and_from_jenkins(tmp_path: Path, env: Env) -> None:
    """Jenkins kills by three variables; whoever reads the playbook's output waits until nobody holds it open."""
    cookies = {"BUILD_ID": "1", "JENKINS_NODE_COOKIE": "a", "JENKINS_SERVER_COOKIE": "b"}
    running = start(tmp_path, {**env, **cookies})
    running.wait_for_the_slow_task()
    (shipping,) = processes.shipping(env)
    proc = Path("/proc") / str(shipping)
    names = {variable.partition(b"=")[0].decode() for variable in (proc / "environ").read_bytes().split(b"\0")}
    assert names & cookies.keys() == set()
    assert os.getsid(shipping) == shipping
    files = {int(link.name): os.readlink(link) for link in (proc / "fd").iterdir()}
    assert [files.pop(number) for number in (0, 1, 2)] == [os.devnull] * 3
    assert [name for name in files.values() if not name.startswith(env["PIPELINE_TRACE_HOME"])] == []
    running.go()
    assert running.end() == 0


def test_playbooks_output_ends_with_it_while_the_delivery_goes_on(tmp_path: Path, env: Env) -> None:
    with Receiver(fault=Fault("never")) as receiver:
        sending = {**env, **receiver.environ(), "PIPELINE_TRACE_FLUSH_LIMIT": "60"}
        running = start(tmp_path, sending, stdout=subprocess.PIPE)
        read: list[bytes] = []
        assert running.process.stdout
        reading = threading.Thread(target=lambda out=running.process.stdout: read.append(out.read()), daemon=True)
        reading.start()
        running.send(signal.SIGTERM)
        # Ansible's own workers may end their task first.
        running.go()
        reading.join(SLACK_SECONDS)
        assert b"TASK [Slow]" in b"".join(read)
        assert processes.shipping(env)
        receiver.fault = None
        assert_interrupted(receiver.wait_for(ALL_SPANS), "SIGTERM", code="UNSET", result="cancellation")
        running.process.stdout.close()


# Receivers


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_receiver_that_is_down_costs_a_line_and_ship_delivers_exactly_all_later(
    tmp_path: Path, env: Env, protocol: Protocol
) -> None:
    port = free_port()
    name = "grpc" if protocol == "grpc" else "http/protobuf"
    env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_PROTOCOL": name}
    done = support.run_playbook(support.write_playbook(tmp_path, QUICK), env=env)
    assert done.returncode == 0
    assert said_waiting(*ours(done.stderr)) == (ALL_SPANS, str(support.journals(env)[0]), "pipeline-trace ship")
    still_down = support.trace("ship", env=env)
    assert (still_down.returncode, len(still_down.stderr.splitlines())) == (1, 1)
    assert f"{ALL_SPANS} spans wait" in still_down.stderr
    with Receiver(http_port=port if protocol == "http" else 0, grpc_port=port if protocol == "grpc" else 0) as receiver:
        shipped = support.trace("ship", env=env)
        assert (shipped.returncode, shipped.stderr) == (0, "")
        assert f"{ALL_SPANS} spans delivered" in shipped.stdout
        spans = receiver.spans()
        assert (len(spans), len(ids(spans))) == (ALL_SPANS, ALL_SPANS)
        assert support.trace("ship", env=env).returncode == 0
        assert len(receiver.spans()) == ALL_SPANS
    assert support.journals(env) == []


def test_failed_playbook_keeps_its_exit_status_where_the_receiver_is_down(tmp_path: Path, env: Env) -> None:
    env["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{free_port()}"
    failing = QUICK.replace("ansible.builtin.debug: {msg: done}", "ansible.builtin.fail: {msg: no}")
    done = support.run_playbook(support.write_playbook(tmp_path, failing), env=env)
    assert (done.returncode, len(ours(done.stderr))) == (2, 1)


def held(tmp_path: Path, env: Mapping[str, str]) -> float:
    """Return for how many seconds a playbook's end was held, behind the last line of its recap."""
    running = start(tmp_path, env, QUICK, stdout=subprocess.PIPE)
    assert running.process.stdout
    with running.process.stdout as out:
        for line in out:
            if line.startswith(b"h3 ") and b"ok=" in line:
                break
        recap = time.monotonic()
        out.read()
    assert running.end() == 0
    return time.monotonic() - recap


@contextmanager
def silent_socket() -> Iterator[str]:
    """Give the address of somebody who lets connect, and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("speaking", [True, False])
def test_receiver_that_never_answers_holds_the_end_no_longer_than_the_flush_limit(
    tmp_path: Path, env: Env, protocol: Protocol, speaking: bool
) -> None:
    with Receiver(fault=Fault("never")) as receiver, silent_socket() as silent:
        sending = {**env, **receiver.environ(protocol), "PIPELINE_TRACE_FLUSH_LIMIT": "1"}
        if not speaking:
            sending["OTEL_EXPORTER_OTLP_ENDPOINT"] = silent
        assert 0.5 < held(tmp_path, sending) < 1 + SLACK_SECONDS
        processes.wait_for(lambda: not processes.shipping(env), "end of the shipping process", 1 + SLACK_SECONDS)
        assert said_waiting(*ours((tmp_path / "stderr").read_text()))[0] == ALL_SPANS
        receiver.fault = None
        assert support.trace("ship", env={**sending, **receiver.environ(protocol)}).returncode == 0
        assert len(ids(receiver.spans())) == ALL_SPANS


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_receiver_that_refuses_does_not_hold_the_end(tmp_path: Path, env: Env, protocol: Protocol) -> None:
    name = "grpc" if protocol == "grpc" else "http/protobuf"
    env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}", "OTEL_EXPORTER_OTLP_PROTOCOL": name}
    assert held(tmp_path, {**env, "PIPELINE_TRACE_FLUSH_LIMIT": "120"}) < SLACK_SECONDS


def test_next_run_delivers_what_an_earlier_one_could_not(tmp_path: Path, env: Env) -> None:
    port = free_port()
    env["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{port}"
    playbook = support.write_playbook(tmp_path, QUICK)
    assert support.run_playbook(playbook, env=env).returncode == 0
    with Receiver(http_port=port) as receiver:
        assert ours(support.run_playbook(playbook, env=env).stderr)[0].endswith(f"sent to http://127.0.0.1:{port}")
        spans = receiver.wait_for(2 * ALL_SPANS)
        processes.wait_for(lambda: not support.journals(env), "end of the delivery")
    assert (len(receiver.spans()), len(ids(spans)), len({span["trace_id"] for span in spans})) == (
        2 * ALL_SPANS,
        2 * ALL_SPANS,
        2,
    )


def test_two_playbooks_at_once_deliver_a_whole_trace_each(tmp_path: Path, env: Env) -> None:
    both = [start(tmp_path / name, env) for name in ("one", "two")]
    for running in both:
        running.wait_for_the_slow_task()
    for running in both:
        running.go()
    assert [running.end() for running in both] == [0, 0]
    spans = delivered(env)
    traces = [span["trace_id"] for span in spans]
    assert sorted(traces.count(trace) for trace in set(traces)) == [ALL_SPANS, ALL_SPANS]
    assert interrupted(spans) == []


def test_poll_with_a_receiver_that_is_down_succeeds_with_a_line_and_ship_delivers_later(env: Env) -> None:
    port = free_port()
    env["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{port}"
    with Replay(support.recording("11")) as jenkins:
        polled = support.poll(jenkins.url, env=env)
    assert (polled.returncode, len(polled.stderr.splitlines())) == (0, 1)
    read = re.search(r"builds? read, (\d+) spans?", polled.stdout)
    assert read
    assert f"{read[1]} spans wait in {Path(env['PIPELINE_TRACE_HOME']) / 'journals'}" in polled.stderr
    assert "pipeline-trace ship" in polled.stderr
    with Receiver(http_port=port) as receiver:
        shipped = support.trace("ship", env=env)
        assert (shipped.returncode, shipped.stderr) == (0, "")
        spans = receiver.spans()
    assert (len(spans), len(ids(spans))) == (int(read[1]), int(read[1]))


def write_journal(env: Mapping[str, str], count: int) -> None:
    """Leave a journal with spans of a run that is over."""
    folder = Path(env["PIPELINE_TRACE_HOME"]) / "journals"
    folder.mkdir(mode=0o700, parents=True)
    writer = journal.Writer(folder)
    for number in range(1, count + 1):
        writer.span(Span("4bf92f3577b34da6a3ce929d0e0e4736", f"{number:016x}", None, f"span {number}", 1, 2))
    writer.end()


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault("status", status=503), "503|UNAVAILABLE"),
        (Fault("status", status=429, retry_after=3600), "429|RESOURCE_EXHAUSTED"),
        (Fault("status", status=400), "400|INVALID_ARGUMENT"),
        (Fault("status", status=404), "404|UNIMPLEMENTED"),
        (Fault("redirect"), "(?i)302|redirect|login"),
        (Fault("close"), "(?i)closed|aborted|reset|disconnected"),
    ],
    ids=["503", "429", "400", "404", "redirect", "close"],
)
def test_ship_says_in_one_line_why_spans_were_not_accepted_and_delivers_them_later(
    env: Env, protocol: Protocol, fault: Fault, reason: str
) -> None:
    write_journal(env, 3)
    with Receiver(fault=fault) as receiver:
        env |= {**receiver.environ(protocol), "OTEL_EXPORTER_OTLP_TIMEOUT": "2"}
        failed = support.trace("ship", env=env)
        assert (failed.returncode, len(failed.stderr.splitlines())) == (1, 1)
        assert re.search(reason, failed.stderr), failed.stderr
        assert "3 spans wait" in failed.stderr
        receiver.fault = None
        assert support.trace("ship", env=env).returncode == 0
        assert len(ids(receiver.spans())) == 3
    assert support.journals(env) == []


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_spans_that_the_receiver_rejects_are_counted_and_said_and_not_sent_again(env: Env, protocol: Protocol) -> None:
    write_journal(env, 3)
    with Receiver(fault=Fault("partial", message="too old")) as receiver:
        env |= receiver.environ(protocol)
        done = support.trace("ship", env=env)
        assert (done.returncode, done.stderr, len(receiver.asked)) == (0, "", 1)
        assert re.search(r"2 spans delivered .*; 1 rejected by the receiver \(too old\)", done.stdout), done.stdout
    assert support.journals(env) == []


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize(
    "fault",
    [Fault("status", status=400), Fault("status", status=429, retry_after=3600), Fault("partial")],
    ids=["400", "429", "partial"],
)
def test_receiver_that_will_not_take_a_batch_is_not_asked_again_and_again(
    tmp_path: Path, env: Env, protocol: Protocol, fault: Fault
) -> None:
    """OTLP: a bad request and a partial success must not be sent again, an overloaded receiver not before Retry-After."""
    with Receiver(fault=fault) as receiver:
        playbook = support.write_playbook(tmp_path, QUICK)
        done = support.run_playbook(playbook, env={**env, **receiver.environ(protocol)})
        assert (done.returncode, len(ours(done.stderr))) == (0, 1)
        assert "sent to" not in done.stderr
        # A batch a second while it runs, and a last one: as many as a short run may have, doubled.
        assert len(receiver.asked) <= 6


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_certificate_that_is_not_trusted_is_the_reason_and_the_right_one_helps(env: Env, protocol: Protocol) -> None:
    write_journal(env, 3)
    with Receiver(tls=True) as receiver:
        env |= {**receiver.environ(protocol), "OTEL_EXPORTER_OTLP_TIMEOUT": "2"}
        untrusted = {name: value for name, value in env.items() if name != "OTEL_EXPORTER_OTLP_CERTIFICATE"}
        failed = support.trace("ship", env=untrusted)
        assert (failed.returncode, len(failed.stderr.splitlines()), receiver.spans()) == (1, 1, [])
        assert re.search("(?i)certificate|ssl|tls", failed.stderr), failed.stderr
        trusted = support.trace("ship", env=env)
        assert (trusted.returncode, trusted.stderr) == (0, "")
        assert len(receiver.spans()) == 3


# Disks


@dataclass
class Disk:
    """A small disk. ``free`` and ``fill`` change how much room there is."""

    path: Path

    def fill(self, leave: int = 0) -> None:
        """Fill it up, but for some bytes."""
        filler = self.path / "filler"
        with filler.open("ab", buffering=0) as file:
            with suppress(OSError):
                while True:
                    file.write(b"\0" * 4096)
            file.truncate(filler.stat().st_size - leave)
        found = os.statvfs(self.path)
        assert found.f_bavail * found.f_bsize == leave

    def free(self) -> None:
        """Make room again."""
        (self.path / "filler").unlink()


@pytest.fixture
def disk(env: Env) -> Iterator[Disk]:
    """PIPELINE_TRACE_HOME on a disk of its own."""
    path = Path(env["PIPELINE_TRACE_HOME"])
    path.mkdir()
    mounted = support.run("mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", path, env=env)
    if mounted.returncode:
        pytest.skip(f"mounting a small disk is not permitted here: {mounted.stderr.strip()}")
    try:
        yield Disk(path)
    finally:
        processes.end_all(env)
        support.run("umount", "--lazy", path, env=env)


LOOP_OF_TASKS = "- name: Deploy\n  hosts: all\n  gather_facts: false\n  tasks:\n" + "".join(
    f"    - name: Task {number}\n      ansible.builtin.debug: {{msg: done}}\n" for number in range(10)
)


def dropped(stderr: str) -> int:
    """Return how many spans were dropped, as the one warning says."""
    (line,) = [line for line in ours(stderr) if "could not be written" in line]
    match = re.search(r"pipeline-trace: (\d+) spans could not be written to \S+ \(No space left on device\)", line)
    assert match, line
    return int(match[1])


def assert_rest_delivered(spans: Spans, lost: int) -> None:
    """Every span was delivered or counted; none that is there says something wrong."""
    made = 2 + 10 * (1 + HOSTS)
    whole = [span for span in spans if not span["events"]]
    assert 0 < lost < made
    assert (len(ids(spans)), len(whole) + lost) == (len(spans), made)
    # The playbook went well, whatever could not be written.
    assert [span["name"] for span in spans if span["status"]["code"] == "ERROR"] == []


def test_full_disk_drops_spans_with_one_warning_and_the_rest_is_delivered(tmp_path: Path, env: Env, disk: Disk) -> None:
    disk.fill(leave=32 << 10)
    with Receiver() as receiver:
        done = support.run_playbook(support.write_playbook(tmp_path, LOOP_OF_TASKS), env={**env, **receiver.environ()})
        processes.wait_for(lambda: not support.journals(env), "end of the delivery")
        assert (done.returncode, "failed=0" in done.stdout) == (0, True)
        assert_rest_delivered(receiver.spans(), dropped(done.stderr))


def test_full_disk_with_the_store_on_it_keeps_the_rest_until_there_is_room(tmp_path: Path, env: Env, disk: Disk) -> None:
    disk.fill(leave=32 << 10)
    done = support.run_playbook(support.write_playbook(tmp_path, LOOP_OF_TASKS), env=env)
    assert done.returncode == 0
    disk.free()
    shipped = support.trace("ship", env=env)
    assert (shipped.returncode, support.journals(env)) == (0, [])
    assert_rest_delivered(support.stored(env), dropped(done.stderr))


def test_disk_without_any_room_costs_one_warning(tmp_path: Path, env: Env, disk: Disk) -> None:
    disk.fill()
    done = support.run_playbook(support.write_playbook(tmp_path, QUICK), env=env)
    assert done.returncode == 0
    assert [line for line in ours(done.stderr) if "WARNING" in line] == ours(done.stderr)[:1]
    # Nothing of the trace is there to see.
    assert "pipeline-trace show" not in done.stderr, done.stderr


@pytest.mark.parametrize("leave", [0, 8 << 10, 64 << 10])
def test_poll_on_a_full_disk_fails_with_one_line_and_reads_the_builds_again(env: Env, disk: Disk, leave: int) -> None:
    """With more or less room for the state's transactions and for the journal."""
    with Replay(support.recording("10")) as jenkins, Receiver() as receiver:
        env |= receiver.environ()
        assert support.poll(jenkins.url, env=env).returncode == 0
        before = len(support.by_type(receiver.spans(), "run"))
        jenkins.load([support.recording("10"), support.recording("11")])
        disk.fill(leave=leave)
        failed = support.poll(jenkins.url, env=env)
        assert (failed.returncode, len(failed.stderr.splitlines())) == (1, 1)
        assert "pipeline-trace: cannot" in failed.stderr
        disk.free()
        again = support.poll(jenkins.url, env=env)
        assert (again.returncode, again.stderr) == (0, "")
        assert "5 builds read" in again.stdout
        assert len(ids(support.by_type(receiver.spans(), "run"))) == before + 5
        assert "0 builds read" in support.poll(jenkins.url, env=env).stdout


def test_poll_that_starts_on_a_full_disk_fails_with_one_line_and_reads_all_later(env: Env, disk: Disk) -> None:
    disk.fill()
    with Replay(support.recording("11")) as jenkins:
        failed = support.poll(jenkins.url, env=env)
        assert (failed.returncode, len(failed.stderr.splitlines())) == (1, 1)
        disk.free()
        assert "5 builds read" in support.poll(jenkins.url, env=env).stdout


@pytest.mark.parametrize("there", [False, True], ids=["new store", "store with spans"])
def test_a_full_disk_is_said_in_one_wording_by_who_reads_and_who_writes(env: Env, disk: Disk, there: bool) -> None:
    if there:
        assert support.spawn("exec", "--", "true", env=env).returncode == 0
        processes.wait_for(lambda: not support.journals(env), "end of the delivery")
    disk.fill(leave=8 << 10)
    assert support.spawn("exec", "--", "true", env=env).returncode == 0
    disk.fill()
    for command in ("show", "ship", "serve"):
        done = support.spawn(command, env=env)
        (line,) = done.stderr.splitlines()
        assert done.returncode == 1
        assert "disk" in line
        assert "free some space there" in line
        assert "move it away" not in line
