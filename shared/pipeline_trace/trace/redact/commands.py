"""Secrets in command lines, by the options of ``programs``: as a shell has them, and as a list of JSON or Python."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from . import looks, pipes, programs
from .pattern import Pattern, Spans
from .pipes import Word, program

_WORD = Pattern(
    r"(?P<word>(?:\\{0,8}\"(?:[^\"\\]|\\(?!\")[^\n]|\\\"(?![\s,\]]|\Z))*\\{0,8}\"|'(?!\[['\"])[^'\n]*'|\$\([^()\n]*\)|\\[^\n]"
    r"|[^\s\"'\\|;&,()]|,(?!\s|\Z|[\"'])|&(?!&|\s)|[()])+)"
    r"|(?P<stop>[|;&\n\r\x00])|(?P<blank>(?:[ \t,]|\\\r?\n)+)|(?P<other>[^\n])"
)
_LONGEST = 400  # words of a command
_DEEPEST = 3  # commands in commands


class _Row(NamedTuple):
    options: dict[str, str]
    positions: tuple[tuple[int, str], ...]
    all_pairs: bool
    needs: frozenset[str]
    needed_begins: tuple[str, ...]

    def fits(self, said: set[str]) -> bool:
        """Return whether a command of these words is one that the row is for."""
        if not self.needs and not self.needed_begins:
            return True
        return not self.needs.isdisjoint(said) or any(word.startswith(self.needed_begins) for word in said)


@cache
def _rows() -> dict[str, list[_Row]]:
    """Return the rows of each program."""
    table: dict[str, list[_Row]] = {}
    for names, line in programs.PROGRAMS:
        wanted, _sign, needed = line.partition(">")
        words = wanted.split()
        options = {word.rstrip(":=%,/+"): word[len(word.rstrip(":=%,/+")) :] for word in words if word[0] in "-/"}
        positions = tuple(
            (int(word[1:].rstrip("/:")), word[-1] if word[-1] in "/:" else "") for word in words if word[0] == "#"
        )
        needs = needed.split()
        begins = tuple(word.removesuffix("*") for word in needs if word.endswith("*"))
        row = _Row(options, positions, "=*" in words, frozenset(word for word in needs if word[-1] != "*"), begins)
        for name in names.split():
            table.setdefault(name, []).append(row)
    return table


def find(text: str, low: str, spans: Spans) -> None:
    """Add the secrets of the commands in a text."""
    done = 0
    found = programs.MAYBE.regex.search(text)
    while found is not None:
        done = _line(text, _begin(text, done, found.start()), len(text), 0, spans)
        found = programs.MAYBE.regex.search(text, max(done, found.end()))
    for sign, known in programs.MAYBE_WORDS:
        for word in known if sign in text else ():
            if word in low:
                _lines_with(word, text, low, spans)


def _begin(text: str, done: int, at: int) -> int:
    """Return where the command begins that goes through ``at``: its line, and those before that a backslash continues."""
    start = max(done, text.rfind("\n", done, at) + 1)
    while (
        start > done + 1
        and text[start - 1] == "\n"
        and text[start - 2] in "\\\r"
        and text[max(start - 3, 0) : start - 1].strip("\r")[-1:] == "\\"
    ):
        start = max(done, text.rfind("\n", done, start - 1) + 1)
    return start


def _lines_with(word: str, text: str, low: str, spans: Spans) -> None:
    """Add the secrets of the commands in the lines that hold a word."""
    done, at = 0, low.find(word)
    while at >= 0:
        done = _line(text, _begin(text, done, at), len(text), 0, spans)
        at = low.find(word, max(done, at + 1))


def _line(text: str, start: int, end: int, depth: int, spans: Spans) -> int:
    """Add the secrets of one line from ``start`` on, which may go on behind a backslash. Return where it ends."""
    words: list[Word] = []
    piped: list[Word] = []
    grouped: list[Word] = []
    at = start
    for each in _WORD.regex.finditer(text, start, end):
        at = each.end()
        if each["word"]:
            if len(words) < _LONGEST:
                words.append(_bare(text, each.start(), at))
                if depth < _DEEPEST and " " in words[-1].text:
                    _command_in(text, words[-1], depth + 1, spans)
            continue
        stop = each["stop"]
        if stop is None:
            continue
        _command(text, words, piped, spans)
        prints = pipes.printed(text, words) if stop in "|;&" else []
        if stop == "|":
            piped, grouped = grouped + prints, []
        else:
            piped = []
            # `(echo a; echo b) | passwd`: the pipe gets both.
            grouped += prints if grouped or (words and _begins_group(text, words[0])) else []
        words = []
        if stop in "\n\r\0":
            return at
    _command(text, words, piped, spans)
    return max(at, start + 1)


def _begins_group(text: str, word: Word) -> bool:
    """Return whether a word is the first one of several commands in brackets."""
    return word.text == "{" or text[word.start - 1 : word.start] == "("


def _command_in(text: str, word: Word, depth: int, spans: Spans) -> None:
    """Add the secrets of a command that is quoted: ``sh -c '...'``, an element of a list."""
    at, end = word.start, word.end
    quotes = [place for place in (word.text.find('"'), word.text.find("'")) if place >= 0]
    first = word.text[: min(quotes)] if quotes else ""
    if first and not any(each.isspace() for each in first):
        # `ProxyCommand="..."`: only what is quoted is a command.
        last = word.text.rfind(word.text[len(first)])
        at, end = word.start + len(first) + 1, max(word.start + last, word.start + len(first) + 1)
    while at < end:
        at = _line(text, at, end, depth, spans)


def _bare(text: str, start: int, end: int) -> Word:
    """Return a word without the quotes around it, be they a shell's or a list's."""
    while end - start > 1 and text[start] in "[({":
        start += 1
    while end - start > 1 and text[end - 1] in "])}":
        end -= 1
    first, last = start, end
    while first < last and text[first] == "\\":
        first += 1
    if first < last and text[first] in "\"'" and last - first > 1 and text[last - 1] == text[first]:
        quote = first - start + 1
        start, end = first + 1, end - quote
    return Word(start, max(start, end), text[start : max(start, end)])


def _command(text: str, words: list[Word], piped: list[Word], spans: Spans) -> None:
    """Add the secrets of one command."""
    if not words:
        return
    table = _rows()
    said = {word.text for word in words}
    pipes.find(text, words, piped, spans)
    for number, word in enumerate(words):
        rows = table.get(program(word.text))
        if rows:
            for row in rows:
                if row.fits(said):
                    _arguments(row, words[number + 1 :], table, spans)


def _arguments(row: _Row, words: list[Word], table: dict[str, list[_Row]], spans: Spans) -> None:
    """Add the secrets in the arguments of a program, up to the next program of the table."""
    plain: list[Word] = []
    waiting = ""
    for number, word in enumerate(words):
        if waiting:
            sign, waiting = waiting, ""
            if (sign == "always" and not word.text.startswith("-")) or (sign != "always" and _holds(word.text, sign)):
                _add(word, word.start, sign, spans)
                continue
        if (
            number
            and not word.text.startswith("-")
            and word.text in table
            and word.text not in ("net", "security", "http", "https")
        ):
            break
        if word.text.startswith(("-", "/")) and row.options:
            option, sign, start = _option(row, word.text)
            if option:
                if start >= 0:
                    if sign == "+" or not sign or _holds(word.text[start:], sign):
                        _add(word, word.start + start, sign, spans)
                elif sign != "+":
                    waiting = sign or "always"
                continue
        if not word.text.startswith("-"):
            plain.append(word)
            if row.all_pairs and (equals := word.text.find("=")) > 0:
                _add(word, word.start + equals + 1, "", spans)
    for position, sign in row.positions:
        if -len(plain) <= position < len(plain) and (position >= 0 or len(plain) > 1):
            word = plain[position]
            begin = word.text.find(sign) + 1 if sign else 0
            if (
                (not sign or 1 < begin < len(word.text))
                and not looks.is_nothing(word.text)
                and "://" not in word.text
                and word.text not in ("*", "/dev/stdin", "-")
            ):
                end = word.start + word.text.rfind("@") if sign == "/" and "@" in word.text else word.end
                spans.append((word.start + begin, end))


def _option(row: _Row, word: str) -> tuple[str, str, int]:
    """Return the option that a word is, its sign, and where its value begins in the word (-1: it is the next word)."""
    name, equals, _value = word.partition("=")
    if name in row.options:
        return name, row.options[name], len(name) + 1 if equals else -1
    name, colon, _value = word.partition(":")
    if colon and name in row.options:
        return name, row.options[name], len(name) + 1
    for option, sign in row.options.items():
        if len(option) == 2 and option[0] == "-" and not word.startswith("--"):
            at = _in_cluster(word, option[1])
            if at > 0:
                return option, sign, at if at < len(word) else -1
        elif sign == "+" and word.startswith(option) and len(word) > len(option):
            return option, sign, len(option)
    return "", "", -1


_FLAGS = frozenset("fsSLkviIgGnNjJOqR#0123456789")


def _in_cluster(word: str, letter: str) -> int:
    """Return where the value begins of a one-letter option in a word like ``-fsSLuX``, 0 if it is not in it."""
    for at, each in enumerate(word[1:40], 1):
        if each == letter:
            return at + 1
        if each not in _FLAGS:
            return 0
    return 0


def _holds(value: str, sign: str) -> bool:
    """Return whether a value holds the sign that says that a secret is in it."""
    return sign in ("always", "+") or any(each in value for each in sign)


def _add(word: Word, start: int, sign: str, spans: Spans) -> None:
    """Add the value of an option, unless it is a variable or a file."""
    value = word.text[start - word.start :]
    if sign == "=" and (equals := value.find("=")) >= 0:
        start, value = start + equals + 1, value[equals + 1 :]
    bare = value.strip("\"'")
    if bare and not looks.is_nothing(bare) and bare not in ("@-", "-"):
        spans.append((start, word.end))
