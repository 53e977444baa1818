"""Finds where a value begins and ends: in quotes, in brackets, in the lines below, a word, the rest of a line."""

from __future__ import annotations

import re

from . import looks, names
from .pattern import Pattern
from .scan import CLOSING, LINE_END, WORD_END, Scan, Where, end_of_quoted

_QUOTE = Pattern(
    r"(?P<escape>\\{0,40})(?P<quote>[\"'`])|&quot;|&#0?34;|&#x22;|&#0?39;|&#x27;|&apos;|%22|%27|\\{1,8}u002[27]"
)
_PREFIX = Pattern(
    r"(?:\x1b\[[0-9;]*m|!{1,2}[\w/-]+[ \t]+(?=[^\s|>])|&[\w-]+[ \t]+(?=[\"'])|[bBuUrRfF]{1,2}(?=[\"'])|@(?=[\"']))*"
)
# What they begin with.
_PREFIXES = frozenset("\x1b!&bBuUrRfF@")
_QUOTES = frozenset("\\\"'`&%")
_READ_BEGINS = frozenset("eEgoS")
_CLOSERS = {"{": "}", "[": "]", "(": ")"}
# The next bracket or quote.
_STRUCTURE = {bracket: Pattern(rf"[\"'\\{bracket}{closer}]") for bracket, closer in _CLOSERS.items()}
_NEXT_PAIR = Pattern(r"&(?=[\w.\[\]%-]{1,80}=)|[#](?=[\w.-]*=)")
_NEXT_FIELD = Pattern(r";[ \t]*(?=[\w. -]{1,40}=|\Z|[\"'])|;[ \t]*(?=[\r\n])")
_NEXT_MEMBER = Pattern(r",[ \t]*(?=[\"']?[\w.-]{1,60}[\"']?[ \t]*[=:])|[)\]}](?=[\s,;)\]}.]|\Z)")
# What may follow a value with blanks in the middle of a line.
_AFTER = Pattern(
    r",\s|;|\s{2,}|[)\]}](?=[\s,;]|\Z)|\s(?:at|for|on|in|is|was|from|and|to|as|with|of|rejected|failed|refused"
    r"|expired|does|did|not|port|user)\s"
    r"|\s[\w.-]{1,60}[=:]|\s-{1,2}\w|\s[|&]|\s\("
)


def span_of(scan: Scan, start: int, where: Where) -> tuple[int, int] | None:
    """Return where the value is that begins at ``start``, ``None`` where there is none or nothing secret."""
    text = scan.text
    if text[start : start + 1] in _PREFIXES:
        prefix = _PREFIX.regex.match(text, start)
        start = prefix.end() if prefix else start
    if start >= len(text):
        return None
    quote = _QUOTE.regex.match(text, start) if text[start] in _QUOTES else None
    if quote and not (where.enclosing and quote[0].endswith(where.enclosing[-1:]) and len(quote[0]) <= len(where.enclosing)):
        return _quoted(scan, quote.end(), quote[0], where)
    read = _READ.regex.match(text, start) if text[start] in _READ_BEGINS else None
    if read is not None:
        return span_of(scan, read.end(), where) if read["default"] else None
    call = (
        _CALL.regex.match(text, start)
        if text[start].isidentifier() and where.kind in (names.PASSWORD, names.SECRET)
        else None
    )
    if call is not None:
        inside = _in_brackets(text, call.end() - 1, "(", where)
        return None if inside is None or inside[0] == inside[1] else (start, inside[1])
    bracket = text[start]
    if bracket in "{[" or (bracket == "(" and where.kind in (names.PASSWORD, names.SECRET, names.KEY)):
        inside = _in_brackets(text, start, bracket, where)
        if inside is not None:
            goes_on = text[inside[1] + 1 : inside[1] + 2].isalnum() and inside[1] > inside[0]
            if goes_on:
                return (start, _word_end(scan, inside[1] + 1, scan.next(WORD_END, inside[1] + 1)))
            return inside if inside[1] > inside[0] else None
    end = end_of_line(scan, start) if where.kind is names.HEADER else _end(scan, start, where)
    value = text[start:end].rstrip(" \t")
    end = start + len(value)
    return (start, end) if end > start and _is_secret(value, where) else None


def _quoted(scan: Scan, start: int, quote: str, where: Where) -> tuple[int, int] | None:
    """Return where a quoted value is; with what follows it without a blank, as a shell joins texts."""
    text = scan.text
    end = end_of_quoted(text, start, quote)
    after = end + len(quote)
    if (text.startswith(("'", '"', "\\'"), after) and not text.startswith(("''", '""'), after - 1)) or _joined(text, after):
        return (start - len(quote), _word_end(scan, after, scan.next(WORD_END, after)))
    value = text[start:end]
    return (start, end) if value and _is_secret(value, where._replace(quoted=True)) else None


def _joined(text: str, after: int) -> bool:
    """Return whether a word goes on behind a quoted part."""
    return after < len(text) and (text[after].isalnum() or text[after] in "_+!@#$%^*~?'\"")


def _in_brackets(text: str, start: int, bracket: str, where: Where) -> tuple[int, int] | None:
    """Return what is in the brackets, an empty span where it is nothing to mask, ``None`` where they hold no value."""
    if text.startswith("{{", start):
        close = text.find("}}", start + 2)
        if close >= 0 and looks.is_nothing(text[start : close + 2]):
            return (start, start)
    if bracket == "(" and _ABSENT.regex.match(text, start):
        return (start, start)
    if where.kind not in (names.PASSWORD, names.SECRET, names.KEY) or (where.enclosing and bracket != "("):
        return None
    depth, at = 0, start
    while found := _STRUCTURE[bracket].regex.search(text, at):
        at = found.end()
        sign = found[0]
        if sign == bracket:
            depth += 1
        elif sign == "\\":
            at += 1
        elif sign in "\"'":
            at = end_of_quoted(text, at, sign) + 1
        else:
            depth -= 1
            if not depth:
                break
    end = at - 1 if found else len(text)
    content = text[start + 1 : end]
    return (
        (start, start) if not content.strip() or looks.is_nothing(content) or _is_names(content, where) else (start + 1, end)
    )


def _is_names(content: str, where: Where) -> bool:
    """Return whether brackets hold but words, behind a name that need not say more: ``keys: ['name', 'age']``."""
    return where.kind is names.KEY and all(looks.is_plain(word.strip(" \t\r\n\"'")) for word in content[:400].split(","))


def end_of_line(scan: Scan, start: int) -> int:
    """Return where the line ends."""
    end = scan.next(LINE_END, start)
    last = scan.text[end - 1 : end]
    # A quote that ends what began before the name.
    return end - 1 if last in ('"', "'") and end > start and scan.text.count(last, start, end) % 2 else end


def _end(scan: Scan, start: int, where: Where) -> int:
    """Return where an unquoted value ends."""
    text = scan.text
    if where.enclosing:
        return min(end_of_quoted(text, start, where.enclosing), _line(scan, start))
    word = _word_end(scan, start, scan.next(WORD_END, start))
    if text[start:word] == "***":
        return word
    if where.in_query:
        pair = _NEXT_PAIR.regex.search(text, start, word)
        return pair.start() if pair else word
    if where.in_fields:
        line = _line(scan, start)
        field = _NEXT_FIELD.regex.search(text, start, line)
        return field.start() if field else line
    if where.kind not in (names.PASSWORD, names.SECRET) or where.option:
        return word
    line = _line(scan, start)
    if word >= line:
        return word
    if where.in_brackets:
        member = _NEXT_MEMBER.regex.search(text, start, line)
        return member.start() if member else line
    if where.indent is not None:
        if where.spaced:
            return word if where.kind is names.SECRET and _is_comment(text[word:line]) else line
        return word if _is_command(text[word:line]) and not _in_dump(text, line) else line
    if where.spaced and where.kind is names.PASSWORD:
        after = _AFTER.regex.search(text, word, line)
        end = after.start() if after else line
        rest = text[end : min(line, end + _REST)]
        return line if any(looks.is_random(each) for each in rest.split()) and not _has_name(rest) else end
    return word


def _line(scan: Scan, start: int) -> int:
    """Return where the line ends, or the quoted text that the line is in."""
    return min(scan.next(LINE_END, start), scan.next(CLOSING, start))


_COMMENT = Pattern(r"\s+(?:#|//|\().*", re.DOTALL)
_COMMAND = Pattern(r"\s+(?:(?:sudo\s+)?[\w./+-]+(?=.*\s-{1,2}\w|.*\.ya?ml|\s.*/|\s*[|>]|\s*&&|.*\s(?:[|>]|&&)\s)|[|&>;#])")
_DUMP = Pattern(r"(?:\r?\n|\\n|\x00)[A-Za-z_][A-Za-z0-9_]*=")
# A call with arguments: `Credentials("x", ...)`.
# What Terraform shows instead of a value.
_ABSENT = Pattern(r"\((?:known after apply|sensitive(?: value)?|hidden|redacted|masked|unset|not set|empty|omitted|none)\)")
# A variable of the environment that is read, and what the value is without it.
_READ = Pattern(
    r"(?:[\w.:]{0,60}(?:environ\.get|getenv|fetch)|env)\([ \t]*\\{0,8}[\"'][\w.-]{1,100}\\{0,8}[\"'][ \t]*(?P<close>\))?"
    r"(?P<default>(?(close)[ \t]*(?:or\b|\|\||\?\?|\?:)|,)[ \t]*)?"
)
_CALL = Pattern(r"[A-Za-z_][\w.]{0,80}\((?=\s*[\"'\w])")
# Characters of the rest of a line that are looked at.
_REST = 300
_ANY_QUOTE = Pattern(r"[\"']")
_HAS_NAME = Pattern(r"[\w.-]+[=:]")


def _is_comment(rest: str) -> bool:
    return _COMMENT.regex.fullmatch(rest[:400]) is not None


def _is_command(rest: str) -> bool:
    """Return whether what follows ``NAME=value`` is a command that gets it, and no part of the value."""
    return _COMMAND.regex.match(rest[:400]) is not None


def _in_dump(text: str, line: int) -> bool:
    """Return whether the next line is ``NAME=`` as well, as ``env`` prints them."""
    return _DUMP.regex.match(text, line) is not None


def _has_name(rest: str) -> bool:
    return _HAS_NAME.regex.search(rest) is not None


def _word_end(scan: Scan, start: int, end: int) -> int:
    """Return where a word ends, with the quoted parts within it."""
    at = start
    while at < end:
        quote = scan.next(_ANY_QUOTE, at)
        if quote >= end:
            return end
        after = scan.end_of_part(quote)
        if after < 0:
            return end
        at = after
        if at >= end:
            end = scan.next(WORD_END, at)
    return max(at, end)


def _is_secret(value: str, where: Where) -> bool:
    """Return whether a value is to be masked."""
    bare = value.strip(" \t\"'")
    if looks.is_nothing(bare):
        return False
    bare = bare.rstrip("}])")
    kind = where.kind
    if kind in (names.HEADER, names.SECRET, names.PASSWORD):
        if kind is names.SECRET and (looks.is_path(bare) and "/" in bare[:2]):
            return False
        return not (where.spaced and kind is not names.HEADER and looks.is_prose(bare))
    if kind is names.NUMBER:
        return (bare[:12].isdigit() and 4 <= len(bare) <= 12) or not looks.is_plain(bare)
    if (
        kind is names.KEY
        and (where.spaced or value != bare or where.quoted)
        and names.kind_of(bare) in (names.PASSWORD, names.SECRET)
    ):
        # The name of a secret: `<add key="DbPassword" value="...">`.
        return False
    if kind is names.KEY and not where.spaced:
        return not looks.is_path(bare) and not bare[:8].isdigit()
    return not looks.is_plain(bare) and not looks.is_prose(bare)
