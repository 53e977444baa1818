"""Rules as data: users' own, and files that cannot be used."""

from __future__ import annotations

import inspect
import os
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline_trace.ownership.log import conditions, rules
from pipeline_trace.ownership.log.judge import verdict_of_log
from pipeline_trace.ownership.log.rules import RulesError, load_rules

OWN = """
rules:
  - kind: licence_server
    owner: ops
    any: ['no licence left for (?P<name>\\w+)']
    unless: ['trial licence']
    where:
      - {if: 'line:for dev_', owner: dev, next: Dev asks for one.}
    next: Ops frees one.
"""


def own(folder: Path, content: str = OWN) -> Path:
    """Write a file of rules."""
    path = folder / "rules.yaml"
    path.write_text(content, encoding="utf-8")
    return path


def judge(log: str, path: Path) -> tuple[str, str, str]:
    verdict = verdict_of_log("", 1, log, rules=load_rules(path))
    return verdict.owner, verdict.kind, verdict.next


def test_own_rule_is_used(tmp_path: Path) -> None:
    path = own(tmp_path)
    assert judge("Error: NO LICENCE left for cc", path) == ("ops", "licence_server", "Ops frees one.")
    assert judge("Error: no licence left for dev_1", path) == ("dev", "licence_server", "Dev asks for one.")
    assert judge("no licence left for cc (trial licence)", path)[1] != "licence_server"


def test_own_rule_comes_before_a_shipped_one_of_its_strength(tmp_path: Path) -> None:
    path = own(tmp_path, "rules: [{kind: mine, owner: dev, strength: decisive, any: [space left]}]")
    assert judge("No space left on device", path)[:2] == ("dev", "mine")


def test_shipped_rules_stay(tmp_path: Path) -> None:
    assert judge("certificate has expired", own(tmp_path))[:2] == ("ops", "tls_expired")


def test_file_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(rules.VARIABLE, str(own(tmp_path)))
    assert verdict_of_log("", 1, "no licence left for cc").kind == "licence_server"
    monkeypatch.setenv(rules.VARIABLE, "")
    assert verdict_of_log("", 1, "no licence left for cc").kind != "licence_server"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("rules: [", "cannot read the rules in"),
        ("- a", "has no rules"),
        ("rules: 1", "`rules` is not a list"),
        ("rules: []\nmute: [a]", "has no rules"),
        ("rules: [{owner: dev, any: [a]}]", "rule 1: 'kind' is missing"),
        ("rules: [{kind: a, owner: team, any: [a]}]", "rule 1: 'team' is not a known value; use dev, ops, unknown"),
        ("rules: [{kind: a, owner: dev, any: ['(']}]", "rule 1: "),
        ("rules: [{kind: a, owner: dev, any: [a], weight: 1}]", "rule 1: unknown key 'weight'"),
        ("rules: [{kind: a, owner: dev, any: [a], where: [{if: sunny}]}]", "rule 1: unknown condition 'sunny'"),
        ("rules: [{kind: a, owner: dev, any: [a], where: [{if: 'line:('}]}]", "rule 1: "),
        ("rules: [{kind: a, owner: dev, any: [1]}]", "rule 1: [1] is not a text"),
        ("rules: [a]", "rule 1: "),
        ("rules: [{kind: a, owner: dev, any: []}]", "rule 1: `any` is empty"),
        ("rules: [{kind: '', owner: dev, any: [a]}]", "rule 1: '' is no name of a kind"),
        ("rules: [{kind: a, owner: dev, any: [a], where: [{if: always, kind: 5}]}]", "rule 1: 5 is not a text"),
        ("rules: [{kind: a, owner: dev, any: [a], where: [{if: always, next: [x]}]}]", "rule 1: ['x'] is not a text"),
        ("rules: [{kind: a, owner: dev, any: ['(a+)+$']}]", "repeats a repetition"),
        ("rules: [{kind: a, owner: dev, any: [a], where: [{if: 'line:(a+)+$'}]}]", "repeats a repetition"),
        ("rules: [{kind: a, owner: dev, any: ['(?P<other>x)']}]", "only (?P<name>…) is kept"),
        ("rules: [{kind: a, owner: dev, any: ['(b)\\1']}]", "only (?P<name>…) is kept"),
        (f"rules: [{{kind: a, owner: dev, any: ['{'(' * 5000}a{')' * 5000}']}}]", "rule 1: "),
        ("rules: [null]", "rule 1: "),
    ],
)
def test_bad_file_is_one_line_that_names_the_fault(tmp_path: Path, content: str, fault: str) -> None:
    path = own(tmp_path, content)
    with pytest.raises(RulesError) as caught:
        load_rules(path)
    assert fault in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="cannot read the rules in"):
        load_rules(tmp_path / "none.yaml")


def test_every_condition_is_known_and_every_known_one_is_there() -> None:
    methods = {name[1:] for name, _ in inspect.getmembers(conditions.Conditions, inspect.isfunction) if name.startswith("_")}
    assert methods >= rules.PREDICATES
    assert not load_rules().targets.keys() ^ rules.TARGETS


def test_every_rule_says_what_to_do_next() -> None:
    assert all(rule.next for rule in load_rules().rules)


def test_hostile_rules_are_one_line(tmp_path: Path) -> None:
    """Deep ones, ones that aliases repeat, long ones, and files that are none."""
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in pairwise("abcdefghij")
    )
    for content in ("[" * 50_000, bomb, "rules: &a [*a]\n", "x" * (2 << 20), f"rules: [{{kind: [{'x, ' * 5000}]}}]"):
        with pytest.raises(RulesError) as caught:
            load_rules(own(tmp_path, content))
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 700
        rules._load.cache_clear()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(RulesError, match="not a regular file"):
        load_rules(tmp_path / "fifo")
