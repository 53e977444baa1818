"""Prepares the list of failures above the waterfall: the cause, where it is, and the log around the cause. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..lookup.cause import causes, is_general, said
from ..lookup.states import remark, span_type, state
from ..lookup.tree import Node, leaf_most
from ..lookup.wording import human_length, visible
from ..trace import conventions as c
from ..trace.span import Span

_LOGS = (c.JENKINS_LOG, c.ANSIBLE_MESSAGE)
_MOST_LISTED = 50
_MOST_ANCESTORS = 10
_MOST_LINES = 20
# Of them, so many after the line that decides.
_AFTER = 6
_LONGEST_LINE = 400
# What says of no failure why: the recap with which a playbook's log ends, and lines of brackets.
_SAYS_NOTHING = re.compile(r"\W*|\s*PLAY RECAP \**|\s*\S+ +: ok=\d+ +changed=\d+ .*")


@dataclass(frozen=True)
class Trouble:
    """The list. ``failures``: the number of failures. ``entries``: the first of them, as the template needs them.

    ``unlisted``: how many are not in ``entries``.
    """

    failures: int
    entries: Sequence[dict[str, Any]]
    unlisted: int


def find_trouble(roots: Sequence[Node], rows: Sequence[Node], deciding: Mapping[str, str]) -> Trouble:
    """Return the failures; if nothing failed, what was cancelled. ``deciding``: see Headline."""
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
            entries.append(_entry(node, position, path, deciding))
    return Trouble(failures, entries, len(found) - len(entries))


def _log_of(path: Sequence[Node]) -> tuple[Span, list[str]]:
    """Return the span whose log tells of a failure, and the lines of the log. Secrets are already masked.

    If no step failed, the poller attaches the log to the run.
    """
    span = path[-1].span
    lines = _lines_of(span)
    if not lines and span_type(span) in (c.TYPE_STAGE, c.TYPE_BRANCH):
        run = next((node.span for node in reversed(path[:-1]) if span_type(node.span) == c.TYPE_RUN), None)
        if run:
            return run, _lines_of(run)
    return span, lines


def _lines_of(span: Span) -> list[str]:
    for key in _LOGS:
        text = span.attributes.get(key)
        if isinstance(text, str) and text.strip():
            lines = visible(text.strip("\r\n"), lines=True).splitlines()
            return [line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}\u2026" for line in lines]
    return []


def _around(lines: Sequence[str], at: int | None) -> tuple[Sequence[str], int | None]:
    """Return the lines around the one that decides, and its place among them; the last lines if none does."""
    last = len(lines) if at is None else min(len(lines), max(at + 1 + _AFTER, _MOST_LINES))
    first = max(0, last - _MOST_LINES)
    return lines[first:last], None if at is None else at - first


def _place(lines: Sequence[str], wanted: str) -> int | None:
    """Return the place of the last line with a text. The text may be cut, and its line indented, or a part of JSON."""
    wanted = visible(wanted).strip().removesuffix("\u2026")
    found = [at for at, line in enumerate(lines) if wanted and line.strip().startswith(wanted)]
    found = found or [at for at, line in enumerate(lines) if wanted and wanted in line]
    return found[-1] if found else None


def _entry(node: Node, position: int, path: Sequence[Node], deciding: Mapping[str, str]) -> dict[str, Any]:
    span = node.span
    own = visible(said(span), lines=True)
    logged, lines = _log_of(path)
    at = _place(lines, deciding.get(logged.span_id, ""))
    told = causes(own)
    if not told and lines:
        # Its own words only say that it failed: the line that decides tells more, else the last one.
        ends = [line for line in lines if not is_general(line) and not _SAYS_NOTHING.fullmatch(line)]
        told = [_telling(lines[at], deciding[logged.span_id])] if at is not None else ends[-1:]
    shown, marked = _around(lines, at)
    return {
        "row": position,
        "span": span.span_id,
        "name": visible(span.name),
        "type": span_type(span),
        "state": state(span),
        "remark": remark(span),
        "duration": human_length(span) if span.end_ns else "",
        "path": _path_names(path[:-1]),
        "cause": "\n".join(line.strip() for line in told) or own,
        "log": shown if "\n".join(lines).strip() != "\n".join(told).strip() else [],
        "marked": marked,
        "whole": len(shown) == len(lines),
    }


def _telling(line: str, wanted: str) -> str:
    """Return what a line tells: of one that has more around it, such as JSON, only what decides."""
    wanted = visible(wanted).strip()
    return line if line.strip().startswith(wanted.removesuffix("\u2026")) else wanted


def _path_names(path: Sequence[Node]) -> list[str]:
    shown = [visible(node.span.name) for node in path]
    if len(shown) > _MOST_ANCESTORS:
        return [*shown[:2], "\u2026", *shown[3 - _MOST_ANCESTORS :]]
    return shown
