"""Turns a log into short, masked text: the HTML that wfapi (the plugin Pipeline: REST API) returns, or a console log."""

from __future__ import annotations

import html
import re

from pipeline_trace.trace import redact

# About as much as a person reads about a failure. wfapi has at most 10 KB of a node's log.
MOST_LINES = 120
MOST_LETTERS = 8000
# Timestamps and notes make a line many times as long as what a person sees of it.
_MOST_RAW = 20 * MOST_LETTERS

# With `timestamps()`, each line begins with two HTML <span> elements, or with a time in brackets in plain text.
_TIMESTAMP = re.compile(r'<span class="timestamp">.*?</span>(?:<span style="display: none">.*?</span>)? ?')
_TEXT_TIMESTAMP = re.compile(r"^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z\] ", re.MULTILINE)
_TAG = re.compile(r"</?(?:a|b|i|span|div|pre|br|em|strong)\b[^<>]*>")
# Jenkins' hidden console notes.
_NOTE = re.compile(r"\x1b\[8mha:.*?\x1b\[0m", re.DOTALL)
_COLOR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def node_log_text(answer: str) -> str:
    """Return the end of a node's log as masked text. ``answer``: the HTML from wfapi."""
    return log_tail(html.unescape(_TAG.sub("", _TIMESTAMP.sub("", _raw_end(answer)))))


def log_tail(text: str) -> str:
    """Return the last MOST_LINES lines of a log, at most MOST_LETTERS characters, without colours, with masked secrets.

    The cost does not grow with the log.
    """
    text = _TEXT_TIMESTAMP.sub("", _COLOR.sub("", _NOTE.sub("", _raw_end(text)))).strip("\r\n")
    text = "\n".join(line.rstrip() for line in text.splitlines())
    shown = redact.masked_end(text, MOST_LETTERS)
    if len(text) > MOST_LETTERS:
        shown = shown[shown.find("\n") + 1 :]
    return "\n".join(shown.split("\n")[-MOST_LINES:])


def _raw_end(text: str) -> str:
    """Return the whole lines at the end of a long log, from which more than enough stays when all marks are removed."""
    if len(text) <= _MOST_RAW:
        return text
    return text[text.find("\n", len(text) - _MOST_RAW) + 1 :]
