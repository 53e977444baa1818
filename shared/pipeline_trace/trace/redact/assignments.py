"""Finds secrets by the name before them: ``name = value``, as shells, YAML, JSON, XML, SQL and logs write it."""

from __future__ import annotations

import re

from . import blocks, forms, looks, names, values
from .pattern import Pattern, Spans
from .scan import Scan, Where

# Two full stops lead to a value: "password....: x".
_NAME_END = Pattern(r"[\w-]*(?:\.(?!\.)[\w-]*)*")
_LONGEST = 80
# Characters before a name that say what it is in.
_WINDOW = 48
# What begins a line that assigns: nothing, a list's dash, a diff's sign, a shell's word.
_LINE_BEGIN = Pattern(
    r"(?:\A|\n|\r|\x00|\\n)[ \t>+~$#*-]*(?:(?:export|declare -x|set|SET|setx|env|ENV|ARG|local|readonly|typeset) +)?[\"']?\Z"
)
_ENCLOSING = Pattern(r"(\\{0,40}[\"'`])(?:-{1,2}(?:\w[ =]?)?)?\Z")
# A value that stands before its name: `{"value": "SECRET", "name": "DB_PASSWORD"}`.
_VALUE_BEFORE = Pattern(
    r"(?i)\bvalue\\*[\"']?[ \t]*[:=][ \t]*\\*[\"']?(?P<secret>[^\n\"'\\,{}]{1,200})"
    r"\\*[\"']?,?\s{1,40}\\*[\"']?(?:name|key)\\*[\"']?[ \t]*[:=][ \t]*\\*[\"']?\Z"
)
_BEFORE = 300
_DATA = "<![CDATA["
_OPENING = Pattern(forms.QUOTE)
# Characters behind a name in which a form says that it may be one.
_NEAR = 400
# Characters of the longest word that says what key it is.
_QUALIFIER = 18


def find(text: str, hits: list[int], spans: Spans) -> None:
    """Add the values of secret names. ``hits``: where words stand that occur in such names, in their order."""
    scan, done = Scan(text), 0
    for hit in hits:
        if hit < done:
            continue
        start, end = _bounds(text, hit, done)
        done = max(end, hit + 1)
        kind = names.kind_of(text[start:end].strip("-.")) if start < end else names.NONE
        if kind is names.KEY and _qualified(text, start):
            kind = names.SECRET
        if kind in (names.PASSWORD, names.SECRET) and _TOLD_OF.regex.match(text, max(start - 1, 0)):
            kind = names.WEAK
        if kind is names.NONE or (kind is names.PASSWORD and _OPEN.regex.match(text, start)):
            continue
        if text.startswith(":", end) and (_SOURCE.regex.match(text, start) or _TAGGED.regex.match(text, start)):
            continue
        found = _value(scan, start, end, kind) or _value_before(text, start, kind)
        if found is not None:
            found = (found[0], blocks.end_of_change(scan, found[1]))
            spans.append(found)
            done = max(done, found[1])


# The end of an address or path that a message is about, and what a message goes on with.
_TOLD_OF = Pattern(r"/[\w.-]{1,80}: |\W?(?:credentials?|tokens?): [a-z]+ [a-z]+\b")
# Counts of tests, lines of test runners, the shell's folders.
_OPEN = Pattern(
    r"[pP](?:ass|ASS)[ \t]{0,4}[=:][ \t]{0,4}\d{1,6}(?![\w.])|PASS: (?=[a-z])(?:[a-z][\w.-]*/[\w./:\[\]-]*|[a-z_]+(?=\s|\Z))"
    r"|(?:OLD)?PWD=(?=[/~]|[A-Z]:\\)|PASS: (?:Test|Example|Benchmark|Fuzz)\w*|PASS[ \t]+[\w.-]+/[\w./-]+(?=\s|\Z)"
)
# A line of a source file, as compilers and tracebacks name it; the tag of an image; a package of Debian's.
_SOURCE = Pattern(
    r"[\w.-]*\.(?:java|kts?|scala|groovy|go|py|rb|php|m?jsx?|tsx?|cs|cpp|cc|c|hh?|hpp|rs|swift|exs?|clj|sh|ya?ml|tf|sql|pl|lua"
    r"|dart|vue|feature|jsonnet|toml|xml|html|md):\d"
)
_TAGGED = Pattern(
    r"(?<=/)[\w.-]*:(?:latest|stable|edge|v?\d+(?:\.\d+){0,3}(?:-[a-z]+[.\d]*)?)(?=[\s\"',)\]]|\Z)"
    r"|[\w.+-]*:(?:amd64|arm64|i386|armhf|all|any|x86_64|ppc64el|s390x|riscv64)(?![\w-])"
)


def _value_before(text: str, start: int, kind: str) -> tuple[int, int] | None:
    """Return where the value is of a name that stands behind it."""
    if kind is names.WEAK or "alue" not in (window := text[max(0, start - _BEFORE) : start]):
        return None
    found = _VALUE_BEFORE.regex.search(window)
    if found is None or looks.is_nothing(found["secret"].strip()):
        return None
    return (start - len(window) + found.start("secret"), start - len(window) + found.end("secret"))


def _bounds(text: str, hit: int, done: int) -> tuple[int, int]:
    """Return where the name begins and ends that a word is a part of."""
    found = _NAME_END.regex.match(text, hit, hit + _LONGEST)
    stop = found.end() if found else hit
    start, first = hit, max(done, hit - _LONGEST)
    while start > first and _is_of_name(text[start - 1]):
        start -= 1
    before = text[start - 1] if start > first else ""
    if before == "\\" and start < hit and text[start] in "nrt":
        start += 1
    elif before == "\\" and text.startswith(("u0022", "u0027"), start):
        start += 5
    elif before == "%" and text[start : start + 2].upper() in _ENCODED:
        start += 2
    if text[start] == "-" and text[start + 1 : start + 2] in ("D", "P") and start + 2 < hit:
        start += 2
    while stop > hit and text[stop - 1] in ".-":
        stop -= 1
    return start, stop


def _is_of_name(sign: str) -> bool:
    return sign in _LETTERS or (sign > "\x7f" and sign.isalnum())


# What names are made of, and what URLs write before them.
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
_ENCODED = ("22", "27", "3F", "26", "0A", "7B", "2C")


def _qualified(text: str, start: int) -> bool:
    """Return whether the word before a lone "key" says that it is one: "Secret Access Key"."""
    if start < 2 or text[start - 1] not in " _" or not text[start - 2].isalpha():
        return False
    window = text[max(0, start - _QUALIFIER) : start - 1]
    return window[max(window.rfind(" "), window.rfind("\n")) + 1 :].lower() in names.KEY_QUALIFIERS


def _value(scan: Scan, start: int, end: int, kind: str) -> tuple[int, int] | None:
    """Return where the value of the name is that stands from ``start`` to ``end``."""
    text = scan.text
    window = text[max(0, start - _WINDOW) : start]
    for form, pattern in [forms.PATTERNS[name] for name in forms.BY_SIGN.get(text[end : end + 1], ())]:
        if form.kinds and kind not in form.kinds:
            continue
        if form.holds and not any(text.find(each, end, end + _NEAR) >= 0 for each in form.holds):
            continue
        found = pattern.regex.match(text, end)
        if found is not None and forms.fits(form.name, found, window, text, start, kind):
            if form.name in ("element", "named element", "neighbour element"):
                begin = found.end()
                if text.startswith(_DATA, begin):
                    begin += len(_DATA)
                close = text.find("]]>" if begin > found.end() else "<", begin)
                close = len(text) if close < 0 else close
                content = text[begin:close].strip()
                return (begin, close) if content and not (kind is names.KEY and names.kind_of(content)) else None
            where = _where(text, start, window, form, found, kind)
            block = blocks.block_below(scan, found.start("blank") if form.name == "operator" else found.end(), where)
            return block or values.span_of(scan, found.end(), where)
    return None


def _where(text: str, start: int, window: str, form: forms.Form, found: re.Match[str], kind: str) -> Where:
    """Return what stands around a name."""
    operator = form.name == "operator"
    near, quote = window[-4:], ""
    if operator and ('"' in near or "'" in near or "`" in near):
        enclosing = _ENCLOSING.regex.search(window)
        quote = enclosing[1] if enclosing and not _OPENING.regex.match(text, found.start()) else ""
        if quote and kind is names.HEADER and text.startswith(quote, found.end()):
            quote = ""
    before = near.rstrip()[-1:]
    blank = operator and bool(
        found["blank"]
        or found["before"]
        or found["sign"] in ":\uff1a"
        or (kind is names.KEY and found["sign"] == "==")
        or "." in text[start : found.start()]
    )
    return Where(
        kind,
        quote,
        _indent(window, start) if kind in (names.PASSWORD, names.SECRET) else None,
        near[-1:] in ("?", "&") or ("%" in near and near[-3:].upper() in ("%3F", "%26")),
        before == ";",
        before in ("{", "(", "[", ","),
        blank or form.name == "cell",
        form.name == "option",
    )


def _indent(window: str, start: int) -> int | None:
    """Return the indentation of a name that begins its line, ``None`` if it does not begin one."""
    found = _LINE_BEGIN.regex.search(window)
    if found is None or (
        found.start() == 0 and len(window) < start and not found[0].startswith(("\n", "\r", "\x00", "\\n"))
    ):
        return None
    line = found[0].lstrip("\r\n\x00")
    return len(line) - len(line.lstrip(" \t")) if not line.lstrip(" \t").startswith("- ") else len(line.rstrip("\"'"))
