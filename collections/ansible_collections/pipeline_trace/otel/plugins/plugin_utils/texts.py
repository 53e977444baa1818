# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Turns values of Ansible's results into short masked texts. The cost never grows with the size of the value.

Results may hold outputs of many megabytes, and the hooks hold up every host. So the part that is kept is cut out first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import core

_SHORT_LIMIT = 500
# The most characters of a value that is no text: what is kept of the longest message, and the margin around it.
_MOST = 10_000
_DEPTH = 20
_SCALARS = (bool, int, float, type(None))


def short(value: object) -> str:
    """Return the value as masked text of at most about 500 characters."""
    return start(value, _SHORT_LIMIT)


def start(value: object, limit: int) -> str:
    """Return the first ``limit`` characters of a value as masked text. If it is longer, add how many are left out."""
    return str(core.redact.masked_start(_text(value), limit))


def last_lines(value: object, lines: int, limit: int) -> str:
    """Return the last lines of a value as masked text of at most ``limit`` characters."""
    return "\n".join(str(core.redact.masked_end(_text(value), limit)).rstrip().splitlines()[-lines:])


def _text(value: object) -> str:
    """Return a text as it is, and the beginning of any other value as Python shows it."""
    if isinstance(value, str):
        return value
    parts, length = [], 0
    for part in _parts(value, _DEPTH):
        parts.append(part)
        length += len(part)
        if length > _MOST:
            break
    return "".join(parts)


def _parts(value: Any, depth: int) -> Iterator[str]:
    """Yield a value as Python shows it, piece by piece."""
    if isinstance(value, str):
        yield repr(str(value[:_MOST]))
    elif isinstance(value, _SCALARS):
        yield str(value)
    elif isinstance(value, Mapping):
        yield "{"
        for number, (key, item) in enumerate(value.items()):
            yield ", " if number else ""
            yield from _parts(key, 0)
            yield ": "
            yield from _parts(item, depth - 1) if depth else ("...",)
        yield "}"
    elif isinstance(value, (list, tuple)):
        yield "["
        for number, item in enumerate(value):
            yield ", " if number else ""
            yield from _parts(item, depth - 1) if depth else ("...",)
        yield "]"
    else:
        # Not str(): that of an encrypted variable is its secret.
        yield f"<{type(value).__name__}>"
