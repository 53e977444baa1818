"""Playbooks made at random from all that Ansible nests, run by real ansible-playbook, and held against Ansible's own recap.

A seed makes the same playbook for ever.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Node = dict[str, Any]

HOSTS = ("h1", "h2", "h3")
INVENTORY = """
[all:vars]
ansible_connection=local
[all]
h1
h2
h3
"""
# A connection that reaches nobody, without ssh.
DEAD = """
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = "name: dead\\nshort_description: none\\ndescription: none"

class Connection(ConnectionBase):
    transport = "dead"

    def _connect(self):
        raise AnsibleConnectionFailure("nobody is there")

    exec_command = put_file = fetch_file = close = lambda self, *args, **kwargs: self._connect()
"""
# Forked, Ansible is imported once for all of them. Each child is an ansible-playbook with an exit status of its own.
FORKING = """
import json, os, sys
from ansible.cli.playbook import main
import ansible.executor.playbook_executor, ansible.plugins.strategy.linear

runs = json.load(open(sys.argv[1]))
for run in runs:
    child = os.fork()
    if not child:
        os.chdir(run["folder"])
        os.environ.update(run["env"])
        out = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.argv = ["ansible-playbook", *run["arguments"]]
        main(sys.argv)
    open(run["folder"] + "/status", "w").write(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
"""
# Ansible's word of the recap by the callback's word of a host's result.
FAILING = {"failed": "failed", "unreachable": "unreachable", "rescued": "rescued", "ignored": "ignored"}


class Maker:
    """Makes one playbook and the files that it includes."""

    def __init__(self, seed: int, folder: Path) -> None:
        self._random = random.Random(seed)
        self._folder = folder
        self._count = 0

    def playbook(self) -> Path:
        """Write the playbook; return its path."""
        plays = [self._play() for _ in range(self._random.choice((1, 1, 2, 3)))]
        path = self._folder / "site.yml"
        path.write_text(json.dumps(plays, indent=1))
        (self._folder / "inventory.ini").write_text(INVENTORY)
        (self._folder / "connection_plugins").mkdir()
        (self._folder / "connection_plugins" / "dead.py").write_text(DEAD)
        return path

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind} {self._count}"

    def _maybe(self, chance: float) -> bool:
        return self._random.random() < chance

    def _play(self) -> Node:
        hosts = self._random.choices(("all", "h1,h2", "h3", "nobody"), (16, 2, 2, 1))[0]
        play: Node = {"name": self._name("play"), "hosts": hosts, "gather_facts": False}
        if self._maybe(0.25):
            play["strategy"] = self._random.choice(("free", "host_pinned"))
        for keyword, value, chance in (
            ("any_errors_fatal", True, 0.1),
            ("max_fail_percentage", 30, 0.1),
            ("serial", self._random.choice((1, 2)), 0.15),
            ("force_handlers", True, 0.15),
            ("ignore_unreachable", True, 0.1),
        ):
            if self._maybe(chance):
                play[keyword] = value
        if self._maybe(0.1):
            play["pre_tasks"] = self._nodes(1)
        if self._maybe(0.25):
            play["roles"] = [self._role(1)]
        play["tasks"] = self._nodes(3)
        play["handlers"] = [
            {"name": "restart", **self._outcome(0.3)},
            {"name": "reload", "listen": "topic", **self._outcome(0.2)},
            {"name": "included handler", "ansible.builtin.include_tasks": self._file(0)},
        ]
        return play

    def _nodes(self, depth: int) -> list[Node]:
        return [self._node(depth) for _ in range(self._random.choice((1, 2, 2, 3)))]

    def _node(self, depth: int) -> Node:
        kinds = {self._task: 10, self._loop: 2, self._once: 2, self._meta: 2, self._lost: 1}
        if depth:
            kinds |= {self._block: 10, self._import: 4, self._include: 4, self._import_role: 2, self._include_role: 2}
        return self._random.choices(list(kinds), list(kinds.values()))[0](depth)

    def _some(self) -> list[str]:
        return self._random.choice((["h1"], ["h1", "h2"], list(HOSTS), ["h2"]))

    def _outcome(self, failing: float = 0.35) -> Node:
        """Return a task that fails on some hosts, or is changed, skipped, or nothing of that."""
        task: Node = {"ansible.builtin.debug": {"msg": "said"}}
        if self._maybe(failing):
            task["failed_when"] = f"inventory_hostname in {self._some()}"
        if self._maybe(0.3):
            task["changed_when"] = f"inventory_hostname in {self._some()}"
        if self._maybe(0.15):
            task["when"] = f"inventory_hostname in {self._some()}"
        if self._maybe(0.12):
            task["ignore_errors"] = self._random.choice((True, "{{ inventory_hostname == 'h1' }}"))
        return task

    def _task(self, depth: int) -> Node:
        task = {"name": self._name("task"), **self._outcome()}
        if self._maybe(0.3):
            task["changed_when"] = True
            task["notify"] = self._random.choice(("restart", "topic", ["restart", "included handler"]))
        if self._maybe(0.02):
            task["notify"] = "no such handler"
            task["changed_when"] = True
        return task

    def _loop(self, depth: int) -> Node:
        task = {"name": self._name("loop"), **self._outcome(0.2), "loop": ["a", "b"]}
        if self._maybe(0.4):
            task["failed_when"] = f"item == 'b' and inventory_hostname in {self._some()}"
        return task

    def _once(self, depth: int) -> Node:
        return {"name": self._name("once"), **self._outcome(), "run_once": True}

    def _lost(self, depth: int) -> Node:
        """Return a task that does not reach some hosts."""
        connection = "{{ 'dead' if inventory_hostname in " + str(self._some()) + " else 'local' }}"
        task = {"name": self._name("lost"), "ansible.builtin.raw": "true", "vars": {"ansible_connection": connection}}
        if self._maybe(0.3):
            task["ignore_unreachable"] = True
        return task

    def _meta(self, depth: int) -> Node:
        action = self._random.choice(
            ("flush_handlers",) * 4 + ("clear_host_errors", "clear_host_errors", "end_host", "end_play", "end_batch", "noop")
        )
        meta: Node = {"name": self._name(action), "ansible.builtin.meta": action}
        if action.startswith("end_") and self._maybe(0.8):
            meta["when"] = f"inventory_hostname in {self._some()}"
        return meta

    def _block(self, depth: int) -> Node:
        block: Node = {"block": self._nodes(depth - 1)}
        if self._maybe(0.7):
            block["name"] = self._name("block")
        if self._maybe(0.65):
            block["rescue"] = self._nodes(depth - 1)
        if self._maybe(0.35):
            block["always"] = self._nodes(depth - 1)
        if self._maybe(0.05):
            block["any_errors_fatal"] = True
        return block

    def _file(self, depth: int) -> str:
        name = self._name("file").replace(" ", "_") + ".yml"
        (self._folder / name).write_text(json.dumps(self._nodes(depth)))
        return str(self._folder / name)

    def _import(self, depth: int) -> Node:
        return {"name": self._name("import"), "ansible.builtin.import_tasks": self._file(depth - 1)}

    def _include(self, depth: int) -> Node:
        task: Node = {"name": self._name("include"), "ansible.builtin.include_tasks": self._file(depth - 1)}
        if self._maybe(0.2):
            task |= {"loop": ["a", "b"], "loop_control": {"loop_var": self._name("of").replace(" ", "_")}}
        if self._maybe(0.15):
            task["when"] = f"inventory_hostname in {self._some()}"
        if self._maybe(0.15):
            task["ansible.builtin.include_tasks"] = "not_there.yml"
        elif self._maybe(0.04):
            (self._folder / "broken.yml").write_text("- debug:\n  msg: [\n")
            task["ansible.builtin.include_tasks"] = "broken.yml"
        return task

    def _role(self, depth: int) -> str:
        name = self._name("role").replace(" ", "_")
        for part, content in (
            ("tasks", self._nodes(depth)),
            ("handlers", [{"name": f"{name} handler", **self._outcome(0.2)}]),
        ):
            (self._folder / "roles" / name / part).mkdir(parents=True)
            (self._folder / "roles" / name / part / "main.yml").write_text(json.dumps(content))
        notifying = {"name": self._name("task"), "changed_when": True, "notify": f"{name} handler", **self._outcome(0.1)}
        tasks = self._folder / "roles" / name / "tasks" / "main.yml"
        tasks.write_text(json.dumps([notifying, *json.loads(tasks.read_text())]))
        return name

    def _import_role(self, depth: int) -> Node:
        return {"name": self._name("import"), "ansible.builtin.import_role": {"name": self._role(depth - 1)}}

    def _include_role(self, depth: int) -> Node:
        task: Node = {"name": self._name("include"), "ansible.builtin.include_role": {"name": self._role(depth - 1)}}
        if self._maybe(0.15):
            task["ansible.builtin.include_role"] = {"name": "not_there"}
        if self._maybe(0.2):
            task["loop"] = ["a", "b"]
        return task


@dataclass(frozen=True)
class Told:
    """What Ansible said of one run: exit status and output."""

    status: int
    output: str

    def recap(self) -> dict[str, Counter[str]]:
        """Return the counts of the recap by host; empty if there is none."""
        after = self.output.partition("PLAY RECAP")[2]
        lines = re.findall(r"^(\S+) +: (ok=.*)$", after, re.MULTILINE)
        return {host: Counter({word: int(n) for word, n in re.findall(r"(\w+)=(\d+)", rest)}) for host, rest in lines}


def run(python: Path, folder: Path, seeds: Iterable[int], env: Mapping[str, str]) -> dict[int, Told]:
    """Run the playbooks of some seeds, one after another. Each leaves its spans in the PIPELINE_TRACE_HOME of its folder."""
    runs = []
    for seed in seeds:
        own = folder / str(seed)
        own.mkdir()
        playbook = Maker(seed, own).playbook()
        words = ["-i", str(own / "inventory.ini"), str(playbook)]
        runs.append({"folder": str(own), "env": {"PIPELINE_TRACE_HOME": str(own / "trace")}, "arguments": words})
    (folder / "runs.json").write_text(json.dumps(runs))
    (folder / "forking.py").write_text(FORKING)
    subprocess.run([python, folder / "forking.py", folder / "runs.json"], env=dict(env), cwd=folder, check=True)
    return {
        int(Path(one["folder"]).name): Told(
            int((Path(one["folder"]) / "status").read_text()), (Path(one["folder"]) / "output").read_text(errors="replace")
        )
        for one in runs
    }


def differences(spans: list[dict[str, Any]], told: Told) -> list[str]:
    """Return in what the spans of a run differ from what Ansible said, and in what they are no tree."""
    by_id = {span["span_id"]: span for span in spans}
    roots = [span for span in spans if span["parent_span_id"] is None]
    if len(roots) != 1:
        return [f"{len(roots)} roots"]
    found = []
    failed = roots[0]["status"]["code"] == "ERROR"
    if failed != (told.status != 0):
        found.append(f"exit status {told.status}, root {roots[0]['status']}")
    if failed and roots[0]["status"]["message"].startswith("Ansible's result is"):
        found.append("the root does not say what failed")
    for span in spans:
        parent = by_id.get(span["parent_span_id"])
        begin, end = span["start_unix_nano"], span["end_unix_nano"]
        if begin > end or (parent and not parent["start_unix_nano"] <= begin <= end <= parent["end_unix_nano"]):
            found.append(f"{_type(span)} {span['name']} is not within {parent and parent['name']}")
        if span["parent_span_id"] and not parent:
            found.append(f"{span['name']} has lost its parent")
        if any(event["name"] == "interrupted" for event in span["events"]):
            found.append(f"{_type(span)} {span['name']} never ended")
    recap, counted = told.recap(), _counted(spans, by_id)
    for host, want in recap.items():
        got = counted.get(host, Counter())
        if not _agree(want, got):
            found.append(f"{host}: recap {dict(want)}, spans {dict(got)}")
    return found


def _counted(spans: list[dict[str, Any]], by_id: Mapping[str, Any]) -> dict[str, Counter[str]]:
    """Return how often each host ended a task how, in the words of the recap; ``roles``: successful include_role alone."""
    counted: dict[str, Counter[str]] = {}
    for span in spans:
        if _type(span) != "host":
            continue
        result = span["attributes"].get("ansible.result")
        action = by_id[span["parent_span_id"]]["attributes"]["ansible.task.action"].rpartition(".")[2]
        counts = counted.setdefault(span["name"], Counter())
        if result in FAILING:
            counts[FAILING[result]] += 1
            counts["ok"] += result == "ignored"
        elif result == "skipped":
            # Ansible does not count a meta task.
            counts["skipped"] += action != "meta"
        elif result in ("ok", "changed"):
            # A loop's include counts once for each file or role that it brings.
            items = [e for e in span["events"] if e["name"] == "item" and e["attributes"]["ansible.result"] != "skipped"]
            times = len(items) if items and action.startswith("include_") else 1
            counts["roles"] += times if action == "include_role" else 0
            counts["ok"] += times
            counts["changed"] += result == "changed"
    return counted


def _agree(want: Counter[str], got: Counter[str]) -> bool:
    """Return whether a recap and the spans say the same of a host.

    Older versions of Ansible do not count include_role. An ignored failure may be a change too, which its span does not say.
    """
    return (
        all(want[word] == got[word] for word in ("failed", "unreachable", "rescued", "ignored", "skipped"))
        and want["ok"] in (got["ok"], got["ok"] - got["roles"])
        and 0 <= want["changed"] - got["changed"] <= got["ignored"]
    )


def _type(span: Mapping[str, Any]) -> str:
    return str(span["attributes"].get("ansible.type"))
