"""`serve` tells a failed playbook by a webhook, once, though the poller may read the same store."""

from __future__ import annotations

from pathlib import Path

import pytest
import support
from support import processes
from support.hooks import Hook
from support.serving import Server

pytestmark = pytest.mark.process

BROKEN = """
- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: Fetch
      ansible.builtin.command: ls /nowhere/password=hunter2hunter2
"""


def test_a_real_playbook_that_fails_is_told_and_again_when_it_passes(env: dict[str, str], tmp_path: Path) -> None:
    playbook = support.write_playbook(tmp_path, BROKEN, "deploy.yml")
    with Hook() as hook, Server({**env, "PIPELINE_TRACE_NOTIFY": hook.url}) as server:
        assert support.run_playbook(playbook, env=env, hosts="web1,").returncode == 2
        (body,) = hook.wait_for(1)
        assert (body["state"], body["job"], body["environment"]) == ("begun", "playbook deploy.yml", "")
        assert "cannot access" in body["line"]
        assert "hunter2" not in str(body)
        support.run_playbook(playbook, env=env, hosts="web1,")
        support.write_playbook(tmp_path, support.DEPLOY, "deploy.yml")
        support.run_playbook(playbook, env=env, hosts="web1,")
        assert [body["state"] for body in hook.wait_for(2)] == ["begun", "over"]
        assert server.end() == (0, "")
        assert len(hook.asked) == 2


def test_what_was_in_the_store_before_is_not_told(env: dict[str, str], tmp_path: Path) -> None:
    playbook = support.write_playbook(tmp_path, BROKEN, "old.yml")
    support.run_playbook(playbook, env=env, hosts="web1,")
    with Hook() as hook, Server({**env, "PIPELINE_TRACE_NOTIFY": hook.url}):
        support.run_playbook(support.write_playbook(tmp_path, BROKEN, "new.yml"), env=env, hosts="web1,")
        hook.wait_for(1)
        assert [body["job"] for body in hook.asked] == ["playbook new.yml"]


def test_a_wrong_setting_is_one_line_and_serve_goes_on(env: dict[str, str]) -> None:
    server = Server({**env, "PIPELINE_TRACE_NOTIFY": "x9Y8z7W6v5U4t3S2"})
    processes.wait_for(lambda: server.url, "address")
    status, said = server.end()
    assert status == 0
    assert said.startswith("pipeline-trace: no failures are told: PIPELINE_TRACE_NOTIFY has no address")
    assert "x9Y8" not in said
