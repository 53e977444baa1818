"""What happens around a failure of the lab: which builds run before and after it, on which agents, and how they end.

Where the fault is decides. A shared service fails other projects alike, wherever they run. A broken agent fails others on
that agent, and they pass elsewhere. A broken change fails alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.faults import MACHINE

CHECKOUT, BUILD, TEST, PUBLISH, DEPLOY = "Checkout", "Build", "Test", "Publish", "Deploy"
STAGES = (CHECKOUT, BUILD, TEST, PUBLISH, DEPLOY)
CHANGE, SERVICE, NODE, UNCLEAR = "change", "service", "node", "unclear"
FIRST, LATER = "first", "later"
"""When somebody asks: at the first failure, or after some more builds."""
MOMENTS = (FIRST, LATER)

_STAGE_OF_TOOL = {
    **dict.fromkeys(("git", "svn"), CHECKOUT),
    **dict.fromkeys(
        [
            "pytest",
            "jest",
            "vitest",
            "mocha",
            "eslint",
            "ruff",
            "mypy",
            "flake8",
            "pylint",
            "black",
            "shellcheck",
            "hadolint",
            "yamllint",
        ],
        TEST,
    ),
    **dict.fromkeys(("ansible-lint", "prettier"), TEST),
    **dict.fromkeys(("twine", "docker", "skopeo", "openssl"), PUBLISH),
    **dict.fromkeys(
        [
            "ansible",
            "helm",
            "kubectl",
            "terraform",
            "ssh",
            "scp",
            "rsync",
            "psql",
            "mysql",
            "redis-cli",
            "sqlite3",
            "alembic",
            "gunicorn",
        ],
        DEPLOY,
    ),
}
# Kinds of the machine that the command runs on. What else is Ops' is a service that machines share.
_OF_A_NODE = {fault.kind for fault in MACHINE.values() if fault.owner == "ops"} - {
    "auth_platform",
    "host_key",
    "service_unavailable",
}


@dataclass(frozen=True)
class Case:
    """A failure of the lab.

    ``results``: Ansible's, one for each failed host. ``stage``: of STAGES. ``place``: where the fault is.
    """

    id: str
    command: str
    exit_status: int
    log: str
    results: tuple[Mapping[str, Any], ...]
    owner: str
    kind: str
    stage: str
    place: str


@dataclass(frozen=True)
class Ran:
    """A build. ``minute``: of its start, counted from the first failure. ``commit``: a letter.

    ``fails``: whether it fails as the case does.
    """

    app: str
    number: int
    minute: int
    agent: str
    commit: str
    fails: bool = False


_BEFORE = (
    Ran("shop", 1, -180, "linux-1", "a"),
    Ran("orders", 1, -150, "linux-2", "k"),
    Ran("billing", 1, -140, "linux-1", "x"),
)
_FAILED = Ran("shop", 2, 0, "linux-1", "b", fails=True)
_AFTER: Mapping[str, tuple[Ran, ...]] = {
    SERVICE: (
        Ran("orders", 2, 5, "linux-2", "l", fails=True),
        Ran("billing", 2, 9, "linux-3", "y", fails=True),
        Ran("shop", 3, 15, "linux-2", "b", fails=True),
    ),
    NODE: (
        Ran("billing", 2, 5, "linux-1", "y", fails=True),
        Ran("billing", 3, 9, "linux-2", "y"),
        Ran("orders", 2, 12, "linux-2", "l"),
        Ran("shop", 3, 15, "linux-1", "b", fails=True),
        Ran("shop", 4, 20, "linux-2", "b"),
    ),
    CHANGE: (
        Ran("orders", 2, 5, "linux-1", "l"),
        Ran("shop", 3, 15, "linux-2", "b", fails=True),
        Ran("billing", 2, 20, "linux-1", "y"),
    ),
    UNCLEAR: (),
}


def case_of(data: Mapping[str, Any]) -> Case:
    """Return a case of the lab, as a line of its files has it. Raises KeyError for a line that is none."""
    told = data.get("task_result") or ()
    results = (told,) if isinstance(told, Mapping) else tuple(told)
    return Case(
        id=str(data["id"]),
        command=str(data.get("command") or ""),
        exit_status=int(data.get("exit_code") or 1),
        log=str(data.get("log") or ""),
        results=results,
        owner=str(data["owner"]),
        kind=str(data.get("kind")),
        stage=DEPLOY if results else _STAGE_OF_TOOL.get(str(data["tool"]), BUILD),
        place=_place(data),
    )


def _place(data: Mapping[str, Any]) -> str:
    """Return where the fault is. What the log cannot tell is nobody's: nothing else fails alike, and nothing passes."""
    if data["owner"] == "unknown":
        return UNCLEAR
    if data["owner"] == "dev":
        return CHANGE
    return NODE if data.get("kind") in _OF_A_NODE else SERVICE


def story(case: Case, moment: str) -> tuple[Ran, ...]:
    """Return the builds that somebody who asks at a moment (of MOMENTS) can know, in order of time."""
    return (*_BEFORE, _FAILED, *(_AFTER[case.place] if moment == LATER else ()))
