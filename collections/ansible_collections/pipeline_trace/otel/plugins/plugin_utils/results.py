# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Makes attributes from Ansible's results: outcome, message, condition, delegation. Nothing else of a result is recorded.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import core, texts

c = core.conventions

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
# The exit status of a command that TERM or INT ended, as Python's subprocess and as shells tell it.
_ABORTS = (-15, -2, 143, 130)
# The error.type of what Ansible did not bring to its end. It is no outcome: Ansible has no result then.
INTERRUPTED = "interrupted"
TOLD = (FAILED, UNREACHABLE, IGNORED, RESCUED)

HIDDEN = "the output has been hidden: no_log is set"
_MESSAGE_LIMIT = 4000
_STDERR_LINES = 10


def data(result: Any) -> Mapping[str, Any]:
    """Return the data of Ansible's result, without a copy.

    Since ansible-core 2.19, ``_result`` copies and converts all of it, outputs of many megabytes too.
    """
    found = getattr(result, "_return_data", None)
    return found if isinstance(found, dict) else result._result


def is_changed(result: Any) -> bool:
    """Return whether Ansible's result changed something."""
    changed = data(result).get("changed")
    # For a loop, Ansible looks at each item.
    return bool(result.is_changed() if changed is None else changed)


def extras(
    outcome: str,
    result: Mapping[str, Any],
    delegated_to: object = None,
    *,
    messages: bool = True,
    items: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the attributes of a host's result, without its outcome. Most results have none.

    ``delegated_to``: the host that ran the task, from the result's task. In a loop it may still be a template; then it is
    left out. ``messages``: whether to include the message of a failure. ``items``: see failure_message.
    """
    found: dict[str, Any] = {}
    if delegated_to and "{{" not in str(delegated_to):
        found[c.ANSIBLE_DELEGATED_TO] = texts.short(str(delegated_to))
    if outcome in TOLD and messages:
        found[c.ANSIBLE_MESSAGE] = failure_message(result, items)
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
        found[c.ANSIBLE_SKIP_CONDITION] = texts.short(result["false_condition"])
    if result.get("skip_reason"):
        found[c.ANSIBLE_SKIP_REASON] = texts.short(result["skip_reason"])
    return found


def failure_message(result: Mapping[str, Any], items: Iterable[str] = ()) -> str:
    """Return the masked message of a failed result: its ``msg`` or ``reason``, and the last lines of its ``stderr``.

    ``items``: for a loop, the masked messages of the items that failed. With ``no_log``, the result is HIDDEN.
    """
    if is_hidden(result):
        return HIDDEN
    # A failed include has only a reason.
    parts = [texts.start(result.get("msg") or result.get("reason") or "", _MESSAGE_LIMIT).strip(), *items]
    stderr = result.get("stderr") or result.get("module_stderr")
    if stderr:
        parts.append(texts.last_lines(stderr, _STDERR_LINES, _MESSAGE_LIMIT).strip())
    message = "\n".join(part for part in parts if part) or "failed without a message"
    return str(core.redact.clip(message, _MESSAGE_LIMIT))


def _failed(result: Mapping[str, Any]) -> bool:
    """Return whether an item or attempt failed. ``failed`` is missing in 2.21, and for attempts in older versions too."""
    for word in ("failed", "failed_when_result"):
        if word in result:
            return bool(result[word])
    return bool(result.get("unreachable") or result.get("exception") or result.get("rc"))


def is_terminated(result: Mapping[str, Any]) -> bool:
    """Return whether a signal of _ABORTS ended the command of a failed result."""
    return result.get("rc") in _ABORTS


def item_label(result: Mapping[str, Any]) -> str:
    """Return the masked label of a loop's item."""
    if is_hidden(result):
        return "(hidden)"
    return texts.short(result.get("_ansible_item_label", result.get("item", "")))


def item(outcome: str, result: Mapping[str, Any], *, messages: bool = True) -> dict[str, Any]:
    """Return the attributes of an ended item of a loop."""
    found = {c.ANSIBLE_ITEM_LABEL: item_label(result), c.ANSIBLE_RESULT: outcome}
    if outcome == FAILED and messages:
        found[c.ANSIBLE_MESSAGE] = texts.short(failure_message(result))
    return found


def retry(attempt: int, result: Mapping[str, Any], *, messages: bool = True) -> dict[str, Any]:
    """Return the attributes of an attempt before a retry, with its message if it failed. ``attempt``: from 1."""
    found: dict[str, Any] = {c.ANSIBLE_ATTEMPT: attempt}
    if result.get("retries"):
        # Ansible's `retries` counts the first attempt too.
        found[c.ANSIBLE_RETRIES_LEFT] = int(result["retries"]) - attempt
    if messages and _failed(result):
        found[c.ANSIBLE_MESSAGE] = texts.short(failure_message(result))
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
        found[c.ANSIBLE_TASK_DELEGATE_TO] = texts.short(str(task.delegate_to))
    if arguments and not task.no_log:
        found[c.ANSIBLE_TASK_ARGUMENTS] = texts.short(dict(task.args))
    return found


def is_hidden(result: Mapping[str, Any]) -> bool:
    """Return whether ``no_log`` is set for a result."""
    return bool(result.get("_ansible_no_log")) or "censored" in result
