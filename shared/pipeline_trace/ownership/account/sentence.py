"""Says in one sentence who should look at a failure and why, or what would decide it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..verdict import OPS, TEAM_NAMES, Verdict

# Of a verdict's `next`: "Ops looks at web2; the change is not the cause."
_LOOKS_AT = re.compile(r"(?:Dev|Ops) looks at (.+?)(?:; .*|\.)", re.DOTALL)
_SHORT_WORD = 3
_MOST_HOSTS = 3
# Why it failed, by the kind of the failure. Another kind is told by its own words.
_REASONS = {
    "agent_broken": "builds fail on it alone",
    "agent_limit": "a limit of the agent is reached",
    "agent_lost": "Jenkins lost the agent",
    "app_unhealthy": "the new version is not healthy",
    "auth_platform": "a login of the platform is refused",
    "bad_answer": "a service answered in another form",
    "bad_request": "a service refused the request",
    "build_failure": "the build failed",
    "checkout": "the checkout failed",
    "clock": "a clock is wrong",
    "compile_error": "the code does not compile",
    "config_error": "a setting is wrong",
    "credential_missing": "a credential is missing",
    "daemon": "a daemon does not run",
    "crash": "the process crashed",
    "database_lock": "the database is locked",
    "dependency_resolution": "dependencies cannot be resolved",
    "disk_full": "the disk is full",
    "dns": "a name does not resolve",
    "exception": "the code raised an error",
    "file_mode": "the mode of a file is wrong",
    "flaky_step": "the step fails and passes without a change",
    "flaky_test": "the test fails and passes without a change",
    "host_unreachable": "a host could not be reached",
    "image_tag": "the image or its tag is not there",
    "import_error": "an import fails",
    "integrity": "a checksum does not fit",
    "leftovers": "an earlier build left files behind",
    "lint": "a check of the code failed",
    "lock": "a lock is held",
    "merge_conflict": "the change has a merge conflict",
    "migration": "a migration of the database failed",
    "missing_file": "a file is missing",
    "missing_tool": "a program is missing",
    "network": "the network failed",
    "network_timeout": "a service did not answer in time",
    "no_agent": "no agent is free",
    "node_setup": "the node is not set up",
    "not_found": "what was asked for is not there",
    "out_of_memory": "the memory ran out",
    "permission": "a permission is missing",
    "pipeline_script": "the pipeline's script is wrong",
    "platform": "the CI platform failed",
    "playbook_error": "the playbook is wrong",
    "policy": "a rule of the platform forbids it",
    "port_in_use": "a port is in use",
    "publish_conflict": "this version is already published",
    "quota": "a quota is used up",
    "rate_limit": "a rate limit is reached",
    "registry_unavailable": "the registry does not answer",
    "scm_unavailable": "the git server does not answer",
    "slow_step": "a step runs much longer than it usually does",
    "service_unavailable": "a service does not answer",
    "source_error": "a source file is wrong",
    "storage_broken": "stored files are damaged",
    "test_failure": "tests failed",
    "timeout": "a time limit passed",
    "terminated": "a signal ended it",
    "tool_crash": "a tool crashed",
    "tls_expired": "a certificate has expired",
    "tls_untrusted": "a certificate is not trusted",
    "unknown": "no line and no fact tells why it failed",
    "unschedulable": "the cluster has no room",
    "vault": "a vault cannot be opened",
    "vulnerable_dependency": "a dependency is vulnerable",
    "wrong_version": "a version does not fit",
}
# No failure, or none that a team caused: nothing has to be decided.
_NO_TEAM = {
    "aborted": "Nothing failed: the build was aborted.",
    "blocked_in_queue": "The build waits in the queue.",
    "not_approved": "The build was not approved.",
    "nothing_failed": "Nothing failed.",
    "queued": "The build waits in the queue.",
    "running": "It still runs.",
    "superseded": "Nothing failed: a newer build took the place of this one.",
    "waiting_for_approval": "The build waits for a person.",
    "waiting_for_build": "The build waits for another build.",
    "waiting_for_lock": "The build waits for a lock.",
}


def sentence(verdict: Verdict, unreachable: Sequence[str] = (), projects: int = 0) -> str:
    """Return who should look and why.

    ``unreachable``: hosts that Ansible could not reach. ``projects``: how many other projects fail alike.
    """
    if verdict.owner not in TEAM_NAMES:
        return no_team_of(verdict) or _open(verdict)
    found = _LOOKS_AT.fullmatch(verdict.next)
    at = found[1] if found else ""
    reason = reason_of(verdict)
    if unreachable:
        named = at == ", ".join(unreachable)
        at = _some(unreachable) if named else at
        it = "them" if unreachable[1:] else "it"
        reason = f"Ansible could not reach {it if named else _some(unreachable)}"
    why = [] if _told(reason, at) else [reason]
    # That other projects fail alike speaks for Ops alone.
    if projects and verdict.owner == OPS:
        why.append(f"{projects} other project{'s fail' if projects > 1 else ' fails'} alike")
    return (
        f"{TEAM_NAMES[verdict.owner]} should look {f'at {at}' if at else 'first'}{': ' if why else ''}{', and '.join(why)}."
    )


def decides_itself(verdict: Verdict) -> bool:
    """Return whether the sentence already has the verdict's `next`, because it would decide who should look."""
    return verdict.owner not in TEAM_NAMES and verdict.kind not in _NO_TEAM


def _some(hosts: Sequence[str]) -> str:
    more = f" and {len(hosts) - _MOST_HOSTS} more" if hosts[_MOST_HOSTS:] else ""
    return ", ".join(hosts[:_MOST_HOSTS]) + more


def _open(verdict: Verdict) -> str:
    said = f"It is not clear whether Dev or Ops should look first: {reason_of(verdict)}."
    if not verdict.next:
        return said
    begin = verdict.next[0] if verdict.next.startswith(tuple(TEAM_NAMES.values())) else verdict.next[0].lower()
    return f"{said} To decide it: {begin}{verdict.next[1:]}"


def _told(reason: str, words: str) -> bool:
    """Return whether other words already say a reason: "the tests that failed"."""
    telling = {word for word in reason.split() if len(word) > _SHORT_WORD}
    return bool(telling) and telling <= set(words.split())


def no_team_of(verdict: Verdict) -> str:
    """Return the sentence of a verdict where nothing has to be decided; "" where a team has to look."""
    return "" if verdict.owner in TEAM_NAMES else _NO_TEAM.get(verdict.kind, "")


def reason_of(verdict: Verdict) -> str:
    """Return why it failed, in words that follow a colon."""
    return _REASONS.get(verdict.kind) or verdict.kind.replace("_", " ")
