"""A failed step's log: what wfapi answers as HTML, or the end of a console, as a bounded, masked text. Pure."""

from __future__ import annotations

import html
import re

from pipeline_trace.trace import redact

# What a person would read of a failure; wfapi has no more than 10 KB of a node.
MOST_LINES = 120
MOST_LETTERS = 8000

# With `timestamps()`, each line begins with two spans for the page, or with a time in brackets in text.
_TIMESTAMP = re.compile(r'<span class="timestamp">.*?</span>(?:<span style="display: none">.*?</span>)? ?')
_TEXT_TIMESTAMP = re.compile(r"^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z\] ", re.MULTILINE)
_TAG = re.compile(r"</?(?:a|b|i|span|div|pre|br|em|strong)\b[^<>]*>")
# Annotations of Jenkins' own notes in consoles: invisible to people.
_NOTE = re.compile(r"\x1b\[8mha:.*?\x1b\[0m", re.DOTALL)
_COLOR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def node_log_text(answer: str) -> str:
    """Return a node's log, from the HTML text that wfapi answers."""
    return log_tail(html.unescape(_TAG.sub("", _TIMESTAMP.sub("", answer))))


def log_tail(text: str) -> str:
    """Return the last MOST_LINES lines of a log, at most MOST_LETTERS letters, without colours and secrets."""
    text = _TEXT_TIMESTAMP.sub("", _COLOR.sub("", _NOTE.sub("", text))).strip("\r\n")
    # Masked before it is cut: half of a secret would not be known as one.
    lines = redact.masked("\n".join(line.rstrip() for line in text.splitlines())).split("\n")[-MOST_LINES:]
    shown = "\n".join(lines)
    if len(shown) > MOST_LETTERS:
        shown = shown[-MOST_LETTERS:]
        shown = shown[shown.find("\n") + 1 :]
    return shown
