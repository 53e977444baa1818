"""Returns the type, the state and the failure message of a span."""

from __future__ import annotations

from ..trace import conventions as c
from ..trace.span import ERROR, OK, Span

OTHER = "other"
EXEC = "exec"
SPAN_TYPES = (
    c.TYPE_RUN,
    c.TYPE_QUEUE,
    c.TYPE_AGENT,
    c.TYPE_STAGE,
    c.TYPE_BRANCH,
    c.TYPE_STEP,
    c.TYPE_INPUT,
    c.TYPE_CLEANUP,
    c.TYPE_COMMAND,
    c.TYPE_PLAYBOOK,
    c.TYPE_PLAY,
    c.TYPE_ROLE,
    c.TYPE_BLOCK,
    c.TYPE_TASK,
    c.TYPE_HOST,
    EXEC,
    OTHER,
)

RUNNING = "running"
# Of a trace, not of a span: what is around its spans has not arrived, so nobody knows how it ended.
INCOMPLETE = "incomplete"
NO_STATE = "unset"
# Worst first: the worst state of the root spans is the state of the whole trace.
STATES = (
    c.ERROR,
    c.FAILURE,
    c.TIMEOUT,
    c.CANCELLATION,
    RUNNING,
    INCOMPLETE,
    c.SUCCESS,
    c.SKIP,
    NO_STATE,
)
# How people call them.
STATE_WORDS = {
    c.ERROR: "Error",
    c.FAILURE: "Failed",
    c.TIMEOUT: "Timed out",
    c.CANCELLATION: "Cancelled",
    c.SUCCESS: "Succeeded",
    c.SKIP: "Skipped",
    RUNNING: "Running",
    INCOMPLETE: "Incomplete",
    NO_STATE: "No result",
}

_KNOWN_TYPES = frozenset(SPAN_TYPES)
_RESULT_WORDS = frozenset(STATES) - {RUNNING, INCOMPLETE, NO_STATE}
# Ansible's result comes first: an ignored or rescued failure is a success, whatever the general result says.
_ANSIBLE_RESULTS = (c.ANSIBLE_HOST_RESULT, c.ANSIBLE_TASK_RESULT, c.ANSIBLE_RESULT)
_ANSIBLE_STATES = {
    "ok": c.SUCCESS,
    "changed": c.SUCCESS,
    "ignored": c.SUCCESS,
    "rescued": c.SUCCESS,
    "failed": c.FAILURE,
    "unreachable": c.ERROR,
    "skipped": c.SKIP,
}
_REMARKS = frozenset({"changed", "ignored", "rescued", "unreachable"})


def span_type(span: Span) -> str:
    """Return one of SPAN_TYPES."""
    for key in (c.JENKINS_TYPE, c.ANSIBLE_TYPE, c.SPAN_TYPE):
        value = span.attributes.get(key)
        if isinstance(value, str) and value in _KNOWN_TYPES:
            return value
    return EXEC if c.PROCESS_EXECUTABLE_NAME in span.attributes else OTHER


def state(span: Span) -> str:
    """Return one of STATES, never INCOMPLETE.

    An open span that has not failed is running. A span with status ERROR but without a known result is a failure.
    """
    known = _known_state(span)
    if span.end_ns == 0 and known not in c.FAILED_RESULTS:
        return RUNNING
    return known


def has_failed(span: Span) -> bool:
    """Tell whether a span failed."""
    return state(span) in c.FAILED_RESULTS


def remark(span: Span) -> str:
    """Return the detail that Ansible adds to the state: changed, ignored, rescued, unreachable or an empty string."""
    word = _ansible_word(span)
    return word if word in _REMARKS else ""


def left_out(span: Span) -> str:
    """Return what has no spans below this one, such as ``4 tasks, hosts: 3 ok, 1 changed``; empty if nothing is left out."""
    tasks = span.attributes.get(c.ANSIBLE_TASKS_LEFT_OUT)
    counted = {word: span.attributes.get(f"{c.ANSIBLE_HOSTS_PREFIX}{word}") for word in _ANSIBLE_STATES}
    hosts = ", ".join(f"{count} {word}" for word, count in counted.items() if isinstance(count, int))
    parts = [f"{tasks} tasks"] if isinstance(tasks, int) else []
    return ", ".join([*parts, f"hosts: {hosts}"] if hosts else parts)


def message(span: Span) -> str:
    """Return a span's failure message: the status message, else its exception's, else error.type, else an empty string."""
    if span.status_message:
        return span.status_message
    for event in reversed(span.events):
        text = event.attributes.get("exception.message")
        if isinstance(text, str) and text:
            return text
    kind = span.attributes.get(c.ERROR_TYPE)
    return kind if isinstance(kind, str) else ""


def _ansible_word(span: Span) -> str:
    for key in _ANSIBLE_RESULTS:
        value = span.attributes.get(key)
        if isinstance(value, str) and value in _ANSIBLE_STATES:
            return value
    return ""


def _known_state(span: Span) -> str:
    word = _ansible_word(span)
    if word:
        return _ANSIBLE_STATES[word]
    for key in (c.PIPELINE_RESULT, c.TASK_RUN_RESULT):
        value = span.attributes.get(key)
        if isinstance(value, str) and value in _RESULT_WORDS:
            return value
    if span.status_code == ERROR:
        return c.FAILURE
    return c.SUCCESS if span.status_code == OK else NO_STATE
