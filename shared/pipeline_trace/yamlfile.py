"""Loads YAML files of users within limits: a file may be damaged, nested without end, or repeat itself by aliases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from .trace.files import read_regular

_MOST_BYTES = 1 << 20
_DEEPEST = 50
_MOST_VALUES = 100_000


def load_yaml(path: Path, loader: Any) -> Any:
    """Return the content of a file. ``loader``: a safe loader of PyYAML.

    Raises OSError if it is not a regular file or has more than 1 MiB, UnicodeDecodeError, yaml.YAMLError.
    """
    text = read_regular(path, _MOST_BYTES).decode("utf-8")
    _check(text, loader)
    try:
        return yaml.load(text, loader)
    except (ValueError, OverflowError, AttributeError) as error:
        # Of a number or date that does not exist.
        raise yaml.YAMLError(str(error)) from None


def _check(text: str, loader: Any) -> None:
    """Raise yaml.YAMLError if the values are nested too deep, or too many with those that aliases repeat.

    This looks at the events, which come one by one. To make the values, PyYAML calls itself for each level, and copies what
    is merged: some lines of aliases can stand for billions of values.
    """
    sizes: dict[str, int] = {}
    # The collections that are open: their anchors and numbers of values.
    opened: list[tuple[str | None, int]] = [(None, 0)]
    for event in yaml.parse(text, loader):
        anchor, size = getattr(event, "anchor", None), 0
        if isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            opened.append((anchor, 1))
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            anchor, size = opened.pop()
        elif isinstance(event, yaml.ScalarEvent):
            size = 1
        elif isinstance(event, yaml.AliasEvent):
            if anchor not in sizes:
                raise yaml.YAMLError(f"the alias *{anchor} stands for nothing, or for itself")
            size, anchor = sizes[anchor], None
        if anchor and size:
            sizes[anchor] = size
        opened[-1] = (opened[-1][0], opened[-1][1] + size)
        if len(opened) > _DEEPEST + 1:
            raise yaml.YAMLError(f"nested deeper than {_DEEPEST}")
        if opened[-1][1] > _MOST_VALUES:
            raise yaml.YAMLError(f"more than {_MOST_VALUES} values, with those that aliases repeat")
