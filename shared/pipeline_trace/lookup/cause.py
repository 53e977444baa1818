"""Finds what a failed span says of the cause: its own words, without those that only say that something failed."""

from __future__ import annotations

import re

from ..trace import conventions as c
from ..trace.span import Span
from .states import message

# What Ansible and Jenkins say of every failed command or module. The cause stands beside it, in stderr or in the log.
_GENERAL = re.compile(
    r"non-zero return code|failed without a message|MODULE FAILURE.*|See stdout/stderr for the (?:exact|returned) error.*"
    r"|(?:Task failed: )?Module failed: non-zero return code|The module failed to execute correctly.*"
    r"|(?:hudson\.AbortException: )?script returned exit code -?\d+|command terminated with exit code \d+",
    re.IGNORECASE,
)
_MOST_LINES = 3


def said(span: Span) -> str:
    """Return all that a failed span says itself: the message of its host, else its status message; "" for nothing."""
    text = span.attributes.get(c.ANSIBLE_MESSAGE)
    return (text if isinstance(text, str) and text.strip() else message(span)).strip()


def causes(text: str) -> list[str]:
    """Return the lines of a message that tell the cause, at most three; empty if it only says that something failed.

    After a general line such as "non-zero return code" come the last lines of stderr: the cause is at their end.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not is_general(line)]
    if lines and is_general(lines[0]):
        return telling[-_MOST_LINES:]
    return telling[:_MOST_LINES]


def cause(span: Span) -> str:
    """Return the one line that tells most of why a span failed; "" if it says nothing."""
    text = said(span)
    lines = causes(text)
    if not lines:
        return text.partition("\n")[0]
    return lines[-1] if is_general(text.partition("\n")[0]) else lines[0]


def is_general(line: str) -> bool:
    """Return whether a line only says that something failed, not why."""
    return _GENERAL.fullmatch(line.strip()) is not None
