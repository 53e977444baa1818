"""An abort is a cancellation, whichever process its signal comes to first; a worker that dies is an error."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import support
from support import processes, runs
from support.runs import Run

pytestmark = pytest.mark.process

HOSTS = ("h1", "h2", "h3")
OPEN = ["Deploy", "Slow", *HOSTS, "playbook site.yml"]
DEAD = "A worker was found in a dead state"


def send(process: int, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone."""
    with suppress(ProcessLookupError):
        os.kill(process, number)


def children(process: int) -> list[int]:
    """Return the children of a process that it waits for: not the one that ships its journal."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            found += [int(word) for word in (task / "children").read_text().split()]
    return [child for child in found if b"\0follow\0" not in command_line(child)]


def command_line(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def workers(run: Run) -> list[int]:
    found = children(run.process.pid)
    assert len(found) == len(HOSTS)
    return found


def term_to_workers(run: Run) -> None:
    for worker in workers(run):
        send(worker, signal.SIGTERM)


def term_to_one_worker(run: Run) -> None:
    send(workers(run)[1], signal.SIGTERM)


def term_to_workers_and_ansible(run: Run) -> None:
    for process in (*workers(run), run.process.pid):
        send(process, signal.SIGTERM)


def term_to_ansible_and_workers(run: Run) -> None:
    for process in (run.process.pid, *workers(run)):
        send(process, signal.SIGTERM)


def term_to_the_group(run: Run) -> None:
    os.killpg(run.process.pid, signal.SIGTERM)


def term_twice(run: Run) -> None:
    for _ in range(2):
        send(run.process.pid, signal.SIGTERM)
        time.sleep(0.002)


def term_as_jenkins(run: Run) -> None:
    """From the inside to the outside, and wait for each process until it is gone."""

    def end(process: int) -> None:
        for child in children(process):
            end(child)
        send(process, signal.SIGTERM)
        if process != run.process.pid:
            processes.wait_for(lambda: not command_line(process), "end of a process")
            # It looks again after so long.
            time.sleep(0.01)

    end(run.process.pid)


def kill_a_worker(run: Run) -> None:
    send(workers(run)[1], signal.SIGKILL)


def term_to_commands(run: Run) -> None:
    """End what the tasks run, and nothing of Ansible."""

    def leaves(process: int) -> list[int]:
        below = children(process)
        return [leaf for child in below for leaf in leaves(child)] if below else [process]

    for worker in workers(run):
        # The shell that waits is above its `sleep`.
        for leaf in leaves(worker):
            with suppress(OSError):
                shell = int(Path(f"/proc/{leaf}/stat").read_text().rpartition(")")[2].split()[1])
                send(shell, signal.SIGTERM)


Abort = Callable[..., tuple[Run, list[dict[str, Any]], float]]


@pytest.fixture
def abort(tmp_path: Path) -> Iterator[Abort]:
    """Return what does something to a playbook in its slow task, and gives what that left, and when it had ended."""
    # By this variable, Jenkins finds the processes that it ends.
    env = support.environ(tmp_path, JENKINS_NODE_COOKIE="a-cookie")
    marks = tmp_path / "marks"
    marks.mkdir()
    started = []

    def stop(how: Callable[[Run], None], text: str = support.WAITING) -> tuple[Run, list[dict[str, Any]], float]:
        playbook = support.write_playbook(tmp_path, text)
        run = Run(tmp_path / "run", env, playbook, "-e", f"marks={marks}", session=True)
        started.append(run)
        processes.wait_for(lambda: len(list(marks.glob("h*"))) == len(HOSTS), "hosts in the slow task", 60)
        how(run)
        run.end()
        gone = time.time()
        processes.wait_for(lambda: not support.journals(env), "end of the delivery", 30)
        return run, support.stored(env), gone

    yield stop
    (marks / "go").touch()
    runs.end_all(env, started)


def ended(span: dict[str, Any]) -> tuple[str, str, list[str]]:
    """Return a span's status, its result, and the reasons of its interruption."""
    reasons = [event["attributes"]["reason"] for event in span["events"] if event["name"] == "interrupted"]
    return span["status"]["code"], span["attributes"]["cicd.pipeline.task.run.result"], reasons


@pytest.mark.parametrize(
    "how",
    [
        term_to_workers,
        term_to_one_worker,
        term_to_workers_and_ansible,
        term_to_ansible_and_workers,
        term_to_the_group,
        term_twice,
        term_as_jenkins,
    ],
    ids=lambda how: how.__name__,
)
def test_whatever_term_comes_to_first_what_was_open_is_cancelled(abort: Abort, how: Callable[[Run], None]) -> None:
    run, spans, gone = abort(how)
    cancelled = [span for span in spans if ended(span) == ("UNSET", "cancellation", ["SIGTERM"])]
    assert sorted(span["name"] for span in cancelled) == sorted(OPEN), (run.stdout, run.stderr)
    # The first task was over.
    assert all(ended(span) == ("UNSET", "success", []) for span in spans if span not in cancelled)
    assert not any({"error.type", "ansible.result", "deployment.status"} & span["attributes"].keys() for span in cancelled)
    by_id = {span["span_id"]: span for span in spans}
    for span in cancelled:
        parent = by_id.get(span["parent_span_id"], span)
        assert span["start_unix_nano"] <= span["end_unix_nano"] <= parent["end_unix_nano"]
        # When it was stopped, not when somebody noticed.
        assert span["end_unix_nano"] / 1e9 <= gone


INCLUDING = """
- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: Include
      ansible.builtin.include_tasks: included.yml
"""
INCLUDED = """
- name: Fast
  ansible.builtin.debug: {msg: done}
- name: Slow
  ansible.builtin.shell: touch {{ marks }}/{{ inventory_hostname }}; sleep 60
"""


@pytest.mark.parametrize("how", [term_to_workers, term_to_the_group], ids=lambda how: how.__name__)
def test_an_include_is_cancelled_with_what_it_brought(tmp_path: Path, abort: Abort, how: Callable[[Run], None]) -> None:
    support.write_playbook(tmp_path, INCLUDED, "included.yml")
    _, spans, _ = abort(how, INCLUDING)
    assert ended(support.named(spans, "Fast")) == ("UNSET", "success", [])
    for name in ("Include", "Slow", "Deploy", "playbook site.yml"):
        assert ended(support.named(spans, name)) == ("UNSET", "cancellation", ["SIGTERM"])
    by_id = {span["span_id"]: span for span in spans}
    for span in spans:
        parent = by_id.get(span["parent_span_id"], span)
        assert parent["start_unix_nano"] <= span["start_unix_nano"] <= span["end_unix_nano"] <= parent["end_unix_nano"]


def test_what_had_ended_is_not_cancelled_though_the_free_strategy_could_go_back_to_it(abort: Abort) -> None:
    _, spans, _ = abort(term_to_the_group, support.WAITING.replace("hosts: all", "hosts: all\n  strategy: free"))
    assert ended(support.named(spans, "Fast")) == ("UNSET", "success", [])
    assert ended(support.named(spans, "Slow")) == ("UNSET", "cancellation", ["SIGTERM"])


def test_worker_that_is_killed_is_an_error(abort: Abort) -> None:
    run, spans, _ = abort(kill_a_worker)
    assert DEAD in run.stdout + run.stderr
    failed = [span for span in spans if span["status"]["code"] == "ERROR"]
    assert sorted(span["name"] for span in failed) == sorted(OPEN)
    for span in failed:
        assert span["status"]["message"] == f"Ansible stopped: {DEAD}"
        assert (span["attributes"]["cicd.pipeline.task.run.result"], span["attributes"]["error.type"]) == (
            "error",
            "interrupted",
        )


def test_command_that_term_ends_while_ansible_lives_on_has_failed(abort: Abort) -> None:
    run, spans, _ = abort(term_to_commands)
    assert run.process.returncode == 2
    failed = [span for span in spans if span["status"]["code"] == "ERROR"]
    assert sorted(span["name"] for span in failed) == sorted(OPEN)
    assert {ended(span)[1] for span in failed} == {"failure"}
    assert len(runs.ours(run.stderr)) == 1
