"""Renders an account in one of several formats."""

from __future__ import annotations

import json

from .document import document_of
from .markdown import markdown_of
from .record import Account
from .slack import slack_of
from .text import text_of

FORMATS = ("text", "json", "markdown", "slack")


def rendered(account: Account, form: str, *, utc: bool = True) -> str:
    """Return an account in one of FORMATS, without a final newline.

    slack: the JSON body for a Slack webhook. ``utc``: whether text shows times in UTC, not in local time; the other formats
    always do.
    """
    if form == "text":
        return text_of(account, utc=utc)
    if form == "markdown":
        return markdown_of(account)
    return json.dumps(slack_of(account) if form == "slack" else document_of(account), ensure_ascii=False)
