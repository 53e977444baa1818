"""The trace goes on inside tasks, here and over ssh: TRACEPARENT of the running host's span, and nothing stays behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import support
from support import runs
from support.otlp_receiver import Fault, Receiver
from support.sshd import Sshd

pytestmark = pytest.mark.process

Env = dict[str, str]
Spans = list[dict[str, Any]]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
GIVEN = f"00-{TRACE}-00f067aa0ba902b7-01"
# What an author of a playbook sets.
OWN = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    """A clean environment; after the test no process of it is left."""
    # Ansible looks for jobs in the home of /etc/passwd, while they are in that of HOME.
    env = {**support.environ(tmp_path), "ANSIBLE_ASYNC_DIR": str(tmp_path / "async")}
    (tmp_path / "out").mkdir()
    yield env
    runs.end_all(env)


@pytest.fixture(scope="module")
def sshd() -> Iterator[Sshd]:
    """A server to which Ansible connects."""
    with Sshd() as server:
        yield server


def play(tmp_path: Path, env: Env, text: str, *arguments: object, hosts: str = "h1,h2,h3,") -> support.Completed:
    """Run a playbook in which ``{{ out }}`` is where tasks leave what they found; nothing may fail or be warned about."""
    playbook = support.write_playbook(tmp_path, text)
    done = support.run_playbook(playbook, "-e", f"out={tmp_path / 'out'}", *arguments, env=env, hosts=hosts)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr
    return done


def found(tmp_path: Path) -> dict[str, str]:
    """Return what tasks found, by the name of the file in which they left it."""
    return {path.name: path.read_text().strip() for path in (tmp_path / "out").iterdir()}


def of_hosts(spans: Spans) -> dict[tuple[str, str], str]:
    """Return the TRACEPARENT of the hosts' spans, by task and host."""
    names = {span["span_id"]: span["name"] for span in spans}
    return {
        (names[span["parent_span_id"]], span["name"]): f"00-{span['trace_id']}-{span['span_id']}-01"
        for span in support.by_type(spans, "host")
    }


def tell(name: str) -> str:
    """Return a shell command that leaves its TRACEPARENT, for the task of this name."""
    return f'echo "$TRACEPARENT" > "{{{{ out }}}}/{name}:{{{{ inventory_hostname }}}}"'


def assert_own(tmp_path: Path, env: Env) -> int:
    """What every task found is its host's own span; return how many there were."""
    expected = of_hosts(support.stored(env))
    named = {name: name.partition("#")[0].split(":") for name in found(tmp_path)}
    there = {(named[name][0], named[name][1]): value for name, value in found(tmp_path).items()}
    assert there == {key: expected.get(key) for key in there}
    return len(there)


WAYS = f"""
- name: Ways
  hosts: all
  gather_facts: false
  tasks:
    - name: shell
      ansible.builtin.shell: {json.dumps(tell("shell"))}
    - name: command
      ansible.builtin.command:
        argv: [sh, -c, {json.dumps(tell("command"))}]
    - name: raw
      ansible.builtin.raw: {json.dumps(tell("raw"))}
    - name: script
      ansible.builtin.script: {{cmd: "tell.sh {{{{ out }}}}/script:{{{{ inventory_hostname }}}}"}}
    - name: loop
      ansible.builtin.shell: {json.dumps(tell("loop").replace('}}"', '}}#{{ item }}"'))}
      loop: [1, 2]
    - name: lookup
      ansible.builtin.copy:
        content: "{{{{ lookup('env', 'TRACEPARENT') }}}}"
        dest: "{{{{ out }}}}/lookup:{{{{ inventory_hostname }}}}"
    - name: async
      ansible.builtin.shell: {json.dumps(tell("async"))}
      async: 60
      poll: 1
    - name: delegated
      ansible.builtin.shell: {json.dumps(tell("delegated"))}
      delegate_to: localhost
"""


@pytest.mark.parametrize("strategy", ["linear", "free"])
def test_what_a_task_runs_has_the_span_of_its_host_whatever_way_it_is_run(tmp_path: Path, env: Env, strategy: str) -> None:
    (tmp_path / "tell.sh").write_text('#!/bin/sh\necho "$TRACEPARENT" > "$1"\n')
    play(tmp_path, {**env, "ANSIBLE_STRATEGY": strategy}, WAYS)
    # Two items each leave a file, under one task.
    assert assert_own(tmp_path, env) == 8 * 3
    assert len(found(tmp_path)) == 9 * 3


def test_asynchronous_job_that_outlives_its_task_has_the_tasks_span(tmp_path: Path, env: Env) -> None:
    playbook = f"""
- name: Fire
  hosts: all
  gather_facts: false
  tasks:
    - name: later
      ansible.builtin.shell: {json.dumps("while [ ! -e {{ out }}/go ]; do sleep 0.05; done; " + tell("later"))}
      async: 60
      poll: 0
      register: job
    - name: go
      ansible.builtin.file: {{path: "{{{{ out }}}}/go", state: touch}}
      run_once: true
    - name: wait
      ansible.builtin.async_status: {{jid: "{{{{ job.ansible_job_id }}}}"}}
      register: done
      until: done.finished
      retries: 200
      delay: 0.1
"""
    play(tmp_path, env, playbook)
    (tmp_path / "out" / "go").unlink()
    assert assert_own(tmp_path, env) == 3


def test_tracestate_and_baggage_that_were_given_go_on_with_it(tmp_path: Path, env: Env) -> None:
    given = {"TRACEPARENT": GIVEN, "TRACESTATE": "vendor=1", "BAGGAGE": "release=42"}
    names = " ".join(f"${name}" for name in given)
    playbook = f"""
- name: Given
  hosts: all
  gather_facts: false
  tasks:
    - name: all
      ansible.builtin.shell: 'echo "{names}" > {{{{ out }}}}/{{{{ inventory_hostname }}}}'
"""
    play(tmp_path, {**env, **given}, playbook)
    expected = of_hosts(support.stored(env))
    assert found(tmp_path) == {host: f"{expected['all', host]} vendor=1 release=42" for host in ("h1", "h2", "h3")}
    assert {value.split("-")[1] for value in found(tmp_path).values()} == {TRACE}


AUTHORS = f"""
- name: At tasks and blocks
  hosts: all
  gather_facts: false
  vars:
    proxy_env: {{TRACEPARENT: "{OWN}", proxy: "http://proxy"}}
  tasks:
    - name: task
      ansible.builtin.shell: {json.dumps(tell("task"))}
      environment: {{TRACEPARENT: "{OWN}"}}
    - name: In a block
      environment:
        TRACEPARENT: "{OWN}"
      block:
        - name: block
          ansible.builtin.shell: {json.dumps(tell("block"))}
    - name: template
      ansible.builtin.shell: {json.dumps(tell("template"))}
      environment: "{{{{ proxy_env }}}}"
    - name: list
      ansible.builtin.shell: {json.dumps(tell("list"))}
      environment: ["{{{{ proxy_env }}}}", {{other: "1"}}]
    - name: In a role
      ansible.builtin.include_role: {{name: dynamic}}
      vars: {{wanted: include}}
- name: At the play
  hosts: all
  gather_facts: false
  environment: {{TRACEPARENT: "{OWN}"}}
  tasks:
    - name: play
      ansible.builtin.shell: {json.dumps(tell("play"))}
- name: At the play, by a template
  hosts: all
  gather_facts: false
  vars:
    proxy_env: {{TRACEPARENT: "{OWN}", proxy: "http://proxy"}}
  environment: "{{{{ proxy_env }}}}"
  tasks:
    - name: play template
      ansible.builtin.shell: {json.dumps(tell("play template"))}
    - name: play proxy
      ansible.builtin.shell: 'echo "$proxy" > "{{{{ out }}}}/play proxy:{{{{ inventory_hostname }}}}"'
- name: At a role
  hosts: all
  gather_facts: false
  roles:
    - role: told
      environment: {{TRACEPARENT: "{OWN}"}}
"""


def write_role(folder: Path, name: str, command: str) -> None:
    (folder / "roles" / name / "tasks").mkdir(parents=True)
    tasks = [{"name": name, "ansible.builtin.shell": command}]
    (folder / "roles" / name / "tasks" / "main.yml").write_text(json.dumps(tasks))


def test_traceparent_that_the_playbooks_author_set_is_kept(tmp_path: Path, env: Env) -> None:
    write_role(tmp_path, "told", tell("role"))
    write_role(tmp_path, "dynamic", tell("dynamic"))
    play(tmp_path, env, AUTHORS, hosts="h1,h2,")
    values = found(tmp_path)
    ours = {name: values.pop(name) for name in list(values) if name.startswith("dynamic:")}
    proxies = [values.pop(name) for name in list(values) if name.startswith("play proxy:")]
    assert set(values.values()) == {OWN}
    assert {name.partition(":")[0] for name in values} == {
        "task", "block", "template", "list", "play", "play template", "role",
    }  # fmt: skip
    assert proxies == ["http://proxy"] * 2
    # Where the author set none, it is ours.
    expected = of_hosts(support.stored(env))
    assert ours == {f"dynamic:{host}": expected["dynamic", host] for host in ("h1", "h2")}


PROBE = """
import atexit, json, os
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "probe"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.plays = []
        self.before = {n: os.environ.get(n) for n in ("TRACEPARENT", "TRACESTATE", "BAGGAGE")}
        # Loaded before ours, so that this runs behind it.
        atexit.register(self.tell)

    def v2_playbook_on_play_start(self, play):
        self.plays.append((play, repr(play._environment)))

    def tell(self):
        after = {n: os.environ.get(n) for n in self.before}
        plays = [[before, repr(play._environment)] for play, before in self.plays]
        with open(os.environ["PROBE"], "w") as file:
            json.dump({"before": self.before, "after": after, "plays": plays}, file)
"""


@pytest.mark.parametrize("given", [None, GIVEN])
def test_nothing_is_left_behind_in_the_process_and_in_the_plays(tmp_path: Path, env: Env, given: str | None) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "probe.py").write_text(PROBE)
    probe = {"ANSIBLE_CALLBACK_PLUGINS": str(tmp_path / "plugins"), "PROBE": str(tmp_path / "probe.json")}
    if given:
        probe["TRACEPARENT"] = given
    write_role(tmp_path, "told", "true")
    write_role(tmp_path, "dynamic", "true")
    play(tmp_path, {**env, **probe}, AUTHORS, hosts="h1,")
    seen = json.loads((tmp_path / "probe.json").read_text())
    assert seen["before"] == {"TRACEPARENT": given, "TRACESTATE": None, "BAGGAGE": None}
    assert seen["after"] == seen["before"]
    assert [after for _, after in seen["plays"]] == [before for before, _ in seen["plays"]]
    assert len(seen["plays"]) == 4


@pytest.mark.parametrize("given", [None, GIVEN])
def test_with_the_option_off_tasks_have_what_the_playbook_was_given(tmp_path: Path, env: Env, given: str | None) -> None:
    off = {**env, "PIPELINE_TRACE_PROPAGATE": "false"}
    playbook = f"""
- name: Off
  hosts: all
  gather_facts: false
  tasks:
    - name: off
      ansible.builtin.shell: {json.dumps(tell("off"))}
"""
    play(tmp_path, {**off, "TRACEPARENT": given} if given else off, playbook)
    assert set(found(tmp_path).values()) == {given or ""}
    assert len(support.by_type(support.stored(env), "host")) == 3


# A real instrumented child

EXEC = """
- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: Migrate
      ansible.builtin.command: pipeline-trace exec --name migrate -- true
"""


def assert_children(env: Env) -> None:
    """The spans of ``exec`` hang under those of the hosts that ran it, in one trace."""
    spans = support.stored(env)
    hosts = {span["span_id"]: span["name"] for span in support.by_type(spans, "host")}
    children = [span for span in spans if span["name"] == "migrate"]
    assert sorted(hosts[span["parent_span_id"]] for span in children) == ["h1", "h2", "h3"]
    assert len({span["trace_id"] for span in spans}) == 1


def test_span_of_an_instrumented_command_hangs_under_its_host(tmp_path: Path, env: Env) -> None:
    play(tmp_path, env, EXEC)
    # Delivered in the background.
    runs.end_all(env)
    assert_children(env)
    shown = support.trace("show", env=env)
    assert shown.stdout.count("migrate") == 3


# Over ssh


def remote(tmp_path: Path, env: Env, sshd: Sshd, text: str, *names: str) -> None:
    """Run a playbook on hosts behind ssh."""
    inventory = sshd.inventory(tmp_path / "inventory", *names)
    done = support.run(
        support.BIN / "ansible-playbook", "-i", inventory, "-e", f"out={tmp_path / 'out'}",
        support.write_playbook(tmp_path, text), env={**env, **sshd.environ()},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr + sshd.log.read_text()
    assert "WARNING" not in done.stderr


SSH = f"""
- name: Ways
  hosts: all
  gather_facts: false
  tasks:
    - name: shell
      ansible.builtin.shell: {json.dumps(tell("shell"))}
    - name: raw
      ansible.builtin.raw: 'echo "none$TRACEPARENT" > "{{{{ out }}}}/raw:{{{{ inventory_hostname }}}}"'
    - name: connection
      ansible.builtin.shell: 'echo "$SSH_CONNECTION" > "{{{{ out }}}}/connection:{{{{ inventory_hostname }}}}"'
    - name: loop
      ansible.builtin.shell: {json.dumps(tell("loop").replace('}}"', '}}#{{ item }}"'))}
      loop: [1, 2]
    - name: async
      ansible.builtin.shell: {json.dumps(tell("async"))}
      async: 60
      poll: 1
    - name: delegated
      ansible.builtin.shell: {json.dumps(tell("delegated"))}
      delegate_to: localhost
    - name: author
      ansible.builtin.shell: {json.dumps(tell("author"))}
      environment: {{TRACEPARENT: "{OWN}"}}
    - name: after
      ansible.builtin.shell: {json.dumps(tell("after"))}
"""


def test_commands_on_remote_hosts_have_the_span_of_their_host(tmp_path: Path, env: Env, sshd: Sshd) -> None:
    remote(tmp_path, env, sshd, SSH, "h1", "h2")
    values = found(tmp_path)
    for host in ("h1", "h2"):
        # It was ssh indeed; `raw` takes no environment, and is not warned about.
        assert "127.0.0.1" in values[f"connection:{host}"]
        assert (values[f"raw:{host}"], values[f"author:{host}"]) == ("none", OWN)
    for name in values:
        if name.partition(":")[0] in ("connection", "raw", "author"):
            (tmp_path / "out" / name).unlink()
    assert assert_own(tmp_path, env) == 5 * 2


def test_tracestate_and_baggage_reach_remote_hosts(tmp_path: Path, env: Env, sshd: Sshd) -> None:
    given = {"TRACEPARENT": GIVEN, "TRACESTATE": "vendor=1", "BAGGAGE": "release=42,who=it's me"}
    playbook = """
- name: Given
  hosts: all
  gather_facts: false
  tasks:
    - name: all
      ansible.builtin.shell: 'echo "$TRACEPARENT $TRACESTATE $BAGGAGE" > {{ out }}/{{ inventory_hostname }}'
"""
    remote(tmp_path, {**env, **given}, sshd, playbook, "h1")
    expected = of_hosts(support.stored(env))["all", "h1"]
    assert found(tmp_path) == {"h1": f"{expected} vendor=1 release=42,who=it's me"}


# h2 stays in the first task until h1 is through: then tasks start again that others have entered since.
FREE = f"""
- name: Free
  hosts: all
  gather_facts: false
  strategy: free
  tasks:
    - name: first
      ansible.builtin.shell: >-
        if [ {{{{ inventory_hostname }}}} = h2 ]; then
        for i in $(seq 600); do [ -e {{{{ out }}}}/go ] && break; sleep 0.05; done; fi
    - name: one
      ansible.builtin.shell: {json.dumps(tell("one"))}
    - name: raw
      ansible.builtin.raw: 'echo "none$TRACEPARENT" > "{{{{ out }}}}/raw:{{{{ inventory_hostname }}}}"'
    - name: two
      ansible.builtin.shell: {json.dumps(tell("two"))}
    - name: LAST
      ansible.builtin.raw: 'if [ {{{{ inventory_hostname }}}} = h1 ]; then touch {{{{ out }}}}/go; fi'
"""


@pytest.mark.parametrize("last", ["raw", "shell"])
def test_each_host_has_its_own_where_it_runs_ahead_of_others_over_ssh(
    tmp_path: Path, env: Env, sshd: Sshd, last: str
) -> None:
    """The free strategy: the slow host must get its own, whatever task the quick one has entered last."""
    remote(
        tmp_path,
        env,
        sshd,
        FREE.replace("LAST\n      ansible.builtin.raw", f"last\n      ansible.builtin.{last}"),
        "h1",
        "h2",
    )
    values = found(tmp_path)
    assert [values.pop(f"raw:{host}") for host in ("h1", "h2")] == ["none", "none"]
    for name in ("raw:h1", "raw:h2", "go"):
        (tmp_path / "out" / name).unlink()
    assert assert_own(tmp_path, env) == 4


BECOME = f"""
- name: Become
  hosts: all
  gather_facts: false
  become: true
  tasks:
    - name: become
      ansible.builtin.shell: {json.dumps('echo "$TRACEPARENT $(id -u)" > "{{ out }}/become:{{ inventory_hostname }}"')}
"""


@pytest.mark.parametrize("method", ["sudo", "su"])
def test_command_of_another_user_has_the_span_of_its_host_over_ssh(
    tmp_path: Path, env: Env, sshd: Sshd, method: str
) -> None:
    """Sudo clears the environment; Ansible puts ours into the command behind it."""
    if not shutil.which(method) or os.getuid() != 0:
        pytest.skip(f"{method} without a password is not possible here")
    remote(tmp_path, {**env, "ANSIBLE_BECOME_METHOD": method}, sshd, BECOME, "h1")
    assert found(tmp_path) == {"become:h1": f"{of_hosts(support.stored(env))['become', 'h1']} 0"}


def test_span_of_an_instrumented_command_hangs_under_its_host_over_ssh(tmp_path: Path, env: Env, sshd: Sshd) -> None:
    exported = f"PIPELINE_TRACE_HOME={env['PIPELINE_TRACE_HOME']}"
    command = f"{exported} {support.BIN / 'pipeline-trace'} exec --name migrate -- true"
    text = EXEC.replace(
        "ansible.builtin.command: pipeline-trace exec --name migrate -- true", f"ansible.builtin.shell: {command}"
    )
    remote(tmp_path, env, sshd, text, "h1", "h2", "h3")
    runs.end_all(env)
    assert_children(env)


@pytest.mark.parametrize("name", ["ansible-playbook", "pipeline-trace exec"])
def test_ssh_session_ends_with_the_command_while_the_delivery_goes_on(
    tmp_path: Path, env: Env, sshd: Sshd, name: str
) -> None:
    """`ssh bastion ansible-playbook …` returns when ansible-playbook has ended, whatever the receiver does."""
    playbook = support.write_playbook(tmp_path, support.DEPLOY)
    words = (
        support.playbook_command(playbook)
        if name == "ansible-playbook"
        else [str(support.BIN / "pipeline-trace"), "exec", "true"]
    )
    with Receiver(fault=Fault("never")) as receiver:
        exported = {**env, **receiver.environ(), "PIPELINE_TRACE_FLUSH_LIMIT": "1"}
        command = ["env", "-i", *(f"{key}={value}" for key, value in exported.items()), *words]
        session = sshd.command(" ".join(f"'{word}'" for word in command))
        done = subprocess.run(session, stdin=subprocess.DEVNULL, capture_output=True, timeout=40, check=False)
        assert done.returncode == 0, done.stderr
        receiver.fault = None
