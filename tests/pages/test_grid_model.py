"""The grid's model: its columns and rows, and what each cell says."""

from __future__ import annotations

import random

import pytest
from support.grid_samples import CANCELLED, RUNNING, Book, all_kinds, hosts_of, of_failures_only, two_playbooks
from support.grids import Grids
from support.report_pages import needs_chromium
from support.report_samples import make

from pipeline_trace.lookup.tree import build_tree, walk
from pipeline_trace.trace import conventions as c

pytestmark = [pytest.mark.process, needs_chromium]


def test_columns_are_the_tasks_in_their_order_with_their_role_and_play(grids: Grids) -> None:
    (grid,) = grids(all_kinds())
    assert grid["playbook"] == "playbook site.yml"
    assert dict(zip(grid["tasks"], grid["around"], strict=True)) == {
        "Gathering Facts": ["Web servers"],
        "Install packages": ["Web servers", "role nginx"],
        "Copy the configuration": ["Web servers", "role nginx"],
        "Migrate": ["Web servers", "role app"],
        "Warm up": ["Web servers", "role app", "Guarded"],
        "Restart": ["Web servers", "role app"],
        "Vacuum": ["Databases"],
    }


def test_lost_hosts_come_first_by_the_time_of_their_loss_then_changed_ones_then_the_rest(grids: Grids) -> None:
    book = Book()
    book.play("All")
    book.task(
        "One", {"a-late": "ok", "web10": "ok", "web9": "ok", "z-early": "unreachable", "idle": "skipped", "new": "changed"}
    )
    book.task("Two", {"a-late": "failed", "web10": "ok", "web9": "ok", "idle": "skipped", "new": "ok"})
    (grid,) = grids(book.spans)
    assert grid["hosts"] == ["z-early", "a-late", "new", "web9", "web10", "idle"]


def test_skipped_not_reached_and_not_run_are_told_apart(grids: Grids) -> None:
    book = Book()
    book.play("All")
    book.task("Facts", {"a": "ok", "b": "ok", "c": "ok"})
    book.task("Install", {"a": "ok", "b": "failed", "c": "skipped"})
    book.task("Once", {"a": "changed"})
    book.play("Others")
    book.task("Vacuum", {"d": "ok"})
    (grid,) = grids(book.spans)
    assert grid["kinds"] == {
        "b": ["ok", "failed", "unreached", "unreached"],
        "a": ["ok", "ok", "changed", "unrun"],
        "c": ["ok", "skipped", "unrun", "unrun"],
        "d": ["unrun", "unrun", "unrun", "ok"],
    }


def test_a_lost_host_stays_lost_until_a_later_play_has_it_again(grids: Grids) -> None:
    book = Book()
    book.play("One")
    book.task("Breaks", {"a": "failed", "b": "ok"})
    # As in the `always` of a block: the host is lost all the same.
    book.task("Always", {"a": "ok", "b": "ok"})
    book.task("After", {"b": "ok"})
    book.play("Two")
    book.task("Without it", {"b": "ok"})
    book.play("Three")
    book.task("Of others", {"b": "ok"})
    book.task("Errors were cleared", {"a": "ok", "b": "ok"})
    (grid,) = grids(book.spans)
    assert grid["kinds"]["a"] == ["failed", "ok", "unreached", "unreached", "unrun", "ok"]


def test_the_failure_that_explains_an_empty_cell_is_not_one_that_was_cleared(grids: Grids) -> None:
    book = Book()
    book.play("One")
    book.task("Breaks", {"a": "failed"})
    play = book.play("Two")
    book.task("Errors were cleared", {"a": "ok", "b": "ok"})
    book.task("Never ended", {"b": CANCELLED})
    play.attributes[c.TASK_RUN_RESULT] = c.CANCELLATION
    (grid,) = grids(book.spans)
    assert grid["kinds"]["a"] == ["failed", "ok", "unreached"]
    rows = [node.span.name for node in walk(build_tree(book.spans))]
    assert rows[grid["targets"]["a"][2]] == "Never ended"


def test_batches_of_a_play_share_their_columns(grids: Grids) -> None:
    book = Book()
    for batch, hosts in enumerate([["a", "b"], ["c", "d"], ["e"]]):
        book.play("Roll out", serial="2")
        book.task("Drain", dict.fromkeys(hosts, "ok"))
        book.task(
            "Install", {**dict.fromkeys(hosts, "changed"), "d": "failed"} if batch == 1 else dict.fromkeys(hosts, "ok")
        )
        if batch == 1:
            # Only this batch notified the handler.
            book.task("Reload", {"c": "changed"}, within=["role nginx"])
        if batch != 2:
            book.task("Fill", {host: "ok" for host in hosts if host != "d"})
    (grid,) = grids(book.spans)
    assert grid["tasks"] == ["Drain", "Install", "Reload", "Fill"]
    assert grid["kinds"] == {
        "d": ["ok", "failed", "unreached", "unreached"],
        "c": ["ok", "changed", "changed", "ok"],
        "a": ["ok", "ok", "unrun", "ok"],
        "b": ["ok", "ok", "unrun", "ok"],
        "e": ["ok", "ok", "unrun", "unrun"],
    }


def test_a_batch_that_failed_did_not_reach_what_other_batches_ran(grids: Grids) -> None:
    book = Book()
    book.play("Roll out", serial="2", any_errors_fatal="true")
    for name in ("Drain", "Install", "Fill"):
        book.task(name, {"a": "ok", "b": "ok"})
    book.play("Roll out", serial="2", any_errors_fatal="true")
    book.task("Drain", {"c": "ok", "d": "ok"})
    book.task("Install", {"c": "ok", "d": "failed"})
    (grid,) = grids(book.spans)
    assert grid["tasks"] == ["Drain", "Install", "Fill"]
    assert grid["kinds"]["c"] == ["ok", "ok", "unreached"]


@pytest.mark.parametrize(
    ("attributes", "host"), [({"serial": "2"}, "a"), ({}, "b")], ids=["the same hosts", "not in batches"]
)
def test_plays_of_one_name_that_are_no_batches_of_one_stay_apart(
    grids: Grids, attributes: dict[str, str], host: str
) -> None:
    book = Book()
    book.play("Same", **attributes)
    book.task("Copy", {"a": "ok"})
    book.play("Same", **attributes)
    book.task("Other", {host: "ok"})
    book.task("Copy", {host: "ok"})
    (grid,) = grids(book.spans)
    assert grid["tasks"] == ["Copy", "Other", "Copy"]


@pytest.mark.parametrize(
    ("strategy", "expected"), [("free", ["Include", "Install"]), ("linear", ["Include", *["Install"] * 3])]
)
def test_with_a_free_strategy_an_include_that_is_read_for_each_host_is_one(
    grids: Grids, strategy: str, expected: list[str]
) -> None:
    book = Book()
    book.play("All", strategy=strategy)
    include = book.task("Include", dict.fromkeys("abc", "ok"))
    for host in "abc":
        book.task("Install", {host: "ok"}, below=include)
    (grid,) = grids(book.spans)
    assert grid["tasks"] == expected


def test_tasks_of_one_name_in_one_batch_stay_apart(grids: Grids) -> None:
    book = Book()
    book.play("All")
    book.task("command", {"a": "ok"})
    book.task("command", {"b": "changed"})
    (grid,) = grids(book.spans)
    assert grid["kinds"] == {"a": ["ok", "unrun"], "b": ["unrun", "changed"]}


def test_where_a_playbook_runs_hosts_that_wait_are_not_reached(grids: Grids) -> None:
    book = Book()
    book.play("Before")
    book.task("Vacuum", {"db": "ok"})
    book.play("All")
    book.task("Facts", dict.fromkeys("abc", "ok"))
    book.task("Included for one", {"b": "ok"})
    book.task("Install", {"a": "changed", "b": RUNNING})
    (grid,) = grids(book.spans)
    assert grid["kinds"] == {
        "a": ["unrun", "ok", "unrun", "changed"],
        "b": ["unrun", "ok", "ok", "running"],
        "c": ["unrun", "ok", "unreached", "unreached"],
        "db": ["ok", "unrun", "unrun", "unrun"],
    }


@pytest.mark.parametrize(
    "attributes",
    [{c.TASK_RUN_RESULT: c.CANCELLATION}, {c.TASK_RUN_RESULT: c.ERROR, c.ERROR_TYPE: "interrupted"}],
    ids=["a signal", "Ansible itself"],
)
def test_what_a_playbook_that_was_stopped_did_not_reach(grids: Grids, attributes: dict[str, str]) -> None:
    book = Book()
    play = book.play("All")
    book.task("Facts", dict.fromkeys("ab", "ok"))
    book.task("Install", {"a": CANCELLED})
    play.attributes.update(attributes)
    (grid,) = grids(book.spans)
    assert grid["kinds"] == {"a": ["ok", "cancelled"], "b": ["ok", "unreached"]}


def test_each_playbook_has_a_grid(grids: Grids) -> None:
    found = grids(two_playbooks())
    assert [(one["playbook"], one["hosts"]) for one in found] == [
        ("playbook deploy-staging.yml", ["staging1", "staging2"]),
        ("playbook deploy-production.yml", ["production2", "production1"]),
    ]


@pytest.mark.parametrize("told", ["playbook inner.yml", "Inner"], ids=["whole", "without the playbook's span"])
def test_a_playbook_that_a_task_ran_has_a_grid_of_its_own(grids: Grids, told: str) -> None:
    outer = Book("outer.yml")
    outer.play("All")
    task = outer.task("Runs Ansible", {"a": ("ok", 9.0)})
    (host,) = hosts_of(outer.spans)
    inner = Book("inner.yml", parent=host, begin=1.0)
    inner.play("Inner")
    inner.task("Copy", {"x": "ok"})
    if told == "Inner":
        inner.spans.remove(inner.playbook)
        inner.spans[0].parent_id = host.span_id
    outer.task("After", {"a": "ok"})
    found = grids([*outer.spans, *inner.spans])
    assert {one["playbook"]: (one["tasks"], one["hosts"]) for one in found} == {
        "playbook outer.yml": ([task.name, "After"], ["a"]),
        told: (["Copy"], ["x"]),
    }


@pytest.mark.parametrize(
    ("gone", "expected"),
    [({c.TYPE_PLAYBOOK}, ["All"]), ({c.TYPE_PLAYBOOK, c.TYPE_PLAY}, ["role app"]), ({c.TYPE_TASK}, ["playbook site.yml"])],
)
def test_what_is_around_may_be_missing(grids: Grids, gone: set[str], expected: list[str]) -> None:
    book = Book()
    book.play("All")
    book.task("Copy", {"a": "ok"}, within=["role app"])
    found = grids([span for span in book.spans if span.attributes[c.ANSIBLE_TYPE] not in gone])
    assert [one["playbook"] for one in found] == expected


def test_plays_without_a_playbook_share_the_grid_of_their_command(grids: Grids) -> None:
    book = Book()
    for name in ("One", "Two"):
        book.play(name)
        book.task("Copy", {"a": "ok"})
    book.playbook.attributes[c.ANSIBLE_TYPE] = c.TYPE_COMMAND
    (grid,) = grids(book.spans)
    assert grid["around"] == [["One"], ["Two"]]


def test_hosts_without_spans_are_taken_from_the_recap(grids: Grids) -> None:
    (grid,) = grids(of_failures_only())
    assert grid["hosts"] == ["web3", "web2", "web1"]
    assert grid["kinds"] == {
        "web3": ["untold", "untold", "failed", "unreached"],
        "web2": ["untold"] * 4,
        "web1": ["untold"] * 4,
    }


@pytest.mark.parametrize("begin", [-1, 1])
def test_of_several_results_of_a_host_the_worst_one_counts(grids: Grids, begin: int) -> None:
    book = Book()
    book.play("All")
    task = book.task("Copy", {"a": "ok"})
    again = make("again", None, "a", begin, 2, ansible_type="host", ansible_result="changed")
    again.parent_id = task.span_id
    (grid,) = grids([*book.spans, again])
    assert grid["kinds"] == {"a": ["changed"]}


@pytest.mark.parametrize(
    ("longest", "shades"),
    [(38.0, [1, 3, 10, 30]), (0.004, [0.001, 0.003]), (0.0, []), (7200.0, [180, 600, 1800, 3600])],
)
def test_shades_begin_at_round_times_below_the_longest(grids: Grids, longest: float, shades: list[float]) -> None:
    book = Book()
    book.play("All")
    book.task("Copy", {"a": ("ok", longest), "b": ("ok", 0.0)})
    (grid,) = grids(book.spans)
    assert grid["shades"] == [round(shade * 1_000_000) for shade in shades]
    assert grid["levels"] == [len(shades) + 1, 1]


def test_a_cell_leads_to_its_span_and_an_empty_one_to_what_explains_it(grids: Grids) -> None:
    spans = all_kinds()
    (grid,) = grids(spans)
    rows = [node.span for node in walk(build_tree(spans))]

    def led(host: str) -> list[tuple[str, str]]:
        return [(rows[at].attributes[c.ANSIBLE_TYPE], rows[at].name) for at in grid["targets"][host]]

    lost = "web8.shop.example.org"
    assert led(lost)[:6] == [("host", lost)] * 6
    assert len(set(grid["targets"][lost])) == 1
    assert led("db1.shop.example.org")[0] == ("task", "Gathering Facts")
    assert led("db1.shop.example.org")[6] == ("host", "db1.shop.example.org")


def test_a_row_of_a_host_or_task_has_its_place(grids: Grids) -> None:
    spans = all_kinds()
    (grid,) = grids(spans)
    rows = [node.span for node in walk(build_tree(spans))]
    for span, place in zip(rows, grid["places"], strict=True):
        kind = span.attributes[c.ANSIBLE_TYPE]
        if kind == c.TYPE_TASK:
            assert place == [-1, grid["tasks"].index(span.name)]
        elif kind == c.TYPE_HOST:
            assert grid["hosts"][place[0]] == span.name
        else:
            assert place is None


def test_no_result_is_lost_whatever_the_playbook_is(grids: Grids) -> None:
    chance = random.Random(11)
    words = ("ok", "changed", "failed", "unreachable", "skipped", "rescued", "ignored", RUNNING, CANCELLED)
    for _ in range(12):
        book = Book()
        for _ in range(chance.randrange(1, 5)):
            book.play(f"Play {chance.randrange(2)}", **chance.choice([{}, {"serial": "3"}, {"strategy": "free"}]))
            for _ in range(chance.randrange(8)):
                names = chance.sample("abcdefgh", chance.randrange(5))
                within = chance.choice([[], ["role one"], ["role one", "Block"]])
                book.task(f"Task {chance.randrange(3)}", {name: chance.choice(words) for name in names}, within=within)
        found = grids(book.spans)
        assert sum(len(one["rows"]) for one in found) == len(hosts_of(book.spans))
        for one in found:
            # A task of a play comes before those that the same batch ran after it.
            assert len(one["rows"]) == len(set(one["rows"]))
            told = [kind for kinds in one["kinds"].values() for kind in kinds]
            assert sum(kind not in ("unrun", "unreached") for kind in told) == len(one["rows"])
