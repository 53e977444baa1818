"""Makes the body of a request from a message: for Slack, for Teams, or plain JSON. Does no I/O.

No text of a log, a job or a build can mention people or become a link: Slack's signs are escaped, and Teams gets runs of
text, which it shows as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .message import Message, Value
from .settings import SLACK, TEAMS

_SLACK_SIGNS = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Slack reads these as mentions in some settings of a channel.
_MENTIONS = re.compile(r"@(?=(?:here|channel|everyone|group)\b)", re.IGNORECASE)
_UNSEEN_SPACE = "\u200b"
_CARD = "application/vnd.microsoft.card.adaptive"


def escaped_for(form: str, text: str) -> str:
    """Return a text so that a form shows it, and reads nothing in it."""
    if form != SLACK:
        return text
    for sign, written in _SLACK_SIGNS.items():
        text = text.replace(sign, written)
    return _MENTIONS.sub(f"@{_UNSEEN_SPACE}", text)


def body_of(form: str, message: Message, values: Mapping[str, Value]) -> dict[str, Any]:
    """Return the body for a built-in message. ``values``: of message.values_of, for plain JSON."""
    if form == SLACK:
        return {"text": _slack(message)}
    if form == TEAMS:
        return _card([message.head, message.quoted, *message.lines], message.link)
    return dict(values)


def body_of_text(form: str, text: str) -> dict[str, Any]:
    """Return the body for the text that a user's template makes, for Slack or Teams."""
    return {"text": text} if form == SLACK else _card(text.splitlines(), ("", ""))


def _slack(message: Message) -> str:
    def escaped(text: str) -> str:
        return escaped_for(SLACK, text)

    name, url = map(escaped, message.link)
    # Slack ends a link's address at this sign.
    link = f"<{url.replace('|', '%7C')}|{name.replace('|', ' ')}>" if url else ""
    quoted = f"> {escaped(message.quoted)}" if message.quoted else ""
    return "\n".join(filter(None, (escaped(message.head), quoted, *map(escaped, message.lines), link)))


def _card(lines: Sequence[str], link: tuple[str, str]) -> dict[str, Any]:
    head, *rest = [line for line in lines if line] or [""]
    body = [_run(head, weight="Bolder"), *map(_run, rest)]
    name, url = link
    actions = [{"type": "Action.OpenUrl", "title": name, "url": url}] if url else []
    card = {"type": "AdaptiveCard", "version": "1.4", "body": body, "actions": actions}
    return {"type": "message", "attachments": [{"contentType": _CARD, "contentUrl": None, "content": card}]}


def _run(text: str, **more: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **more}]}
