"""Programs that run Ansible several times in one process, and runs in which the clock of the machine is set."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import support
from support import played, processes

pytestmark = pytest.mark.process

GIVEN = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"

PROGRAM = """
import json, os, sys, threading, time
from ansible import context
from ansible.module_utils.common.collections import ImmutableDict
context.CLIARGS = ImmutableDict(connection="local", forks=2, verbosity=0, syntax=False, start_at_task=None, check=False)
from ansible.executor.playbook_executor import PlaybookExecutor
from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.plugins.loader import init_plugin_loader
from ansible.vars.manager import VariableManager
init_plugin_loader()
seen = []

def parts():
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=["h1,"])
    variables = VariableManager(loader=loader, inventory=inventory)
    return {"inventory": inventory, "variable_manager": variables, "loader": loader}

def play(number):
    own = parts()
    here = {"ansible_python_interpreter": sys.executable}
    tasks = [{"name": "Tell", "command": "sh -c 'echo $TRACEPARENT'", "vars": here}]
    data = {"name": f"play {number}", "hosts": "all", "gather_facts": False, "tasks": tasks}
    made = Play().load(data, variable_manager=own["variable_manager"], loader=own["loader"])
    manager = TaskQueueManager(**own, passwords={})
    try:
        manager.run(made)
    finally:
        manager.cleanup()
    return manager

def playbook(name):
    PlaybookExecutor(playbooks=[name], **parts(), passwords={}).run()

def look():
    home = os.environ["PIPELINE_TRACE_HOME"]
    shipping = 0
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open(f"/proc/{number}/cmdline").read().split("\\0")
        except OSError:
            continue
        shipping += "follow" in words and any(word.startswith(home) for word in words)
    names = ("TRACEPARENT", "PIPELINE_TRACE_ID", "TRACESTATE", "BAGGAGE")
    seen.append({"at": time.time_ns(), "shipping": shipping, "env": {n: os.environ[n] for n in names if n in os.environ}})

STEPS
json.dump(seen, open(sys.argv[1], "w"))
"""

PLAYBOOK = """
- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: Tell
      ansible.builtin.debug: {msg: told}
"""


class Ran:
    """A program that ran. ``seen``: what it saw after each run; ``spans``: in the order of their begin."""

    def __init__(self, folder: Path, steps: str, status: int = 0, **more: str) -> None:
        self.env = {**support.environ(folder), **more}
        support.write_playbook(folder, PLAYBOOK)
        (folder / "program.py").write_text(PROGRAM.replace("STEPS", steps))
        command = [support.ANSIBLE / "python", folder / "program.py", folder / "seen.json"]
        done = support.run(*command, env=self.env, cwd=folder)
        assert done.returncode == status, done.stderr
        self.ours = [line for line in done.stderr.splitlines() if "pipeline-trace" in line]
        self.seen: list[dict[str, Any]] = [] if status else json.loads((folder / "seen.json").read_text())
        processes.wait_for(lambda: not support.journals(self.env), "end of the delivery")
        # A command of a task that was killed goes on.
        processes.end_all(self.env)
        self.spans = sorted(support.stored(self.env), key=lambda span: int(span["start_unix_nano"]))

    def traces(self) -> list[list[dict[str, Any]]]:
        """Return the spans of each trace."""
        ids = dict.fromkeys(span["trace_id"] for span in self.spans)
        return [[span for span in self.spans if span["trace_id"] == trace] for trace in ids]


def test_each_run_of_a_program_is_a_trace_that_ends_with_its_last_task(tmp_path: Path) -> None:
    steps = """
for number in range(3):
    play(number)
    time.sleep(0.3)
    look()
playbook("site.yml")
look()
playbook("site.yml")
look()
"""
    ran = Ran(tmp_path, steps)
    traces = ran.traces()
    by_hand = ["ansible", "play", "Tell", "h1"]
    assert [[span["name"].split()[0] for span in trace] for trace in traces] == [by_hand] * 3 + [
        ["playbook", "Deploy", "Tell", "h1"]
    ] * 2
    for seen, trace in zip(ran.seen[:3], traces, strict=False):
        root, _, _, host = trace
        # Not when the next run began.
        assert host["end_unix_nano"] <= root["end_unix_nano"] < seen["at"] - 250_000_000
    for before, after in pairwise(traces):
        assert before[0]["end_unix_nano"] <= after[0]["start_unix_nano"]
    assert {span["status"]["code"] for span in ran.spans} == {"UNSET"}
    assert [(seen["shipping"], seen["env"]) for seen in ran.seen] == [(1, {})] * 5
    assert len(ran.ours) == 1, ran.ours
    assert f"5 traces, the last one {traces[-1][0]['trace_id']}," in ran.ours[0]


def test_runs_are_children_of_what_was_there_before_the_first(tmp_path: Path) -> None:
    ran = Ran(tmp_path, "play(0)\nlook()\nplay(1)\nlook()", TRACEPARENT=GIVEN)
    roots = [span for span in ran.spans if span["name"] == "ansible"]
    assert [(root["trace_id"], root["parent_span_id"]) for root in roots] == [("a" * 32, "b" * 16)] * 2
    assert [seen["env"] for seen in ran.seen] == [{"TRACEPARENT": GIVEN}] * 2


def test_a_run_of_a_forked_process_is_a_trace_of_its_own_and_delivered(tmp_path: Path) -> None:
    steps = """
play(0)
child = os.fork()
if not child:
    play(1)
    sys.exit()
os.waitpid(child, 0)
play(2)
"""
    ran = Ran(tmp_path, steps)
    assert sorted(span["name"] for span in ran.spans if span["name"].startswith("play")) == ["play 0", "play 1", "play 2"]
    assert len(ran.traces()) == 3


def test_a_later_run_that_is_ended_by_a_signal_is_a_cancellation(tmp_path: Path) -> None:
    steps = """
playbook("site.yml")
os.environ["PROGRAM"] = str(os.getpid())
playbook("killed.yml")
"""
    killed = SLOW.replace("command: sleep 1.5", "shell: kill $PROGRAM; sleep 20")
    support.write_playbook(tmp_path, killed, "killed.yml")
    ran = Ran(tmp_path, steps, status=-15)
    first, second = ran.traces()
    assert [span["attributes"]["cicd.pipeline.task.run.result"] for span in first] == ["success"] * 4
    ended = {span["name"]: span["attributes"]["cicd.pipeline.task.run.result"] for span in second}
    assert (ended["playbook killed.yml"], ended["While"], ended["Before"]) == ("cancellation", "cancellation", "success")


def test_a_play_that_had_ended_before_a_signal_is_not_cancelled_by_it(tmp_path: Path) -> None:
    ran = Ran(tmp_path, "play(0)\ntime.sleep(0.5)\nos.kill(os.getpid(), 15)", status=-15)
    assert [span["attributes"]["cicd.pipeline.task.run.result"] for span in ran.spans] == ["success"] * 4
    assert [span["events"] for span in ran.spans] == [[]] * 4
    root, _, _, host = ran.spans
    assert root["end_unix_nano"] - host["end_unix_nano"] < 400_000_000


def test_runs_after_a_signal_that_ended_nothing_are_as_they_ended(tmp_path: Path) -> None:
    steps = """
play(0)
for number in (1, 2):
    try:
        os.kill(os.getpid(), 2)
        time.sleep(5)
    except KeyboardInterrupt:
        play(number)
"""
    ran = Ran(tmp_path, steps)
    assert [span["name"] for span in ran.spans if span["name"].startswith("play")] == ["play 0", "play 1", "play 2"]
    assert [span["attributes"]["cicd.pipeline.task.run.result"] for span in ran.spans] == ["success"] * 12
    assert len(ran.traces()) == 3


# Sets the clock of every process of the run at one moment, one second after the first of them started.
CLOCK = """
import os, time
real, real_ns = time.time, time.time_ns
at, step = float(os.environ.setdefault("STEP_AT", str(real() + 1))), float(os.environ["STEP"])
time.time = lambda: real() + (step if real() >= at else 0)
time.time_ns = lambda: real_ns() + (int(step * 1e9) if real() >= at else 0)
"""

SLOW = """
- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: Before
      ansible.builtin.command: sleep 0.1
    - name: While
      ansible.builtin.command: sleep 1.5
    - name: After
      ansible.builtin.command: sleep 0.1
"""


@pytest.fixture(params=[-3600, 3600])
def stepped(tmp_path: Path, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """Run a playbook in which the clock is set by an hour; return its spans."""
    (tmp_path / "sitecustomize.py").write_text(CLOCK)
    env = {**support.environ(tmp_path), "PYTHONPATH": str(tmp_path), "STEP": str(request.param)}
    done = support.run_playbook(support.write_playbook(tmp_path, SLOW), env=env, hosts="h1,")
    assert (done.returncode, "spans wait" in done.stderr) == (0, False), done.stderr
    processes.wait_for(lambda: not support.journals(env), "end of the delivery")
    return support.stored(env)


def test_a_clock_that_is_set_gives_no_time_that_was_not(stepped: list[dict[str, Any]]) -> None:
    by_id = {span["span_id"]: span for span in stepped}
    assert len(stepped) == 2 + 3 * 2
    for span in stepped:
        parent = by_id.get(span["parent_span_id"], span)
        assert parent["start_unix_nano"] <= span["start_unix_nano"] <= span["end_unix_nano"] <= parent["end_unix_nano"]
        assert span["end_unix_nano"] - span["start_unix_nano"] < 600e9
    (slow,) = [span for span in stepped if span["name"] == "While"]
    assert slow["end_unix_nano"] - slow["start_unix_nano"] >= 1.5e9
    assert {kind: sum(played.kind(span) == kind for span in stepped) for kind in ("task", "host")} == {"task": 3, "host": 3}


@pytest.mark.parametrize("step", [-3600, 3600])
def test_a_clock_that_is_set_does_not_change_how_long_a_command_took(tmp_path: Path, step: int) -> None:
    (tmp_path / "sitecustomize.py").write_text(CLOCK)
    env = {**support.environ(tmp_path), "PYTHONPATH": str(tmp_path), "STEP": str(step)}
    assert support.spawn("exec", "--", "sleep", "1.5", env=env).returncode == 0
    processes.wait_for(lambda: not support.journals(env), "end of the delivery")
    (span,) = support.stored(env)
    assert 1.5e9 <= span["end_unix_nano"] - span["start_unix_nano"] < 600e9
