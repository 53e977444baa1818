"""Gives verdicts on failed Ansible tasks that no rule knows. Does no I/O."""

from __future__ import annotations

import re

from ..verdict import DEV, OPS, Verdict
from .case import Case
from .conditions import HEALTH
from .evidence import evidence_line

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
