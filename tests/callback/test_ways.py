"""Ansible's own ways, told as Ansible means them: what it gets over, what it gives up, and what it ends with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import support
from support import generated, installs, played
from support.played import Played

pytestmark = pytest.mark.process

FOLDER = support.TESTS / "playbooks" / "ways"
NAMES = (
    *("recovered", "missing_include", "run_once", "any_errors_fatal", "mixed", "not_utf8"),
    *("no_handler", "broken_include", "no_strategy"),
)
STOPPED = ("no_handler", "broken_include", "no_strategy")


def command(name: str) -> list[str]:
    """Return the command that runs one of the playbooks."""
    return [
        str(word) for word in (support.ANSIBLE / "ansible-playbook", "-i", FOLDER / "inventory.ini", FOLDER / f"{name}.yml")
    ]


@pytest.fixture
def ran(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Played]:
    """Return one of NAMES, run by the first test that asks."""
    shared = installs.shared_folder(tmp_path_factory.getbasetemp())
    return lambda name: played.once(shared / f"ways-{name}", lambda folder: played.run(folder, command(name)))


def told(run: Played) -> generated.Told:
    """Return what Ansible said of a run."""
    return generated.Told(run.returncode, run.stdout)


def code(span: dict[str, Any]) -> str:
    """Return a span's status."""
    return str(span["status"]["code"])


@pytest.mark.parametrize("name", NAMES)
def test_spans_agree_with_the_exit_status_and_the_recap_and_are_within_their_parents(
    ran: Callable[[str], Played], name: str
) -> None:
    run = ran(name)
    assert generated.differences(run.spans, told(run)) == []
    assert len(run.ours) == 1, run.stderr


def test_a_failure_within_a_static_import_is_rescued(ran: Callable[[str], Played]) -> None:
    run = ran("recovered")
    assert run.returncode == 0
    assert code(run.root()) == "UNSET"
    for path in (
        ("Static import", "Imported fails"),
        ("Static role", "role failing", "Imported fails"),
        ("Import in a role", "role guarded", "Deploy it", "Imported fails"),
        ("Block in a rescue", "Second"),
    ):
        assert run.results(*path) == {"h1": "rescued"}
        assert {code(run.at(*path[:length])) for length in range(1, len(path) + 1)} == {"UNSET"}, path


def test_each_host_has_its_own_result_of_a_loop_in_a_rescue(ran: Callable[[str], Played]) -> None:
    assert ran("recovered").results("Loop", "Some items fail") == {"h1": "ignored", "h2": "rescued", "h3": "rescued"}


def test_a_handler_that_fails_before_a_rescue_does_not_fail_the_play(ran: Callable[[str], Played]) -> None:
    run = ran("recovered")
    # ansible-core 2.16 counts it as failed, goes on with the rescue all the same, and ends with 0.
    assert run.results("Handler", "Fails")["h1"] in ("rescued", "failed")
    assert run.results("Handler", "Rescue") == {"h1": "ok"}
    assert code(run.at("Handler")) == "UNSET"


def test_cleared_errors_stay_on_their_hosts_and_tasks(ran: Callable[[str], Played]) -> None:
    run = ran("recovered")
    assert run.results("Cleared", "Fails on some") == {"h1": "ok", "h2": "failed", "h3": "failed"}
    assert (code(run.at("Cleared", "Fails on some")), code(run.at("Cleared"))) == ("ERROR", "UNSET")
    assert set(run.results("After", "Templated")) == {"h1", "h2", "h3"}


def test_a_templated_action_is_told_as_what_it_was(ran: Callable[[str], Played]) -> None:
    task = ran("recovered").at("After", "Templated")
    assert task["attributes"]["ansible.task.action"] == "ansible.builtin.debug"


def test_a_handler_of_an_included_role_is_in_the_role_and_no_longer_in_the_include(ran: Callable[[str], Played]) -> None:
    run, play = ran("recovered"), "Handler of an included role"
    assert set(run.results(play, "Include", "role notifying", "Notifier of the role")) == {"h1"}
    assert run.results(play, "role notifying", "Handler of the role") == {"h1": "ok"}
    assert run.at(play, "Include")["end_unix_nano"] <= run.at(play, "Pause")["start_unix_nano"]


def test_an_include_that_ansible_cannot_load_is_one_failure(ran: Callable[[str], Played]) -> None:
    run = ran("missing_include")
    assert run.results("Includes", "Include") == {"h1": "failed", "h2": "failed"}
    assert len(run.children(run.at("Includes", "Include"))) == 2
    assert "not_there.yml" in run.hosts("Includes", "Include")["h1"]["attributes"]["ansible.message"]


def test_a_run_once_that_fails_the_others_fails_the_play(ran: Callable[[str], Played]) -> None:
    run = ran("run_once")
    assert run.results("Run once", "Once") == {"h1": "rescued"}
    # ansible-core 2.16 rescues all of them, and ends with 0.
    play = run.at("Run once")
    assert (run.returncode, code(play), play["status"]["message"]) in [
        (2, "ERROR", "Ansible counts as failed: h2, h3"),
        (0, "UNSET", ""),
    ]


def test_hosts_that_any_errors_fatal_leaves_behind_are_named(ran: Callable[[str], Played]) -> None:
    run = ran("any_errors_fatal")
    assert run.results("Any fatal", "Include", "Fails on one")["h1"] == "rescued"
    assert run.results("All kinds", "Until")["h1"] == "ignored"
    assert len(played.events(run.hosts("All kinds", "Until")["h1"], "retry")) == 2
    assert run.results("All kinds", "Unreachable")["h1"] == "ignored"


def test_many_ways_in_two_batches_are_told_as_ansible_took_them(ran: Callable[[str], Played]) -> None:
    run = ran("mixed")
    first, second = run.all_at("Mixed")
    assert (code(first), code(second)) == ("ERROR", "UNSET")
    assert code(run.root()) == "ERROR"
    assert "h2: odd" in run.root()["status"]["message"]
    names = [{child["name"] for child in run.children(play)} for play in (first, second)]
    assert {"Handler", "Rescue in a rescue"} <= names[0] & names[1]
    assert not [span for span in run.spans if span["name"] == "Never"]


def test_output_that_is_no_text_fails_only_what_it_fails_in_ansible(ran: Callable[[str], Played]) -> None:
    run = ran("not_utf8")
    assert (run.results("Bytes", "Task"), run.results("Bytes", "Items")) == ({"h1": "ignored"}, {"h1": "ignored"})
    assert run.results("Bytes", "Last") == {"h1": "failed"}
    assert run.hosts("Bytes", "Last")["h1"]["attributes"]["ansible.message"].isprintable()


@pytest.mark.parametrize(
    ("name", "path", "reason"),
    [
        ("no_handler", ("Notifies nobody", "Notifier", "h1"), "The requested handler 'no such handler' was not found"),
        ("broken_include", ("Includes", "Include"), ""),
        ("no_strategy", ("No strategy",), "Invalid play strategy specified: no_such_strategy"),
    ],
)
def test_what_ansible_gives_up_failed_and_says_why(
    ran: Callable[[str], Played], name: str, path: tuple[str, ...], reason: str
) -> None:
    run = ran(name)
    assert run.returncode != 0
    assert "PLAY RECAP" not in run.stdout
    for span in [run.root(), *(run.at(*path[:length]) for length in range(1, len(path) + 1))]:
        assert code(span) == "ERROR", span["name"]
        assert span["attributes"]["cicd.pipeline.task.run.result"] == "error"
        assert span["attributes"]["error.type"] == "interrupted"
        assert span["status"]["message"].startswith(f"Ansible stopped: {reason}")
    hosts = [span for span in run.spans if played.kind(span) == "host" and code(span) == "ERROR"]
    assert not [span for span in hosts if "ansible.result" in span["attributes"]]


def test_what_had_ended_before_ansible_gave_up_is_as_it_ended(ran: Callable[[str], Played]) -> None:
    run = ran("no_handler")
    assert code(run.at("Fine")) == code(run.at("Notifies nobody", "Before")) == "UNSET"
    assert ran("broken_include").results("Includes", "Before") == {"h1": "ok", "h2": "ok"}


def test_output_that_nobody_reads_fails_the_command_where_it_fails_ansible(tmp_path: Path) -> None:
    env = {**played.environ(tmp_path), "PYTHONUNBUFFERED": ""}
    process = subprocess.Popen(command("printing"), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    stderr = process.stderr.read().decode()
    process.stderr.close()
    run = Played(tmp_path, process.wait(60), "", stderr)
    assert run.returncode == 120
    assert generated.differences(run.spans, told(run)) == []
    assert code(run.root()) == "ERROR"


STEPS = """
- name: Deploy
  hosts: g
  gather_facts: false
  tasks:
    - {name: First, ansible.builtin.debug: {msg: first}}
    - name: Block
      block:
        - {name: Second, ansible.builtin.debug: {msg: second}, changed_when: true, notify: Handler}
        - {name: Third, ansible.builtin.debug: {msg: third}, failed_when: true}
      rescue:
        - {name: Rescue, ansible.builtin.debug: {msg: rescued}}
    - {name: Last, ansible.builtin.debug: {msg: last}}
  handlers:
    - {name: Handler, ansible.builtin.debug: {msg: handled}}
"""
AFTER_FIRST = {"Block": {"Second": "changed", "Third": "rescued", "Rescue": "ok"}, "Last": "ok", "Handler": "ok"}


@pytest.mark.parametrize(
    ("answers", "below"),
    [
        ("n\ny\nc\n", AFTER_FIRST),
        ("c\n", {"First": "ok", **AFTER_FIRST}),
        ("n\n" * 4, {}),
        ("y\nn\nn\nc\n", {"First": "ok", "Last": "ok"}),
    ],
    ids=["n y c", "c", "n", "y n n c"],
)
def test_step_leaves_out_what_the_user_refuses(tmp_path: Path, answers: str, below: dict[str, Any]) -> None:
    (tmp_path / "site.yml").write_text(STEPS)
    words = [str(support.ANSIBLE / "ansible-playbook"), "--step", "-i", str(FOLDER / "inventory.ini"), "site.yml"]
    done = subprocess.run(
        words, input=answers, env=played.environ(tmp_path), capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    run = Played(tmp_path, done.returncode, done.stdout, done.stderr)
    assert (run.returncode, code(run.root()), code(run.at("Deploy"))) == (0, "UNSET", "UNSET")
    assert generated.differences(run.spans, told(run)) == []

    def results(*path: str) -> Any:
        if played.kind(run.at(*path)) == "task":
            return set(run.results(*path).values())
        return {child["name"]: results(*path, child["name"]) for child in run.children(run.at(*path))}

    def for_each_host(wanted: Any) -> Any:
        return {name: for_each_host(one) for name, one in wanted.items()} if isinstance(wanted, dict) else {wanted}

    assert results("Deploy") == for_each_host(below)
