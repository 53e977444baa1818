"""The grid of playbooks that ansible-playbook ran, and of one that still runs."""

from __future__ import annotations

import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import support
from support.grids import Grids
from support.processes import wait_for
from support.report_pages import needs_chromium

from pipeline_trace.delivery.home import find_home
from pipeline_trace.lookup.lookup import local_lookup
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

pytestmark = [pytest.mark.process, needs_chromium]

_PLAYBOOK = """
- name: Roll out
  hosts: all
  gather_facts: false
  strategy: STRATEGY
  serial: 3
  max_fail_percentage: 90
  handlers:
    - name: Reload
      ansible.builtin.debug: {msg: reloaded}
  tasks:
    - name: Skipped on some
      ansible.builtin.debug: {msg: here}
      when: inventory_hostname in ['h1', 'h4']
    - name: Include
      ansible.builtin.include_tasks: more.yml
    - name: Include again
      ansible.builtin.include_tasks: more.yml
    - name: Fails on some
      ansible.builtin.debug: {msg: broken}
      failed_when: inventory_hostname in ['h2', 'h5']
    - name: Guarded
      block:
        - name: Breaks
          ansible.builtin.debug: {msg: broken}
          failed_when: inventory_hostname == 'h3'
      rescue:
        - name: Rescue
          ansible.builtin.debug: {msg: rescued}
    - name: Ignored
      ansible.builtin.debug: {msg: broken}
      failed_when: inventory_hostname == 'h1'
      ignore_errors: true
    - name: Notifies
      ansible.builtin.debug: {msg: changed}
      changed_when: inventory_hostname != 'h4'
      notify: Reload
- name: After
  hosts: h1,h6
  gather_facts: false
  tasks:
    - name: Unreachable
      ansible.builtin.ping:
      vars: {ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 9}
      when: inventory_hostname == 'h6'
    - name: Last
      ansible.builtin.debug: {msg: last}
"""


@pytest.mark.parametrize("strategy", ["linear", "free"])
def test_a_real_playbook_has_in_its_cells_what_its_recap_counts(
    env: dict[str, str], tmp_path: Path, grids: Grids, strategy: str
) -> None:
    support.write_playbook(tmp_path, "- name: Included\n  ansible.builtin.debug: {msg: more}\n", "more.yml")
    playbook = support.write_playbook(tmp_path, _PLAYBOOK.replace("STRATEGY", strategy))
    support.run_playbook(playbook, env=env, hosts="h1,h2,h3,h4,h5,h6,h7,")
    spans = [Span.from_dict(one) for one in support.stored(env)]
    (grid,) = grids(spans)
    first = ["Skipped on some", "Include", "Included", "Include again", "Included", "Fails on some"]
    last = ["Breaks", "Rescue", "Ignored", "Notifies", "Reload", "Unreachable", "Last"]
    assert sorted(grid["tasks"]) == sorted([*first, *last])
    if strategy == "linear":
        assert grid["tasks"] == [*first, *last]
    recaps = [event.attributes for span in spans for event in span.events if event.name == "recap"]
    told_of = {recap[c.ANSIBLE_HOST_NAME]: recap for recap in recaps}
    for host, kinds in grid["kinds"].items():
        counts = {
            kind: kinds.count(kind) for kind in ("ok", "changed", "ignored", "skipped", "rescued", "failed", "unreachable")
        }
        told = told_of[host]
        assert counts["ok"] + counts["changed"] + counts["ignored"] == told["ok"], host
        others = {"changed": "changed", "ignored": "ignored", "skipped": "skipped", "rescued": "rescued"}
        others |= {"failed": "failures", "unreachable": "unreachable"}
        assert {kind: counts[kind] for kind in others} == {kind: told[name] for kind, name in others.items()}, host
    assert grid["hosts"][:3] == ["h2", "h5", "h6"]
    assert grid["kinds"]["h2"][-1] == "unreached"
    assert grid["kinds"]["h7"][-1] == "unrun"


def test_of_a_real_playbook_that_runs_what_waits_is_not_reached(env: dict[str, str], tmp_path: Path, grids: Grids) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    playbook = support.write_playbook(tmp_path, support.WAITING)
    command = support.playbook_command(playbook, "--forks", "1", "-e", f"marks={marks}", hosts="h1,h2,")

    def kinds() -> dict[str, list[str]]:
        with closing(local_lookup(find_home(env))) as lookup:
            spans = lookup.spans("latest")
        found: dict[str, list[str]] = grids(spans)[0]["kinds"] if spans else {}
        return found

    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(command, env=env, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        wait_for(lambda: (marks / "h1").exists(), "the slow task")
        assert kinds() == {"h1": ["ok", "running"], "h2": ["ok", "unreached"]}
    finally:
        (marks / "go").touch()
        process.wait(60)
    assert kinds() == {"h1": ["ok", "changed"], "h2": ["ok", "changed"]}
