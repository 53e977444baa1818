"""Evaluates Jenkins' ``tree=`` queries on JSON documents.

A query such as ``jobs[name,builds[number]{0,5}],*`` names the fields to show. Does no I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r"[,\[\]{}]|[^,\[\]{}]+")
_DELIMITERS = frozenset(",[]{}")
# Fields that are maps: their keys are data (branches, variables), not field names of a query.
_MAPS = frozenset({"buildsByBranchName", "environment"})


class TreeError(ValueError):
    """A malformed query, which Jenkins answers with 500. ``position``: of the error, in characters from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} at position {position}")
        self.position = position


@dataclass
class Node:
    """What a query wants from a value: fields by name, and for a list the items from ``start`` to ``stop`` (exclusive)."""

    children: dict[str, Node] = field(default_factory=dict)
    start: int = 0
    stop: int | None = None

    def child(self, name: str) -> Node | None:
        """Return what the query wants from the field ``name``; None if it does not want the field."""
        return self.children.get(name) or self.children.get("*")


def parse(tree: str) -> Node:
    """Return the query as nodes. Raises TreeError if the text is malformed or empty."""
    reader = _Reader(tree)
    root = Node(_fields(reader))
    reader.expect("")
    return root


def select(document: Any, node: Node) -> Any:
    """Return the part of ``document`` that ``node`` wants, as a new value. ``_class`` is always included.

    A field without ``[…]`` is included completely if it is a plain value or a list of plain values. Objects in such a
    field, and objects that ``*`` matches, have only their ``_class``.
    """
    if isinstance(document, dict):
        return _select_fields(document, node)
    if isinstance(document, list):
        inner = Node(node.children)
        return [select(item, inner) for item in document[node.start : node.stop]]
    return document


def _select_fields(document: dict[str, Any], node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in document.items():
        if name == "_class":
            found[name] = value
        elif child := node.child(name):
            if name in _MAPS and isinstance(value, dict):
                found[name] = {key: select(entry, child) for key, entry in value.items()}
            else:
                found[name] = select(value, child)
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = [(match.group(), match.start()) for match in _TOKEN.finditer(text)]
        self._tokens.append(("", len(text)))
        self._next = 0

    def peek(self) -> str:
        return self._tokens[self._next][0]

    def take(self) -> str:
        token = self.peek()
        if token:
            self._next += 1
        return token

    def accept(self, token: str) -> bool:
        if self.peek() != token:
            return False
        self._next += 1
        return True

    def expect(self, token: str) -> None:
        if self.peek() != token:
            raise self.error(f"expected {token or 'the end'!r}, found {self.peek() or 'the end'!r}")
        self.take()

    def error(self, message: str) -> TreeError:
        return TreeError(message, self._tokens[self._next][1])


def _fields(reader: _Reader) -> dict[str, Node]:
    fields: dict[str, Node] = {}
    while True:
        name, node = _field(reader)
        fields[name] = node
        if not reader.accept(","):
            return fields


def _field(reader: _Reader) -> tuple[str, Node]:
    if not reader.peek() or reader.peek() in _DELIMITERS:
        raise reader.error("expected a name")
    name = reader.take()
    node = Node()
    if reader.accept("["):
        node.children = _fields(reader)
        reader.expect("]")
    if reader.accept("{"):
        node.start, node.stop = _range(reader)
        reader.expect("}")
    return name, node


def _range(reader: _Reader) -> tuple[int, int | None]:
    # {M,N}, {M,}, {,N}; {N} is the one item N.
    start = None if reader.peek() == "," else _number(reader)
    if not reader.accept(","):
        assert start is not None
        return start, start + 1
    stop = None if reader.peek() == "}" else _number(reader)
    return start or 0, stop


def _number(reader: _Reader) -> int:
    if not reader.peek().strip().isdigit():
        raise reader.error("expected a number")
    return int(reader.take())
