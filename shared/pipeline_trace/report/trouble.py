"""Prepares the list of failures above the waterfall, each with the end of its log. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..lookup.states import message, remark, span_type, state
from ..lookup.tree import Node, leaf_most
from ..lookup.wording import human_length, visible
from ..trace import conventions as c
from ..trace.span import Span

_LOGS = (c.JENKINS_LOG, c.ANSIBLE_MESSAGE)
_MOST_LISTED = 50
_MOST_ANCESTORS = 10
_MOST_LINES = 20
_LONGEST_LINE = 400


@dataclass(frozen=True)
class Trouble:
    """The list. ``failures``: the number of failures. ``entries``: the first of them, as the template needs them.

    ``unlisted``: how many are not in ``entries``.
    """

    failures: int
    entries: Sequence[dict[str, Any]]
    unlisted: int


def find_trouble(roots: Sequence[Node], rows: Sequence[Node]) -> Trouble:
    """Return the failures; if nothing failed, what was cancelled."""
    found = leaf_most(roots, c.FAILED_RESULTS)
    failures = len(found)
    if not found:
        found = leaf_most(roots, frozenset({c.CANCELLATION}))
    path: list[Node] = []
    listed = {id(node) for node in found[:_MOST_LISTED]}
    entries = []
    for position, node in enumerate(rows):
        del path[node.depth :]
        path.append(node)
        if id(node) in listed:
            entries.append(_entry(node, position, path))
    return Trouble(failures, entries, len(found) - len(entries))


def log_lines(span: Span) -> list[str]:
    """Return the last lines of a failed span's log, each cut if it is very long. Secrets are already masked."""
    for key in _LOGS:
        text = span.attributes.get(key)
        if isinstance(text, str) and text.strip():
            lines = visible(text.strip("\r\n"), lines=True).splitlines()[-_MOST_LINES:]
            return [line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}\u2026" for line in lines]
    return []


def _entry(node: Node, position: int, path: Sequence[Node]) -> dict[str, Any]:
    span = node.span
    said = visible(message(span).strip(), lines=True)
    lines = log_lines(span) or _log_above(path)
    text = "\n".join(lines).strip()
    return {
        "row": position,
        "name": visible(span.name),
        "type": span_type(span),
        "state": state(span),
        "remark": remark(span),
        "duration": human_length(span) if span.end_ns else "",
        "path": _path_names(path[:-1]),
        "message": said,
        "log": lines if text != said else [],
        "log_says_it": said in text,
    }


def _log_above(path: Sequence[Node]) -> list[str]:
    """Return the run's log for a failed stage or branch. If no step failed, the poller attaches the log to the run."""
    run = next((node.span for node in reversed(path[:-1]) if span_type(node.span) == c.TYPE_RUN), None)
    return log_lines(run) if run and span_type(path[-1].span) in (c.TYPE_STAGE, c.TYPE_BRANCH) else []


def _path_names(path: Sequence[Node]) -> list[str]:
    shown = [visible(node.span.name) for node in path]
    if len(shown) > _MOST_ANCESTORS:
        return [*shown[:2], "\u2026", *shown[3 - _MOST_ANCESTORS :]]
    return shown
