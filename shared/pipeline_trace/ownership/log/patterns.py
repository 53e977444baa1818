"""Regular expressions that are looked for by the hundred in one text.

Each alternative is kept apart with a word that a text must have for it to match: most are ruled out without being tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_WORD = re.compile(r"[a-z0-9_]+")
# How far a repetition reaches: without an end, one line of a minified file would take minutes.
_REACH = 400
_WORD_REACH = 160
_GROUP_REACH = 20


class Text:
    """A text to look into: small letters alone, each where it was in the text."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.lower = lower(value)
        self.words = frozenset(_WORD.findall(self.lower))


def lower(value: str) -> str:
    """Return the text in small letters, as long as it was."""
    small = value.lower()
    return small if len(small) == len(value) else "".join(c.lower() if len(c.lower()) == 1 else c for c in value)


class _Alternative:
    """An expression, and what a text must have for it to match: ``word`` whole, ``part`` anywhere."""

    def __init__(self, expression: str) -> None:
        self.word, self.part = _required(expression)
        tokens = _bounded(_tokens(expression.replace("(?P<name>", "\0")))
        source = "".join("(?:" if token == "(" else _small(token) for token in tokens)
        self.regex = re.compile(source.replace("(?:?", "(?").replace("\0", "("), re.MULTILINE)


class Pattern:
    """Alternatives, in letters of either case. ``(?P<name>…)`` is the only group that is kept, in each of them."""

    def __init__(self, *expressions: str) -> None:
        """Raises re.error where an expression is none."""
        self._alternatives = [_Alternative(part) for expression in expressions for part in _split(expression)]

    def finditer(self, text: Text) -> Iterator[re.Match[str]]:
        """Yield the matches in the text's small letters, in no order."""
        words, small = text.words, text.lower
        for alternative in self._alternatives:
            if (not alternative.word or alternative.word in words) and alternative.part in small:
                yield from alternative.regex.finditer(small)

    def search(self, text: Text) -> bool:
        """Tell whether it is anywhere in the text."""
        return next(self.finditer(text), None) is not None

    def on(self, line: str) -> bool:
        """Tell whether it is on a line, which may be in letters of either case."""
        small = lower(line)
        return any(alternative.part in small and alternative.regex.search(small) for alternative in self._alternatives)


def _tokens(expression: str) -> Iterator[str]:
    """Yield an expression's pieces: escapes and classes whole, else characters."""
    at = 0
    while at < len(expression):
        end = at + 1
        if expression[at] == "\\":
            end = at + 2
        elif expression[at] == "[":
            end += expression.startswith("^", end)
            end += expression.startswith("]", end)
            while end < len(expression) and expression[end] != "]":
                end += 2 if expression[end] == "\\" else 1
            end += 1
        elif expression[at] == "{" and expression.find("}", at) > 0:
            end = expression.find("}", at) + 1
        yield expression[at:end]
        at = end


def _split(expression: str) -> list[str]:
    """Return the alternatives of the outermost level."""
    parts, depth = [""], 0
    for token in _tokens(expression):
        depth += (token == "(") - (token == ")")
        if token == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    return parts


def _bounded(tokens: Iterable[str]) -> Iterator[str]:
    """Give every repetition an end."""
    before = ""
    for token in tokens:
        if token in ("+", "*"):
            reach = {".": _REACH, ")": _GROUP_REACH}.get(before, _WORD_REACH)
            yield f"{{{int(token == '+')},{reach}}}"
        else:
            yield token
        before = token


def _small(token: str) -> str:
    """Return a piece in small letters: they are looked for in small letters alone, which is faster."""
    return re.sub(r"\\.|[^\\]+", lambda part: part[0] if part[0][0] == "\\" else part[0].lower(), token)


def _required(expression: str) -> tuple[str, str]:
    """Return the longest word that a match holds whole, and the longest text that it holds; "" for none."""
    runs, depth = [""], 0
    for token in _tokens(expression):
        depth += (token == "(") - (token == ")")
        if token in ("?", "*") or token.startswith("{"):
            runs[-1] = runs[-1][:-1]
            runs.append("")
        elif depth or token == ")" or token in (".", "^", "$", "+", "(") or token[0] == "[":
            runs.append("")
        elif token == r"\b":
            # A word may end here, and nothing stands between it and what follows.
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
