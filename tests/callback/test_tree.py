"""What runs of ansible-playbook become: every shape of a playbook, few real runs, many questions to each.

Tests with a number are what users of community.general's callback hit; the number is that of their issue.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import support
from support import installs, played, shapes, typed
from support.otlp_receiver import Receiver
from support.played import SLACK_NS, Played, events

pytestmark = pytest.mark.process

MANY_HOSTS = 300
HOSTILE_NAMES = (
    "quotes \" and ' and \\",
    "two\nlines",
    "a\ttab",
    "ünïcödé — 日本語",
    "emoji 🚀👩‍💻",
    "percent %s {braces} $(id) `id` <b>&amp;",
    "separator\u2028inside",
    "x" * 10_000,
)

# `forks` is 1: the second host's worker starts when the first one's has ended.
ONE_BY_ONE = """
- name: Same name
  hosts: h1,h2
  gather_facts: false
  tasks:
    - name: Sleep
      ansible.builtin.command: sleep 0.4
    - name: Tell
      ansible.builtin.debug: {msg: "only of {{ inventory_hostname }}"}
      failed_when: true
      ignore_errors: true
"""

STOPS = """
- name: Before
  hosts: h1
  gather_facts: false
  tasks:
    - name: Fine
      ansible.builtin.debug: {msg: fine}
- name: Stops
  hosts: h1,h2,h3
  gather_facts: false
  HOW
  tasks:
    - name: Breaks
      ansible.builtin.fail: {msg: broken on purpose}
      when: inventory_hostname in BROKEN
    - name: Not reached
      ansible.builtin.debug: {msg: never}
- name: After
  hosts: h1,h2,h3
  gather_facts: false
  tasks:
    - name: Not reached either
      ansible.builtin.debug: {msg: never}
"""

ABORTS = """
- name: Fine
  hosts: h1
  gather_facts: false
  tasks:
    - name: Good
      ansible.builtin.debug: {msg: good}
- name: Aborts
  hosts: "{{ not_there }}"
  gather_facts: false
  tasks:
    - name: Not reached
      ansible.builtin.debug: {msg: never}
"""

QUICK = """
- name: Quick
  hosts: all
  gather_facts: false
  tasks:
    - name: Debug
      ansible.builtin.debug: {msg: quick}
"""

CHECKED = """
- name: Check
  hosts: h1
  gather_facts: false
  tasks:
    - name: Command
      ansible.builtin.command: "false"
    - name: Copy
      ansible.builtin.copy: {content: "checked-content-1", dest: "{{ playbook_dir }}/scratch/checked", mode: "0600"}
"""

# As programs drive Ansible: hardly any command line arguments.
API = """
import sys
from ansible import context
from ansible.module_utils.common.collections import ImmutableDict
ARGUMENTS = {"connection": "local", "forks": 2, "verbosity": 0, "syntax": False, "start_at_task": None, "check": False}
context.CLIARGS = ImmutableDict(**ARGUMENTS) if sys.argv[1] != "nothing" else ImmutableDict()
from ansible.executor.playbook_executor import PlaybookExecutor
from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.plugins.loader import init_plugin_loader
from ansible.vars.manager import VariableManager

init_plugin_loader()
loader = DataLoader()
inventory = InventoryManager(loader=loader, sources="h1,h2,")
variables = VariableManager(loader=loader, inventory=inventory)
if sys.argv[1] == "executor":
    executor = PlaybookExecutor(sys.argv[2:], inventory, variables, loader, {})
    raise SystemExit(executor.run())
manager = TaskQueueManager(inventory=inventory, variable_manager=variables, loader=loader, passwords={})
manager.load_callbacks()
tasks = [{"name": "By hand", "action": {"module": "debug", "args": {"msg": "hi"}}}]
source = {"name": "Made by hand", "hosts": "h1", "gather_facts": "no", "connection": "local", "tasks": tasks}
try:
    code = manager.run(Play().load(source, variable_manager=variables, loader=loader))
finally:
    manager.cleanup()
raise SystemExit(code)
"""

Make = Callable[[Path], support.Completed]


def playing(text: str, *arguments: object, hosts: str = "h1,h2,h3,", env: dict[str, str] | None = None) -> Make:
    """Return what runs a playbook of this text."""

    def make(folder: Path) -> support.Completed:
        playbook = support.write_playbook(folder, text)
        return played.run(folder, support.playbook_command(playbook, *arguments, hosts=hosts), env)

    return make


def several(folder: Path) -> support.Completed:
    """Run three playbooks in one command: one host at a time, hostile names, then an ordinary one."""
    first = support.write_playbook(folder, ONE_BY_ONE, "first.yml")
    tasks = [{"name": name, "ansible.builtin.debug": {"msg": "hi"}} for name in HOSTILE_NAMES]
    plays = [{"name": name, "hosts": "h1", "gather_facts": False, "tasks": tasks[:1]} for name in HOSTILE_NAMES[1:]]
    hostile = [{"name": HOSTILE_NAMES[0], "hosts": "h1", "gather_facts": False, "tasks": tasks}, *plays]
    second = support.write_playbook(folder, json.dumps(hostile), "second.yml")
    third = support.write_playbook(folder, QUICK, "third.yml")
    words = ("--forks", "1", first, second)
    return played.run(folder, support.playbook_command(third, *words, hosts="h1,h2,hôst-🚀,"))


def adhoc(folder: Path) -> support.Completed:
    """Run an ad-hoc command."""
    words = ("-i", "h1,h2,", "-c", "local", "all", "-m", "ansible.builtin.debug", "-a", "msg=hi")
    return played.run(folder, [support.ANSIBLE / "ansible", *words], {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "1"})


def by_api(how: str) -> Make:
    """Return what drives Ansible through its API: by its PlaybookExecutor, or a TaskQueueManager."""

    def make(folder: Path) -> support.Completed:
        script = support.write_playbook(folder, API, "api.py")
        playbook = support.write_playbook(folder, QUICK)
        return played.run(folder, [support.ANSIBLE / "python", script, how, playbook])

    return make


RUNS: dict[str, Make] = {
    "shapes": shapes.play,
    "several": several,
    "any-errors-fatal": playing(STOPS.replace("HOW", "any_errors_fatal: true").replace("BROKEN", "['h2']")),
    "max-fail-percentage": playing(STOPS.replace("HOW", "max_fail_percentage: 50").replace("BROKEN", "['h1', 'h2']")),
    "aborts": playing(ABORTS),
    "check": playing(CHECKED, "--check", "--diff"),
    "many": playing(QUICK, "--forks", "10", hosts=",".join(f"host{number}" for number in range(MANY_HOSTS))),
    "adhoc": adhoc,
    "executor": by_api("executor"),
    "manager": by_api("manager"),
}


@pytest.fixture
def ran(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Played]:
    """Return one of RUNS, run by the first test that asks."""
    folder = installs.shared_folder(tmp_path_factory.getbasetemp())
    return lambda name: played.once(folder / f"tree-{name}", RUNS[name])


@pytest.fixture
def tree(ran: Callable[[str], Played]) -> Played:
    """The playbook of every shape."""
    return ran("shapes")


# Of every run


@pytest.mark.parametrize("name", RUNS)
def test_every_run_is_one_tree_with_one_root(ran: Callable[[str], Played], name: str) -> None:
    run = ran(name)
    assert run.root()
    assert len({span["trace_id"] for span in run.spans}) == 1
    assert {span["parent_span_id"] for span in run.spans} - {None} <= set(run.by_id)
    assert len(run.by_id) == len(run.spans)


@pytest.mark.parametrize("name", RUNS)
def test_every_span_is_within_its_parent(ran: Callable[[str], Played], name: str) -> None:
    run = ran(name)
    for span in run.spans:
        assert span["start_unix_nano"] <= span["end_unix_nano"]
        parent = run.by_id.get(span["parent_span_id"])
        if parent:
            assert span["start_unix_nano"] >= parent["start_unix_nano"] - SLACK_NS, span["name"]
            assert span["end_unix_nano"] <= parent["end_unix_nano"] + SLACK_NS, span["name"]


@pytest.mark.parametrize("name", RUNS)
def test_attributes_keep_their_types_where_all_are_kept_as_texts(ran: Callable[[str], Played], name: str) -> None:
    """As in ClickHouse's table."""
    assert typed.changed(ran(name).spans) == {}


@pytest.mark.parametrize("name", RUNS)
def test_nothing_of_ours_goes_wrong_and_one_line_names_the_trace(ran: Callable[[str], Played], name: str) -> None:
    run = ran(name)
    assert "Traceback" not in run.stderr
    (line,) = run.ours
    assert f"trace {run.root()['trace_id']} is in" in line


@pytest.mark.parametrize("name", RUNS)
def test_every_span_was_ended_by_what_it_stands_for(ran: Callable[[str], Played], name: str) -> None:
    for span in ran(name).spans:
        assert not events(span, "interrupted")
        assert span["attributes"]["cicd.pipeline.task.run.result"] != "cancellation"


# The hierarchy


def test_the_tree_of_a_playbook(tree: Played) -> None:
    assert tree.root()["name"] == "playbook site.yml"
    assert [(span["name"], played.kind(span)) for span in tree.children(tree.root())] == [
        (name, "play")
        for name in (
            "Structure",
            "Results",
            "Unreachable",
            "Free",
            "Pinned",
            "Batches",
            "Batches",
            "Nobody",
            "Meta",
            "Same name",
            "Same name",
            "Imported play",
            "Breaks",
        )
    ]


def test_roles_have_spans_8219(tree: Played) -> None:
    role = tree.all_at("Structure", "role base")[0]
    assert played.kind(role) == "role"
    assert [span["name"] for span in tree.children(role)] == ["Base task"]
    assert tree.results("Structure", "role base", "Base task") == {"h1": "ok", "h2": "ok"}


def test_plays_roles_and_blocks_are_a_hierarchy(tree: Played) -> None:
    inner = tree.at("Structure", "Outer block", "Inner block")
    assert played.kind(inner) == "block"
    assert tree.results("Structure", "Outer block", "In outer")
    assert tree.results("Structure", "Outer block", "Inner block", "In inner")
    assert tree.results("Structure", "Outer block", "In unnamed")


@pytest.mark.parametrize(
    "path",
    [
        ("Include tasks", "Included task"),
        ("Imported task",),
        ("Include role", "role app", "App block", "Configure app"),
        ("Include role", "role app", "App includes", "More of app"),
        ("Include role", "role lib", "Lib task"),
        ("role base", "Other task"),
    ],
    ids="/".join,
)
def test_what_an_include_or_import_brings_is_where_it_is_written(tree: Played, path: tuple[str, ...]) -> None:
    assert set(tree.results("Structure", *path)) == {"h1", "h2"}


def test_an_include_in_a_loop_holds_what_each_item_brought(tree: Played) -> None:
    included = tree.all_at("Structure", "Include in a loop", "Included task")
    assert [[child["name"] for child in tree.children(span)] for span in included] == [["h1", "h2"]] * 2


def test_an_imported_playbook_belongs_to_the_one_that_imports_it(tree: Played) -> None:
    assert tree.results("Imported play", "In imported play") == {"h1": "ok"}


def test_handlers_name_the_tasks_that_notified_them(tree: Played) -> None:
    def notifiers(*path: str) -> list[list[str]]:
        spans = [span["attributes"] for span in tree.all_at("Structure", *path)]
        assert all(attributes["ansible.task.handler"] is True for attributes in spans)
        return [attributes["ansible.task.notified_by"] for attributes in spans]

    assert notifiers("Reload") == [["Notifier", "Second notifier"], ["Late notifier"]]
    assert notifiers("Listens") == notifiers("Listens too") == [["Notifier"]]
    assert notifiers("role app", "Restart app") == [["Configure app"]]
    assert "ansible.task.handler" not in tree.at("Structure", "Notifier")["attributes"]


def test_delegated_tasks_say_where_they_ran(tree: Played) -> None:
    hosts = tree.hosts("Results", "Delegated")
    assert {name: span["attributes"]["ansible.delegated_to"] for name, span in hosts.items()} == {"h1": "h3", "h2": "h3"}
    assert tree.at("Results", "Delegated")["attributes"]["ansible.task.delegate_to"] == "h3"
    for span in tree.hosts("Results", "Delegated by a loop").values():
        assert "ansible.delegated_to" not in span["attributes"]


def test_run_once_runs_on_one_host(tree: Played) -> None:
    assert tree.results("Results", "Once") == {"h1": "ok"}
    assert tree.at("Results", "Once")["attributes"]["ansible.task.run_once"] is True


# Loops, retries, jobs in the background


def test_items_are_events_with_label_result_and_duration(tree: Played) -> None:
    for span in tree.hosts("Results", "Labelled loop").values():
        items = events(span, "item")
        assert [item["ansible.item.label"] for item in items] == ["label one", "label two"]
        assert [item["ansible.result"] for item in items] == ["ok", "ok"]
        assert all(item["ansible.duration_ms"] >= 0 for item in items)


def test_loop_errors_are_readable_3597(tree: Played) -> None:
    span = tree.hosts("Breaks", "Items fail")["b2"]
    assert [item.get("ansible.message") for item in events(span, "item")] == [None, "item two is broken"]
    assert span["attributes"]["ansible.message"].splitlines()[1:] == ["two: item two is broken"]
    assert span["status"]["code"] == "ERROR"


def test_skipped_items_are_told_apart(tree: Played) -> None:
    for span in tree.hosts("Results", "Loop with a skipped item").values():
        assert [item["ansible.result"] for item in events(span, "item")] == ["skipped", "ok"]


def test_no_log_hides_items_and_messages(tree: Played) -> None:
    for span in tree.hosts("Results", "Hidden loop").values():
        assert [item["ansible.item.label"] for item in events(span, "item")] == ["(hidden)"]
    for span in tree.hosts("Results", "Hidden failure").values():
        assert span["attributes"]["ansible.message"] == "the output has been hidden: no_log is set"


@pytest.mark.parametrize(
    "secret", ["hidden-item-1", "hidden-message-1", "hidden-value-", "prompted-hunter2", "diffed-content-1"]
)
def test_what_is_not_to_leave_does_not(tree: Played, secret: str) -> None:
    assert secret not in json.dumps(tree.spans)


def test_authorization_passwords_and_tokens_are_not_exported_by_default(tree: Played) -> None:
    assert tree.results("Results", "Asks") == {"h1": "ignored", "h2": "ignored"}
    assert "asking-secret" not in json.dumps(tree.spans)


def test_every_attempt_of_until_is_an_event(tree: Played) -> None:
    for span in tree.hosts("Results", "Until").values():
        tries = events(span, "retry")
        assert [(one["ansible.attempt"], one["ansible.retries.left"]) for one in tries] == [(1, 5), (2, 4)]
        assert not any("ansible.message" in one for one in tries)
        assert span["attributes"]["ansible.attempts"] == 3


def test_attempts_that_failed_say_why(tree: Played) -> None:
    for span in tree.hosts("Results", "Until it works").values():
        (tried,) = events(span, "retry")
        assert tried["ansible.message"].splitlines()[-1] == "not yet"
        # Ansible says one less where it has given up.
        assert span["attributes"]["ansible.attempts"] == 2


def test_polls_of_a_job_in_the_background_are_events(tree: Played) -> None:
    hosts = tree.hosts("Results", "Async polled")
    polls = events(hosts["h1"], "async poll")
    assert polls
    assert polls[0]["ansible.async.job_id"]
    assert polls[0]["ansible.async.finished"] is False
    assert tree.results("Results", "Async polled") == {"h1": "changed", "h2": "skipped"}
    assert tree.at("Results", "Async polled")["attributes"]["ansible.task.async"] is True


def test_a_job_that_is_left_alone_and_asked_for_later(tree: Played) -> None:
    assert tree.results("Results", "Async launched") == {"h1": "changed", "h2": "changed"}
    assert tree.results("Results", "Async status") == {"h1": "changed", "h2": "changed"}


def test_what_a_task_runs_has_the_trace_of_its_host(tree: Played) -> None:
    for name, span in tree.hosts("Results", "Has the trace").items():
        written = (tree.folder / "scratch" / f"{name}.traceparent").read_text().strip()
        assert written == f"00-{span['trace_id']}-{span['span_id']}-01"


# Failures, and what is none


def test_rescued_failures_are_no_errors(tree: Played) -> None:
    assert tree.results("Results", "Guarded", "Fails and is rescued") == {"h1": "rescued", "h2": "skipped"}
    assert tree.results("Results", "Guarded", "Rescue") == {"h1": "ok"}
    assert tree.results("Results", "Guarded", "Always") == {"h1": "ok", "h2": "ok"}
    failed = tree.hosts("Results", "Guarded", "Fails and is rescued")["h1"]
    assert failed["attributes"]["ansible.message"] == "this was meant to fail"
    for path in ((), ("Guarded",), ("Guarded", "Fails and is rescued"), ("Guarded", "Fails and is rescued", "h1")):
        assert tree.at("Results", *path)["status"]["code"] == "UNSET"


def test_a_failure_in_an_include_is_rescued_by_the_block_around_it(tree: Played) -> None:
    path = ("Results", "Guarded include", "Include that fails", "Fails within an include")
    assert tree.results(*path) == {"h1": "rescued", "h2": "rescued"}
    assert tree.at(*path)["status"]["code"] == "UNSET"


def test_a_failure_inside_rescue_is_an_error(tree: Played) -> None:
    assert tree.results("Breaks", "Badly guarded", "Fails first")["b1"] == "rescued"
    assert tree.results("Breaks", "Badly guarded", "Fails in rescue") == {"b1": "failed"}
    for path in (("Breaks",), ("Breaks", "Badly guarded"), ("Breaks", "Badly guarded", "Fails in rescue")):
        status = tree.at(*path)["status"]
        assert status == {"code": "ERROR", "message": "b1: failure inside rescue"}
    assert tree.at("Breaks", "Badly guarded", "Fails first")["status"]["code"] == "UNSET"


def test_ignored_failures_are_no_errors(tree: Played) -> None:
    assert tree.results("Results", "Ignored") == {"h1": "ignored", "h2": "ignored"}
    assert tree.at("Results", "Ignored")["status"]["code"] == "UNSET"
    assert tree.at("Results")["status"]["code"] == "UNSET"
    (attributes, _) = [span["attributes"] for span in tree.hosts("Results", "Ignored").values()]
    assert attributes["ansible.message"] == "ignored on purpose"
    assert attributes["cicd.pipeline.task.run.result"] == "failure"


def test_unreachable_hosts_have_a_span(tree: Played) -> None:
    assert tree.results("Unreachable", "Minds unreachable") == {"gone": "unreachable", "h1": "ok"}
    span = tree.hosts("Unreachable", "Minds unreachable")["gone"]
    assert span["status"]["code"] == "ERROR"
    assert span["attributes"]["error.type"] == "unreachable"
    assert span["attributes"]["cicd.pipeline.task.run.result"] == "error"
    assert tree.results("Unreachable", "After unreachable") == {"h1": "ok"}


def test_ignore_unreachable_is_no_error(tree: Played) -> None:
    assert tree.results("Unreachable", "Ignores unreachable") == {"gone": "ignored", "h1": "ok"}
    assert tree.at("Unreachable", "Ignores unreachable")["status"]["code"] == "UNSET"


def test_a_task_that_all_hosts_skip_is_skipped(tree: Played) -> None:
    assert tree.at("Results", "Skipped")["attributes"]["cicd.pipeline.task.run.result"] == "skip"
    # One of its hosts ran it.
    assert tree.at("Results", "Async polled")["attributes"]["cicd.pipeline.task.run.result"] == "success"


def test_skipped_hosts_say_which_condition_was_false(tree: Played) -> None:
    for span in tree.hosts("Results", "Skipped").values():
        assert span["attributes"]["ansible.result"] == "skipped"
        assert span["attributes"]["cicd.pipeline.task.run.result"] == "skip"
        assert span["attributes"]["ansible.skip.condition"] == "wanted | default(false)"


def test_a_failed_playbook_says_what_failed_first(tree: Played) -> None:
    assert tree.returncode != 0
    assert tree.root()["status"]["code"] == "ERROR"
    assert tree.root()["status"]["message"].startswith("gone: ")


@pytest.mark.parametrize("name", ["any-errors-fatal", "max-fail-percentage"])
def test_a_play_that_stops_early_leaves_no_task_that_did_not_run(ran: Callable[[str], Played], name: str) -> None:
    run = ran(name)
    assert run.returncode == 2
    assert [span["name"] for span in run.children(run.root())] == ["Before", "Stops"]
    stops = run.at("Stops")
    assert [span["name"] for span in run.children(stops)] == ["Breaks"]
    assert stops["status"]["code"] == run.root()["status"]["code"] == "ERROR"
    assert run.at("Before")["status"]["code"] == "UNSET"
    limits = {"any-errors-fatal": ("any_errors_fatal", True), "max-fail-percentage": ("max_fail_percentage", 50)}
    field, value = limits[name]
    assert stops["attributes"][f"ansible.play.{field}"] == value


def test_a_playbook_that_ansible_gives_up_has_failed_though_it_has_no_recap(ran: Callable[[str], Played]) -> None:
    run = ran("aborts")
    assert run.returncode != 0
    assert "not_there" in run.stdout + run.stderr
    assert "PLAY RECAP" not in run.stdout
    status = run.root()["status"]
    assert status["code"] == "ERROR"
    assert status["message"].startswith("Ansible stopped: ")
    assert "'not_there' is undefined" in status["message"]
    assert run.root()["attributes"]["error.type"] == "interrupted"
    # What had ended before is as it ended.
    assert run.at("Fine")["status"]["code"] == "UNSET"
    assert not events(run.root(), "recap")


# Modes, strategies, batches


def test_check_mode_is_marked(tree: Played, ran: Callable[[str], Played]) -> None:
    assert tree.at("Results", "Checked")["attributes"]["ansible.task.check_mode"] is True
    assert tree.results("Results", "Checked") == {"h1": "skipped", "h2": "skipped"}
    run = ran("check")
    assert run.root()["attributes"]["ansible.check_mode"] is True
    assert run.at("Check", "Command")["attributes"]["ansible.task.check_mode"] is True
    assert run.results("Check", "Command") == {"h1": "skipped"}
    assert run.results("Check", "Copy") == {"h1": "changed"}
    assert not (run.folder / "scratch" / "checked").exists()


def test_differences_are_counted_and_do_not_leave(tree: Played, ran: Callable[[str], Played]) -> None:
    assert tree.root()["attributes"]["ansible.diffs"] == 2
    run = ran("check")
    assert "checked-content-1" in run.stdout
    assert run.root()["attributes"]["ansible.diffs"] == 1
    assert "checked-content-1" not in json.dumps(run.spans)


def test_under_the_free_strategy_a_task_is_one_span(tree: Played) -> None:
    assert tree.at("Free")["attributes"]["ansible.play.strategy"] == "free"
    everywhere = {"h1": "ok", "h2": "ok", "h3": "ok"}
    for path in (("Free one",), ("Free block", "Free two"), ("Free include",), ("Free role",)):
        assert tree.results("Free", *path) == everywhere
    # Here Ansible reads an include once a host, or once for those that come to it together.
    for path in (("Free include", "Included task"), ("Free role", "role base", "Base task")):
        hosts = [child["name"] for span in tree.all_at("Free", *path) for child in tree.children(span)]
        assert sorted(hosts) == ["h1", "h2", "h3"]


def test_under_host_pinned_a_task_is_one_span(tree: Played) -> None:
    for name in ("Pinned one", "Pinned two"):
        assert tree.results("Pinned", name) == {"h1": "ok", "h2": "ok", "h3": "ok"}


def test_each_batch_of_serial_is_a_play(tree: Played) -> None:
    batches = tree.all_at("Batches", "In a batch")
    assert [{child["name"] for child in tree.children(span)} for span in batches] == [{"h1", "h2"}, {"h3"}]
    assert tree.all_at("Batches")[0]["attributes"]["ansible.play.serial"] == "[2]"


def test_a_play_that_no_host_matched_is_skipped(tree: Played) -> None:
    play = tree.at("Nobody")
    assert play["attributes"]["ansible.play.no_hosts"] == "matched"
    assert play["attributes"]["cicd.pipeline.task.run.result"] == "skip"
    assert not tree.children(play)
    assert play["status"]["code"] == "UNSET"


def test_meta_tasks_are_tasks_without_workers(tree: Played) -> None:
    names = [span["name"] for span in tree.children(tree.at("Meta"))]
    assert names == ["Skipped meta", "Clear", "Refresh", "End one host", "Only the other host", "End the play"]
    assert set(tree.results("Meta", "Skipped meta").values()) == {"skipped"}
    assert tree.results("Meta", "End one host") == {"h2": "skipped"}
    assert tree.results("Meta", "Only the other host") == {"h2": "ok"}


def test_plays_and_tasks_of_equal_names_are_spans_of_their_own(tree: Played) -> None:
    found = tree.all_at("Same name", "Same task")
    assert [[child["name"] for child in tree.children(span)] for span in found] == [["h1"], ["h1"], ["h2"]]


# Counts


def test_the_recap_is_on_the_playbook(tree: Played) -> None:
    shown = {}
    for line in tree.stdout.partition("PLAY RECAP")[2].splitlines()[1:]:
        if line.strip():
            host, _, counts = line.partition(":")
            shown[host.strip()] = {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", counts)}
    told = {event["ansible.host.name"]: event for event in events(tree.root(), "recap")}
    assert set(told) == set(shown)
    for host, counts in shown.items():
        counts["failures"] = counts.pop("failed")
        assert {name: told[host][name] for name in counts} == counts
    totals = {name: sum(counts[name] for counts in shown.values()) for name in shown["h1"]}
    assert {name: tree.root()["attributes"][f"ansible.stats.{name}"] for name in totals} == totals


def test_counts_of_several_playbooks_are_not_added_up(ran: Callable[[str], Played]) -> None:
    run = ran("several")
    second = run.at("playbook second.yml")
    assert {event["ansible.host.name"]: event["ok"] for event in events(second, "recap")}["h1"] == 2 * len(HOSTILE_NAMES) - 1
    third = run.at("playbook third.yml")
    assert {event["ansible.host.name"]: event["ok"] for event in events(third, "recap")} == {"h1": 1, "h2": 1, "hôst-🚀": 1}
    assert third["attributes"]["ansible.stats.ignored"] == 0


# Several playbooks, times, names


def test_several_playbooks_in_one_command_share_nothing_11036(ran: Callable[[str], Played]) -> None:
    run = ran("several")
    assert run.returncode == 0
    assert run.root()["name"] == "ansible-playbook"
    names = ["playbook first.yml", "playbook second.yml", "playbook third.yml"]
    playbooks = run.children(run.root())
    assert [span["name"] for span in playbooks] == names
    for before, after in pairwise(playbooks):
        assert before["end_unix_nano"] <= after["start_unix_nano"]
    assert [span["name"] for span in run.children(playbooks[0])] == ["Same name"]
    assert [span["name"] for span in run.children(playbooks[2])] == ["Quick"]


def test_a_host_begins_when_its_worker_starts_11434(ran: Callable[[str], Played]) -> None:
    hosts = ran("several").hosts("playbook first.yml", "Same name", "Sleep")
    first, second = hosts["h1"], hosts["h2"]
    assert second["start_unix_nano"] >= first["start_unix_nano"] + 400_000_000
    assert second["start_unix_nano"] >= first["end_unix_nano"] - SLACK_NS


def test_a_host_never_holds_the_result_of_another(ran: Callable[[str], Played]) -> None:
    run = ran("several")
    hosts = run.hosts("playbook first.yml", "Same name", "Tell")
    assert {name: span["attributes"]["ansible.message"] for name, span in hosts.items()} == {
        "h1": "only of h1",
        "h2": "only of h2",
    }
    for span in run.spans:
        if played.kind(span) == "host":
            assert span["attributes"]["ansible.host.name"] == span["name"]


def test_names_are_kept_whatever_they_hold(ran: Callable[[str], Played]) -> None:
    run = ran("several")
    plays = run.children(run.at("playbook second.yml"))
    assert [span["name"] for span in plays] == list(HOSTILE_NAMES)
    assert [span["name"] for span in run.children(plays[0])] == list(HOSTILE_NAMES)
    assert "hôst-🚀" in run.hosts("playbook third.yml", "Quick", "Debug")


def test_three_hundred_hosts_are_three_hundred_spans(ran: Callable[[str], Played]) -> None:
    run = ran("many")
    assert run.returncode == 0
    assert run.results("Quick", "Debug") == {f"host{number}": "ok" for number in range(MANY_HOSTS)}
    assert len(events(run.root(), "recap")) == MANY_HOSTS


# Ad-hoc commands and the API


def test_an_adhoc_command_is_traced(ran: Callable[[str], Played]) -> None:
    run = ran("adhoc")
    assert run.returncode == 0
    assert run.root()["name"] == "ansible ansible.builtin.debug"
    assert sorted(span["name"] for span in run.spans if played.kind(span) == "host") == ["h1", "h2"]


def test_a_program_that_runs_playbooks_is_traced(ran: Callable[[str], Played]) -> None:
    run = ran("executor")
    assert run.returncode == 0, run.stderr
    assert run.root()["name"] == "playbook site.yml"
    assert run.results("Quick", "Debug") == {"h1": "ok", "h2": "ok"}


def test_a_program_that_runs_a_play_is_traced(ran: Callable[[str], Played]) -> None:
    run = ran("manager")
    assert run.returncode == 0, run.stderr
    assert [span["name"] for span in run.spans] == ["ansible", "Made by hand", "By hand", "h1"]
    assert run.root()["status"]["code"] == "UNSET"


# What happens before the first play is Ansible's alone


def _without_us(text: str) -> list[str]:
    return [line for line in text.splitlines() if "pipeline-trace" not in line]


@pytest.mark.parametrize(
    ("files", "arguments"),
    [
        ({"site.yml": "- hosts: all\n  tasks:\n  - debug: {msg: [}\n"}, ()),
        ({"site.yml": "- hosts: all\n  tasks:\n  - no_such_module_here: {}\n"}, ()),
        ({"site.yml": "$ANSIBLE_VAULT;1.1;AES256\n3132333435\n"}, ()),
        ({"site.yml": QUICK}, ("-e", "@vault.yml")),
        ({}, ()),
    ],
    ids=["syntax", "unknown module", "vaulted playbook", "vaulted variables", "no playbook"],
)
def test_errors_before_the_first_play_are_as_without_us(
    tmp_path: Path, files: dict[str, str], arguments: tuple[str, ...]
) -> None:
    for name, text in {**files, "vault.yml": "$ANSIBLE_VAULT;1.1;AES256\n3132333435\n"}.items():
        support.write_playbook(tmp_path, text, name)
    command = support.playbook_command(tmp_path / "site.yml", *arguments)
    with_us = played.run(tmp_path, command)
    without = played.run(tmp_path, command, {"ANSIBLE_CALLBACKS_ENABLED": ""})
    assert with_us.returncode == without.returncode != 0
    assert with_us.stdout == without.stdout
    assert _without_us(with_us.stderr) == without.stderr.splitlines()
    assert not support.journals(played.environ(tmp_path))


# Delivery, as far as users hit it


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_the_standard_variable_chooses_the_protocol_7888_8321(tmp_path: Path, protocol: str) -> None:
    with Receiver() as receiver:
        env = receiver.environ("grpc" if protocol == "grpc" else "http")
        done = playing(QUICK, env=env)(tmp_path)
        assert done.returncode == 0
        receiver.wait_for(6)
        assert {batch.protocol for batch in receiver.batches} == {protocol}


def test_an_endpoint_in_the_environment_is_all_it_takes_8566(tmp_path: Path) -> None:
    with Receiver() as receiver:
        done = playing(QUICK, env={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http_url})(tmp_path)
        assert done.returncode == 0
        assert len(receiver.wait_for(6)) == 6
    assert f"sent to {receiver.http_url}" in done.stderr
