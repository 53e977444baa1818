"""Searches a text for hundreds of regular expressions.

Each alternative has a word that a text must contain to match. This rules most alternatives out without a search.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

_WORD = re.compile(r"[a-z0-9_]+")
_CLASS = r"\[\^?\]?(?:\\.|[^\]\\])*\]"
_NESTED = re.compile(r"\((?:[^()\\]|\\.)*[+*](?:[^()\\]|\\.)*\)(?:[+*]|\{\d+,\})")
_BACK = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9]|\(\?P=")
_FLAGS = re.compile(r"\(\?[aiLmsux-]+[:)]|\(\?P<(?!name>)")
# A shorter text is in most logs.
_TELLING = 3
_WHOLE = r"(?<![a-z0-9])"
# The pieces of an expression: an escape, a character class, a repetition, a run of letters, any other character.
_TOKEN = re.compile(rf"\\.|{_CLASS}|\{{\d[^}}]*\}}|[^\\\[{{()|?*+.^$]+|.", re.DOTALL)
_SPECIAL = re.compile(rf"\\.|{_CLASS}|[()|]", re.DOTALL)
# Limits of a repetition, in characters. Without them, one line of a minified file would take minutes.
_REACH = 400
_WORD_REACH = 160
_GROUP_REACH = 20


class Text:
    """A text to search, also in lower case, with all positions unchanged."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.lower = lower(value)
        self.words = frozenset(_WORD.findall(self.lower))


def lower(value: str) -> str:
    """Return the text in lower case, with the same length."""
    small = value.lower()
    return small if len(small) == len(value) else "".join(c.lower() if len(c.lower()) == 1 else c for c in value)


class _Alternative:
    """An expression, and what a text must contain to match. ``word``: as a whole word. ``part``: anywhere."""

    def __init__(self, expression: str) -> None:
        self.word, self.part = _required(expression)
        self._expression = expression

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """Return the compiled expression. Most are never needed, and to compile all of them takes long."""
        tokens = _bounded(_TOKEN.findall(self._expression.replace("(?P<name>", "\0")))
        source = "".join("(?:" if token == "(" else _small(token) for token in tokens)
        return re.compile(source.replace("(?:?", "(?").replace("\0", "("), re.MULTILINE)

    def finditer(self, small: str) -> Iterator[re.Match[str]]:
        """Yield the first match of each line. ``small``: lower case. Only lines that have the part are searched."""
        end = -1
        while (at := small.find(self.part, end + 1)) >= 0:
            start, end = small.rfind("\n", 0, at) + 1, small.find("\n", at)
            if end < 0:
                end = len(small)
            match = self.regex.search(small, start, end)
            if match:
                yield match
            if end == len(small):
                return


def check_expression(expression: str) -> None:
    """Raise ValueError for a repetition in a repetition, which can take endlessly, and for what is not kept."""
    if _NESTED.search(expression):
        raise ValueError(f"{expression!r} repeats a repetition, which can take endlessly; repeat once")
    if _BACK.search(expression) or _FLAGS.search(expression):
        raise ValueError(f"{expression!r} has a back reference, a flag or a group of another name; only (?P<name>…) is kept")


def _alternatives(expression: str) -> Iterator[_Alternative]:
    """Yield an expression as one alternative, or, where every match begins differently, one for each beginning."""
    found = _Alternative(expression)
    parts = [] if len(found.part) >= _TELLING else _expanded(expression)
    if parts:
        yield from map(_Alternative, parts)
    else:
        yield found


class Pattern:
    """Alternatives of an expression, ignoring case. Each keeps only the group ``(?P<name>…)``."""

    def __init__(self, *expressions: str, words: bool = False) -> None:
        """Take the expressions. They are compiled when a text may match. ``words``: a match does not begin inside a word."""
        parts = [part for expression in expressions for part in _split(expression)]
        whole = (_WHOLE + part if words and part[:1].isalnum() else part for part in parts)
        self._alternatives = [alternative for part in whole for alternative in _alternatives(part)]

    def check(self) -> None:
        """Compile all expressions. Raises re.error if one is not valid."""
        for alternative in self._alternatives:
            _ = alternative.regex

    def finditer(self, text: Text) -> Iterator[re.Match[str]]:
        """Yield the matches in the lower-case text, one a line and alternative, in no particular order."""
        words, small = text.words, text.lower
        for alternative in self._alternatives:
            if (not alternative.word or alternative.word in words) and alternative.part in small:
                yield from alternative.finditer(small)

    def search(self, text: Text) -> bool:
        """Return whether the text has a match."""
        return next(self.finditer(text), None) is not None

    def on(self, line: str) -> bool:
        """Return whether a line has a match, ignoring case."""
        small = lower(line)
        return any(alternative.part in small and alternative.regex.search(small) for alternative in self._alternatives)


def _split(expression: str) -> list[str]:
    """Return the alternatives at the top level of an expression."""
    parts, depth, start = [], 0, 0
    for match in _SPECIAL.finditer(expression):
        if match[0] == "|":
            if depth == 0:
                parts.append(expression[start : match.start()])
                start = match.end()
        else:
            depth += (match[0] == "(") - (match[0] == ")")
    return [*parts, expression[start:]]


def _expanded(expression: str) -> list[str]:
    """Return the expression once for each alternative of its first group, if that must match once; else nothing."""
    depth, start = 0, -1
    for match in _SPECIAL.finditer(expression):
        if match[0] == "(":
            start = match.start() if depth == 0 else start
            depth += 1
        elif match[0] == ")":
            depth -= 1
            if depth == 0:
                before, group, after = expression[:start], expression[start + 1 : match.start()], expression[match.end() :]
                if group.startswith("?") or after[:1] in ("?", "*", "+", "{"):
                    # Not a group that must match, or none that matches anything.
                    continue
                return [f"{before}{part}{after}" for part in _split(group)]
    return []


def _bounded(tokens: Iterable[str]) -> Iterator[str]:
    """Yield the pieces, with a limit on each repetition."""
    before = ""
    for token in tokens:
        if token in ("+", "*"):
            reach = {".": _REACH, ")": _GROUP_REACH}.get(before, _WORD_REACH)
            yield f"{{{int(token == '+')},{reach}}}"
        else:
            yield token
        before = token


def _small(token: str) -> str:
    """Return a piece in lower case, but not its escapes. Texts are searched in lower case, which is faster."""
    return re.sub(r"\\.|[^\\]+", lambda part: part[0] if part[0][0] == "\\" else part[0].lower(), token)


def _required(expression: str) -> tuple[str, str]:
    """Return the longest whole word and the longest text that every match contains; "" for none."""
    runs, depth = [""], 0
    for token in _TOKEN.findall(expression):
        depth += (token == "(") - (token == ")")
        if token in ("?", "*") or token.startswith("{"):
            runs[-1] = runs[-1][:-1]
            runs.append("")
        elif depth or token == ")" or token in (".", "^", "$", "+", "(") or token[0] == "[":
            runs.append("")
        elif token == r"\b":
            # A word may end here, directly before the next character.
            runs[-1] += "\0"
        elif token[0] == "\\":
            if token[1].isalnum():
                runs.append("")
            else:
                runs[-1] += token[1]
        else:
            runs[-1] += token.lower()
    whole = [word for run in runs for word in re.findall(r"(?<![a-z0-9_])(?<!^)[a-z0-9_]+(?=[^a-z0-9_])", run)]
    texts = [text for run in runs for text in run.split("\0")]
    return max(whole, key=len, default=""), max(texts, key=len, default="")
