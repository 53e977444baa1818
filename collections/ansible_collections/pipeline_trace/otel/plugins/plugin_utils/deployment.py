# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What a playbook deploys: environment, name, version and commit.

Each comes from the first of these that says it: the callback's option; an extra variable; a variable of the process, where
Jenkins puts a build's parameters; for the environment also the inventory's path. What nobody says is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from . import core

c = core.conventions
words = core.words

_LONGEST = 200


@dataclass(frozen=True)
class Sources:
    """What is known when a playbook starts. ``options``: by attribute; ``inventories``: their paths or host lists."""

    options: Mapping[str, str]
    variables: Mapping[str, object]
    environ: Mapping[str, str]
    inventories: Iterable[str] = ()


def attributes(sources: Sources) -> dict[str, str]:
    """Return the attributes of a deploy; with an environment, also that the playbook is one."""
    found = {}
    for name in words.PARAMETERS:
        value = _usable(name, [sources.options.get(name)]) or _said(name, sources)
        if value:
            found[name] = core.redact.masked(value)[:_LONGEST]
    if c.DEPLOYMENT_ENVIRONMENT not in found:
        environment = next(filter(None, map(_of_inventory, sources.inventories)), None)
        if environment:
            found[c.DEPLOYMENT_ENVIRONMENT] = environment
    if c.DEPLOYMENT_ENVIRONMENT in found:
        found[c.TASK_TYPE] = c.DEPLOY
    return found


def _said(name: str, sources: Sources) -> str:
    """Return what the extra variables or the environment say; of an environment with several names, its one name."""
    given = [sources.variables.get(variable) for variable in words.EXTRA_VARIABLES[name]]
    given += [sources.environ.get(variable) for variable in words.PROCESS_VARIABLES[name]]
    value = _usable(name, given)
    known = name == c.DEPLOYMENT_ENVIRONMENT and words.is_environment(value)
    return words.environment_name(value) if known else value


def _usable(name: str, given: Iterable[object]) -> str:
    """Return the first value that an attribute can have."""
    return next((word for word in map(_word, given) if word and _fits(name, word)), "")


def _word(value: object) -> str:
    """Return a value as one word for an attribute; templates and structures are none."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    text = str(value).strip()
    return "" if "{{" in text or "\n" in text else text


def _fits(name: str, word: str) -> bool:
    return name != c.VCS_HEAD_REVISION or words.REVISION.fullmatch(word.lower()) is not None


def _of_inventory(path: str) -> str:
    """Return the environment that an inventory's path names: its file, else one of the two folders around it."""
    if "," in path or path.startswith(("/dev/", "/proc/")):
        return ""
    *folders, file = PurePath(path).parts or ("",)
    named = [*words.words_in(file), *reversed(folders[-2:])]
    return next((words.environment_name(word) for word in named if words.is_environment(word)), "")
