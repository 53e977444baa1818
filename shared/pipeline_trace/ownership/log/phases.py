"""Finds out who was acting when something failed, and who looks first at what can go wrong there. Does no I/O.

The phases, the classes of kinds and the table are in phases.yaml.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..verdict import OWNERS, UNKNOWN
from .patterns import Pattern, Text

if TYPE_CHECKING:
    from .case import Case

# Where neither a command nor a line tells the phase.
UNSEEN = "unseen"
UNEXPLAINED = "unexplained"
# A build tool prints the name of what failed after the failure.
_AFTER = 4
# `npm ci --no-audit` is no audit.
_SWITCHED_OFF = re.compile(r" --(?:no|skip|without|disable)-[\w-]+")
_FRAME = re.compile(r"\s+at |\s*caused by: |\s+\.\.\. \d+ more", re.IGNORECASE)
# Programs that run other programs: their lines tell more than their names.
_RUNS_OTHERS = re.compile(
    r"^(?:\S*/)?(?:make|gmake|mvnw?|gradlew?|npm|npx|yarn|pnpm|bun|lerna|nx|turbo|docker|podman|buildah|earthly|tox|nox|bazel"
    r"|sbt|ant|just|task|rake|invoke|inv|poetry|uv|hatch|pdm|bash|sh|zsh|pwsh|powershell|python[\d.]*|ruby|node|perl|cmake"
    r"|docker/build-push-action|\.{1,2}/\S+|\S+\.(?:sh|py|rb|js|ps1|bat|cmd))(?: |$)"
)
# A line that only repeats which command failed.
_WRAPPER = re.compile(
    r"\b(?:command|running|executing|process|recipe|task|target|script|goal|hook|job)\b(?: for target)?[ :]{0,3}"
    r"[`'\"\[(](?P<quoted>.{2,300})"
    r"|^make(?:\[\d{1,3}\])?: \*\*\* \[(?:[^]:]{1,200}:\d{1,6}: )?(?P<target>[\w./:-]{1,200})\] error"
    r"|^npm (?:err!|error) failed at the \S{1,200} (?P<script>[\w:-]{1,100}) script"
    r"|^failed to run task \"?(?P<named>[\w:-]{1,100})|^error: failed to execute goal (?P<goal>\S{1,300})",
    re.IGNORECASE,
)
_HAS_FAILED = re.compile(r"\b(?:failed|exited|non-zero|returned|error)\b", re.IGNORECASE)
_QUOTES = str.maketrans(dict.fromkeys("`'\"[](),", " "))
# Of a log, and of a line of it.
_WRAPPERS_IN, _WRAPPER_LETTERS = 60, 600


@dataclass
class Phases:
    """The phases and the table. ``table``: the owner, by phase and class."""

    commands: dict[str, Pattern] = field(default_factory=dict)
    says: dict[str, Pattern] = field(default_factory=dict)
    stages: dict[str, Pattern] = field(default_factory=dict)
    steps: dict[str, Pattern] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    table: dict[str, dict[str, str]] = field(default_factory=dict)

    def of_command(self, command: str) -> str:
        """Return the phase of a command; "" if it is not known."""
        return _first(self.commands, _SWITCHED_OFF.sub("", command))

    def of_names(self, step: str, stages: Sequence[str]) -> str:
        """Return the phase by the name of a failed step, else of the stages around it, innermost first; "" for none."""
        return _first(self.steps, step) or next(filter(None, (_first(self.stages, stage) for stage in stages)), "")

    def owner(self, phase: str, kind: str) -> str:
        """Return who looks first at a kind of failure in a phase: dev, ops or unknown."""
        return self.table[phase].get(self.classes.get(kind, UNEXPLAINED), UNKNOWN)


def _first(patterns: Mapping[str, Pattern], text: str) -> str:
    return next((name for name, pattern in patterns.items() if pattern.on(text)), "")


class Acting:
    """Tells the phase of each line of a part of a log."""

    def __init__(self, phases: Phases, case: Case, starts: Sequence[int], told: str = "") -> None:
        """``starts``: where each line of the text begins. ``told``: the phase as the pipeline's stage or step tells it."""
        # What a task is called is for people: "Check health" is no check of the code.
        words = (case.task.command if case.task else case.command).strip()
        self._lines = case.lines
        self._command = phases.of_command(words) if words else ""
        self._told = told
        # Whether the command alone tells the phase.
        self.firm = bool(self._command) and not _RUNS_OTHERS.match(words)
        self._marks = sorted(_marks(phases.says, case.text, starts))

    def at(self, number: int) -> str:
        """Return the phase at a line; "unseen" if nothing tells it."""
        if self.firm:
            return self._command
        return self._said(number) or self._command or self._told or UNSEEN

    def last(self, phase: str) -> int | None:
        """Return the number of the last line that tells a phase; None if no line does."""
        return max((number for number, name in self._marks if name == phase), default=None)

    def _said(self, number: int) -> str:
        # The frames of an exception belong to its line.
        while number + 1 < len(self._lines) and _FRAME.match(self._lines[number + 1]):
            number += 1
        at = bisect_right(self._marks, (number + _AFTER, "~"))
        return self._marks[at - 1][1] if at else ""


def _marks(says: Mapping[str, Pattern], text: Text, starts: Sequence[int]) -> Iterable[tuple[int, str]]:
    for name, pattern in says.items():
        for match in pattern.finditer(text):
            yield bisect_right(starts, match.start()) - 1, name


def phase_of_wrappers(phases: Phases, lines: Sequence[str]) -> str:
    """Return the phase of the command that the last lines say has failed; "" if they do not say so."""
    for line in reversed(lines[-_WRAPPERS_IN:]):
        said = line[:_WRAPPER_LETTERS]
        match = _WRAPPER.search(said) if _HAS_FAILED.search(said) else None
        phase = phases.of_command(next(filter(None, match.groups())).translate(_QUOTES)) if match else ""
        if phase:
            return phase
    return ""


def phases_of(data: Mapping[str, Any]) -> Phases:
    """Return the phases of phases.yaml. Raises KeyError, ValueError, re.error for what does not fit."""
    found = Phases()
    for name, phase in data["phases"].items():
        for what, patterns in (
            ("commands", found.commands),
            ("says", found.says),
            ("stages", found.stages),
            ("steps", found.steps),
        ):
            patterns[name] = Pattern(*phase.get(what, ()))
    found.classes = {kind: name for name, kinds in data["classes"].items() for kind in kinds}
    for name, owners in data["table"].items():
        found.table[name] = dict(zip(data["columns"], owners, strict=True))
    return found


def changed(phases: Phases, own: Any) -> None:
    """Change the table as a user's file says: ``{phase: {class: owner}}``. Raises ValueError for a name it does not know."""
    if not isinstance(own, Mapping):
        raise ValueError("`table` is not a mapping; write phase: {class: owner}")
    for phase, row in own.items():
        known = phases.table.get(phase)
        if known is None or not isinstance(row, Mapping):
            raise ValueError(f"unknown phase {phase!r} in table; use {', '.join(phases.table)}")
        for name, owner in row.items():
            if name not in known or owner not in OWNERS:
                raise ValueError(f"{name}: {owner} does not fit in table; docs/ownership.md lists the classes and owners")
            known[name] = owner
