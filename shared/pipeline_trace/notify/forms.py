"""Makes the body of a request from a message: for Slack, for Teams, or plain JSON. Does no I/O.

No text of a log, a job or a build can mention people or become a link: Slack's signs are escaped, and Teams gets runs of
text, which it shows as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..ownership.account import slack
from .message import Message, Value
from .settings import SLACK, TEAMS

_CARD = "application/vnd.microsoft.card.adaptive"


def escaped_for(form: str, text: str) -> str:
    """Return a text so that a form shows it, and reads nothing in it."""
    return slack.safe(text) if form == SLACK else text


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
    name, url = map(slack.safe, message.link)
    # Slack ends a link's address at this sign.
    link = f"<{url.replace('|', '%7C')}|{name.replace('|', ' ')}>" if url else ""
    quoted = f"> {slack.safe(message.quoted)}" if message.quoted else ""
    return "\n".join(filter(None, (slack.safe(message.head), quoted, *map(slack.safe, message.lines), link)))


def _card(lines: Sequence[str], link: tuple[str, str]) -> dict[str, Any]:
    head, *rest = [line for line in lines if line] or [""]
    body = [_run(head, weight="Bolder"), *map(_run, rest)]
    name, url = link
    actions = [{"type": "Action.OpenUrl", "title": name, "url": url}] if url else []
    card = {"type": "AdaptiveCard", "version": "1.4", "body": body, "actions": actions}
    return {"type": "message", "attachments": [{"contentType": _CARD, "contentUrl": None, "content": card}]}


def _run(text: str, **more: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **more}]}
