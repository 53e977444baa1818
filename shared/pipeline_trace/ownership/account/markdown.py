"""Renders an account as Markdown, for a comment on a pull request or an issue."""

from __future__ import annotations

import re

from .calls import calm
from .record import Account
from .wording import Line, Name, Part, Row, rows, sure

_SPECIAL = re.compile(r"[\\`*_\[\]<>&#|~]")
# What is escaped calls nobody.
_CALL = re.compile(r"(?<!\w)@(?=\w)")
_LINK_ENDS = str.maketrans({"(": "%28", ")": "%29", "<": "%3C", ">": "%3E", " ": "%20", "\\": "%5C"})
_TICKS = re.compile("`+")


def markdown_of(account: Account) -> str:
    """Return the account as Markdown. What a log says is code, so that it is neither markup nor calls a person."""
    head = f"**{_plain(account.says)}** ({_plain(sure(account))})"
    listed = [line for row in rows(account) for line in _row(row)]
    return "\n".join([head, "", *listed]).rstrip()


def _row(row: Row) -> list[str]:
    if len(row.lines) == 1:
        return [f"- **{row.label}:** {line_markdown(row.lines[0])}"]
    return [f"- **{row.label}:**", *(f"  - {line_markdown(line)}" for line in row.lines)]


def line_markdown(line: Line) -> str:
    """Return a line of an account as Markdown."""
    return "".join(_part(part) for part in line)


def _part(part: Part) -> str:
    if isinstance(part, str):
        return _plain(part)
    if isinstance(part, Name) and part.url:
        return f"[{_plain(part.text)}]({part.url.translate(_LINK_ENDS)})"
    return _code(part.text)


def _plain(text: str) -> str:
    return calm(_SPECIAL.sub(r"\\\g<0>", text), _CALL)


def _code(text: str) -> str:
    """Return a text as code, between more backticks than it has in a row."""
    fence = "`" * (max(map(len, _TICKS.findall(text)), default=0) + 1)
    space = " " if fence != "`" or text.startswith(" ") else ""
    return f"{fence}{space}{text}{space}{fence}"
