"""Errors as ClickHouse tells them over HTTP: a code, a text that ends with the code's name, a status."""

from __future__ import annotations

import re

_CODE = re.compile(r"Code: (\d+)\. ")
_NAME = re.compile(r"\(([A-Z_]+)\)\s*$")
_STATUS = {
    **dict.fromkeys(("AUTHENTICATION_FAILED", "ACCESS_DENIED"), 403),
    **dict.fromkeys(("SYNTAX_ERROR", "BAD_ARGUMENTS", "TYPE_MISMATCH", "INCORRECT_DATA", "ILLEGAL_COLUMN"), 400),
    **dict.fromkeys(("CANNOT_PARSE_TEXT", "CANNOT_PARSE_NUMBER", "CANNOT_PARSE_DATETIME", "CANNOT_COMPILE_REGEXP"), 400),
    **dict.fromkeys(("UNKNOWN_TABLE", "UNKNOWN_FUNCTION", "UNKNOWN_IDENTIFIER", "UNKNOWN_TYPE", "UNKNOWN_FORMAT"), 404),
    **dict.fromkeys(("UNKNOWN_DATABASE", "UNKNOWN_SETTING", "UNKNOWN_STORAGE"), 404),
    "TIMEOUT_EXCEEDED": 408,
    "NOT_IMPLEMENTED": 501,
}


class Refusal(Exception):
    """What the server does not do. ``code``: ClickHouse's number, e.g. 60; ``status``: HTTP's."""

    def __init__(self, text: str) -> None:
        """``text``: ``Code: 60. DB::Exception: … (UNKNOWN_TABLE)``."""
        super().__init__(text)
        code, name = _CODE.search(text), _NAME.search(text)
        self.code = int(code[1]) if code else 1001
        self.status = _STATUS.get(name[1] if name else "", 500)
