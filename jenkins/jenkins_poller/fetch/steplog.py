"""Turns a log into short, masked text: the HTML that wfapi (the plugin Pipeline: REST API) returns, or a console log."""

from __future__ import annotations

import html
import re

from pipeline_trace.trace import redact

# About as much as a person reads about a failure. wfapi has at most 10 KB of a node's log.
MOST_LINES = 120
MOST_LETTERS = 8000

# With `timestamps()`, each line begins with two HTML <span> elements, or with a time in brackets in plain text.
_TIMESTAMP = re.compile(r'<span class="timestamp">.*?</span>(?:<span style="display: none">.*?</span>)? ?')
_TEXT_TIMESTAMP = re.compile(r"^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z\] ", re.MULTILINE)
_TAG = re.compile(r"</?(?:a|b|i|span|div|pre|br|em|strong)\b[^<>]*>")
# Jenkins' hidden console notes.
_NOTE = re.compile(r"\x1b\[8mha:.*?\x1b\[0m", re.DOTALL)
_COLOR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def node_log_text(answer: str) -> str:
    """Return the end of a node's log as masked text. ``answer``: the HTML from wfapi."""
    return log_tail(html.unescape(_TAG.sub("", _TIMESTAMP.sub("", answer))))


def log_tail(text: str) -> str:
    """Return the last MOST_LINES lines of a log, at most MOST_LETTERS characters, without colours, with masked secrets."""
    text = _TEXT_TIMESTAMP.sub("", _COLOR.sub("", _NOTE.sub("", text))).strip("\r\n")
    # Mask before cutting: half of a secret would not be recognised.
    lines = redact.masked("\n".join(line.rstrip() for line in text.splitlines())).split("\n")[-MOST_LINES:]
    shown = "\n".join(lines)
    if len(shown) > MOST_LETTERS:
        shown = shown[-MOST_LETTERS:]
        shown = shown[shown.find("\n") + 1 :]
    return shown
