"""The types of attributes, by name: a Map has every value as text. Sources: docs/spans.md, semantic conventions 1.44.0."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ...trace import conventions as c

_INTEGERS = frozenset(
    {
        c.DROPPED_ATTRIBUTES,
        c.DROPPED_EVENTS,
        c.DROPPED_LINKS,
        c.HTTP_RESPONSE_STATUS_CODE,
        c.PROCESS_EXIT_CODE,
        c.LEFT_OUT_EVENTS,
        c.LEFT_OUT_CHARACTERS,
        c.JENKINS_TESTS_TOTAL,
        c.JENKINS_TESTS_FAILED,
        c.JENKINS_TESTS_SKIPPED,
        c.JENKINS_CHANGE_AUTHORS,
        c.JENKINS_RETRY_ATTEMPT,
        c.JENKINS_HELD_MS,
        c.JENKINS_CLOCK_SKEW_MS,
        *c.JENKINS_QUEUE_PHASES.values(),
        c.ANSIBLE_DIFFS,
        c.ANSIBLE_ATTEMPT,
        c.ANSIBLE_ATTEMPTS,
        c.ANSIBLE_RETRIES_LEFT,
        c.ANSIBLE_DURATION_MS,
        c.ANSIBLE_EVENTS_LEFT_OUT,
        c.ANSIBLE_TASKS_LEFT_OUT,
        *(c.OPEN_START, c.WAIT_SINCE),
        # The event `recap`.
        *("ok", "changed", "failures", "unreachable", "skipped", "rescued", "ignored"),
        # Of other tools: semantic conventions.
        *("process.pid", "process.parent_pid", "thread.id", "server.port", "client.port", "network.peer.port"),
        *("http.request.body.size", "http.response.body.size", "http.request.resend_count", "code.line.number"),
    }
)
_INTEGER_PREFIXES = (c.ANSIBLE_STATS_PREFIX, c.ANSIBLE_HOSTS_PREFIX)
_FLOATS = frozenset({c.FAILURE_CONFIDENCE, c.OPEN_INTERVAL, f"{c.ANSIBLE_PLAY_PREFIX}max_fail_percentage"})
_BOOLEANS = frozenset(
    {
        c.GIT_CLEAN,
        c.JENKINS_STAGE_ASSUMED,
        c.JENKINS_TIMES_UNKNOWN,
        c.JENKINS_GRAPH_TOO_LARGE,
        c.ANSIBLE_CHECK_MODE,
        c.WAIT_STUCK,
        c.ANSIBLE_TASK_HANDLER,
        c.ANSIBLE_TASK_ASYNC,
        c.ANSIBLE_ASYNC_FINISHED,
        *(f"{c.ANSIBLE_TASK_PREFIX}{name}" for name in ("run_once", "check_mode", "no_log", "ignore_errors")),
        f"{c.ANSIBLE_PLAY_PREFIX}any_errors_fatal",
    }
)
_LISTS = frozenset(
    {
        c.JENKINS_CAUSES,
        c.JENKINS_AGENTS,
        c.JENKINS_HELD_LABELS,
        c.JENKINS_HELD_WORKERS,
        c.JENKINS_HELD_LENGTHS_MS,
        c.JENKINS_INTERRUPTIONS,
        c.JENKINS_INTERRUPTION_DESCRIPTIONS,
        c.JENKINS_OTHER_REVISIONS,
        c.JENKINS_OTHER_REPOSITORIES,
        c.JENKINS_STAGE_CANDIDATES,
        c.ANSIBLE_TASK_NOTIFIED_BY,
        *("process.command_args", "host.ip", "host.mac"),
        *(c.PLUGIN_PARAMETER_NAMES, c.PLUGIN_PARAMETER_VALUES, c.PLUGIN_PARAMETER_SECRETS, c.PLUGIN_STEP_INTERRUPTIONS),
    }
)
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_WORDS = {"true": True, "false": False}


def typed(attributes: Mapping[str, str]) -> dict[str, Any]:
    """Return attributes with the types that their names have; what does not fit its type stays text."""
    return {name: _typed(name, text) for name, text in attributes.items()}


def of_json(name: str, value: Any) -> Any:
    """Return a value from a column of the type JSON, in which 1.0 is 1."""
    return float(value) if name in _FLOATS and type(value) is int else value


def _typed(name: str, text: str) -> Any:
    if name in _INTEGERS or name.startswith(_INTEGER_PREFIXES):
        return int(text) if _WHOLE.fullmatch(text) else text
    if name in _BOOLEANS:
        return _WORDS.get(text, text)
    if name in _FLOATS:
        return _float(text)
    return _listed(text) if name in _LISTS else text


def _float(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _listed(text: str) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found if isinstance(found, list) else text
