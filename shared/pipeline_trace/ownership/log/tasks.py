"""Gives verdicts on failed Ansible tasks that no rule knows, and the evidence of any part. Does no I/O."""

from __future__ import annotations

import re

from ..verdict import DEV, OPS, Verdict
from . import cleaning
from .case import Case
from .conditions import HEALTH

_MOST_LETTERS = 240
# Words of checks that concern the node, not the change.
_NODE = re.compile(
    r"ansible_(?:mem|mounts|processor|swap|date|kernel|uptime)"
    r"|\b(?:node|disk|memory|free|clock|ntp|chrony|load average|swap|mount|volume|uptime)\b"
)


def unreachable(case: Case) -> Verdict | None:
    """Return the verdict on hosts that Ansible could not reach; None if it reached them."""
    task = case.task
    if not task or not task.unreachable:
        return None
    evidence = [
        evidence_line(case.lines[0]) if case.lines else "unreachable",
        f"hosts: {', '.join(task.hosts)}",
    ]
    return Verdict(OPS, "host_unreachable", 0.8, evidence, "Ops looks at the host; the change is not the cause.")


def failed_check(case: Case) -> Verdict | None:
    """Return the verdict on a failed check (assert or fail) in the playbook, if no rule matches."""
    task = case.task
    if not task or not (task.action in ("assert", "fail") or "assertion: " in case.text.lower):
        return None
    node = _NODE.search(case.text.lower)
    owner, kind = (OPS, "node_setup") if node else (DEV, "config_error")
    if kind == "config_error" and HEALTH.search(f"{task.task} {case.text.value}"):
        kind = "app_unhealthy"
    then = "Ops looks at the node." if node else "Dev corrects the value that the playbook's check rejects."
    return Verdict(owner, kind, 0.6, [evidence_line(case.lines[0]) if case.lines else task.task], then)


def evidence_of(case: Case, line: str) -> list[str]:
    """Return the deciding line, and the task or the command that failed."""
    evidence = [evidence_line(line)] if line else []
    task = case.task
    if task:
        evidence.append(
            f"task {task.task!r} {'could not reach' if task.unreachable else 'failed on'} {', '.join(task.hosts)}"
        )
    elif case.command:
        evidence.append(f"command: {evidence_line(case.command)}")
    return evidence


def evidence_line(line: str) -> str:
    """Return a line as evidence: stripped, without its level, and cut if it is very long."""
    line = cleaning.without_level(line.strip())
    return line if len(line) <= _MOST_LETTERS else f"{line[:_MOST_LETTERS]}…"
