# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Finds the roles, named blocks and includes that a task is in.

This reads only fields of Ansible's playbook objects that ansible-core 2.16 to 2.21 all have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

ROLE, BLOCK, INCLUDE = "role", "block", "include"


@dataclass(frozen=True)
class Group:
    """A role, a named block or an include. ``uuid`` is unique in one Ansible command."""

    kind: str
    uuid: str
    name: str


def groups(task: Any) -> list[Group]:
    """Return the groups that a task is in, outer before inner."""
    found: list[Group] = []
    role: Any = None
    for node in reversed(list(_ancestors(task))):
        role = _enter_role(found, role, node)
        if is_include(node):
            found.append(Group(INCLUDE, str(node._uuid), str(node.name or node.action)))
        elif hasattr(node, "rescue") and node.name:
            found.append(Group(BLOCK, str(node._uuid), str(node.name)))
    _enter_role(found, role, task)
    return found


def _enter_role(found: list[Group], role: Any, node: Any) -> Any:
    """Add the role of a node if it differs from the role around it. Return the node's role."""
    own = getattr(node, "_role", None)
    if own is not None and own is not role:
        found.append(Group(ROLE, str(own._uuid), str(own.get_name())))
    return own if own is not None else role


def _ancestors(task: Any) -> Iterator[Any]:
    """Yield the blocks and includes around a task, inner before outer."""
    node = getattr(task, "_parent", None)
    while node is not None:
        yield node
        node = getattr(node, "_parent", None)


def is_include(node: Any) -> bool:
    """Return whether a task is a dynamic include. A static import is no task that hosts run."""
    return hasattr(node, "statically_loaded") and not node.statically_loaded


def handler_names(handler: Any) -> Set[str]:
    """Return the names by which tasks can notify a handler: its own names, and the topics that it listens to."""
    names = {handler.name, handler.get_name(include_role_fqcn=False), handler.get_name(), *words(handler.listen)}
    return {str(name) for name in names if name}


def words(value: Any) -> Sequence[str]:
    """Return the names in a field that may hold one name or a list of names."""
    return [str(name) for name in value] if isinstance(value, (list, tuple)) else [str(value)] if value else ()


def short_name(task: Any) -> str:
    """Return a task's name without the prefix of its role, which has its own span."""
    name = str(task.get_name()).strip()
    role = getattr(task, "_role", None)
    prefix = f"{role.get_name()} : " if role is not None else ""
    return name[len(prefix) :] if prefix and name.startswith(prefix) else name
