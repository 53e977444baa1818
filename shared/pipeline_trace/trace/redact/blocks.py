"""Where a value is that is not behind its name: in the lines below, as YAML has it, or behind an arrow."""

from __future__ import annotations

import re

from . import looks, names
from .pattern import Pattern
from .scan import CLOSING, WORD_END, Scan, Where, end_of_quoted

# The lines below a name.
_BLOCK = Pattern(r"[ \t]*(?:[|>][-+]?\d?[-+]?[ \t]*)?(?:#[^\n]*)?\r?\n")
_BLOCK_BEGINS = frozenset(" \t|>#\r\n<")
_BLOCK_LINE = Pattern(r"(?P<indent>[ \t]*)(?P<item>-[ \t])?(?P<text>[^\n]*)(?:\n|\Z)")
_HEREDOC = Pattern(r"[ \t]*<<[-~]?[ \t]*[\"']?(?P<tag>[A-Za-z_]\w{0,40})[\"']?[ \t\r]*\n")
_ESCAPED_BLOCK = Pattern(r"[ \t]*[|>][-+]?\d?(?P<newline>\\{1,8}n)")


def end_of_change(scan: Scan, end: int) -> int:
    """Return where the new value ends if ``-> new`` or ``=> new`` follows the one that ends at ``end``, else ``end``."""
    change = _CHANGE.regex.match(scan.text, end)
    if change is None:
        return end
    if change["quote"]:
        return end_of_quoted(scan.text, change.end(), change["quote"])
    return scan.next(WORD_END, change.end())


_CHANGE = Pattern(r"[\"']?[ \t]*(?:->[ \t]*|=>[ \t]*(?=[\"']))(?P<quote>[\"'])?")


def block_below(scan: Scan, start: int, where: Where) -> tuple[int, int] | None:
    """Return where the lines are that YAML indents below a name, ``None`` where the value is on the name's line."""
    text = scan.text
    if text[start : start + 1] not in _BLOCK_BEGINS:
        return None
    escaped = _ESCAPED_BLOCK.regex.match(text, start)
    if escaped:
        return _escaped_block(scan, escaped.end(), escaped["newline"])
    heredoc = _HEREDOC.regex.match(text, start)
    if heredoc and where.kind is not names.WEAK:
        return (heredoc.end(), end_of_heredoc(text, heredoc.end(), heredoc["tag"]))
    block = _BLOCK.regex.match(text, start)
    if block is None or where.indent is None:
        return None
    scalar = any(sign in block[0] for sign in "|>")
    if where.kind not in (names.PASSWORD, names.SECRET) and not scalar:
        return None
    begin, end = None, block.end()
    for line in _BLOCK_LINE.regex.finditer(text, block.end()):
        if line["text"].strip() or line["item"]:
            indent = len(line["indent"])
            if indent < where.indent or (indent == where.indent and (not line["item"] or scalar)):
                break
            begin = line.start("item" if line["item"] else "text") if begin is None else begin
            end = line.end("text")
        if line.end() >= len(text):
            break
    if begin is None:
        return None
    return (begin, begin) if looks.is_nothing(text[begin:end].strip()) else (begin, end)


def end_of_heredoc(text: str, start: int, tag: str) -> int:
    """Return where the text ends that goes up to a line with this word alone."""
    end = re.compile(rf"\n?[ \t]*{re.escape(tag)}[ \t\r]*(?=\n|\Z)").search
    found = end(text, start)
    while found is not None and found.start() > start and text[found.start()] != "\n":
        found = end(text, found.end())
    return found.start() if found else len(text)


def _escaped_block(scan: Scan, start: int, newline: str) -> tuple[int, int]:
    """Return where the lines of a block are that JSON writes in one line."""
    text, at = scan.text, start
    while (end := text.find(newline, at)) >= 0:
        at = end + len(newline)
        if not text.startswith((" ", "\\t", newline), at):
            break
    return (start, min(end if end >= 0 else len(text), scan.next(CLOSING, start)))
