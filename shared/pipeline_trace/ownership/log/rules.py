"""Loads the rules: the built-in ones in rules.yaml, and before them the user's rules from a file in the same format."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from ...yamlfile import load_yaml
from ..verdict import OWNERS
from . import phases
from .patterns import Pattern, check_expression

VARIABLE = "PIPELINE_TRACE_RULES"
STRENGTHS = ("hint", "symptom", "error", "cause", "decisive")
SYMPTOM, ERROR, CAUSE, DECISIVE = range(1, 5)
# Characters of what a message repeats of a file.
_LONGEST = 300
# Built-in rules of this strength and above do not match inside a word: EUSAGE is not in nodeUsageMode.
_WORDS = CAUSE
_SHIPPED = Path(__file__).with_name("rules.yaml")
_PHASES = Path(__file__).with_name("phases.yaml")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OWN_KEYS = {"rules", "table"}
_RULE_KEYS = {"kind", "owner", "strength", "any", "unless", "where", "next"}
_WHERE_KEYS = {"if", "unless", "owner", "kind", "next"}
# Allowed in `if` and `unless`, besides the names of targets and line:, exit:, action:, command: and phase: with a value.
PREDICATES = frozenset(
    (
        "always",
        "in_diff",
        "empty_variable",
        "listed",
        "internal",
        "public",
        "misspelt_package",
        "public_image",
        "misspelt",
        "misspelt_step",
        "agent_lists",
        "bare_host",
        "misspelt_host",
        "change_shown",
        "manifest_shown",
        "manifest_lacks",
        "repo_script",
        "repo_path",
        "answers_elsewhere",
        "names_other_owner",
        "system_header",
        "rollout",
        "not_ansible",
    )
)
TARGETS = frozenset(("local", "app", "scm", "store", "cluster", "database", "host"))
_LINES = (
    "boilerplate",
    "summary",
    "mute",
    "passing",
    "quoted",
    "chained",
    "internal",
    "public",
    "succeeded",
    "failed",
    "pointed",
    "resting",
    "elsewhere",
)
_COMPARED = ("line", "exit", "action", "command", "phase")


class RulesError(Exception):
    """A file of rules is not valid. The message names the file and the error in one line."""


@dataclass(frozen=True)
class Condition:
    """A condition, or its opposite if ``negated``.

    ``what``: a predicate, a target, or one of _COMPARED; for these, ``regex`` searches the line or the command.
    """

    what: str
    negated: bool
    value: str
    regex: re.Pattern[str]


@dataclass(frozen=True)
class Where:
    """A change to a rule's answer: it applies if all conditions and no exceptions hold."""

    conditions: Sequence[Condition]
    exceptions: Sequence[Condition]
    owner: str | None
    kind: str | None
    next: str | None


@dataclass(frozen=True)
class Rule:
    """A rule; see rules.yaml. ``strength``: the index in STRENGTHS.

    ``own``: True for a user's rule, which wins over a built-in rule of equal strength.
    """

    kind: str
    owner: str
    strength: int
    pattern: Pattern
    unless: Pattern
    where: Sequence[Where]
    next: str
    own: bool


@dataclass(frozen=True)
class Target:
    """How to recognize a target: by URL, program or port."""

    url: Pattern
    tools: frozenset[str]
    ports: frozenset[str]


@dataclass
class Rules:
    """The rules and tables that judge logs."""

    rules: list[Rule] = field(default_factory=list)
    lines: dict[str, Pattern] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    names: dict[str, frozenset[str]] = field(default_factory=dict)
    phases: phases.Phases = field(default_factory=phases.Phases)


def load_rules(path: str | os.PathLike[str] | None = None) -> Rules:
    """Return the built-in rules, and before them the user's rules. Raises RulesError.

    ``path``: the user's file; None: the file in PIPELINE_TRACE_RULES, if set.
    """
    own = path or os.environ.get(VARIABLE) or None
    return _load(str(own) if own else None)


@lru_cache(maxsize=4)
def _load(own: str | None) -> Rules:
    rules = Rules(phases=phases.phases_of(yaml.load(_PHASES.read_bytes(), _LOADER)))
    if own:
        _add(rules, Path(own), own=True)
    _add(rules, _SHIPPED, own=False)
    return rules


def _add(rules: Rules, path: Path, *, own: bool) -> None:
    try:
        data = load_yaml(path, _LOADER) if own else yaml.load(path.read_bytes(), _LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        said = " ".join(str(getattr(error, "strerror", None) or error).split())[:_LONGEST]
        raise RulesError(f"cannot read the rules in {path}: {said}; correct the file (docs/ownership.md)") from None
    if not isinstance(data, dict) or (own and (not data or not set(data) <= _OWN_KEYS)):
        raise RulesError(f"{path} has no rules; write a key `rules` with a list, or `table` (docs/ownership.md)")
    if not isinstance(data.get("rules", []), list):
        raise RulesError(f"{path}: `rules` is not a list; write one (docs/ownership.md)")
    if own and "table" in data:
        try:
            phases.changed(rules.phases, data["table"])
        except ValueError as error:
            raise RulesError(f"{path}: {_fault(error)}") from None
    for number, entry in enumerate(data.get("rules", []), 1):
        try:
            rules.rules.append(_rule(entry, own=own))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError, re.error) as error:
            raise RulesError(f"{path}, rule {number}: {_fault(error)}") from None
    if not own:
        _add_tables(rules, data)


def _fault(error: Exception) -> str:
    said = f"{error} is missing; add it" if isinstance(error, KeyError) else str(error)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"


def _rule(entry: Mapping[str, Any], *, own: bool) -> Rule:
    unknown = set(entry) - _RULE_KEYS
    if unknown:
        raise ValueError(f"unknown key {min(unknown)!r}; use {', '.join(sorted(_RULE_KEYS))}")
    strength = STRENGTHS.index(_one_of(entry.get("strength", "cause"), STRENGTHS))
    matching, unless = _some(_texts(entry["any"])), _texts(entry.get("unless", ()))
    found = Rule(
        kind=_name(entry["kind"]),
        owner=_one_of(entry["owner"], OWNERS),
        strength=strength,
        pattern=Pattern(*matching, words=not own and strength >= _WORDS),
        unless=Pattern(*unless),
        where=[_where(where) for where in entry.get("where", ())],
        next=_text(entry.get("next", "")),
        own=own,
    )
    if own:
        # The built-in ones are checked by the tests.
        for expression in (*matching, *unless):
            check_expression(expression)
        found.pattern.check()
        found.unless.check()
    return found


def _where(entry: Mapping[str, Any]) -> Where:
    unknown = set(entry) - _WHERE_KEYS
    if unknown:
        raise ValueError(f"unknown key {min(unknown)!r} in where; use {', '.join(sorted(_WHERE_KEYS))}")
    owner = entry.get("owner")
    return Where(
        conditions=_conditions(entry["if"]),
        exceptions=_conditions(entry.get("unless", ())),
        owner=None if owner is None else _one_of(owner, OWNERS),
        kind=None if entry.get("kind") is None else _name(entry["kind"]),
        next=None if entry.get("next") is None else _text(entry["next"]),
    )


def _add_tables(rules: Rules, data: Mapping[str, Any]) -> None:
    rules.lines = {name: Pattern(*data[name]) for name in _LINES}
    rules.lines.update({f"tests.{name}": Pattern(*found) for name, found in data["tests"].items()})
    rules.targets = {
        name: Target(
            Pattern(*target.get("url", ())), frozenset(target.get("tool", ())), frozenset(map(str, target.get("port", ())))
        )
        for name, target in data["targets"].items()
    }
    rules.names = {name: frozenset(data[name]) for name in ("programs", "packages")}


def _conditions(value: Any) -> Sequence[Condition]:
    found = []
    for text in _texts(value):
        what, colon, expression = text.removeprefix("not ").partition(":")
        if not (what in _COMPARED if colon else what in PREDICATES | TARGETS):
            raise ValueError(f"unknown condition {text!r}; docs/ownership.md lists the conditions")
        check_expression(expression)
        found.append(Condition(what, text.startswith("not "), expression, re.compile(expression, re.IGNORECASE)))
    return found


def _texts(value: Any) -> Sequence[str]:
    texts = [value] if isinstance(value, str) else value
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError(f"{value!r} is not a text or a list of texts; write texts in quotes")
    return list(texts)


def _some(texts: Sequence[str]) -> Sequence[str]:
    if not texts:
        raise ValueError("`any` is empty; write a regular expression")
    return texts


def _name(value: Any) -> str:
    if not _text(value).strip() or "\n" in value:
        raise ValueError(f"{value!r} is no name of a kind; write a word")
    return str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a text; write it in quotes")
    return value


def _one_of(value: Any, known: Sequence[str]) -> str:
    if value not in known:
        raise ValueError(f"{value!r} is not a known value; use {', '.join(known)}")
    return str(value)
