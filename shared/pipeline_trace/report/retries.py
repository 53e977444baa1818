"""Finds steps and tasks with more than one attempt: Jenkins' `retry` and Ansible's `until`. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..lookup.states import state
from ..lookup.tree import Node
from ..lookup.wording import visible
from ..trace import conventions as c
from ..trace.span import Span


@dataclass(frozen=True)
class Retry:
    """A step or task with more than one attempt. ``row``: the row of the last attempt. ``state``: its state."""

    row: int
    name: str
    attempts: int
    state: str


def find_retries(rows: Sequence[Node]) -> list[Retry]:
    """Return the retries, in row order."""
    found: dict[tuple[int, str], Retry] = {}
    path: list[Node] = []
    for position, node in enumerate(rows):
        del path[node.depth :]
        parent = path[-1] if path else None
        path.append(node)
        # Spans inside an attempt have its number too: only the outermost counts.
        if parent is None or not _number(parent.span, c.JENKINS_RETRY_ATTEMPT):
            attempts = _attempts(node.span)
            key = id(parent), node.span.name
            if attempts > 1 and (key not in found or attempts > found[key].attempts):
                found[key] = Retry(position, visible(node.span.name), attempts, state(node.span))
    return list(found.values())


def later_attempts(rows: Sequence[Node]) -> Iterator[tuple[int, int]]:
    """Yield the position of each row with more than one attempt, with the number of its attempt or attempts."""
    for position, node in enumerate(rows):
        attempts = _attempts(node.span)
        if attempts > 1:
            yield position, attempts


def _attempts(span: Span) -> int:
    return max(_number(span, c.JENKINS_RETRY_ATTEMPT), _number(span, c.ANSIBLE_ATTEMPTS))


def _number(span: Span, key: str) -> int:
    value = span.attributes.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
