"""Keeps names and lines of logs from calling people where they are pasted into a chat or a comment."""

from __future__ import annotations

import re

# What calls a person or a group, before a name.
CALL = re.compile(r"(?:(?<!\w)@|<!)(?=\w)")
# What calls everybody in a channel.
CALL_OF_ALL = re.compile(r"(?:(?<!\w)@|<!)(?=(?:here|channel|everyone|all)\b)", re.IGNORECASE)
# Between what calls and the name: it has no width.
_JOINER = "\N{WORD JOINER}"


def calm(text: str, pattern: re.Pattern[str] = CALL) -> str:
    """Return a text in which nothing calls anybody. ``pattern``: what calls, up to the name."""
    return pattern.sub(rf"\g<0>{_JOINER}", text)
