# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What a result says, as attributes: outcome, message, condition, delegation. Nothing else of a result leaves. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import core

c = core.conventions
masked = core.redact.masked

OK, CHANGED, FAILED, IGNORED = "ok", "changed", "failed", "ignored"
RESCUED, UNREACHABLE, SKIPPED = "rescued", "unreachable", "skipped"

# What a host's outcome is in the words of the conventions. `error`: the platform failed, not what ran on it.
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
    """Return the attributes of a host's result beyond its outcome; most have none.

    ``delegated_to``: the host that did it, as the result's task says it; a loop's may be a template still.
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
    """Return what a failed result says, masked: its ``msg`` and the last lines of its ``stderr``.

    Of a loop, the messages of the items that failed. Under ``no_log`` the result is censored, and only that is said.
    """
    if is_hidden(result):
        return HIDDEN
    parts = [str(result.get("msg") or "").strip()]
    failed = [item for item in result.get("results") or () if isinstance(item, Mapping) and _failed(item)]
    for item in failed[:_STDERR_LINES]:
        parts.append(f"{item_label(item)}: {failure_message(item)}")
    stderr = str(result.get("stderr") or result.get("module_stderr") or "").strip()
    if stderr:
        # Masked before it is cut: a secret over several lines shows by its first one.
        stderr = masked(stderr[-_MOST_STDERR:])
        parts.append("\n".join(stderr.splitlines()[-_STDERR_LINES:]))
    message = "\n".join(part for part in parts if part) or "failed without a message"
    return str(core.redact.clip(masked(message), _MESSAGE_LIMIT))


def _failed(result: Mapping[str, Any]) -> bool:
    """Tell whether an item or attempt failed. Callbacks are not told by ``failed``: by 2.21 never, else not of attempts."""
    for word in ("failed", "failed_when_result"):
        if word in result:
            return bool(result[word])
    return bool(result.get("unreachable") or result.get("exception") or result.get("rc"))


def item_label(result: Mapping[str, Any]) -> str:
    """Return the label of a loop's item, masked."""
    if is_hidden(result):
        return "(hidden)"
    label = result.get("_ansible_item_label", result.get("item", ""))
    return short(label if isinstance(label, str) else str(label))


def item(outcome: str, result: Mapping[str, Any], *, messages: bool = True) -> dict[str, Any]:
    """Return the attributes of a loop's item that ended."""
    found = {c.ANSIBLE_ITEM_LABEL: item_label(result), c.ANSIBLE_RESULT: outcome}
    if outcome == FAILED and messages:
        found[c.ANSIBLE_MESSAGE] = short(failure_message(result))
    return found


def retry(attempt: int, result: Mapping[str, Any], *, messages: bool = True) -> dict[str, Any]:
    """Return the attributes of an attempt that was not the last one; what it says only where it failed."""
    found: dict[str, Any] = {c.ANSIBLE_ATTEMPT: attempt}
    if result.get("retries"):
        # Ansible's `retries` counts the first attempt too.
        found[c.ANSIBLE_RETRIES_LEFT] = int(result["retries"]) - attempt
    if messages and _failed(result):
        found[c.ANSIBLE_MESSAGE] = short(failure_message(result))
    return found


def asynchronous(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of an answer to the question whether an asynchronous job is done."""
    found: dict[str, Any] = {c.ANSIBLE_ASYNC_JOB_ID: str(result.get("ansible_job_id") or "")}
    found[c.ANSIBLE_ASYNC_FINISHED] = bool(result.get("finished"))
    return found


def task(task: Any, *, arguments: bool) -> dict[str, Any]:
    """Return the attributes of a task that starts; what is as usual is left out.

    ``arguments``: whether the arguments leave, as written in the playbook (they are not templated yet).
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
    """Tell whether ``no_log`` holds for a result."""
    return bool(result.get("_ansible_no_log")) or "censored" in result


def short(value: str) -> str:
    """Return a text masked and of bounded length."""
    return str(core.redact.clip(masked(value), _SHORT_LIMIT))
