"""Merges several recorded answers about one object into one document.

Jenkins shows different parts of an object for different queries. Arguments are not changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Any

# The field that identifies the items of a list. The position does not: two answers may list 20 and 21 actions.
_KEYS = {
    "actions": "_class",
    "nodes": "id",
    "items": "id",
    "computer": "displayName",
    "executors": "number",
    "parameters": "name",
}
# An answer may have only a part of these lists. Items from earlier answers stay.
_GROWING = frozenset({"actions", "nodes"})


def merge(old: Any, new: Any, name: str = "") -> Any:
    """Return ``old``, updated by the later answer ``new``. ``name``: the field that has both as values.

    Plain values, including null, come from the later answer. An object keeps the fields that the later answer does not
    show, unless the two have different ``_class``. Graph nodes with ids are never replaced by nodes without ids.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        return _merge_objects(old, new)
    if isinstance(old, list) and isinstance(new, list):
        return _merge_lists(old, new, name)
    return new


def has_ids(nodes: Any) -> bool:
    """Return whether ``nodes``, the nodes of a flow graph, have ids. Some queries show only their classes."""
    return isinstance(nodes, list) and bool(nodes) and all("id" in node for node in nodes)


def _merge_objects(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    if "_class" in old and "_class" in new and old["_class"] != new["_class"]:
        return new
    merged = dict(old)
    for name, value in new.items():
        merged[name] = merge(old[name], value, name) if name in old else value
    return merged


def _merge_lists(old: list[Any], new: list[Any], name: str) -> list[Any]:
    if not all(isinstance(item, dict) for item in [*old, *new]):
        return new
    if name == "nodes" and has_ids(old) and not has_ids(new):
        return old
    if name in _KEYS:
        return _merge_by_key(old, new, name)
    if [item.get("_class") for item in old] == [item.get("_class") for item in new]:
        return [merge(before, after) for before, after in zip(old, new, strict=True)]
    return new


def _merge_by_key(old: list[Any], new: list[Any], name: str) -> list[Any]:
    known = dict(_numbered(old, _KEYS[name]))
    merged = []
    for key, item in _numbered(new, _KEYS[name]):
        merged.append(merge(known.pop(key), item) if key in known else item)
    if name in _GROWING:
        merged += [item for (value, _), item in known.items() if value is not None]
    return merged


def _numbered(items: list[dict[str, Any]], field: str) -> list[tuple[tuple[Hashable, int], dict[str, Any]]]:
    # Items with the same key (BuildData of two repositories) are numbered in their order. An item without a key never
    # matches: it gets a number that no item of the other list has.
    seen: Counter[Hashable] = Counter()
    numbered = []
    for item in items:
        value = item.get(field)
        seen[value] += 1
        numbered.append(((value, seen[value] if value is not None else -id(item)), item))
    return numbered
