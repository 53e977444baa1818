"""Prepares the parts of a log that the rules judge. Does no I/O."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from . import ansible, blocks
from .cleaning import shortened
from .patterns import Pattern, Text

_PREFIX = re.compile(r"^(?:\w+=\S*|sudo|time|timeout|nohup|nice|env|exec|xvfb-run|-\S+|\d+[smh]?|then|do|if|!)$")
# Programs that can run a dependency of the project. The output is then not that of a package manager.
_RUNNERS = frozenset(("npm", "yarn", "pnpm", "bun", "bundle", "poetry", "uv", "pipenv", "hatch", "composer"))
_RUNS_MODULE = re.compile(r"^python[\d.]*$")


@dataclass(frozen=True)
class Case:
    """A part of a log to judge.

    ``command``: the failed command with its arguments. ``program``: its name, or that of the Ansible module. ``lines``: what
    it printed. ``before``: the lines before those. ``script``: the whole script. ``code``: the exit status, from the failed
    task if Ansible tells it.
    """

    command: str
    program: str
    lines: Sequence[str]
    before: Sequence[str] = ()
    script: str = ""
    code: int | None = None
    task: ansible.TaskFailure | None = None
    text: Text = field(default_factory=lambda: Text(""))


def cases_of(
    command: str, code: int | None, lines: Sequence[str], boilerplate: Pattern, task_result: Any = None
) -> list[Case]:
    """Return the parts of a log's lines that may decide, most likely first: the last command, then the ones before it."""
    lines = blocks.until_the_end(lines)
    parts = _told(blocks.sections(lines), boilerplate)
    at = blocks.deciding(parts)
    task = ansible.failure_of_results(task_result)
    if task is None and any(line.startswith(("PLAY [", "PLAY RECAP")) for line in lines):
        task = ansible.failure_of_output(lines)
    if task is not None:
        before = shortened([line for part in parts[:at] for line in (part.command, *part.lines)])
        text = shortened(task.text.splitlines())
        case = Case(task.place, task.program, text, before, command, task.code, task, Text("\n".join(text)))
        return [case]
    found = []
    end = len(parts)
    while at >= 0:
        shown = parts[at].command.lstrip("+ ") or (_last_line(command) if end == len(parts) else "")
        own = shortened([line for part in parts[at:end] for line in part.lines])
        before = shortened([line for part in parts[:at] for line in (part.command, *part.lines)])
        found.append(Case(shown, _program(shown), own, before, command, code, None, Text("\n".join(own))))
        at, end = at - 1, at
    return found


def _told(parts: Sequence[blocks.Section], boilerplate: Pattern) -> list[blocks.Section]:
    """Return the sections without the lines that are printed at every failure."""
    text = Text("\n".join(line for part in parts for line in part.lines))
    # One search in the whole text costs much less than one in each line.
    left_out = {text.value.count("\n", 0, match.start()) for match in boilerplate.finditer(text)}
    numbers = count()
    return [blocks.Section(part.command, [line for line in part.lines if next(numbers) not in left_out]) for part in parts]


def _last_line(command: str) -> str:
    return next((line for line in reversed(command.splitlines()) if line.strip()), "")


def _program(command: str) -> str:
    """Return the program that a command calls; for ``python3 -m NAME``, NAME."""
    words = command.split()
    while words and _PREFIX.match(words[0]):
        words = words[1:]
    if not words:
        return ""
    if words[0] == "npx":
        words = words[1:]
    elif words[0] in _RUNNERS and words[1:2] in (["run"], ["exec"], ["dlx"]):
        words = words[2:]
    if not words:
        return ""
    if _RUNS_MODULE.match(os.path.basename(words[0])) and words[1:2] == ["-m"] and len(words) > 2:
        return words[2]
    return os.path.basename(words[0])
