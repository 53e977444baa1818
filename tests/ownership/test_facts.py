"""The judge of what Jenkins and Ansible know, on the spans' own attributes."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline_trace.ownership import facts
from pipeline_trace.trace import conventions as c

RUN = {c.JENKINS_TYPE: c.TYPE_RUN}
STEP = {c.JENKINS_TYPE: c.TYPE_STEP}
HOUR = 3_600_000


def said(attributes: dict[str, Any], **more: int) -> tuple[str, str] | None:
    verdict = facts.verdict_of_facts(attributes, **more)
    return (verdict.owner, verdict.kind) if verdict else None


@pytest.mark.parametrize(
    ("attributes", "verdict"),
    [
        ({**RUN, "jenkins.interruptions": ["RemovedNodeCause"]}, ("ops", "agent_lost")),
        ({**STEP, c.ERROR_TYPE: "hudson.remoting.ChannelClosedException"}, ("ops", "agent_lost")),
        ({**RUN, c.PIPELINE_RESULT: c.TIMEOUT}, ("unknown", "timeout")),
        ({**STEP, c.TASK_RUN_RESULT: c.TIMEOUT, c.ERROR_TYPE: c.TIMEOUT}, ("unknown", "timeout")),
        ({**RUN, c.PIPELINE_RESULT: c.CANCELLATION}, ("unknown", "aborted")),
        ({**RUN, c.PIPELINE_RESULT: c.CANCELLATION, "jenkins.interruptions": ["CanceledCause"]}, ("unknown", "superseded")),
        ({**RUN, c.PIPELINE_RESULT: c.FAILURE, c.ERROR_TYPE: "FAILURE"}, None),
        ({**RUN, c.PIPELINE_RESULT: c.SUCCESS}, None),
        ({c.ANSIBLE_TYPE: c.TYPE_HOST, "ansible.result": "unreachable"}, ("ops", "host_unreachable")),
        ({c.ANSIBLE_TYPE: c.TYPE_HOST, "ansible.result": "failed", c.ERROR_TYPE: "failed"}, None),
        ({c.ANSIBLE_TYPE: c.TYPE_PLAY, "ansible.play.no_hosts": "matched"}, ("dev", "playbook_error")),
        ({c.ANSIBLE_TYPE: c.TYPE_PLAY, "ansible.play.no_hosts": "remaining"}, None),
        ({c.JENKINS_TYPE: c.TYPE_INPUT, c.TASK_RUN_RESULT: c.CANCELLATION}, ("unknown", "not_approved")),
        ({c.JENKINS_TYPE: c.TYPE_INPUT, c.TASK_RUN_RESULT: c.SUCCESS}, None),
    ],
)
def test_what_ended(attributes: dict[str, Any], verdict: tuple[str, str] | None) -> None:
    assert said(attributes) == verdict


def test_who_aborted_it_is_in_the_evidence() -> None:
    verdict = facts.verdict_of_facts(
        {**RUN, c.PIPELINE_RESULT: c.CANCELLATION, "jenkins.interruption.descriptions": ["Aborted by ada"]}
    )
    assert verdict
    assert verdict.evidence == ["Aborted by ada"]


def test_agent_that_was_lost_is_named() -> None:
    verdict = facts.verdict_of_facts({**STEP, c.ERROR_TYPE: "ChannelClosedException", c.WORKER_NAME: "agent-9"})
    assert verdict
    assert "agent-9" in verdict.next


def test_waits() -> None:
    agent = {c.JENKINS_TYPE: c.TYPE_AGENT, "jenkins.agent.label": "linux"}
    assert said(agent, open_ms=HOUR) == ("ops", "no_agent")
    assert said(agent, waited_ms=HOUR) == ("ops", "no_agent")
    assert said(agent, waited_ms=900) is None
    assert said(agent) is None
    queue = {c.JENKINS_TYPE: c.TYPE_QUEUE, "jenkins.queue.buildable_ms": HOUR, "jenkins.queue.blocked_ms": 0}
    assert said(queue, waited_ms=HOUR) == ("ops", "no_agent")
    assert said({**queue, "jenkins.queue.blocked_ms": HOUR}, waited_ms=HOUR) == ("unknown", "blocked_in_queue")
    verdict = facts.verdict_of_facts(agent, open_ms=2 * HOUR + 60_000)
    assert verdict
    assert verdict.evidence == ["waited 2 h 01 min for an agent with the label linux"]


def test_a_wait_for_a_person_is_said_with_its_time() -> None:
    verdict = facts.verdict_of_facts({c.JENKINS_TYPE: c.TYPE_INPUT}, open_ms=HOUR)
    assert verdict
    assert (verdict.kind, verdict.evidence) == ("waiting_for_approval", ["has waited 1 h 00 min for an approval"])
