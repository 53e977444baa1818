# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Makes attributes from Ansible's results: outcome, message, condition, delegation. Nothing else of a result is recorded.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import core

c = core.conventions
masked = core.redact.masked

OK, CHANGED, FAILED, IGNORED = "ok", "changed", "failed", "ignored"
RESCUED, UNREACHABLE, SKIPPED = "rescued", "unreachable", "skipped"

# The result of each outcome, in the words of the semantic conventions. `error`: the platform failed, not the work on it.
WORDS = {
    OK: c.SUCCESS,
    CHANGED: c.SUCCESS,
    FAILED: c.FAILURE,
    IGNORED: c.FAILURE,
    RESCUED: c.FAILURE,
    UNREACHABLE: c.ERROR,
    SKIPPED: c.SKIP,
}
BAD = (FAILED, UNREACHABLE)
TOLD = (FAILED, UNREACHABLE, IGNORED, RESCUED)

HIDDEN = "the output has been hidden: no_log is set"
_MESSAGE_LIMIT = 4000
_SHORT_LIMIT = 500
_STDERR_LINES = 10
_MOST_STDERR = 65536


def extras(outcome: str, result: Mapping[str, Any], delegated_to: object = None, *, messages: bool = True) -> dict[str, Any]:
    """Return the attributes of a host's result, without its outcome. Most results have none.

    ``delegated_to``: the host that ran the task, from the result's task. In a loop it may still be a template; then it is
    left out. ``messages``: whether to include the message of a failure.
    """
    found: dict[str, Any] = {}
    if delegated_to and "{{" not in str(delegated_to):
        found[c.ANSIBLE_DELEGATED_TO] = short(str(delegated_to))
    if outcome in TOLD and messages:
        found[c.ANSIBLE_MESSAGE] = failure_message(result)
    if outcome == SKIPPED:
        found.update(_skip(result))
    if result.get("attempts"):
        found[c.ANSIBLE_ATTEMPTS] = int(result["attempts"])
    return found


def _skip(result: Mapping[str, Any]) -> dict[str, Any]:
    if is_hidden(result):
        return {}
    found = {}
    if result.get("false_condition") is not None:
        found[c.ANSIBLE_SKIP_CONDITION] = short(str(result["false_condition"]))
    if result.get("skip_reason"):
        found[c.ANSIBLE_SKIP_REASON] = short(str(result["skip_reason"]))
    return found


def failure_message(result: Mapping[str, Any]) -> str:
    """Return the masked message of a failed result: its ``msg`` and the last lines of its ``stderr``.

    For a loop, this includes the messages of the failed items. With ``no_log``, the result is HIDDEN.
    """
    if is_hidden(result):
        return HIDDEN
    parts = [str(result.get("msg") or "").strip()]
    failed = [item for item in result.get("results") or () if isinstance(item, Mapping) and _failed(item)]
    for item in failed[:_STDERR_LINES]:
        parts.append(f"{item_label(item)}: {failure_message(item)}")
    stderr = str(result.get("stderr") or result.get("module_stderr") or "").strip()
    if stderr:
        # Mask before the cut: a secret over several lines is known by its first line.
        stderr = masked(stderr[-_MOST_STDERR:])
        parts.append("\n".join(stderr.splitlines()[-_STDERR_LINES:]))
    message = "\n".join(part for part in parts if part) or "failed without a message"
    return str(core.redact.clip(masked(message), _MESSAGE_LIMIT))


def _failed(result: Mapping[str, Any]) -> bool:
    """Return whether an item or attempt failed. ``failed`` is missing in 2.21, and for attempts in older versions too."""
    for word in ("failed", "failed_when_result"):
        if word in result:
            return bool(result[word])
    return bool(result.get("unreachable") or result.get("exception") or result.get("rc"))


def item_label(result: Mapping[str, Any]) -> str:
    """Return the masked label of a loop's item."""
    if is_hidden(result):
        return "(hidden)"
    label = result.get("_ansible_item_label", result.get("item", ""))
    return short(label if isinstance(label, str) else str(label))


def item(outcome: str, result: Mapping[str, Any], *, messages: bool = True) -> dict[str, Any]:
    """Return the attributes of an ended item of a loop."""
    found = {c.ANSIBLE_ITEM_LABEL: item_label(result), c.ANSIBLE_RESULT: outcome}
    if outcome == FAILED and messages:
        found[c.ANSIBLE_MESSAGE] = short(failure_message(result))
    return found


def retry(attempt: int, result: Mapping[str, Any], *, messages: bool = True) -> dict[str, Any]:
    """Return the attributes of an attempt before a retry, with its message if it failed. ``attempt``: from 1."""
    found: dict[str, Any] = {c.ANSIBLE_ATTEMPT: attempt}
    if result.get("retries"):
        # Ansible's `retries` counts the first attempt too.
        found[c.ANSIBLE_RETRIES_LEFT] = int(result["retries"]) - attempt
    if messages and _failed(result):
        found[c.ANSIBLE_MESSAGE] = short(failure_message(result))
    return found


def asynchronous(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of the status of an asynchronous job."""
    found: dict[str, Any] = {c.ANSIBLE_ASYNC_JOB_ID: str(result.get("ansible_job_id") or "")}
    found[c.ANSIBLE_ASYNC_FINISHED] = bool(result.get("finished"))
    return found


def task(task: Any, *, arguments: bool) -> dict[str, Any]:
    """Return the attributes of a task that begins, without keywords that have their default value.

    ``arguments``: whether to include the task's arguments, as written in the playbook (before templating).
    """
    found: dict[str, Any] = {c.ANSIBLE_TASK_ACTION: str(task.action)}
    for name in ("run_once", "check_mode", "no_log", "ignore_errors"):
        if getattr(task, name, None) is True:
            found[f"{c.ANSIBLE_TASK_PREFIX}{name}"] = True
    if getattr(task, "async_val", 0):
        found[c.ANSIBLE_TASK_ASYNC] = True
    if getattr(task, "delegate_to", None):
        found[c.ANSIBLE_TASK_DELEGATE_TO] = short(str(task.delegate_to))
    if arguments and not task.no_log:
        found[c.ANSIBLE_TASK_ARGUMENTS] = short(str(dict(task.args)))
    return found


def is_hidden(result: Mapping[str, Any]) -> bool:
    """Return whether ``no_log`` is set for a result."""
    return bool(result.get("_ansible_no_log")) or "censored" in result


def short(value: str) -> str:
    """Return the masked text, cut to _SHORT_LIMIT characters."""
    return str(core.redact.clip(masked(value), _SHORT_LIMIT))
