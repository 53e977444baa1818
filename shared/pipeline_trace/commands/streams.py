"""Lets the output streams take any text: a character that a terminal's encoding lacks becomes a similar one."""

from __future__ import annotations

import codecs
import sys
from io import TextIOWrapper

_NAME = "pipeline_trace"
_SIMILAR = {
    "\N{CHECK MARK}": "ok",
    "\N{BALLOT X}": "x",
    "\N{CIRCLED DIVISION SLASH}": "o",
    "\N{BLACK RIGHT-POINTING TRIANGLE}": ">",
    "\N{DOTTED CIRCLE}": "?",
    "\N{MIDDLE DOT}": "-",
    "\N{BULLET}": "*",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{MINUS SIGN}": "-",
    "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}": ">",
    "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}": "<",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{MICRO SIGN}": "u",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{RIGHTWARDS ARROW}": "->",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{BOX DRAWINGS LIGHT VERTICAL AND RIGHT}": "|",
    "\N{BOX DRAWINGS LIGHT UP AND RIGHT}": "`",
    "\N{BOX DRAWINGS LIGHT HORIZONTAL}": "-",
    "\N{BOX DRAWINGS LIGHT VERTICAL}": "|",
    "\N{NO-BREAK SPACE}": " ",
}


def take_any_text() -> None:
    """Make stdout and stderr write what their encoding lacks as similar characters, else as an escape such as \\u4e2d."""
    codecs.register_error(_NAME, _similar)
    for stream in (sys.stdout, sys.stderr):
        # A test or a caller may have put something else there.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_NAME)


def _similar(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_SIMILAR.get(one) or one.encode("ascii", "backslashreplace").decode() for one in lacking), error.end
