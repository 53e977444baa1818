"""Fewer spans: what the option ``detail`` leaves out, and what it never does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import support
from support import installs, played
from support.played import Played

pytestmark = pytest.mark.process

# In each way of ending a task, and with something of every kind around it.
PLAYBOOK = """
- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: Fine
      ansible.builtin.shell: echo "$TRACEPARENT" > {{ playbook_dir }}/scratch/{{ inventory_hostname }}
      changed_when: inventory_hostname == 'h1'
    - name: Skipped
      ansible.builtin.debug: {msg: never}
      when: inventory_hostname == 'nobody'
    - name: Block
      block:
        - name: Ignored
          ansible.builtin.fail: {msg: broken}
          when: inventory_hostname == 'h2'
          ignore_errors: true
        - name: Fine too
          ansible.builtin.debug: {msg: fine}
    - name: Other block
      block:
        - name: Fine as well
          ansible.builtin.debug: {msg: fine}
    - name: Fails
      ansible.builtin.fail: {msg: "of {{ item }}"}
      loop: [one]
      when: inventory_hostname == 'h3'
- name: After
  hosts: all
  gather_facts: false
  tasks:
    - name: Fine at last
      ansible.builtin.debug: {msg: fine}
"""


def ran(tmp_path_factory: pytest.TempPathFactory, detail: str) -> Played:
    """Run the playbook on three hosts with a detail."""

    def run(folder: Path) -> support.Completed:
        command = support.playbook_command(support.write_playbook(folder, PLAYBOOK))
        return played.run(folder, command, {"PIPELINE_TRACE_DETAIL": detail})

    return played.once(installs.shared_folder(tmp_path_factory.getbasetemp()) / f"detail-{detail}", run)


@pytest.fixture(params=["host", "task", "play"])
def run(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Played:
    """A run with each detail."""
    return ran(tmp_path_factory, request.param)


def counts(span: dict[str, Any]) -> dict[str, int]:
    """Return what is counted on a span."""
    return {
        name.removeprefix("ansible."): number
        for name, number in span["attributes"].items()
        if name.startswith(("ansible.hosts.", "ansible.tasks."))
    }


def test_what_fails_has_its_spans_whatever_the_detail(run: Played) -> None:
    assert (run.returncode, run.root()["status"]["code"]) == (2, "ERROR")
    assert run.hosts("Deploy", "Fails")["h3"]["attributes"]["ansible.message"].endswith("one: of one")
    assert run.hosts("Deploy", "Block", "Ignored")["h2"]["attributes"]["ansible.result"] == "ignored"
    for span in run.spans:
        parent = run.by_id.get(span["parent_span_id"], span)
        assert parent["start_unix_nano"] <= span["start_unix_nano"] <= span["end_unix_nano"] <= parent["end_unix_nano"]
    assert not [span for span in run.spans if any(event["name"] == "interrupted" for event in span["events"])]


def test_with_hosts_nothing_is_left_out_and_nothing_is_counted(tmp_path_factory: pytest.TempPathFactory) -> None:
    run = ran(tmp_path_factory, "host")
    assert len([span for span in run.spans if played.kind(span) == "host"]) == 6 * 3 + 2
    assert [counts(span) for span in run.spans if counts(span)] == []


def test_with_tasks_the_hosts_that_did_not_fail_are_counted_on_their_task(tmp_path_factory: pytest.TempPathFactory) -> None:
    run = ran(tmp_path_factory, "task")
    assert [span["name"] for span in run.spans if played.kind(span) == "host"] == ["h2", "h3"]
    assert len([span for span in run.spans if played.kind(span) == "task"]) == 7
    assert counts(run.at("Deploy", "Fine")) == {"hosts.changed": 1, "hosts.ok": 2}
    assert counts(run.at("Deploy", "Skipped")) == {"hosts.skipped": 3}
    assert counts(run.at("Deploy", "Fails")) == {"hosts.failed": 1, "hosts.skipped": 2}
    assert counts(run.at("After", "Fine at last")) == {"hosts.ok": 2}


def test_with_plays_the_tasks_that_did_not_fail_are_counted_on_their_play(tmp_path_factory: pytest.TempPathFactory) -> None:
    run = ran(tmp_path_factory, "play")
    named = [(played.kind(span), span["name"]) for span in run.spans]
    assert sorted(named) == sorted(
        [
            ("playbook", "playbook site.yml"), ("play", "Deploy"), ("play", "After"), ("block", "Block"),
            ("task", "Ignored"), ("host", "h2"), ("task", "Fails"), ("host", "h3"),
        ]
    )  # fmt: skip
    assert counts(run.at("Deploy")) == {
        "hosts.changed": 1, "hosts.ok": 8, "hosts.skipped": 7, "hosts.ignored": 1, "hosts.failed": 1, "tasks.left_out": 4,
    }  # fmt: skip
    assert counts(run.at("After")) == {"hosts.ok": 2, "tasks.left_out": 1}


def test_show_says_what_has_no_span(tmp_path_factory: pytest.TempPathFactory) -> None:
    lines = support.trace("show", env=ran(tmp_path_factory, "play").env).stdout.splitlines()
    (deploy,) = [line for line in lines if "play Deploy" in line]
    assert "4 tasks, hosts: 8 ok, 1 changed, 1 ignored, 1 failed, 7 skipped" in deploy


@pytest.mark.parametrize(("detail", "path"), [("task", ("Deploy", "Fine")), ("play", ("Deploy",))])
def test_what_a_task_runs_is_below_a_span_that_is_sent(
    tmp_path_factory: pytest.TempPathFactory, detail: str, path: tuple[str, ...]
) -> None:
    run = ran(tmp_path_factory, detail)
    around = run.at(*path)
    expected = f"00-{around['trace_id']}-{around['span_id']}-01\n"
    assert {name: (run.folder / "scratch" / name).read_text() for name in ("h1", "h2", "h3")} == dict.fromkeys(
        ("h1", "h2", "h3"), expected
    )
