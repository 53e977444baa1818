"""Whatever is killed, at whatever point: nothing that had ended is missing, nothing is there under two ids.

Real processes, random points. Each test says its seed, which repeats its points: set PIPELINE_TRACE_TEST_SEED.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import support
from support import processes, runs
from support.otlp_receiver import Receiver, free_port
from support.runs import Kept, Run

from pipeline_trace.delivery.journal import Writer
from pipeline_trace.trace.span import Span, encode

pytestmark = pytest.mark.process

Env = dict[str, str]
Spans = list[dict[str, Any]]

# Each kind of kill is tried at BATCHES * AT_ONCE points; those of a batch run side by side and share their folder.
BATCHES, AT_ONCE = 4, 5
# A machine under load may take this long for what needs no time at all.
HANG_SECONDS = 15.0

# Actions without a module, so that a run is short: a rescue, a loop, a handler, two plays.
PLAYBOOK = """
- name: Prepare
  hosts: all
  gather_facts: false
  tasks:
    - name: Look
      ansible.builtin.debug: {msg: done}
    - name: Guarded
      block:
        - name: Break
          ansible.builtin.fail: {msg: "no"}
          when: inventory_hostname == "h2"
      rescue:
        - name: Mend
          ansible.builtin.debug: {msg: done}
    - name: Items
      ansible.builtin.debug: {msg: "{{ item }}"}
      loop: [1, 2, 3]
- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: Note
      ansible.builtin.set_fact: {noted: true}
    - name: Change
      ansible.builtin.debug: {msg: done}
      changed_when: true
      notify: Restart
    - name: Look again
      ansible.builtin.assert: {that: noted}
  handlers:
    - name: Restart
      ansible.builtin.debug: {msg: done}
"""
# Two hosts, which is enough for tasks that run side by side. So many lines has the journal of a whole run.
HOSTS = "h1,h2,"
LINES = 55


def chance(*what: object) -> random.Random:
    """Return the random numbers of a test; its seed is shown where the test fails."""
    seed = os.environ.get("PIPELINE_TRACE_TEST_SEED") or str(random.SystemRandom().randrange(10**9))
    sys.stdout.write(f"PIPELINE_TRACE_TEST_SEED={seed}\n")
    return random.Random(f"{seed} {what}")


def stop(run: Run, number: signal.Signals) -> None:
    run.signal(number)


def kill_shipping(run: Run) -> None:
    shipping = run.shipping()
    if shipping:
        # It may end by itself meanwhile; it is a child of the playbook, so that its id is not used again before that ends.
        with suppress(ProcessLookupError):
            os.kill(shipping, signal.SIGKILL)


def kill_both(run: Run) -> None:
    kill_shipping(run)
    run.signal(signal.SIGKILL)


def abort_as_jenkins(run: Run) -> None:
    """TERM to the process group and to every process whose environment holds the build's cookie."""
    with suppress(ProcessLookupError):
        os.killpg(run.process.pid, signal.SIGTERM)
    mark = f"JENKINS_NODE_COOKIE={run.folder}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                os.kill(int(folder.name), signal.SIGTERM)


# Where a signal meets a fork, Ansible ends with 1 or 250, goes on as if nothing were, or hangs (then finish kills it), with
# this callback and without any.
ANSIBLES_OWN = (0, 1, 250, -signal.SIGKILL)
KILLED = "SIGKILL or a crash"
# By kind: what is done, the reason that spans then carry, and the exit statuses that may be.
KINDS: dict[str, tuple[Callable[[Run], None], str, tuple[int, ...]]] = {
    "TERM": (lambda run: stop(run, signal.SIGTERM), "SIGTERM", (-signal.SIGTERM, *ANSIBLES_OWN)),
    # Python itself ends by INT if it comes when Ansible is done and the program is about to end.
    "INT": (lambda run: stop(run, signal.SIGINT), "SIGINT", (99, -signal.SIGINT, *ANSIBLES_OWN)),
    "KILL": (lambda run: stop(run, signal.SIGKILL), KILLED, (-signal.SIGKILL,)),
    "KILL-of-shipping": (kill_shipping, "", (0,)),
    "KILL-of-both": (kill_both, KILLED, (-signal.SIGKILL,)),
    "abort": (abort_as_jenkins, "SIGTERM", (-signal.SIGTERM, *ANSIBLES_OWN)),
}


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    """A clean environment; after the test no process of it is left."""
    env = support.environ(tmp_path)
    yield env
    runs.end_all(env)


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_had_ended_is_missing_after_a_kill_at_a_random_point(
    tmp_path: Path, env: Env, kind: str, batch: int
) -> None:
    kill, reason, statuses = KINDS[kind]
    numbers = chance(kind, batch)
    playbook = support.write_playbook(tmp_path, PLAYBOOK)
    points = [(numbers.randrange(LINES), numbers.uniform(0, 0.01)) for _ in range(AT_ONCE)]

    def one(number: int, line: int, pause: float) -> bool:
        reached = started[number].wait_for_line(line)
        if reached:
            # Not always right behind a line.
            time.sleep(pause)
            kill(started[number])
        return reached

    with ExitStack() as stack:
        # A cookie is a path: no other test, nor another run of the tests, has the same.
        folders = [tmp_path / str(number) for number in range(AT_ONCE)]
        started = [
            Run(
                folder,
                {**env, "BUILD_ID": "1", "JENKINS_NODE_COOKIE": str(folder), "JENKINS_SERVER_COOKIE": "s"},
                playbook,
                hosts=HOSTS,
                session=kind == "abort",
            )
            for folder in folders
        ]
        for run in started:
            stack.callback(run.close)
        # Nobody touches this one, which ships into the same folder.
        bystanders = [Run(tmp_path / "bystander", env, playbook, hosts=HOSTS)] if batch == 0 else []
        for run in bystanders:
            stack.callback(run.close)
        with ThreadPoolExecutor(AT_ONCE + 1) as pool:
            spared = [pool.submit(run.find_journal) for run in bystanders]
            reached = list(pool.map(one, range(AT_ONCE), *zip(*points, strict=True)))
        assert all(found.result() for found in spared)
        assert [run.end() for run in bystanders] == [0] * len(bystanders)
        for run, struck in zip(started, reached, strict=True):
            # What was struck at its very end may have ended by itself.
            assert finish(run) in ((*statuses, 0) if struck else (0,)), (run.stdout, run.stderr)
        settle(env)
        stored = support.stored(env)
        for run in started:
            assert_whole(run, stored, reason)
            assert "not traced" not in run.stderr
        for run in bystanders:
            assert assert_whole(run, stored, "") == []
        # What is stored is in these journals, and nowhere else.
        assert runs.ids(stored) == set().union(*(run.kept().ids for run in (*started, *bystanders)))


def finish(run: Run) -> int:
    """Return the exit status of a playbook that was sent a signal; kill it where Ansible hangs."""
    try:
        return run.end(HANG_SECONDS)
    except subprocess.TimeoutExpired:
        run.signal(signal.SIGKILL)
        return run.end()


def settle(env: Env) -> None:
    """Wait until the shipping processes have ended, deliver what then still waits, and see that nothing is left behind."""
    processes.wait_for(lambda: not processes.shipping(env), "end of all shipping processes", 30)
    if support.journals(env):
        shipped = support.trace("ship", env=env)
        assert (shipped.returncode, shipped.stderr) == (0, "")
    folder = Path(env["PIPELINE_TRACE_HOME"]) / "journals"
    # A state whose journal is gone is removed by a later delivery.
    assert [path.name for path in folder.iterdir() if path.suffix not in (".state", ".new")] == []


def assert_whole(run: Run, delivered: Spans, reason: str) -> list[str]:
    """See that all is there that a run's journal held, and as it should be; return the names of what was interrupted."""
    kept = run.kept()
    found = {span["span_id"]: span for span in delivered if span["span_id"] in kept.ids}
    assert found.keys() == kept.ids
    for number, line in kept.ended.items():
        assert found[number] == {name: value for name, value in line.items() if name != "type"}
    interrupted = [found[number] for number in kept.begun.keys() - kept.ended.keys()]
    for span in interrupted:
        # What Ansible hung after, and had to be killed for, is a kill.
        hung = reason == "SIGINT" and run.process.returncode == -signal.SIGKILL
        assert_closed(span, KILLED if hung else reason)
    for span in found.values():
        assert span["parent_span_id"] is None or span["parent_span_id"] in found, span
    if run.process.returncode not in (1, 250):
        # There Ansible went on behind the signal: test_run_that_goes_on_after_a_signal_is_traced_to_its_end.
        assert_shown_has_ended(run, kept)
    return [span["name"] for span in interrupted]


def assert_closed(span: dict[str, Any], reason: str) -> None:
    """A span that was open says so: an error after a kill, a cancellation after TERM or INT."""
    cancelled = reason in ("SIGTERM", "SIGINT")
    (said,) = [event["attributes"]["reason"] for event in span["events"] if event["name"] == "interrupted"]
    result = span["attributes"]["cicd.pipeline.task.run.result"]
    assert (said, span["status"]["code"]) == (reason, "UNSET" if cancelled else "ERROR"), span
    assert result == ("cancellation" if cancelled else "error")
    assert span["start_unix_nano"] <= span["end_unix_nano"] <= time.time_ns()


def assert_shown_has_ended(run: Run, kept: Kept) -> None:
    """What a person saw on the screen has its span: all but the last, whose hook may not have come to us yet."""
    names = {number: line["name"] for number, line in kept.begun.items()}
    ended = {(names[line["parent_span_id"]], line["name"]) for line in kept.ended.values() if line["parent_span_id"]}
    shown = run.shown()
    assert set(shown[:-1]) <= ended, set(shown) - ended


@pytest.mark.parametrize("batch", range(BATCHES))
def test_all_has_arrived_when_the_folder_goes_away_right_after_the_end(tmp_path: Path, batch: int) -> None:
    """An agent that is a container: its disk is gone as soon as the build has ended."""
    numbers = chance("gone", batch)
    playbook = support.write_playbook(tmp_path, PLAYBOOK)
    with Receiver() as receiver, ThreadPoolExecutor(AT_ONCE) as pool:

        def one(number: int) -> None:
            folder = tmp_path / str(number)
            folder.mkdir()
            env = {**support.environ(folder), **receiver.environ(), "PIPELINE_TRACE_FLUSH_LIMIT": "60"}
            run = Run(folder, env, playbook, hosts="".join(f"h{host}," for host in range(hosts[number])))
            try:
                assert run.find_journal()
                assert run.end() == 0
                arrived = receiver.spans()
                shutil.rmtree(env["PIPELINE_TRACE_HOME"], ignore_errors=True)
                assert runs.ids(arrived) >= run.kept().ids
                assert [span["span_id"] for span in arrived if span["trace_id"] in run.stderr] != []
            finally:
                runs.end_all(env, [run])

        hosts = [numbers.randrange(1, 6) for _ in range(AT_ONCE)]
        list(pool.map(one, range(AT_ONCE)))
    # Nobody was killed: nothing came twice.
    assert len(receiver.spans()) == len(runs.ids(receiver.spans()))


@pytest.mark.parametrize("batch", range(BATCHES // 2))
def test_all_arrives_when_the_folder_goes_away_right_after_an_abort(tmp_path: Path, batch: int) -> None:
    numbers = chance("gone after abort", batch)
    playbook = support.write_playbook(tmp_path, PLAYBOOK)
    with Receiver() as receiver, ThreadPoolExecutor(AT_ONCE) as pool:

        def one(number: int) -> None:
            folder = tmp_path / str(number)
            folder.mkdir()
            env = {**support.environ(folder), **receiver.environ(), "PIPELINE_TRACE_FLUSH_LIMIT": "60"}
            run = Run(folder, env, playbook, hosts=HOSTS)
            try:
                assert run.find_journal()
                processes.wait_for(lambda: run.ships() or run.process.poll() is not None, "the shipping process", 30)
                if run.wait_for_line(points[number]):
                    run.signal(signal.SIGTERM)
                assert finish(run) in (-signal.SIGTERM, *ANSIBLES_OWN)
                shutil.rmtree(env["PIPELINE_TRACE_HOME"], ignore_errors=True)
                kept = run.kept()
                processes.wait_for(lambda: runs.ids(receiver.spans()) >= kept.ids, "spans", 20)
                spans = [span for span in receiver.spans() if span["span_id"] in kept.ids]
                assert len(spans) == len(kept.ids)
                for span in spans:
                    if span["span_id"] not in kept.ended:
                        assert_closed(span, "SIGTERM")
            finally:
                runs.end_all(env, [run])

        points = [numbers.randrange(LINES) for _ in range(AT_ONCE)]
        list(pool.map(one, range(AT_ONCE)))


# As a program that drives Ansible through its API may have it, and as it is where Ansible's own handler fails.
SURVIVING = """
import signal
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "surviving"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        signal.signal(signal.SIGTERM, lambda number, frame: None)
"""
WAITING = """
- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: Slow
      ansible.builtin.shell: >-
        touch {{ marks }}/{{ inventory_hostname }};
        for i in $(seq 1200); do [ -e {{ marks }}/go ] && exit 0; sleep 0.05; done; exit 1
    - name: Then
      ansible.builtin.debug: {msg: done}
"""


def test_run_that_goes_on_after_a_signal_is_traced_to_its_end(tmp_path: Path, env: Env) -> None:
    marks, plugins = tmp_path / "marks", tmp_path / "plugins"
    marks.mkdir()
    plugins.mkdir()
    (plugins / "surviving.py").write_text(SURVIVING)
    playbook = support.write_playbook(tmp_path, WAITING)
    run = Run(tmp_path / "run", {**env, "ANSIBLE_CALLBACK_PLUGINS": str(plugins)}, playbook, "-e", f"marks={marks}")
    try:
        processes.wait_for(lambda: len(list(marks.glob("h*"))) == 3, "hosts in the slow task", 60)
        run.signal(signal.SIGTERM)
        (marks / "go").touch()
        assert run.end() == 0
        settle(env)
        spans = support.stored(env)
        assert [name for name in runs.ours(run.stderr) if "WARNING" in name] == []
        assert sorted(span["name"] for span in spans) == sorted(
            ["playbook site.yml", "Deploy", "Slow", "Then", *["h1", "h2", "h3"] * 2]
        )
        assert [span["name"] for span in spans if any(event["name"] == "interrupted" for event in span["events"])] == []
    finally:
        (marks / "go").touch()
        run.close()


# Other users


@pytest.fixture
def stranger() -> Iterator[Path]:
    """A PIPELINE_TRACE_HOME of a user who is not us, where that user can reach it."""
    if os.getuid() != 0:
        pytest.skip("only root can make files of other users")
    folder = Path(tempfile.mkdtemp(prefix="pipeline-trace-test-"))
    (folder / "journals").mkdir()
    os.chown(folder, 65534, 65534)
    os.chown(folder / "journals", 65534, 65534)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def as_stranger(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the core as that user, as a Galaxy install does: with a Python that this user can reach."""
    return subprocess.run(
        ["/usr/bin/python3", str(support.ROOT / "shared/pipeline_trace/__main__.py"), *arguments],
        env={"PATH": "/usr/bin:/bin", "PIPELINE_TRACE_HOME": str(home), "TMPDIR": str(home), **more},
        cwd="/",
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def write_journal(folder: Path, number: int, count: int = 3) -> Path:
    """Leave a journal with spans of a run that is over."""
    writer = Writer(folder)
    for span in range(1, count + 1):
        writer.span(Span(f"{number:032x}", f"{number:08x}{span:08x}", None, f"span {span}", 1, 2))
    writer.end()
    return writer.path


def can_run_as_stranger(home: Path) -> None:
    if not Path("/usr/bin/python3").exists() or as_stranger(home, "ship").returncode:
        pytest.skip("there is no Python that another user can run")


def test_another_users_journal_does_not_stop_the_others_from_being_shipped(stranger: Path) -> None:
    can_run_as_stranger(stranger)
    paths = [write_journal(stranger / "journals", number) for number in (1, 2, 3)]
    for path in (paths[0], paths[2]):
        os.chown(path, 65534, 65534)
    done = as_stranger(stranger, "ship")
    assert [path.exists() for path in paths] == [False, True, False]
    assert "6 spans delivered" in done.stdout
    # What another user left there is that user's.
    assert (done.returncode, done.stderr) == (0, "")


def test_another_users_journal_is_no_traceback_where_the_receiver_is_down(stranger: Path) -> None:
    can_run_as_stranger(stranger)
    paths = [write_journal(stranger / "journals", number) for number in (1, 2)]
    os.chown(paths[0], 65534, 65534)
    # A store that cannot be written stands for a receiver that is down: no SDK is needed.
    (stranger / "traces.db").mkdir()
    done = as_stranger(stranger, "ship")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "3 spans wait" in done.stderr


def test_journal_of_another_user_in_the_folder_does_not_break_a_playbook(tmp_path: Path, env: Env) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can make files of other users")
    folder = Path(env["PIPELINE_TRACE_HOME"]) / "journals"
    folder.mkdir(mode=0o700, parents=True)
    other = write_journal(folder, 7)
    os.chown(other, 65534, 65534)
    run = Run(tmp_path / "run", env, support.write_playbook(tmp_path, PLAYBOOK))
    try:
        assert run.find_journal()
        assert run.end() == 0
        assert run.kept().ids <= runs.ids(support.stored(env))
    finally:
        run.close()


# Old journals

_MEGABYTE = 1 << 20
OLD_BYTES = 300 * _MEGABYTE


def write_old_journals(folder: Path) -> tuple[int, int]:
    """Leave journals of old runs, one of them large, whose failures said much; return how many bytes and spans these are."""
    folder.mkdir(mode=0o700, parents=True)
    attributes: dict[str, Any] = {
        "ansible.type": "host",
        "ansible.result": "failed",
        "ansible.message": "the same line again\n" * 200,
    }
    size = spans = files = 0
    while size < OLD_BYTES:
        files += 1
        trace = f"{files:032x}"
        template = encode({"type": "span", **Span(trace, f"{1:016x}", None, "h1", 1, 2, attributes=attributes).to_dict()})
        before, after = template.split(f'"{1:016x}"')
        wanted = 100 * _MEGABYTE if files == 1 else _MEGABYTE
        with (folder / f"{files:020d}-1.journal").open("w", encoding="ascii") as file:
            written = 0
            while written < wanted:
                spans += 1
                written += file.write(f'{before}"{spans:016x}"{after}\n')
            written += file.write('{"type":"end","reason":"","dropped":0}\n')
        size += written
    return size, spans


@pytest.mark.slow
def test_hundreds_of_megabytes_of_old_journals_slow_nothing(tmp_path: Path, env: Env) -> None:
    playbook = support.write_playbook(tmp_path, PLAYBOOK)
    began = cpu_seconds()
    assert support.run_playbook(playbook, env=env).returncode == 0
    alone = cpu_seconds() - began
    runs_home = Path(env["PIPELINE_TRACE_HOME"])
    shutil.rmtree(runs_home)
    size, spans = write_old_journals(runs_home / "journals")
    assert size >= OLD_BYTES

    # The receiver is down: the journals stay, and the callback's end does not look at them.
    down = {**env, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    began = cpu_seconds()
    done = support.run_playbook(playbook, env=down)
    assert (done.returncode, len(runs.ours(done.stderr))) == (0, 1)
    assert cpu_seconds() - began < alone + 2

    began = cpu_seconds()
    shown = support.trace("show", env=env)
    assert (shown.returncode, "playbook site.yml" in shown.stdout) == (0, True)
    assert cpu_seconds() - began < 2

    shipped, memory = measured(support.BIN / "pipeline-trace", "ship", env=env)
    assert (shipped, support.journals(env)) == (0, [])
    assert memory < 150 * _MEGABYTE
    with sqlite3.connect(runs_home / "traces.db") as database:
        (stored,) = database.execute("SELECT count(*) FROM spans").fetchone()
    assert stored > spans


def cpu_seconds() -> float:
    """Return the CPU time of this process and of those that it has waited for: no clock of a busy machine."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


# In a small process: Linux counts what a process had before its exec, which here would be the tests' own memory.
MEASURE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def measured(*command: object, env: Env) -> tuple[int, int]:
    """Run a command; return its exit status and the most memory that it had, in bytes."""
    status, kilobytes = support.run(sys.executable, "-c", MEASURE, *command, env=env, timeout=900).stdout.split()
    return int(status), int(kilobytes) * 1024
