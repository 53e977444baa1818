"""Gives verdicts from the facts that Jenkins and Ansible record on a span, without its log. Does no I/O.

docs/spans.md lists the attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..lookup.wording import human_ms
from ..place.ci.jenkins.documents import PLATFORM_FAILURES
from ..trace import conventions as c
from .verdict import DEV, OPS, UNKNOWN, Verdict

_TIMEOUTS = frozenset(("ExceededTimeout", "timeout"))
# A shorter wait for a queue or an agent gets no verdict, in milliseconds.
_LONG_MS = 60_000


def verdict_of_facts(
    attributes: Mapping[str, Any], *, open_ms: int | None = None, waited_ms: int | None = None
) -> Verdict | None:
    """Return the verdict on a span that failed or waits; None if its facts do not decide.

    ``open_ms``: how long an open span has run. ``waited_ms``: the duration of a queue or agent span. Both in milliseconds.
    """
    kind = attributes.get(c.JENKINS_TYPE) or attributes.get(c.SPAN_TYPE)
    if kind in (c.TYPE_QUEUE, c.TYPE_AGENT):
        return _waiting(attributes, kind, waited_ms if open_ms is None else open_ms)
    if kind == c.TYPE_INPUT:
        return _input(attributes, open_ms)
    return _interrupted(attributes) or _ansible(attributes)


def _waiting(attributes: Mapping[str, Any], kind: str, ms: int | None) -> Verdict | None:
    if ms is None or ms < _LONG_MS:
        return None
    label = attributes.get(c.JENKINS_AGENT_LABEL)
    buildable = attributes.get(c.JENKINS_QUEUE_BUILDABLE_MS)
    blocked = attributes.get(c.JENKINS_QUEUE_BLOCKED_MS)
    if kind == c.TYPE_QUEUE and isinstance(blocked, int) and blocked > ms / 2:
        times = f"{human_ms(blocked)} of {human_ms(ms)}"
        evidence = [f"blocked in the queue for {times} by another build of the same job, or by a lock"]
        return Verdict(UNKNOWN, "blocked_in_queue", 0.6, evidence, "Look at the build that it waits for, or at the lock.")
    evidence = [f"waited {human_ms(ms)} for an agent" + (f" with the label {label}" if label else "")]
    if isinstance(buildable, int):
        evidence.append(f"ready to run for {human_ms(buildable)}, but no executor was free")
    then = f"Ops adds capacity for {label}, or brings its agents back." if label else "Ops adds capacity."
    return Verdict(OPS, "no_agent", 0.8, evidence, then)


def _input(attributes: Mapping[str, Any], open_ms: int | None) -> Verdict | None:
    who = attributes.get(c.JENKINS_INPUT_ANSWERED_BY)
    if open_ms is not None:
        # Neither team is at fault: the build waits for a person.
        evidence = [f"has waited {human_ms(open_ms)} for an approval"]
        return Verdict(UNKNOWN, "waiting_for_approval", 0.9, evidence, "A person who may approve it approves or aborts it.")
    if attributes.get(c.TASK_RUN_RESULT) in (c.SUCCESS, None):
        return None
    evidence = [f"{who} aborted it instead of approving it" if who else "nobody approved it"]
    return Verdict(UNKNOWN, "not_approved", 0.8, evidence, f"Ask {who or 'who should have approved it'}.")


def _interrupted(attributes: Mapping[str, Any]) -> Verdict | None:
    causes = {str(cause) for cause in attributes.get(c.JENKINS_INTERRUPTIONS) or ()}
    causes.add(str(attributes.get(c.ERROR_TYPE) or "").rpartition(".")[2])
    said = [str(text) for text in attributes.get(c.JENKINS_INTERRUPTION_DESCRIPTIONS) or ()]
    worker = attributes.get(c.WORKER_NAME)
    result = attributes.get(c.PIPELINE_RESULT) or attributes.get(c.TASK_RUN_RESULT)
    if causes & PLATFORM_FAILURES:
        evidence = [*said, f"Jenkins lost the agent: {', '.join(sorted(causes & PLATFORM_FAILURES))}"]
        where = f" {worker}" if worker else ""
        return Verdict(OPS, "agent_lost", 0.95, evidence, f"Ops looks at the agent{where}; then run the build again.")
    if result == c.TIMEOUT or causes & _TIMEOUTS:
        then = "Compare its duration with the usual one; look at what ran last."
        return Verdict(UNKNOWN, "timeout", 0.5, [*said, "the pipeline's time limit was exceeded"], then)
    if result == c.CANCELLATION:
        evidence = said or ["it was cancelled"]
        kind = "superseded" if "SupersededCause" in " ".join(causes) or "CanceledCause" in causes else "aborted"
        return Verdict(UNKNOWN, kind, 0.8, evidence, "Nothing failed; ask who cancelled it.")
    return None


def _ansible(attributes: Mapping[str, Any]) -> Verdict | None:
    if attributes.get(c.ANSIBLE_PLAY_NO_HOSTS) == "matched":
        evidence = ["no host of the inventory matched the play"]
        return Verdict(DEV, "playbook_error", 0.85, evidence, "Dev checks the hosts of the play and the inventory.")
    if attributes.get(c.ANSIBLE_RESULT) == "unreachable" or attributes.get(c.ERROR_TYPE) == "unreachable":
        evidence = [str(attributes.get(c.ANSIBLE_MESSAGE) or "Ansible could not reach the host")]
        return Verdict(OPS, "host_unreachable", 0.8, evidence, "Ops looks at the host; the change is not the cause.")
    return None
