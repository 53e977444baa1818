# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What a task is inside: roles, named blocks and includes, from the play inwards; and what its failure means.

Reads Ansible's playbook objects, by the few fields that ansible-core 2.16 to 2.21 have in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

ROLE, BLOCK, INCLUDE = "role", "block", "include"


@dataclass(frozen=True)
class Group:
    """A role, a named block, or an include whose tasks are inside it. ``uuid`` is unique in the run."""

    kind: str
    uuid: str
    name: str


def groups(task: Any) -> list[Group]:
    """Return what a task is inside, outer before inner."""
    found: list[Group] = []
    role: Any = None
    for node in reversed(list(_ancestors(task))):
        role = _enter_role(found, role, node)
        if _is_include(node):
            found.append(Group(INCLUDE, str(node._uuid), str(node.name or node.action)))
        elif hasattr(node, "rescue") and node.name:
            found.append(Group(BLOCK, str(node._uuid), str(node.name)))
    _enter_role(found, role, task)
    return found


def _enter_role(found: list[Group], role: Any, node: Any) -> Any:
    """Note that a node is in a role that what is around it is not in; return its role."""
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


def _is_include(node: Any) -> bool:
    # Static imports leave no task behind that hosts run; what they bring is in its role or block.
    return hasattr(node, "statically_loaded") and not node.statically_loaded


def is_rescued(task: Any) -> bool:
    """Tell whether a failure of a task leads to the ``rescue`` of a block around it."""
    inner = task
    for node in _ancestors(task):
        if getattr(node, "rescue", None) and _holds(node.block, inner):
            return True
        inner = node
    return False


def _holds(tasks: Any, wanted: Any) -> bool:
    return any(item._uuid == wanted._uuid for item in tasks)


def handler_names(handler: Any) -> Set[str]:
    """Return the words by which tasks may notify a handler: its names and the topics that it listens to."""
    names = {handler.name, handler.get_name(include_role_fqcn=False), handler.get_name(), *words(handler.listen)}
    return {str(name) for name in names if name}


def words(value: Any) -> Sequence[str]:
    """Return what a field of names holds, which may be written as one name or as a list of them."""
    return [str(name) for name in value] if isinstance(value, (list, tuple)) else [str(value)] if value else ()


def short_name(task: Any) -> str:
    """Return a task's own name: that of its role before it is the role's span."""
    name = str(task.get_name()).strip()
    role = getattr(task, "_role", None)
    prefix = f"{role.get_name()} : " if role is not None else ""
    return name[len(prefix) :] if prefix and name.startswith(prefix) else name
