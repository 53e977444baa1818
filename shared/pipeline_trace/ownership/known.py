"""Judges a failure by what Jenkins and Ansible know of it, without its text. Pure."""

from __future__ import annotations

from .. import conventions as c
from ..span import Span
from .failure import Failure
from .verdict import DEV, OPS, UNKNOWN, Verdict

# Interruptions and exceptions that say that the agent or the controller went away.
_AGENT_LOST = frozenset(
    {
        "RemovedNodeCause",
        "RemovedNodeTimeoutCause",
        "ChannelClosedException",
        "ClosedChannelException",
        "RequestAbortedException",
        "AgentOfflineException",
        "MissingContextVariableException",
    }
)


def judge(failure: Failure) -> Verdict | None:
    """Return what the platform itself says, None where it says nothing of whose it is."""
    for span in reversed(failure.path):
        kind = str(span.attributes.get(c.ERROR_TYPE) or "")
        interruptions = span.attributes.get("jenkins.interruptions")
        if kind in _AGENT_LOST or (isinstance(interruptions, list) and _AGENT_LOST & {str(i) for i in interruptions}):
            agent = failure.agent or "the agent"
            return Verdict(OPS, "agent_lost", 0.9, [_said(span), f"agent: {agent}"], f"Ops looks at {agent}; run it again.")
        if kind == "NodeRestartedCause" or span.attributes.get(c.PIPELINE_RESULT) == c.ERROR:
            return Verdict(OPS, "platform", 0.85, [_said(span)], "Ops looks at the controller; run it again.")
    return _timeout(failure) or _tests(failure)


def _tests(failure: Failure) -> Verdict | None:
    """Tests that failed without failing a step: `junit` only marks the build."""
    run = failure.run
    failed = run.attributes.get("jenkins.tests.failed") if run else None
    if run is None or not failed or failure.log:
        return None
    events = [event.attributes for event in run.events if event.name == "test failed"]
    names = [f"{one.get('test.suite.name')} {one.get('test.case.name')}" for one in events]
    evidence = [f"tests failed: {', '.join(names[:5])}" if names else "tests failed", f"{failed} tests failed"]
    return Verdict(DEV, "test_failure", 0.75, evidence, "Dev looks at the tests that failed.")


def _timeout(failure: Failure) -> Verdict | None:
    """A time limit ended it: what it waited for is known only where it was no step of its own."""
    for span in reversed(failure.path):
        if span.attributes.get(c.TASK_RUN_RESULT) != c.TIMEOUT and span.attributes.get(c.PIPELINE_RESULT) != c.TIMEOUT:
            continue
        if failure.span.attributes.get(c.JENKINS_TYPE) == c.TYPE_INPUT:
            then = "Ask who may approve; nobody did within the time limit."
            return Verdict(UNKNOWN, "waiting_for_approval", 0.9, [f"{failure.span.name} ran into its time limit"], then)
        if failure.span.attributes.get(c.JENKINS_TYPE) == c.TYPE_AGENT:
            then = "Ops brings an agent with this label online, or adds one."
            return Verdict(OPS, "no_agent", 0.85, [f"{failure.span.name} ran into its time limit"], then)
        if not failure.log:
            then = "Compare the time with that of earlier runs; nothing says what hung."
            return Verdict(UNKNOWN, "timeout", 0.5, [_said(span)], then)
    return None


def interrupted(run: Span) -> Verdict | None:
    """Return what is to be said of a build that was aborted: nothing failed."""
    if run.attributes.get(c.PIPELINE_RESULT) != c.CANCELLATION:
        return None
    said = run.attributes.get("jenkins.interruption.descriptions")
    evidence = [str(one) for one in said] if isinstance(said, list) else ["the build was aborted"]
    return Verdict(UNKNOWN, "aborted", 0.9, evidence, "Ask who aborted it; nothing had failed.")


def _said(span: Span) -> str:
    kind = span.attributes.get(c.ERROR_TYPE) or span.attributes.get(c.PIPELINE_RESULT)
    return f"{span.name}: {span.status_message or kind}"
