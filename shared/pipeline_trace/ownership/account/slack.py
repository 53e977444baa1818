"""Renders an account as the body for a Slack webhook: blocks, and a text where blocks cannot be shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ...trace.redact import clip
from .calls import calm
from .record import Account
from .wording import Line, Name, Part, Row, rows, sure

# Slack's limits: characters of a section's text, and blocks of a message.
_MOST_CHARACTERS = 3000
_MOST_BLOCKS = 50
# Before it is escaped, which makes a character five at most.
_LONGEST_PART = 500
_LONGEST_URL = 1000
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# What calls everybody in a channel. Slack knows no other call in escaped text.
_CALL = re.compile("@(?=here|channel|everyone)", re.IGNORECASE)


def slack_of(account: Account) -> dict[str, Any]:
    """Return the body as JSON-ready data. No text in it calls a person or a channel, whatever a log says."""
    blocks = [_section(f"*{_plain(account.says)}*"), {"type": "context", "elements": [_text(_plain(sure(account)))]}]
    blocks += [_section(text) for row in rows(account) for text in _texts(row)]
    return {"text": _plain(account.says), "blocks": blocks[:_MOST_BLOCKS]}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _text(text)}


def _text(text: str) -> dict[str, Any]:
    # verbatim: Slack looks for no names, channels and addresses in the text.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _texts(row: Row) -> Iterator[str]:
    """Yield the text of a row, in several parts if it is longer than a section may be."""
    text = f"*{row.label}*"
    for line in map(_line, row.lines):
        if len(text) + len(line) >= _MOST_CHARACTERS:
            yield text
            text = line
        else:
            text = f"{text}\n{line}"
    yield text


def _line(line: Line) -> str:
    """Return a line. One that is too long for a section ends with its last whole part."""
    text = ""
    for part in map(_part, line):
        if len(text) + len(part) >= _MOST_CHARACTERS:
            return f"{text}…"
        text += part
    return text


def _part(part: Part) -> str:
    if isinstance(part, str):
        return _plain(part)
    if isinstance(part, Name) and 0 < len(part.url) <= _LONGEST_URL:
        return f"<{_escaped(part.url).replace('|', '%7C')}|{_plain(part.text)}>"
    # A backtick ends code.
    return f"`{_plain(part.text).replace('`', chr(39))}`"


def _plain(text: str) -> str:
    return safe(clip(text, _LONGEST_PART))


def safe(text: str) -> str:
    """Return a text that Slack shows as it is: nothing in it is a link or calls anybody."""
    return calm(_escaped(text), _CALL)


def _escaped(text: str) -> str:
    return re.sub("[&<>]", lambda found: _ESCAPES[found[0]], text)
